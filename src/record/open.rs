//! Reading a recording back: its manifest, its events as far as they are whole, its logs.

use std::{
    fs,
    io::{self, BufRead, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use regex::Regex;

use super::{
    archive::{UnpackError, Unpacked, unpack},
    live::TRAFFIC,
    manifest::{FORMAT, Manifest},
};
use crate::{
    explain::{Explanation, explain, explain_broken_off},
    logs::LogStore,
    model::{Event, EventKind, Phase, ProcessId, Snapshot, make_one_line, narrate},
    supervisor::Journal,
    tap::TrafficStore,
};

/// Bytes of one event, at most.
const MAX_EVENT: u64 = 16 << 20;
/// Processes, expectations and steps of one run, at most, each: ten times what anybody runs. A step takes three bytes in an
/// archive and some hundred times that in every checkpoint of the fold.
const MAX_PARTS: usize = 10_000;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Neither a folder nor an id of a recording.
    #[error("there is no recording {name:?}, neither as a folder nor in {}", .dir.display())]
    NotFound {
        /// What was asked for.
        name: String,
        /// Where recordings are kept.
        dir: PathBuf,
    },
    /// A part of it cannot be read.
    #[error("{}: {source}", .path.display())]
    Unreadable {
        /// The part.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] UnpackError),
    /// It was written by a later version.
    #[error("{}: format {format} is newer than this version of e2e-tui reads ({FORMAT}): update e2e-tui", .path.display())]
    Newer {
        /// The recording.
        path: PathBuf,
        /// Its format's number.
        format: u32,
    },
}

/// A run that is over, or that goes on elsewhere.
#[derive(Debug)]
pub struct Recording {
    /// Its folder.
    pub dir: PathBuf,
    /// What it is.
    pub manifest: Manifest,
    /// All that happened.
    pub journal: Arc<Journal>,
    /// All that was said, with the lifecycle lines in their places.
    pub logs: Arc<LogStore>,
    /// What went through taps.
    pub traffic: Arc<TrafficStore>,
    /// How it ended.
    pub snapshot: Arc<Snapshot>,
    /// The folder that an archive was read into; it goes away with this value.
    unpacked: Option<Unpacked>,
}

/// The folder of the recording `name`: a folder as it is, else an id in `base`.
pub fn find(name: &str, base: &Path) -> Result<PathBuf, OpenError> {
    let candidates = [PathBuf::from(name), base.join(name)];
    let found = candidates.into_iter().find(|dir| dir.join("manifest.json").is_file());
    found.ok_or_else(|| OpenError::NotFound { name: name.to_owned(), dir: base.to_owned() })
}

impl Recording {
    /// Opens an archive by its path, or a recording by its folder or its id in `base`.
    pub fn open_named(name: &str, base: &Path) -> Result<Self, OpenError> {
        let path = Path::new(name);
        // A pipe is read like a file.
        if !path.exists() || path.is_dir() {
            return Self::open(&find(name, base)?);
        }
        let unpacked = unpack(path)?;
        let recording = Self::open(unpacked.dir())?;
        Ok(Self { unpacked: Some(unpacked), ..recording })
    }

    /// Why the archive broke off, if it did: what came before is here.
    pub fn broken(&self) -> Option<&str> {
        self.unpacked.as_ref()?.broken.as_deref()
    }

    /// Whether the run goes on.
    pub fn is_live(&self) -> bool {
        self.snapshot.phase != Phase::Ended && (self.manifest.packed_live || self.unpacked.is_none() && self.manifest.lease.is_held())
    }

    /// Whether its end is missing, since the program that recorded it was killed, or the machine died. One that goes on,
    /// or went on when it was packed, has not broken off.
    pub fn is_cut_off(&self) -> bool {
        self.snapshot.phase != Phase::Ended && !self.is_live()
    }

    /// Why the run did not pass, or where it breaks off; none if there is nothing to explain.
    pub fn explain(&self) -> Option<Explanation> {
        let events = self.journal.from(0);
        if self.is_cut_off() { explain_broken_off(&events, &self.logs) } else { explain(&events, &self.logs) }
    }

    /// Opens the recording in `dir`.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let unreadable = |name: &str| {
            let path = dir.join(name);
            move |source| OpenError::Unreadable { path, source }
        };
        let format = Manifest::format_of(dir).map_err(unreadable("manifest.json"))?;
        if format > FORMAT {
            return Err(OpenError::Newer { path: dir.to_owned(), format });
        }
        let mut manifest = Manifest::read(dir).map_err(unreadable("manifest.json"))?;
        let events = fs::File::open(dir.join("events.jsonl")).and_then(|file| whole_events(io::BufReader::new(file)));
        let events = events.map_err(unreadable("events.jsonl"))?;
        // The manifest of a run that was killed knows only of those it began with.
        manifest.processes = everybody(&manifest, &events);
        let logs = LogStore::open(dir.join("logs"), &manifest.processes).map_err(unreadable("logs"))?;
        for (process, manner) in &manifest.logs {
            // What a later version's patterns may hold is no reason not to read the rest.
            let alerts: Vec<_> = manner.alert.iter().filter_map(|own| Regex::new(own).ok()).collect();
            logs.set_manner(process, manner.format, &alerts);
        }
        let notes = events.iter().filter_map(|event| Some((event.seq, event.at, narrate(event).filter(|n| n.in_log.is_some())?)));
        logs.place_notes(notes).map_err(unreadable("logs"))?;
        let snapshot = Arc::new(Snapshot::of(&events));
        let traffic = TrafficStore::open(&dir.join(TRAFFIC)).map_err(unreadable(TRAFFIC))?;
        Ok(Self {
            dir: dir.to_owned(),
            manifest,
            journal: Arc::new(Journal::of(events)),
            logs,
            traffic: Arc::new(traffic),
            snapshot,
            unpacked: None,
        })
    }
}

/// The processes that the run began with, and those that were added to it.
fn everybody(manifest: &Manifest, events: &[Event]) -> Vec<ProcessId> {
    let mut all = manifest.processes.clone();
    for event in events {
        if let EventKind::ProcessAdded { info } = &event.kind
            && !all.contains(&info.name)
        {
            all.push(info.name.clone());
        }
    }
    all
}

/// The events of a file whose last line may be cut, as a kill leaves it. It may come from anybody: a line longer than any
/// event of ours is left out, as is what no run has so often, and texts are made fit to be shown.
fn whole_events(mut file: impl BufRead) -> io::Result<Vec<Event>> {
    let (mut events, mut line) = (Vec::<Event>::new(), Vec::new());
    let mut cast = Cast::default();
    while file.by_ref().take(MAX_EVENT).read_until(b'\n', &mut line)? > 0 {
        if line.len() as u64 == MAX_EVENT && line.last() != Some(&b'\n') {
            file.skip_until(b'\n')?;
        } else {
            events.extend(serde_json::from_slice::<Event>(&line).ok().and_then(|event| cast.admit(event)));
        }
        line.clear();
    }
    for event in &mut events {
        event.kind.each_text(&mut make_one_line);
        event.kind.each_name(&mut make_one_line);
    }
    Ok(events)
}

/// Who takes part in a run that is read, counted.
#[derive(Debug, Default)]
struct Cast {
    begun: bool,
    processes: usize,
}

impl Cast {
    /// The event, if a run can have one more like it, with as many parts as a run can have.
    fn admit(&mut self, mut event: Event) -> Option<Event> {
        match &mut event.kind {
            // A run begins once.
            EventKind::RunStarted(_) if self.begun => return None,
            EventKind::RunStarted(info) => {
                self.begun = true;
                info.processes.truncate(MAX_PARTS);
                info.expectations.truncate(MAX_PARTS);
                info.steps.truncate(MAX_PARTS);
                info.steps.shrink_to_fit();
                self.processes = info.processes.len();
            }
            EventKind::ProcessAdded { .. } => {
                self.processes += 1;
                if self.processes > MAX_PARTS {
                    return None;
                }
            }
            _ => {}
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_last_line_costs_that_event_only() {
        let events = whole_events(&b"{\"seq\":1,\"at_us\":0,\"event\":\"checks\",\"met\":0,\"of\":2}\n{\"seq\":2,\"at_us\":5,\"ev"[..])
            .expect("memory");
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_missing_recording_says_where_it_was_looked_for() {
        let error = find("nope", Path::new("/tmp/none")).expect_err("there is none");
        assert_eq!(error.to_string(), r#"there is no recording "nope", neither as a folder nor in /tmp/none"#);
    }
}
