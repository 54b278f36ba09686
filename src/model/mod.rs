//! The words every other room speaks: plain data, no I/O, no policy.
//!
//! A user's file becomes a [`RunSpec`] of [`ProcessSpec`]s. Keys, steps, library calls and signals become
//! [`Command`]s. Whatever happens leaves as an [`Event`], numbered and stamped; [`Snapshot`] is the fold of
//! all events so far, and the only thing a front reads to know how the run stands. A run ends in an
//! [`Outcome`].
//!
//! ```text
//!   Command ──▶ supervisor ──▶ Event ──fold──▶ Snapshot ──▶ dashboard, headless run, harness, replay
//!                                └──▶ events.jsonl
//! ```
//!
//! Everything here that reaches a file (events, manifest, reports) only ever grows: fields are added, never
//! renamed, and an unknown event is read as [`EventKind::Unknown`].

mod command;
mod custom;
mod event;
mod event_parts;
mod event_texts;
mod exit;
mod expectation;
mod fold;
mod id;
mod micros;
mod narrate;
mod one_line;
mod run_info;
mod script;
mod snapshot;
mod spec;
mod state;
mod step;
mod text;
mod time;
mod verdict;
mod watch;

pub use command::{Actor, Command, Request};
pub use custom::CustomProbe;
pub(crate) use custom::words_of;
pub use event::{Event, EventKind};
pub use event_parts::{EndedLeak, Leak, NoticeLevel, ProbeOutcome, ProbeRecord, Sample, StartCause, Then};
pub use exit::{Exit, Signal, UnknownSignal};
pub use expectation::{ExpectationInfo, ExpectationSnapshot, Standing, factor, measure};
pub use id::{Generation, InvalidName, ProcessId};
pub use narrate::{Narration, Tone, narrate};
pub(crate) use one_line::make_one_line;
pub use one_line::one_line;
pub use run_info::{ProcessInfo, RunInfo};
pub use script::{
    Bound, Comparison, Expectation, Expected, FaultKind, FaultSpec, FileSpec, StateOrHealth, Statistic, StepAction, StepSpec, StepWhen,
};
pub use snapshot::{ExitRecord, Phase, ProcessSnapshot, RECENT_PROBES, Snapshot, StopRecord};
pub use spec::{
    Condition, Containment, Dependency, HealthSpec, HttpProbe, Limits, ListenPort, LogFormat, LogSpec, OnUnhealthy, Probe, ProcessSpec,
    Reads, ReadySpec, RestartMode, RestartPolicy, Role, RunSpec, StdinMode, StopSpec,
};
pub use state::{Failure, Health, ProcessState};
pub use step::{StepInfo, StepSnapshot, StepStage, View};
pub use text::{Part, Text, UnresolvedPort};
pub use time::{At, RunClock, human_duration};
pub use verdict::{Outcome, Verdict, exit_code};
pub use watch::{InvalidGlob, WatchGlob};
