//! Whoever makes calls: a session, with patience for a chain that fails now and then.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    super::{
        PartLog, Token,
        log::{clean, millis},
    },
    CallError, ClientConfig, Failure, ToolCall,
    pace::Pace,
    session::{Outcome, Session},
    tally::Tally,
};

/// The wait before a first retry; each further one waits half as long again, up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// What all callers of a test share.
#[derive(Debug)]
pub(super) struct Test {
    pub(super) config: ClientConfig,
    pub(super) pace: Pace,
    pub(super) tally: Tally,
    pub(super) log: PartLog,
}

/// One session of a test.
#[derive(Debug)]
pub(super) struct Caller {
    test: Arc<Test>,
    session: Session,
}

/// Counts the retries of one step.
struct Patience {
    /// In the failure.
    step: String,
    /// In the line of a retry.
    shown: String,
    used: u32,
}

impl Patience {
    fn new(step: &str) -> Self {
        Self { step: step.to_owned(), shown: step.to_owned(), used: 0 }
    }
}

impl Caller {
    /// Somebody who has not spoken yet.
    pub(super) fn new(test: &Arc<Test>) -> Result<Self, Failure> {
        Self::with_token(test, test.config.token.as_ref())
    }

    /// Somebody with another token than the test's.
    pub(super) fn with_token(test: &Arc<Test>, token: Option<&Token>) -> Result<Self, Failure> {
        let session = Session::new(&test.config, token, &test.log);
        let session = session.map_err(|error| Failure::new("start", CallError::Wrong(error.to_string())))?;
        Ok(Self { test: Arc::clone(test), session })
    }

    pub(super) fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Opens the session.
    pub(super) async fn handshake(&mut self) -> Result<(), Failure> {
        let opening = self.session.opening();
        let mut patience = Patience::new(opening);
        loop {
            let started = Instant::now();
            match self.session.open().await {
                Ok(revision) => {
                    let session = self.session.id().map_or_else(String::new, |id| format!(", session {}", clean(id)));
                    self.test.log.info(format_args!("{opening} → {}, revision {revision}{session}", self.took(started)));
                    break;
                }
                Err(error) => self.retry(error, &mut patience).await?,
            }
        }
        let mut patience = Patience::new("notifications/initialized");
        loop {
            match self.session.initialized().await {
                Ok(None) => return Ok(()),
                // Servers exist that do this, and every client bears it.
                Ok(Some(odd)) => {
                    self.test.log.warn(format_args!("notifications/initialized → {odd}, where the protocol says 202"));
                    return Ok(());
                }
                Err(error) => self.retry(error, &mut patience).await?,
            }
        }
    }

    /// Lists the tools; the ones that are wanted must be there.
    pub(super) async fn list(&mut self, wanted: &[&str]) -> Result<(), Failure> {
        let mut patience = Patience::new("tools/list");
        let (result, took) = loop {
            let started = Instant::now();
            match self.session.request("tools/list", Value::Null).await {
                Ok(outcome) => break (outcome.result, self.took(started)),
                Err(error) => self.retry(error, &mut patience).await?,
            }
        };
        let fail = |error| Failure::new("tools/list", error);
        let tools = result.get("tools").and_then(Value::as_array);
        let tools = tools.ok_or_else(|| fail(CallError::Malformed("`tools` is no array".to_owned())))?;
        let names: Vec<&str> = tools.iter().filter_map(|tool| tool.get("name").and_then(Value::as_str)).collect();
        if let Some(missing) = wanted.iter().find(|wanted| !names.contains(wanted)) {
            let has = if names.is_empty() { "none".to_owned() } else { clean(&names.join(", ")) };
            return Err(fail(CallError::Wrong(format!("the server has no tool {missing:?}, it has {has}"))));
        }
        self.test.log.info(format_args!("tools/list → {took}, {} tools", tools.len()));
        Ok(())
    }

    /// Pings.
    pub(super) async fn ping(&mut self, n: u32) -> Result<(), Failure> {
        let mut patience = Patience::new(&format!("ping #{n}"));
        loop {
            let started = Instant::now();
            match self.session.request("ping", Value::Null).await {
                Ok(_) => {
                    self.passed(&patience, started);
                    return Ok(());
                }
                Err(error) => self.retry(error, &mut patience).await?,
            }
        }
    }

    /// Calls the tool of the test, and judges its result.
    pub(super) async fn tool(&mut self, n: u32) -> Result<(), Failure> {
        let name = self.test.config.tool.name();
        let mut patience = Patience { step: format!("tools/call #{n}"), shown: format!("tools/call {} #{n}", clean(name)), used: 0 };
        loop {
            self.test.log.info(&patience.shown);
            let started = Instant::now();
            match self.call_tool(n).await {
                Ok(()) => {
                    self.passed(&patience, started);
                    return Ok(());
                }
                Err(error) => self.retry(error, &mut patience).await?,
            }
        }
    }

    /// The same once, without patience.
    pub(super) async fn call_tool(&mut self, n: u32) -> Result<(), CallError> {
        let test = Arc::clone(&self.test);
        match &test.config.tool {
            ToolCall::Echo => {
                let text = format!("call {n}");
                let (said, _) = self.call("echo", json!({"message": text}), None).await?;
                check_echo(&said, &text)
            }
            ToolCall::Named { name, arguments } => self.result(name, Value::Object(arguments.clone()), None).await.map(drop),
        }
    }

    /// Calls a tool once; gives the text of its result, and what came ahead of it.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value, progress: Option<u32>) -> Result<(String, Outcome), CallError> {
        let outcome = self.result(tool, arguments, progress).await?;
        let text = text_of(&outcome.result).ok_or_else(|| CallError::Malformed("the result has no text".to_owned()))?.to_owned();
        Ok((text, outcome))
    }

    /// Calls a tool once; a result that says the tool failed is an error.
    async fn result(&mut self, tool: &str, arguments: Value, progress: Option<u32>) -> Result<Outcome, CallError> {
        let mut params = json!({"name": tool, "arguments": arguments});
        if let Some(token) = progress {
            params["_meta"] = json!({"progressToken": token});
        }
        let outcome = self.session.request("tools/call", params).await?;
        if outcome.result.get("isError").and_then(Value::as_bool) == Some(true) {
            let why = text_of(&outcome.result).unwrap_or("it does not say why");
            return Err(CallError::Wrong(format!("the tool failed: {}", clean(why))));
        }
        Ok(outcome)
    }

    /// Ends the session.
    pub(super) async fn end(self) -> Result<(), Failure> {
        self.session.end().await.map_err(|error| Failure::new("end of the session", error))
    }

    fn passed(&self, patience: &Patience, started: Instant) {
        self.test.log.info(format_args!("{} → {}", patience.shown, self.took(started)));
        self.test.tally.passed(started.elapsed(), &self.test.pace, patience.used > 0);
    }

    /// `200 in 3 ms`; over stdio there is no status.
    fn took(&self, started: Instant) -> String {
        let word = if self.session.is_http() { "200" } else { "ok" };
        format!("{word} in {}", millis(started.elapsed()))
    }

    /// Waits before the next attempt, or gives up: after the last retry, or at once where a retry is no use.
    async fn retry(&self, error: CallError, patience: &mut Patience) -> Result<(), Failure> {
        let most = self.test.config.retries;
        if !error.is_transient() || patience.used >= most {
            return Err(Failure::new(&patience.step, error));
        }
        patience.used += 1;
        self.test.log.warn(format_args!("{} → {}, retry {} of {most}", patience.shown, error.short(), patience.used));
        self.test.log.raw(format_args!("##e2e progress retry {} of {most}", patience.used));
        let factor = 1.5_f64.powi((patience.used - 1).min(20).cast_signed());
        tokio::time::sleep(FIRST_RETRY.mul_f64(factor).min(LONGEST_RETRY)).await;
        Ok(())
    }
}

fn text_of(result: &Value) -> Option<&str> {
    result.pointer("/content/0/text").and_then(Value::as_str)
}

/// Servers differ in what they put around the echo, none in the echo itself.
fn check_echo(said: &str, wanted: &str) -> Result<(), CallError> {
    if said.contains(wanted) { Ok(()) } else { Err(CallError::Wrong(format!("echo said {:?}, wanted {wanted:?}", clean(said)))) }
}
