//! `e2e-tui logs RECORDING`.

use std::{
    io::{self, BufWriter},
    time::Duration,
};

use anyhow::{Context, bail};
use e2e_tui::{
    headless::{Colour, Wanted, print_recorded},
    logs::{Pattern, Selection},
    model::{At, exit_code},
    record::{Recording, default_dir},
};

use super::args::{LogsArgs, PartOfRun, Since};

/// Prints the merged log of a recording, or a part of it, as `run` printed it.
pub(super) fn main(args: &LogsArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let recording = Recording::open_named(&args.recording, &base)?;
    super::warn_broken(&recording);
    let (from, until) = span(&recording, &args.part)?;
    let patterns = args.grep.iter().map(|typed| Pattern::regex(typed)).collect::<Result<_, _>>()?;
    let wanted = Wanted { processes: processes(&recording, &args.process)?, patterns, from, until };
    match print_recorded(&recording.logs, &wanted, Colour::No, BufWriter::new(io::stdout())) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(exit_code::PASSED),
    }
}

fn processes(recording: &Recording, names: &[String]) -> anyhow::Result<Selection> {
    let known = &recording.manifest.processes;
    let find = |name: &String| {
        known.iter().find(|process| process.as_str() == name).cloned().with_context(|| {
            let all: Vec<_> = known.iter().map(|process| process.as_str()).collect();
            format!("there is no process {name:?} in this recording: there are {}", all.join(", "))
        })
    };
    Ok(if names.is_empty() { Selection::All } else { Selection::Some(names.iter().map(find).collect::<Result<_, _>>()?) })
}

/// The part of the run that is meant, both ends included.
pub(super) fn span(recording: &Recording, part: &PartOfRun) -> anyhow::Result<(At, At)> {
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    if let Some(around) = part.around_failure {
        let Some((first, last)) = recording.explain().and_then(|told| Some((told.facts.first()?.at, told.facts.last()?.at))) else {
            bail!("nothing has failed in this recording: there is no failure to look around");
        };
        return Ok((At(first.0.saturating_sub(micros(around))), At(last.0.saturating_add(micros(around)))));
    }
    let said = recording.logs.processes().iter().filter_map(|process| recording.logs.last_line_at(process)).max();
    let end = recording.snapshot.at.max(said.unwrap_or(At::START));
    let from = match part.since {
        None => At::START,
        Some(Since::Last(last)) => At(end.0.saturating_sub(micros(last))),
        Some(Since::After(after)) => At(micros(after)),
        Some(Since::At(instant)) => {
            let started: jiff::Timestamp = recording.manifest.started.parse().context("the recording does not say when it started")?;
            At(u64::try_from(instant.duration_since(started).as_micros()).unwrap_or(0))
        }
    };
    Ok((from, At(u64::MAX)))
}
