//! A test, from its first request to its last line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::{
    super::{PartLog, Stop, log::millis},
    CallError, ClientConfig, Failure, Scenario,
    session::Session,
    stats::Latencies,
};

/// Progress lines come no more often than this.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// The wait before a first retry; each further one waits half as long again, up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(2);

/// Runs the test. True if it passed; its last line says so, or why not.
pub async fn run(config: ClientConfig, log: &PartLog, mut stop: Stop) -> bool {
    let calls = config.calls;
    let mut test = match Test::new(config, log.clone()) {
        Ok(test) => test,
        Err(error) => {
            log.error(error);
            return false;
        }
    };
    let outcome = tokio::select! {
        outcome = test.run() => outcome,
        () = stop.requested() => Err(Failure::new(format!("{} of {calls} calls passed", test.passed), CallError::Interrupted)),
    };
    match outcome {
        Ok(()) => {
            let [p50, p99] = [50, 99].map(|percent| millis(test.latencies.percentile(percent)));
            log.info(format_args!("{} of {calls} calls passed, p50 {p50}, p99 {p99}", test.passed));
            true
        }
        Err(failure) => {
            log.error(failure);
            false
        }
    }
}

struct Test {
    config: ClientConfig,
    session: Session,
    latencies: Latencies,
    passed: u32,
    progress: Option<Instant>,
    log: PartLog,
}

impl Test {
    fn new(config: ClientConfig, log: PartLog) -> Result<Self, super::super::ServeError> {
        let session = Session::new(&config.target, config.timeout, config.revision)?;
        Ok(Self { config, session, latencies: Latencies::default(), passed: 0, progress: None, log })
    }

    async fn run(&mut self) -> Result<(), Failure> {
        match self.config.scenario {
            Scenario::Tools => self.tools().await,
        }
    }

    async fn tools(&mut self) -> Result<(), Failure> {
        self.handshake().await?;
        self.list().await?;
        let mut pace = self.config.rate.map(|rate| {
            let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / rate));
            pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
            pace
        });
        for n in 1..=self.config.calls {
            if let Some(pace) = &mut pace {
                pace.tick().await;
            }
            self.echo(n).await?;
        }
        self.session.end().await;
        Ok(())
    }

    async fn handshake(&mut self) -> Result<(), Failure> {
        let mut retries = 0;
        loop {
            let started = Instant::now();
            match self.session.initialize().await {
                Ok(revision) => {
                    let session = self.session.id().unwrap_or("none");
                    self.log
                        .info(format_args!("initialize → 200 in {}, revision {revision}, session {session}", millis(started.elapsed())));
                    break;
                }
                Err(error) => self.retry("initialize", "initialize", error, &mut retries).await?,
            }
        }
        let step = "notifications/initialized";
        let mut retries = 0;
        while let Err(error) = self.session.initialized().await {
            self.retry(step, step, error, &mut retries).await?;
        }
        Ok(())
    }

    async fn list(&mut self) -> Result<(), Failure> {
        let mut retries = 0;
        let (result, took) = loop {
            let started = Instant::now();
            match self.session.request("tools/list", Value::Null).await {
                Ok(result) => break (result, started.elapsed()),
                Err(error) => self.retry("tools/list", "tools/list", error, &mut retries).await?,
            }
        };
        let fail = |error| Failure::new("tools/list", error);
        let tools = result.get("tools").and_then(Value::as_array);
        let tools = tools.ok_or_else(|| fail(CallError::Malformed("`tools` is no array".to_owned())))?;
        if !tools.iter().any(|tool| tool.get("name").and_then(Value::as_str) == Some("echo")) {
            return Err(fail(CallError::Wrong("the server has no tool `echo`".to_owned())));
        }
        self.log.info(format_args!("tools/list → 200 in {}, {} tools", millis(took), tools.len()));
        Ok(())
    }

    async fn echo(&mut self, n: u32) -> Result<(), Failure> {
        let (step, shown) = (format!("tools/call #{n}"), format!("tools/call echo #{n}"));
        let text = format!("call {n}");
        let mut retries = 0;
        loop {
            self.log.info(&shown);
            let started = Instant::now();
            let params = json!({"name": "echo", "arguments": {"message": text}});
            match self.session.request("tools/call", params).await.and_then(|result| check_echo(&result, &text)) {
                Ok(()) => {
                    let took = started.elapsed();
                    self.latencies.add(took);
                    self.passed += 1;
                    self.log.info(format_args!("{shown} → 200 in {}", millis(took)));
                    self.say_progress(retries > 0);
                    return Ok(());
                }
                Err(error) => self.retry(&step, &shown, error, &mut retries).await?,
            }
        }
    }

    /// Waits before the next attempt, or gives up: after the last retry, or at once where a retry is no use.
    async fn retry(&mut self, step: &str, shown: &str, error: CallError, retries: &mut u32) -> Result<(), Failure> {
        if !error.is_transient() || *retries >= self.config.retries {
            return Err(Failure::new(step, error));
        }
        *retries += 1;
        let most = self.config.retries;
        self.log.warn(format_args!("{shown} → {}, retry {retries} of {most}", error.short()));
        self.log.raw(format_args!("##e2e progress retry {retries} of {most}"));
        let factor = 1.5_f64.powi((*retries - 1).min(20).cast_signed());
        tokio::time::sleep(FIRST_RETRY.mul_f64(factor).min(LONGEST_RETRY)).await;
        Ok(())
    }

    fn say_progress(&mut self, at_once: bool) {
        let due = self.progress.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
        if due || at_once || self.passed == self.config.calls {
            self.progress = Some(Instant::now());
            self.log.raw(format_args!("##e2e progress {} of {} calls", self.passed, self.config.calls));
        }
    }
}

fn check_echo(result: &Value, wanted: &str) -> Result<(), CallError> {
    let text = result.pointer("/content/0/text").and_then(Value::as_str);
    let text = text.ok_or_else(|| CallError::Malformed("the result has no text".to_owned()))?;
    if result.get("isError").and_then(Value::as_bool) == Some(true) {
        return Err(CallError::Wrong(format!("the tool failed: {}", super::super::log::clean(text))));
    }
    // Servers differ in what they put before the echo, none in the echo itself.
    if text.contains(wanted) {
        Ok(())
    } else {
        Err(CallError::Wrong(format!("echo said {:?}, wanted {wanted:?}", super::super::log::clean(text))))
    }
}
