//! A line sent to a process's stdin, and the answer on its stdout.
//!
//! On a stdin that a protocol shares, an answer is not the next line: notifications come unasked. So an answer is a line that
//! matches `expect`; and where the question is a JSON-RPC request, any answer with its id, an error too: who refuses to
//! answer a ping is alive. Whether a question may be asked at all (some MCP servers fix their protocol era at the first
//! message) is for the one who asks to decide.

use std::{io, sync::Arc};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedReceiver;

use super::question::failed;
use crate::model::ProbeOutcome;

/// A process's stdin and stdout, as far as a probe needs them.
pub trait Exchange: Send + Sync {
    /// The lines of its stdout from now on, unmasked, without their newlines. The channel ends with the stream.
    fn lines(&self) -> UnboundedReceiver<String>;

    /// Writes a line to its stdin, without waiting.
    fn send_line(&self, line: &str) -> io::Result<()>;
}

/// A line to send and what must come back.
#[derive(Clone)]
pub struct StdioQuestion {
    /// With whom.
    pub exchange: Arc<dyn Exchange>,
    /// The line to send.
    pub send: String,
    /// What the answer must match.
    pub expect: regex::Regex,
}

impl std::fmt::Debug for StdioQuestion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdioQuestion").field("send", &self.send).field("expect", &self.expect).finish_non_exhaustive()
    }
}

pub(super) async fn ask(question: &StdioQuestion) -> ProbeOutcome {
    // Listening begins before the question is out: the answer may be there at once.
    let mut lines = question.exchange.lines();
    if let Err(e) = question.exchange.send_line(&question.send) {
        return failed("no stdin", format!("its stdin does not take {:?}: {e}", question.send));
    }
    let id = id_of(&question.send);
    while let Some(line) = lines.recv().await {
        if question.expect.is_match(&line) || id.is_some() && id_of(&line) == id && is_answer(&line) {
            return ProbeOutcome::Ok;
        }
    }
    failed("closed", "its stdout ended before an answer came")
}

fn id_of(line: &str) -> Option<Value> {
    let Value::Object(mut message) = serde_json::from_str(line).ok()? else { return None };
    message.remove("id").filter(|id| !id.is_null())
}

/// Not a request of its own that happens to use the same id.
fn is_answer(line: &str) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|message| message.get("method").is_none())
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, time::Duration};

    use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

    use super::super::{Question, ask as ask_question};
    use super::*;

    /// Answers each line with fixed ones.
    struct Echo {
        answers: Vec<&'static str>,
        open: bool,
        listener: Mutex<Option<UnboundedSender<String>>>,
    }

    impl Exchange for Echo {
        fn lines(&self) -> UnboundedReceiver<String> {
            let (sender, lines) = unbounded_channel();
            *self.listener.lock().expect("no test panics in here") = Some(sender);
            lines
        }

        fn send_line(&self, _: &str) -> io::Result<()> {
            let mut listener = self.listener.lock().expect("no test panics in here");
            let sender = listener.as_ref().ok_or(io::ErrorKind::BrokenPipe)?;
            for answer in &self.answers {
                sender.send((*answer).to_owned()).map_err(io::Error::other)?;
            }
            if !self.open {
                *listener = None;
            }
            Ok(())
        }
    }

    async fn outcome(send: &str, answers: &[&'static str], open: bool) -> String {
        let exchange = Arc::new(Echo { answers: answers.to_vec(), open, listener: Mutex::default() });
        let expect = regex::Regex::new("^pong").expect("a pattern");
        let question = Question::Stdio(StdioQuestion { exchange, send: send.into(), expect });
        match ask_question(&question, Duration::from_millis(100), None).await.outcome {
            ProbeOutcome::Failed { short, .. } => short,
            _ => "ok".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_matches_the_pattern_whatever_comes_before_it() {
        assert_eq!(outcome("ping", &["pong"], true).await, "ok");
        assert_eq!(outcome("ping", &["starting", "pong 1"], true).await, "ok");
        assert_eq!(outcome("ping", &["starting"], true).await, "timeout");
        assert_eq!(outcome("ping", &["starting"], false).await, "closed");
    }

    #[tokio::test(start_paused = true)]
    async fn any_answer_with_its_own_id_is_one() {
        let ping = r#"{"jsonrpc":"2.0","id":"e2e-1","method":"ping"}"#;
        assert_eq!(outcome(ping, &[r#"{"jsonrpc":"2.0","id":"e2e-1","error":{"code":-32601,"message":"no"}}"#], true).await, "ok");
        assert_eq!(outcome(ping, &[r#"{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}"#], true).await, "timeout");
        assert_eq!(outcome(ping, &[r#"{"jsonrpc":"2.0","id":"e2e-1","method":"ping"}"#], true).await, "timeout", "its own question");
        assert_eq!(outcome(ping, &[r#"{"jsonrpc":"2.0","id":"other","result":{}}"#], true).await, "timeout");
    }
}
