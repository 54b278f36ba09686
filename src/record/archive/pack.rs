//! Writing an archive: beside its target, never through a link, whole or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::summary::summary;
use crate::{
    logs::{LogStore, LogView, Selection, Source, plain},
    record::{OpenError, Recording},
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
    let failed = |source| ExportError::Write { path: target.to_owned(), source };
    if !force && fs::symlink_metadata(target).is_ok() {
        return Err(ExportError::Exists(target.to_owned()));
    }
    let temporary = temporary_beside(target);
    let result = write(&recording, &temporary).and_then(|size| {
        let flags = if force { RenameFlags::empty() } else { RenameFlags::NOREPLACE };
        renameat_with(CWD, &temporary, CWD, target, flags)?;
        sync_folder(target)?;
        Ok(size)
    });
    match result {
        Ok(size) => Ok(Exported { path: target.to_owned(), size, lines: recording.logs.total_lines() }),
        Err(e) => {
            let _ = fs::remove_file(&temporary);
            if e.kind() == io::ErrorKind::AlreadyExists { Err(ExportError::Exists(target.to_owned())) } else { Err(failed(e)) }
        }
    }
}

/// A name nobody else uses, in the folder of `target`: a rename within a folder is whole or not at all.
fn temporary_beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let nonce = jiff::Timestamp::now().as_nanosecond() as u64;
    target.with_file_name(format!(".{name}.{}-{nonce:x}.part", std::process::id()))
}

/// Removes what an export of this program to `target` has written so far. Such an export then fails at its end, and what
/// stood at the target still stands there.
pub fn sweep_unfinished(target: &Path) -> io::Result<()> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let start = format!(".{name}.{}-", std::process::id());
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let found = entry.file_name();
        if found.to_string_lossy().strip_prefix(&start).is_some_and(|rest| rest.strip_suffix(".part").is_some()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn write(recording: &Recording, temporary: &Path) -> io::Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW).open(temporary)?;
    let encoder = zstd::Encoder::new(BufWriter::new(file), LEVEL)?;
    let mut archive = tar::Builder::new(encoder);
    let mut add = |name: &str, content: &[u8]| append(&mut archive, name, content.len() as u64, content);
    add("summary.md", summary(recording).as_bytes())?;
    for name in ["manifest.json", "scenario.toml", "events.jsonl"] {
        add(name, &fs::read(recording.dir.join(name)).or_else(missing_is_empty)?)?;
    }
    let merged = merged_log(recording)?;
    append(&mut archive, "merged.log", merged.metadata()?.len(), &merged)?;
    for process in &recording.manifest.processes {
        for stream in ["out", "err"] {
            append_stream(&mut archive, &recording.dir, &format!("logs/{process}.{stream}"))?;
        }
    }
    let file = archive.into_inner()?.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    Ok(file.metadata()?.len())
}

fn missing_is_empty(e: io::Error) -> io::Result<Vec<u8>> {
    if e.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(e) }
}

/// A stream that was never opened is not in the recording, and not in the archive.
fn append_stream(archive: &mut tar::Builder<impl Write>, dir: &Path, name: &str) -> io::Result<()> {
    // The index first: it never speaks of bytes that are not there yet.
    for name in [format!("{name}.idx"), name.to_owned()] {
        match File::open(dir.join(&name)) {
            Ok(file) => append(archive, &name, file.metadata()?.len(), file)?,
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
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

/// The rename is only safe once the folder knows of it.
fn sync_folder(target: &Path) -> io::Result<()> {
    let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
