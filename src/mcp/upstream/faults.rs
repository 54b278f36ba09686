//! What is wrong with a mock upstream, and since when.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use serde_json::Value;
use tokio::time::Instant;

use super::{
    super::{protocol::Message, random::Random},
    config::{After, Faults},
};

/// The state of the faults of one run.
#[derive(Debug)]
pub(super) struct FaultState {
    faults: Faults,
    started: Instant,
    calls: AtomicU32,
    random: Random,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is answered.
    Answered,
    /// It is answered as it should be, but for the frame.
    Spoiled(BadFrame),
    /// It fails, with this reason.
    Fails(String),
    /// Nobody answers it.
    Hangs,
}

/// How an answer is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BadFrame {
    /// The JSON ends half-way.
    Truncated,
    /// No JSON at all.
    NotJson,
    /// The id of another request.
    WrongId,
    /// No `jsonrpc` member.
    NoVersion,
}

impl BadFrame {
    const ALL: [Self; 4] = [Self::Truncated, Self::NotJson, Self::WrongId, Self::NoVersion];

    /// What the log calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Truncated => "truncated JSON",
            Self::NotJson => "no JSON",
            Self::WrongId => "the wrong id",
            Self::NoVersion => "no jsonrpc member",
        }
    }

    /// The broken form of a message.
    pub(super) fn spoil(self, message: &Message) -> String {
        let mut json = message.to_json();
        match self {
            Self::Truncated => {
                let text = json.to_string();
                text[..(0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)].to_owned()
            }
            Self::NotJson => "<html>Bad Gateway</html>".to_owned(),
            Self::WrongId => {
                json["id"] = Value::from(u32::MAX);
                json.to_string()
            }
            Self::NoVersion => {
                json.as_object_mut().map(|object| object.remove("jsonrpc"));
                json.to_string()
            }
        }
    }
}

impl FaultState {
    /// Faults that count from now.
    pub(super) fn start(faults: Faults) -> Self {
        Self { faults, started: Instant::now(), calls: AtomicU32::new(0), random: Random::new() }
    }

    /// What becomes of the next request of this method. Panics if the time for that has come.
    pub(super) fn fate(&self, method: &str) -> Fate {
        let call = method == "tools/call";
        let number = if call { self.calls.fetch_add(1, Ordering::Relaxed) + 1 } else { self.calls.load(Ordering::Relaxed) };
        if let Some(after) = self.faults.crash_after
            && call
            && matches!(after, After::Calls(n) if number >= n)
        {
            crash(after);
        }
        if self.faults.hang_after.is_some_and(|after| self.has_come(after, number)) {
            return Fate::Hangs;
        }
        match self.faults.fail_after {
            Some(after) if self.has_come(after, number) => return Fate::Fails(format!("fail_after {after}")),
            _ => {}
        }
        let every = self.faults.bad_frames;
        if call && every > 0 && number.is_multiple_of(every) {
            let kind = (number / every - 1) as usize % BadFrame::ALL.len();
            return Fate::Spoiled(BadFrame::ALL[kind]);
        }
        Fate::Answered
    }

    /// Whether it hangs by now.
    pub(super) fn hangs(&self) -> bool {
        self.faults.hang_after.is_some_and(|after| self.has_come(after, self.calls.load(Ordering::Relaxed)))
    }

    /// Whether `/health` says that all is well.
    pub(super) fn healthy(&self) -> bool {
        self.faults.flap_health.filter(|span| !span.is_zero()).is_none_or(|span| {
            let spans = self.started.elapsed().as_nanos() / span.as_nanos();
            spans.is_multiple_of(2)
        })
    }

    /// The wait before an answer.
    pub(super) async fn delay(&self) {
        let wait = self.faults.response_delay + self.random.up_to(self.faults.jitter);
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
    }

    /// Panics when the time for that has come; waits for ever if it never does.
    pub(super) async fn crash_in_time(&self) {
        match self.faults.crash_after {
            Some(after @ After::Time(wait)) => {
                tokio::time::sleep(self.left(wait)).await;
                crash(after)
            }
            _ => std::future::pending().await,
        }
    }

    fn left(&self, wait: Duration) -> Duration {
        wait.saturating_sub(self.started.elapsed())
    }

    fn has_come(&self, after: After, calls: u32) -> bool {
        match after {
            After::Calls(n) => calls >= n,
            After::Time(wait) => self.started.elapsed() >= wait,
        }
    }
}

fn crash(after: After) -> ! {
    panic!("crash_after {after}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(faults: Faults) -> FaultState {
        FaultState::start(faults)
    }

    #[tokio::test(start_paused = true)]
    async fn faults_strike_at_their_call_or_time_and_stay() {
        let failing = state(Faults { fail_after: Some(After::Calls(2)), ..Faults::default() });
        assert_eq!(failing.fate("tools/call"), Fate::Answered);
        assert_eq!(failing.fate("ping"), Fate::Answered, "only calls count");
        assert_eq!(failing.fate("tools/call"), Fate::Fails("fail_after 2 calls".into()));
        assert_eq!(failing.fate("ping"), Fate::Fails("fail_after 2 calls".into()), "from then on all fail");

        let hanging = state(Faults { hang_after: Some(After::Time(Duration::from_secs(2))), ..Faults::default() });
        assert_eq!(hanging.fate("tools/call"), Fate::Answered);
        assert!(!hanging.hangs());
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(hanging.fate("ping"), Fate::Hangs);
        assert!(hanging.hangs());
    }

    #[tokio::test]
    #[should_panic(expected = "crash_after 3 calls")]
    async fn the_third_call_panics() {
        let crashing = state(Faults { crash_after: Some(After::Calls(3)), ..Faults::default() });
        for _ in 0..3 {
            crashing.fate("tools/call");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn health_flaps_in_even_spans() {
        let flapping = state(Faults { flap_health: Some(Duration::from_secs(1)), ..Faults::default() });
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(flapping.healthy());
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(seen, [true, false, true, false]);
    }

    #[test]
    fn no_broken_frame_is_the_answer_that_was_asked_for() {
        let answer = Message::Response { id: Some(3.into()), outcome: Ok(json!({"text": "→→→→"})) };
        for frame in BadFrame::ALL {
            let read = Message::parse(frame.spoil(&answer).as_bytes());
            assert_ne!(read, Ok(answer.clone()), "{}", frame.name());
            assert_eq!(read.is_ok(), frame == BadFrame::WrongId, "{}", frame.name());
        }
    }

    #[tokio::test]
    async fn every_second_frame_is_broken_each_time_otherwise() {
        let spoiling = state(Faults { bad_frames: 2, ..Faults::default() });
        let fates: Vec<Fate> = (0..4).map(|_| spoiling.fate("tools/call")).collect();
        assert_eq!(fates, [Fate::Answered, Fate::Spoiled(BadFrame::Truncated), Fate::Answered, Fate::Spoiled(BadFrame::NotJson)]);
        assert_eq!(spoiling.fate("ping"), Fate::Answered);
    }
}
