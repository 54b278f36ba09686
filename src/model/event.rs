//! Everything that happens, as facts. A recording's `events.jsonl` is a list of these, one a line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    Actor, At, Exit, Failure, Generation, Health, Leak, NoticeLevel, Outcome, ProbeRecord, ProcessId, ProcessInfo, ProcessState, Role,
    RunInfo, Sample, Signal, Standing, StartCause, StepStage, Then, View, micros,
};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
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
        #[cfg_attr(feature = "cli", schemars(with = "u64"))]
        after: Duration,
        /// What showed it: `listening on 20001 (own process)`.
        evidence: String,
        /// The conditions it had waited for: `upstream ready`.
        waited_for: Vec<String>,
        /// The port its log line named, if its probe captures one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
    },
    /// It is not ready yet. Told when what its probe meets is something else than before, at most once a second,
    /// and not in the moments after its start.
    NotReady {
        /// Which process.
        process: ProcessId,
        /// Which start of it.
        generation: Generation,
        /// What the last attempt met.
        why: String,
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
    /// What goes to it through its tap is disturbed, or no longer.
    Disturbed {
        /// Which process.
        process: ProcessId,
        /// How, in words; empty: no longer.
        fault: String,
        /// Who asked; the supervisor where it was for so many requests, and they have been.
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
        /// Whose signal from outside brought it about, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Actor>,
        /// How long it lived, in microseconds.
        #[serde(rename = "up_us", with = "micros")]
        #[cfg_attr(feature = "cli", schemars(with = "u64"))]
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
        #[cfg_attr(feature = "cli", schemars(with = "u64"))]
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
    /// What was told as leaked has gone since.
    LeaksEnded {
        /// Which process's.
        process: ProcessId,
        /// Which start's.
        generation: Generation,
        /// Who has gone.
        pids: Vec<u32>,
        /// Whether they were killed for it; else they have ended by themselves.
        killed: bool,
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
    /// How a step of the script stands now.
    Step {
        /// Which, from 1: its place in [`RunInfo::steps`].
        step: u32,
        /// How it stands.
        stage: StepStage,
        /// What it does, or says to the audience.
        what: String,
        /// What it waits for, why it failed or was left out; its note when it starts.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
        /// From the end of the step before to its own, in microseconds; none before its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        took_us: Option<u64>,
    },
    /// The script is kept from going on by itself. Or no longer.
    StepsHeld {
        /// Whether it is.
        held: bool,
        /// Who asked.
        by: Actor,
    },
    /// Somebody wants something to be seen.
    Viewed {
        /// What.
        view: View,
        /// Who.
        by: Actor,
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
        /// How long the take-down took, clean-up and last census included, in microseconds.
        #[serde(rename = "took_us", with = "micros")]
        #[cfg_attr(feature = "cli", schemars(with = "u64"))]
        took: Duration,
        /// How much of that after everything was down, in microseconds.
        #[serde(rename = "clean_up_us", with = "micros", default)]
        #[cfg_attr(feature = "cli", schemars(with = "u64"))]
        clean_up: Duration,
    },
    /// An event of a later version.
    #[serde(other)]
    #[cfg_attr(feature = "cli", schemars(skip))]
    Unknown,
}

impl EventKind {
    /// The process it is about, if it is about one.
    pub fn process(&self) -> Option<&ProcessId> {
        match self {
            Self::Spawned { process, .. }
            | Self::Ready { process, .. }
            | Self::NotReady { process, .. }
            | Self::Progress { process, .. }
            | Self::Probed { process, .. }
            | Self::HealthChanged { process, .. }
            | Self::Alerted { process, .. }
            | Self::Signalled { process, .. }
            | Self::StopCommand { process, .. }
            | Self::HoldChanged { process, .. }
            | Self::Disturbed { process, .. }
            | Self::Exited { process, .. }
            | Self::Failed { process, .. }
            | Self::GaveUp { process, .. }
            | Self::TreeStopped { process, .. }
            | Self::Leaked { process, .. }
            | Self::LeaksEnded { process, .. }
            | Self::Expected { process, .. }
            | Self::FileChanged { process, .. }
            | Self::AlreadyDone { process, .. }
            | Self::StateChanged { process, .. } => Some(process),
            Self::ProcessAdded { info } => Some(&info.name),
            Self::Marked { process, .. } | Self::Rerun { process, .. } => process.as_ref(),
            Self::RunStarted(_)
            | Self::Sampled { .. }
            | Self::Notice { .. }
            | Self::Step { .. }
            | Self::StepsHeld { .. }
            | Self::Viewed { .. }
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

/// What a field says that recordings of older versions do not have.
fn yes() -> bool {
    true
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
            by: None,
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
