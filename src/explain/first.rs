//! The first thing that went wrong by itself.

use std::sync::Arc;

use serde::Serialize;

use super::{
    ending::{excused, is_excused},
    text::essence,
};
use crate::{
    logs::{Level, LogStore, LogView, Selection, Source, plain},
    model::{At, Event, EventKind, Exit, Generation, ProcessId, Standing},
};

/// How far before a failure the line that tells it is looked for.
const LOOK_BACK: u64 = 200;

/// How a Rust program's panic begins.
const PANIC: &str = "panicked at";

/// The first thing that went wrong by itself: `first_failure` in reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct FirstFailure {
    /// Whose.
    pub process: ProcessId,
    /// Which start of it; 0 if none came about.
    pub generation: Generation,
    /// When, in milliseconds since the start of the run.
    pub at_ms: u64,
    /// What: `exited with 101`.
    pub what: String,
    /// The line that tells it best, if the process said anything.
    pub line: Option<FailureLine>,
    /// When, exactly.
    #[serde(skip)]
    pub at: At,
}

/// A line of the log that tells a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct FailureLine {
    /// Its number in its stream, from 1.
    pub number: u64,
    /// `out` or `err`.
    pub stream: String,
    /// The line without colour codes.
    pub text: String,
}

/// Finds it: the first exit nobody asked for that was no success, or the first failure to start or become ready. What
/// somebody killed from outside has not failed.
pub fn first_failure(events: &[Arc<Event>], logs: &LogStore) -> Option<FirstFailure> {
    let excused = excused(events);
    let own = events.iter().filter(|event| !excused.contains(&event.seq));
    let (event, what) = own.into_iter().find_map(|event| failure_of(event).map(|what| (event, what)))?;
    let process = event.kind.process()?.clone();
    let generation = match &event.kind {
        EventKind::Exited { generation, .. } | EventKind::Failed { generation, .. } | EventKind::GaveUp { generation, .. } => *generation,
        _ => 0,
    };
    let line = if let EventKind::Expected { line, stream, detail, .. } = &event.kind {
        line.zip(stream.clone()).map(|(number, stream)| FailureLine { number, stream, text: detail.clone() })
    } else {
        let mut view = LogView::new(Selection::Some(vec![process.clone()]));
        view.refresh(logs);
        telling_line(logs, &view, generation, event.seq).map(|told| told.line)
    };
    Some(FirstFailure { process, generation, at_ms: event.at.millis(), what, line, at: event.at })
}

fn failure_of(event: &Event) -> Option<String> {
    match &event.kind {
        EventKind::Exited { exit, asked: false, .. } if !exit.success() => Some(match exit {
            Exit::Code(code) => format!("exited with {code}"),
            Exit::Signal(signal) => format!("killed by {signal}"),
        }),
        EventKind::Failed { reason, .. } => Some(reason.to_string()),
        EventKind::Expected { standing: Standing::Violated, what, .. } => Some(format!("violated: {what}")),
        EventKind::GaveUp { reason, times, .. } if !is_excused(reason) => Some(format!("gave up ({} ×{times})", reason.short())),
        _ => None,
    }
}

/// Of what this generation said before `seq`, in a view of its process: a panic's line, else its last error, else its
/// last words.
pub(super) fn telling_line(logs: &LogStore, view: &LogView, generation: Generation, seq: u64) -> Option<Telling> {
    let end = view.row_at_seq(logs, seq).ok()?.min(view.len());
    let from = end.saturating_sub(LOOK_BACK);
    let lines = view.window(logs, from, usize::try_from(end - from).ok()?).ok()?;
    let own = lines.into_iter().rev().filter(|line| line.generation == generation && !matches!(line.source, Source::Lifecycle(_)));
    let own: Vec<_> = own.map(|line| (plain(&line.bytes), line)).filter(|(text, _)| !text.trim().is_empty()).collect();
    let panic = own.iter().rfind(|(text, _)| text.contains(PANIC));
    let error = || own.iter().find(|(_, line)| line.present().level == Some(Level::Error));
    let (text, line) = panic.or_else(error).or(own.first())?;
    let stream = if line.source == Source::Err { "err" } else { "out" };
    // A panic's message stands on the line after its place; lines are newest first here.
    let follows = own
        .iter()
        .take_while(|(_, other)| other.row != line.row)
        .last()
        .filter(|_| text.trim_end().ends_with(':'))
        .map(|(text, _)| text.trim());
    let told = Telling {
        quote: match text.find(PANIC) {
            Some(at) => format!("{} {}", text[at..].trim_end(), follows.unwrap_or_default()).trim_end().to_owned(),
            None => essence(text),
        },
        line: FailureLine { number: line.number, stream: stream.to_owned(), text: text.trim_end().to_owned() },
    };
    Some(told)
}

/// The line that tells a failure best, and its essence to quote.
pub(super) struct Telling {
    pub(super) line: FailureLine,
    pub(super) quote: String,
}
