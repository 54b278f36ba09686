//! Everything that happens, as facts. A recording's `events.jsonl` is a list of these, one a line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Actor, At, Containment, Exit, ExpectationInfo, Failure, Generation, Health, ListenPort, Outcome, ProcessId, ProcessState, Reads, Role,
    Signal, Standing,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its place among all events *and* all chunks of captured output: one order for everything.
    pub seq: u64,
    /// When.
    #[serde(rename = "at_us")]
    pub at: At,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened. Facts come first; a [`StateChanged`](Self::StateChanged) follows where they change a state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// The run began.
    RunStarted(RunInfo),
    /// A process was added while the run goes on.
    ProcessAdded {
        /// What it is.
        info: ProcessInfo,
    },
    /// A generation was started and has a pid.
    Spawned {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The leader of its tree.
        pid: u32,
        /// Why it was started.
        cause: StartCause,
        /// Whether a [`Ready`](Self::Ready) will follow if all goes well.
        awaits_ready: bool,
    },
    /// It became ready.
    Ready {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The leader of its tree.
        pid: u32,
        /// Since its start, in microseconds.
        #[serde(rename = "after_us", with = "micros")]
        after: Duration,
        /// What showed it: `listening on 20001 (own process)`.
        evidence: String,
        /// The conditions it had waited for: `upstream ready`.
        waited_for: Vec<String>,
        /// The port its log line named, if its probe captures one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
    },
    /// It printed `##e2e progress TEXT`.
    Progress {
        /// Which process.
        process: ProcessId,
        /// The text.
        text: String,
    },
    /// Health probes ended; one event a sampling tick.
    Probed {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// In time order.
        probes: Vec<ProbeRecord>,
    },
    /// Its health changed.
    HealthChanged {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// What it is now.
        health: Health,
        /// The last outcome, in words.
        detail: String,
    },
    /// Lines matched an alert pattern; counts since the last such event.
    Alerted {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// How many lines.
        count: u64,
        /// The first of them: its number in its stream, from 1.
        line: u64,
        /// The stream: `out` or `err`.
        stream: String,
        /// That line, without colour codes, capped.
        text: String,
    },
    /// A stop or a signal was sent to its tree.
    Signalled {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// Which signal.
        signal: Signal,
        /// Who asked.
        by: Actor,
        /// Whether it is part of a stop (else it acts as if from outside).
        stop: bool,
    },
    /// A stop has begun by running its own command instead of sending a signal.
    StopCommand {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The command line, masked.
        command: String,
        /// Who asked for the stop.
        by: Actor,
    },
    /// It is left alone, for a debugger: no probe asks it, no deadline ends it, no policy restarts it. Or no longer.
    HoldChanged {
        /// Which process.
        process: ProcessId,
        /// Whether it is.
        held: bool,
        /// Who asked.
        by: Actor,
    },
    /// It ended, and all it said is in the log.
    Exited {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// How.
        exit: Exit,
        /// Whether somebody had asked for it (then this is no failure).
        asked: bool,
        /// How long it lived, in microseconds.
        #[serde(rename = "up_us", with = "micros")]
        up: Duration,
        /// What follows.
        then: Then,
        /// Whether its last words were the same as at its previous unasked exit.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        same_cause: bool,
        /// Its last lines, newest last, without colour codes; stderr first choice.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        tail: Vec<String>,
        /// Its last progress text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        progress: Option<String>,
        /// What it is for. Recordings of older versions do not say; there, only a test's exit could fail the run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role: Option<Role>,
    },
    /// It could not be started, or failed while alive (never ready, a limit, its timeout).
    Failed {
        /// Which process.
        process: ProcessId,
        /// Which start of it; 0 if none came about.
        generation: Generation,
        /// Why.
        reason: Failure,
        /// Whether the run cannot pass any more because of it: no policy restarts it, and the verdict was still open.
        fatal: bool,
    },
    /// Its restart policy is exhausted.
    GaveUp {
        /// Which process.
        process: ProcessId,
        /// The last generation.
        generation: Generation,
        /// How it ended last.
        reason: Failure,
        /// How often it ended so in a row.
        times: u32,
        /// Whether each time was the same.
        same_cause: bool,
        /// Whether the run cannot pass any more because of it: the verdict was still open, and nobody outside had a hand in it.
        #[serde(default = "yes")]
        fatal: bool,
    },
    /// A file that it watches has changed, and it is restarted for that.
    FileChanged {
        /// Which process.
        process: ProcessId,
        /// The file: the first that changed, from the scenario's folder where it is in there.
        file: String,
        /// How many others changed with it.
        #[serde(default)]
        more: u32,
    },
    /// It was not started, for its work is done: the path of its `skip_if_exists` is there.
    AlreadyDone {
        /// Which process.
        process: ProcessId,
        /// The start that was not needed.
        generation: Generation,
        /// What is there.
        path: String,
    },
    /// A stop ended: the tree is empty, or what is left cannot be killed.
    TreeStopped {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// The first signal sent; none if its own command was run instead.
        signal: Option<Signal>,
        /// Whether KILL was needed after that.
        escalated_to_kill: bool,
        /// From the request to the empty tree, in microseconds.
        #[serde(rename = "took_us", with = "micros")]
        took: Duration,
    },
    /// Something of a tree, or a port, is still there although it should be gone.
    Leaked {
        /// Which process's.
        process: ProcessId,
        /// Which start's.
        generation: Generation,
        /// What.
        leaks: Vec<Leak>,
    },
    /// Its state is now this.
    StateChanged {
        /// Which process.
        process: ProcessId,
        /// Its newest generation; 0 before the first.
        generation: Generation,
        /// The state, with its reason.
        #[serde(flatten)]
        state: ProcessState,
    },
    /// What trees use, sampled.
    Sampled {
        /// One row a process that was looked at.
        samples: Vec<Sample>,
    },
    /// A mark on the timeline.
    Marked {
        /// Whose `##e2e mark` line it was; none if somebody set it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<ProcessId>,
        /// What it says.
        text: String,
        /// Who set it.
        by: Actor,
    },
    /// Something the user should know and that belongs to no process.
    Notice {
        /// How serious.
        level: NoticeLevel,
        /// What happened and what to do.
        text: String,
    },
    /// How an expectation stands now.
    Expected {
        /// Whose log.
        process: ProcessId,
        /// Which: its place in [`RunInfo::expectations`], from 0.
        expectation: u32,
        /// How it stands.
        standing: Standing,
        /// Lines that matched so far.
        seen: u64,
        /// What is expected, in words.
        what: String,
        /// How it came to stand so: `2 of >= 5`, `p95 61ms`, the line that must not be there.
        detail: String,
        /// The line that decided it: its number in its stream, from 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        line: Option<u64>,
        /// That line's stream: `out` or `err`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
    },
    /// How many tests and expectations are met, of all.
    Checks {
        /// Met.
        met: u32,
        /// All.
        of: u32,
    },
    /// Something is run again: a verdict reached before stands no longer.
    Rerun {
        /// Who asked.
        by: Actor,
        /// What; none: all tests.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        process: Option<ProcessId>,
    },
    /// The verdict is certain.
    VerdictReached {
        /// What it is.
        outcome: Outcome,
    },
    /// The run has taken longer than it may, and ends for that.
    RunTimedOut {
        /// What it was allowed, in milliseconds.
        limit_ms: u64,
        /// The tests (without tests: the processes) it still waited for.
        waited_for: Vec<ProcessId>,
    },
    /// The guardian is gone: everything it held was killed, and the run is over.
    GuardianLost {
        /// How that was noticed.
        why: String,
    },
    /// The run is being taken down.
    StoppingRun {
        /// Who asked.
        by: Actor,
        /// Whether without grace.
        now: bool,
    },
    /// The run is over: nothing of it lives.
    RunEnded {
        /// The final outcome; the leak census may have changed it.
        outcome: Outcome,
        /// Trees stopped at the end.
        stopped: u32,
        /// How many of them needed KILL.
        killed: u32,
        /// How long it took, in microseconds.
        #[serde(rename = "took_us", with = "micros")]
        took: Duration,
    },
    /// An event of a later version.
    #[serde(other)]
    Unknown,
}

impl EventKind {
    /// The process it is about, if it is about one.
    pub fn process(&self) -> Option<&ProcessId> {
        match self {
            Self::Spawned { process, .. }
            | Self::Ready { process, .. }
            | Self::Progress { process, .. }
            | Self::Probed { process, .. }
            | Self::HealthChanged { process, .. }
            | Self::Alerted { process, .. }
            | Self::Signalled { process, .. }
            | Self::StopCommand { process, .. }
            | Self::HoldChanged { process, .. }
            | Self::Exited { process, .. }
            | Self::Failed { process, .. }
            | Self::GaveUp { process, .. }
            | Self::TreeStopped { process, .. }
            | Self::Leaked { process, .. }
            | Self::Expected { process, .. }
            | Self::FileChanged { process, .. }
            | Self::AlreadyDone { process, .. }
            | Self::StateChanged { process, .. } => Some(process),
            Self::ProcessAdded { info } => Some(&info.name),
            Self::Marked { process, .. } | Self::Rerun { process, .. } => process.as_ref(),
            Self::RunStarted(_)
            | Self::Sampled { .. }
            | Self::Notice { .. }
            | Self::Checks { .. }
            | Self::VerdictReached { .. }
            | Self::RunTimedOut { .. }
            | Self::GuardianLost { .. }
            | Self::StoppingRun { .. }
            | Self::RunEnded { .. }
            | Self::Unknown => None,
        }
    }
}

/// What a run is, as its first event tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The recording's id.
    pub run: String,
    /// The scenario's name.
    pub scenario: String,
    /// One line about it.
    #[serde(default)]
    pub description: String,
    /// What a user calls the file.
    pub origin: String,
    /// Wall-clock time of the run's start, RFC 3339 with microseconds.
    pub started: String,
    /// How trees are held together: `subreaper`.
    pub containment: Containment,
    /// The run's own timeout, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// All processes, in file order.
    pub processes: Vec<ProcessInfo>,
    /// What is expected of their logs, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expectations: Vec<ExpectationInfo>,
}

/// What does not change about a process during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its name.
    pub name: ProcessId,
    /// What it is for.
    pub role: Role,
    /// Its built-in kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether a stand-in runs in place of the real program.
    #[serde(default)]
    pub stand_in: bool,
    /// The ports it owns.
    #[serde(default)]
    pub listens: Vec<ListenPort>,
    /// Whether it has a health check.
    #[serde(default)]
    pub has_health: bool,
    /// On whom it depends: `upstream ready`.
    #[serde(default)]
    pub waits_for: Vec<String>,
    /// Restarts its policy allows; none where it allows none or has no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_restarts: Option<u32>,
    /// Where what is sent to it arrives.
    #[serde(default, skip_serializing_if = "Reads::is_nothing")]
    pub reads: Reads,
    /// The command line as the file gives it, masked.
    #[serde(default)]
    pub argv: Vec<String>,
    /// Its working directory.
    #[serde(default)]
    pub cwd: String,
    /// How it is watched, restarted and stopped, and its own environment, masked: a label and a text each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<(String, String)>,
}

/// Why a generation was started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "kebab-case")]
pub enum StartCause {
    /// The run began, or what it waited for came about.
    Run,
    /// Somebody asked.
    Asked {
        /// Who.
        by: Actor,
    },
    /// The restart policy.
    Policy {
        /// Which restart, from 1.
        attempt: u32,
        /// How many it allows; none: no bound.
        of: Option<u32>,
        /// The back-off before it, in milliseconds.
        after_ms: u64,
    },
    /// A rerun of the tests.
    Rerun,
}

/// What follows an exit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "then", rename_all = "kebab-case")]
pub enum Then {
    /// Nothing: it has completed.
    Completed,
    /// Nothing: it has failed. `fails_run`: the run cannot pass any more.
    Failed {
        /// Whether the run cannot pass any more because of it.
        fails_run: bool,
    },
    /// Nothing: it was stopped.
    Stopped,
    /// A restart after a delay.
    Restart {
        /// The delay, in milliseconds.
        delay_ms: u64,
    },
    /// A restart somebody asked for, once the tree is empty.
    RestartAsked,
    /// Nothing: its policy is exhausted.
    GaveUp,
}

/// The outcome of one probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRecord {
    /// When it ended.
    #[serde(rename = "at_us")]
    pub at: At,
    /// How long it took, in microseconds.
    #[serde(rename = "took_us", with = "micros")]
    pub took: Duration,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: ProbeOutcome,
}

/// What came of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum ProbeOutcome {
    /// Well.
    Ok,
    /// Well, but slow or with a `degraded` status.
    Degraded {
        /// Why.
        why: String,
    },
    /// Not well.
    Failed {
        /// A word for the health column: `refused`, `timeout`, `503`.
        short: String,
        /// The whole story.
        why: String,
    },
}

/// Something that should be gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// The process, if it is one.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Its command line, masked and capped; or what holds the port.
    pub command: String,
    /// The port, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// What a tree uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Whose tree.
    pub process: ProcessId,
    /// CPU use since the last sample, in percent of one core.
    pub cpu_percent: f32,
    /// Resident memory, in bytes.
    pub memory: u64,
    /// How many processes it has.
    pub processes: u32,
}

/// How serious a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeLevel {
    /// Good to know.
    Info,
    /// Something works less well than it should.
    Warning,
    /// Something is broken.
    Error,
}

/// What a field says that recordings of older versions do not have.
fn yes() -> bool {
    true
}

/// Durations as whole microseconds.
mod micros {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(d: &Duration, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u64(u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Duration, D::Error> {
        u64::deserialize(d).map(Duration::from_micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(kind: EventKind) -> String {
        let event = Event { seq: 7, at: At(1500), kind };
        let line = serde_json::to_string(&event).expect("events are plain data");
        assert_eq!(serde_json::from_str::<Event>(&line).expect("what was written"), event);
        line
    }

    #[test]
    fn events_are_flat_lines_that_read_back() {
        let process = ProcessId::new("upstream").expect("a name");
        let line = round_trip(EventKind::Exited {
            process: process.clone(),
            generation: 2,
            exit: Exit::Code(101),
            asked: false,
            up: Duration::from_millis(853),
            then: Then::Restart { delay_ms: 500 },
            same_cause: false,
            tail: vec!["panicked".into()],
            progress: None,
            role: None,
        });
        assert_eq!(
            line,
            r#"{"seq":7,"at_us":1500,"event":"exited","process":"upstream","generation":2,"exit":{"code":101},"asked":false,"up_us":853000,"then":{"then":"restart","delay_ms":500},"tail":["panicked"]}"#
        );
        round_trip(EventKind::StateChanged {
            process: process.clone(),
            generation: 2,
            state: ProcessState::Backoff { until: At(9), reason: Failure::Exited { exit: Exit::Signal(Signal::KILL), by: None } },
        });
        round_trip(EventKind::StateChanged { process, generation: 1, state: ProcessState::Completed });
    }

    #[test]
    fn events_of_later_versions_are_kept_apart() {
        let event: Event = serde_json::from_str(r#"{"seq":1,"at_us":2,"event":"teleported","process":"x"}"#).expect("an unknown event");
        assert_eq!(event.kind, EventKind::Unknown);
    }
}
