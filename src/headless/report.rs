//! `--report json=FILE`: a run in one document, for machines. Fields are only ever added.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde::Serialize;

use crate::{
    explain::{FirstFailure, at_verdict, first_failure, leaks},
    logs::{LogStore, plain},
    model::{
        At, Event, EventKind, Exit, ExpectationInfo, ExpectationSnapshot, Health, Leak, Outcome, ProcessId, ProcessSnapshot, Signal,
        Snapshot, Standing, StepInfo, StepSnapshot, StepStage, Verdict, make_one_line,
    },
};

/// The report, in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct Report {
    pub(super) format: u32,
    pub(super) scenario: String,
    pub(super) recording: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) exit_code: u8,
    pub(super) reason: String,
    pub(super) started: Option<String>,
    pub(super) duration_ms: u64,
    pub(super) first_failure: Option<FirstFailure>,
    pub(super) processes: Vec<ProcessReport>,
    pub(super) expectations: Vec<ExpectationReport>,
    /// The script.
    pub(super) steps: Vec<StepReport>,
    pub(super) leaks: Vec<LeakReport>,
    pub(super) archive: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct ProcessReport {
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) state: &'static str,
    pub(super) health: Option<&'static str>,
    pub(super) exit_code: Option<i32>,
    pub(super) signal: Option<Signal>,
    pub(super) restarts: u32,
    pub(super) attempts: u32,
    exits: Vec<ExitReport>,
    pub(super) ready_ms: Option<u64>,
    /// How long its newest generation lived.
    #[serde(skip)]
    pub(super) lived_ms: Option<u64>,
    stop: Option<StopReport>,
    pub(super) lines: u64,
    pub(super) alerts: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
struct ExitReport {
    generation: u32,
    exit_code: Option<i32>,
    signal: Option<Signal>,
    at_ms: u64,
    asked: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
struct StopReport {
    /// None: a command stopped it.
    signal: Option<Signal>,
    escalated_to_kill: bool,
    ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct ExpectationReport {
    #[serde(flatten)]
    pub(super) expected: ExpectationInfo,
    /// None: the run ended before that was decided.
    pub(super) met: Option<bool>,
    /// When a line decided it.
    pub(super) at_ms: Option<u64>,
    /// Lines that matched.
    pub(super) seen: u64,
    pub(super) detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct StepReport {
    number: usize,
    #[serde(flatten)]
    info: StepInfo,
    stage: StepStage,
    at_ms: Option<u64>,
    took_ms: Option<u64>,
    detail: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub(super) struct LeakReport {
    pub(super) pid: Option<u32>,
    pub(super) process: String,
    pub(super) command: String,
    pub(super) port: Option<u16>,
}

impl Report {
    /// The report of a run that is over.
    pub fn of(events: &[Arc<Event>], logs: &LogStore, recording: Option<String>, archive: Option<String>) -> Self {
        let end = Snapshot::of(events.iter().map(AsRef::as_ref));
        let verdict = at_verdict(events);
        let outcome =
            end.outcome.clone().unwrap_or_else(|| Outcome::new(Verdict::Error, crate::model::exit_code::PANIC, "the run has not ended"));
        let mut stops = take_down(events);
        let processes = verdict.rows.iter().map(|row| ProcessReport { stop: stops.remove(row.id()), ..process(row, logs) });
        Self {
            format: 1,
            scenario: end.run.as_ref().map_or_else(String::new, |run| run.scenario.clone()),
            recording,
            verdict: outcome.verdict,
            exit_code: outcome.exit_code,
            reason: text(&outcome.reason),
            started: end.run.as_ref().map(|run| run.started.clone()),
            duration_ms: end.at.millis(),
            first_failure: first_failure(events, logs),
            processes: processes.collect(),
            expectations: end.expectations.iter().map(|expectation| expectation_report(expectation)).collect(),
            steps: end.steps.iter().zip(1..).map(|(step, number)| step_report(number, step)).collect(),
            leaks: leaks(events).into_iter().map(leak_report).collect(),
            archive,
        }
    }

    /// The report of a scenario that could not be started.
    pub fn error(scenario: &str, reason: &str) -> Self {
        Self {
            format: 1,
            scenario: scenario.to_owned(),
            recording: None,
            verdict: Verdict::Error,
            exit_code: crate::model::exit_code::USAGE,
            reason: text(reason),
            started: None,
            duration_ms: 0,
            first_failure: None,
            processes: Vec::new(),
            expectations: Vec::new(),
            steps: Vec::new(),
            leaks: Vec::new(),
            archive: None,
        }
    }

    /// Pretty JSON with a last newline.
    pub fn to_json(&self) -> String {
        let mut json = serde_json::to_string_pretty(self).unwrap_or_default();
        json.push('\n');
        json
    }
}

fn process(row: &ProcessSnapshot, logs: &LogStore) -> ProcessReport {
    let newest = row.exits.last().filter(|exit| exit.generation == row.generation).map(|exit| exit.exit);
    let exits = row.exits.iter().map(|exit| ExitReport {
        generation: exit.generation,
        exit_code: exit.exit.code(),
        signal: exit.exit.signal(),
        at_ms: exit.at.millis(),
        asked: exit.asked,
    });
    ProcessReport {
        name: row.id().to_string(),
        role: row.info.role.word(),
        state: row.state.word(),
        health: (row.health != Health::None).then(|| row.health.word()),
        exit_code: newest.and_then(Exit::code),
        signal: newest.and_then(Exit::signal),
        restarts: row.restarts,
        attempts: row.generation,
        exits: exits.collect(),
        ready_ms: row.started.zip(row.ready_after).map(|(started, after)| (started + after).millis()),
        lived_ms: row.started.zip(row.ended).map(|(started, ended)| millis(ended.since(started))),
        stop: None,
        lines: logs.lines(row.id()),
        alerts: row.alerts,
    }
}

/// How the take-down went, process by process.
fn take_down(events: &[Arc<Event>]) -> HashMap<ProcessId, StopReport> {
    let after = events.iter().skip_while(|event| !matches!(event.kind, EventKind::StoppingRun { .. }));
    let stops = after.filter_map(|event| match &event.kind {
        EventKind::TreeStopped { process, signal, escalated_to_kill, took, .. } => {
            Some((process.clone(), StopReport { signal: *signal, escalated_to_kill: *escalated_to_kill, ms: millis(*took) }))
        }
        _ => None,
    });
    stops.collect()
}

fn step_report(number: usize, step: &StepSnapshot) -> StepReport {
    let mut info = step.info.clone();
    info.each_text(&mut make_one_line);
    let took_ms = step.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
    StepReport { number, info, stage: step.stage, at_ms: step.at.map(At::millis), took_ms, detail: step.detail.clone() }
}

fn expectation_report(expectation: &ExpectationSnapshot) -> ExpectationReport {
    let mut expected = expectation.info.clone();
    expected.each_text(&mut make_one_line);
    ExpectationReport {
        expected,
        met: match expectation.standing {
            Standing::Open => None,
            Standing::Met => Some(true),
            Standing::Violated => Some(false),
        },
        at_ms: expectation.at.map(At::millis),
        seen: expectation.seen,
        detail: expectation.detail.clone(),
    }
}

fn leak_report((process, leak): (ProcessId, Leak)) -> LeakReport {
    LeakReport { pid: leak.pid, process: process.to_string(), command: plain(leak.command.as_bytes()), port: leak.port }
}

/// What people read, without what only a terminal would make sense of.
fn text(said: &str) -> String {
    said.trim_end().lines().map(|line| plain(line.as_bytes())).collect::<Vec<_>>().join("\n")
}

fn millis(d: Duration) -> u64 {
    u64::try_from(d.as_millis()).unwrap_or(u64::MAX)
}
