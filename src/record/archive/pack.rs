//! Writing an archive: beside its target, never through a link, whole or not at all.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    clock::Clock,
    gauge::{Gauge, GivenUp, Watched},
    slices::Slices,
    summary::summary,
};
use crate::{
    logs::{LogView, Selection, Source, plain},
    model::At,
    record::{
        Manifest, OpenError, Part, Recording,
        beside::{Beside, sweep_own},
        live::TRAFFIC,
    },
};

/// zstd's own default: three quarters of the best ratio at a small part of its time.
const LEVEL: i32 = 3;
/// Bytes that are written at once.
const BUFFER: usize = 256 << 10;

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
    /// Whoever watched it did not want it any more.
    #[error("{} was given up: nothing is left of it", .0.display())]
    GivenUp(PathBuf),
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
    /// Lines of output in the recording that it was made from.
    pub lines: u64,
}

/// Packs the recording in `dir` into `target`. A recording of a run that goes on is packed as far as it is.
pub fn export(dir: &Path, target: &Path, force: bool) -> Result<Exported, ExportError> {
    export_part(dir, target, force, None)
}

/// Packs what was said in a part of a run, in whole chunks, with all that happened: how the run came there and how it
/// ended stands in the archive too.
pub fn export_part(dir: &Path, target: &Path, force: bool, part: Option<Part>) -> Result<Exported, ExportError> {
    export_watched(dir, target, force, part, &|_| true)
}

/// The same, watched: `watch` is told how much is done, from 0 to 1, and says whether to go on. Where it says no, nothing is
/// left but what stood there before.
pub fn export_watched(
    dir: &Path,
    target: &Path,
    force: bool,
    part: Option<Part>,
    watch: &dyn Fn(f64) -> bool,
) -> Result<Exported, ExportError> {
    let recording = Recording::open(dir)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AlreadyExists => ExportError::Exists(target.to_owned()),
        _ if GivenUp::is(&source) => ExportError::GivenUp(target.to_owned()),
        _ => ExportError::Write { path: target.to_owned(), source },
    };
    let gauge = Gauge::new(&recording, watch);
    let beside = Beside::create(target, force).map_err(failed)?;
    let size = write(&recording, part, beside, &gauge).and_then(|beside| beside.finish(true)).map_err(failed)?;
    Ok(Exported { path: target.to_owned(), size, lines: recording.logs.total_lines() })
}

/// Removes what an export of this program to `target` has written so far. Such an export then fails at its end, and what
/// stood at the target still stands there.
pub fn sweep_unfinished(target: &Path) -> io::Result<()> {
    sweep_own(target)
}

fn write(recording: &Recording, part: Option<Part>, beside: Beside, gauge: &Gauge<'_>) -> io::Result<Beside> {
    let folder = beside.folder();
    let encoder = zstd::Encoder::new(BufWriter::with_capacity(BUFFER, beside), LEVEL)?;
    let mut archive = tar::Builder::new(encoder);
    let manifest = Manifest { packed_live: recording.is_live(), part: part.or(recording.manifest.part), ..recording.manifest.clone() };
    let summary = summary(recording, manifest.part);
    for (name, content) in [("summary.md", summary.into_bytes()), ("manifest.json", manifest.to_json())] {
        append(&mut archive, name, content.len() as u64, content.as_slice())?;
    }
    append_file(&mut archive, &recording.dir, "scenario.toml", gauge)?;
    let streams = recording.manifest.processes.iter().flat_map(|process| ["out", "err"].map(|stream| (process, stream)));
    if let Some(part) = part {
        let slices = Slices::of(recording, part, streams)?;
        append_made(&mut archive, &folder, "events.jsonl", |out| slices.write_events(&recording.journal.from(0), out))?;
        append_made(&mut archive, &folder, "merged.log", |out| write_merged(recording, part, gauge, out))?;
        append_made(&mut archive, &folder, TRAFFIC, |out| recording.traffic.write_between(part.from, part.until, out))?;
        slices.append(&mut archive, &recording.dir, gauge)?;
        return whole(archive);
    }
    append_file(&mut archive, &recording.dir, "events.jsonl", gauge)?;
    append_file(&mut archive, &recording.dir, TRAFFIC, gauge)?;
    let whole_run = Part { from: At::START, until: At(u64::MAX) };
    append_made(&mut archive, &folder, "merged.log", |out| write_merged(recording, whole_run, gauge, out))?;
    for (process, stream) in streams {
        // The index first: it never speaks of bytes that are not there yet.
        append_file(&mut archive, &recording.dir, &format!("logs/{process}.{stream}.idx"), gauge)?;
        append_file(&mut archive, &recording.dir, &format!("logs/{process}.{stream}"), gauge)?;
    }
    whole(archive)
}

/// The file behind an archive that has all its entries.
fn whole(archive: tar::Builder<zstd::Encoder<'_, BufWriter<Beside>>>) -> io::Result<Beside> {
    archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)
}

/// Adds what `make` writes, by way of an unlinked file: its size stands in front of it in the archive. It is as large as all
/// that was said, so it goes to the archive's disk, and not where temporary files may be in memory.
fn append_made(
    archive: &mut tar::Builder<impl Write>,
    folder: &Path,
    name: &str,
    make: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(BUFFER, tempfile::tempfile_in(folder)?);
    make(&mut out)?;
    let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    io::Seek::rewind(&mut file)?;
    append(archive, name, file.metadata()?.len(), file)
}

/// What was never written (a stream without output) is not in the recording, and not in the archive.
fn append_file(archive: &mut tar::Builder<impl Write>, dir: &Path, name: &str, gauge: &Gauge<'_>) -> io::Result<()> {
    match OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(dir.join(name)) {
        Ok(file) => append(archive, name, file.metadata()?.len(), Watched { content: file, gauge }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(io::Error::new(e.kind(), format!("{name}: {e}"))),
    }
}

/// Exactly `size` bytes of `content`: a file that grows meanwhile is cut where it was.
pub(super) fn append(archive: &mut tar::Builder<impl Write>, name: &str, size: u64, content: impl Read) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o600);
    archive.append_data(&mut header, name, content.take(size))
}

fn write_merged(recording: &Recording, part: Part, gauge: &Gauge<'_>, out: &mut impl Write) -> io::Result<()> {
    let logs = &recording.logs;
    let mut clock = Clock::new(recording.manifest.started.parse().unwrap_or(jiff::Timestamp::UNIX_EPOCH));
    let mut view = LogView::new(Selection::All);
    view.refresh(logs);
    view.each_between(logs, part.from, part.until, |line| {
        let line = if line.cut { &view.whole(logs, line)? } else { line };
        let process = line.process.as_ref().map_or("-", |p| p.as_str());
        let (stream, text) = match &line.source {
            Source::Out => ("out", plain(&line.bytes)),
            Source::Err => ("err", plain(&line.bytes)),
            Source::Lifecycle(narration) => ("sup", narration.log_text().unwrap_or_default()),
        };
        gauge.pass(line.bytes.len() as u64 + 1)?;
        clock.write(line.at, out)?;
        for piece in [" ", process, " ", stream, " ", &text, "\n"] {
            out.write_all(piece.as_bytes())?;
        }
        Ok(())
    })
}
