//! Writing an archive: beside its target, never through a link, whole or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::summary::summary;
use crate::{
    logs::{LogStore, LogView, Selection, Source, plain},
    record::{
        Manifest, OpenError, Recording,
        beside::{Beside, sweep_own},
    },
};

/// zstd's own default: three quarters of the best ratio at a small part of its time.
const LEVEL: i32 = 3;
/// Rows of the merged log written at once.
const BATCH: usize = 4096;

/// Why there is no archive. Whatever stood at the target still stands there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The recording cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Something is there already.
    #[error("{} exists: choose another name or add --force", .0.display())]
    Exists(PathBuf),
    /// It could not be written.
    #[error("{} could not be written: {source}", .path.display())]
    Write {
        /// The target.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// An archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Where.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Lines of output in it.
    pub lines: u64,
}

/// Packs the recording in `dir` into `target`. A recording of a run that goes on is packed as far as it is.
pub fn export(dir: &Path, target: &Path, force: bool) -> Result<Exported, ExportError> {
    let recording = Recording::open(dir)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(target.to_owned()),
        _ => ExportError::Write { path: target.to_owned(), source },
    };
    let beside = Beside::create(target, force).map_err(failed)?;
    let size = write(&recording, beside).and_then(|beside| beside.finish(true)).map_err(failed)?;
    Ok(Exported { path: target.to_owned(), size, lines: recording.logs.total_lines() })
}

/// Removes what an export of this program to `target` has written so far. Such an export then fails at its end, and what
/// stood at the target still stands there.
pub fn sweep_unfinished(target: &Path) -> io::Result<()> {
    sweep_own(target)
}

fn write(recording: &Recording, beside: Beside) -> io::Result<Beside> {
    let encoder = zstd::Encoder::new(BufWriter::new(beside), LEVEL)?;
    let mut archive = tar::Builder::new(encoder);
    let manifest = Manifest { packed_live: recording.is_live(), ..recording.manifest.clone() }.to_json();
    for (name, content) in [("summary.md", summary(recording).into_bytes()), ("manifest.json", manifest)] {
        append(&mut archive, name, content.len() as u64, content.as_slice())?;
    }
    for name in ["scenario.toml", "events.jsonl"] {
        append_file(&mut archive, &recording.dir, name)?;
    }
    let merged = merged_log(recording)?;
    append(&mut archive, "merged.log", merged.metadata()?.len(), &merged)?;
    for process in &recording.manifest.processes {
        for stream in ["out", "err"] {
            // The index first: it never speaks of bytes that are not there yet.
            append_file(&mut archive, &recording.dir, &format!("logs/{process}.{stream}.idx"))?;
            append_file(&mut archive, &recording.dir, &format!("logs/{process}.{stream}"))?;
        }
    }
    archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
}

/// What was never written (a stream without output) is not in the recording, and not in the archive.
fn append_file(archive: &mut tar::Builder<impl Write>, dir: &Path, name: &str) -> io::Result<()> {
    match OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(dir.join(name)) {
        Ok(file) => append(archive, name, file.metadata()?.len(), file),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io::Error::new(e.kind(), format!("{name}: {e}"))),
    }
}

/// Exactly `size` bytes of `content`: a file that grows meanwhile is cut where it was.
fn append(archive: &mut tar::Builder<impl Write>, name: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, content.take(size))
}

/// The merged log, in an unlinked file: its size stands in front of it in the archive.
fn merged_log(recording: &Recording) -> io::Result<File> {
    let file = tempfile::tempfile()?;
    let mut out = BufWriter::new(file);
    write_merged(&recording.logs, &recording.manifest.started, &mut out)?;
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    io::Seek::rewind(&mut file)?;
    Ok(file)
}

fn write_merged(logs: &LogStore, started: &str, out: &mut impl Write) -> io::Result<()> {
    let wall: jiff::Timestamp = started.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let mut view = LogView::new(Selection::All);
    view.refresh(logs);
    let mut next = 0;
    while next < view.len() {
        let lines = view.window(logs, next, BATCH)?;
        if lines.is_empty() {
            break;
        }
        next += lines.len() as u64;
        for line in lines {
            let at = wall.checked_add(std::time::Duration::from_micros(line.at.0)).unwrap_or(wall);
            let process = line.process.as_ref().map_or("-", |p| p.as_str());
            let (stream, text) = match &line.source {
                Source::Out => ("out", plain(&line.bytes)),
                Source::Err => ("err", plain(&line.bytes)),
                Source::Lifecycle(narration) => ("sup", narration.log_text().unwrap_or_default()),
            };
            writeln!(out, "{at:.6} {process} {stream} {text}")?;
        }
    }
    Ok(())
}
