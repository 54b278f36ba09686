//! Reading an archive that may come from anybody.
//!
//! Entries are read raw: extension headers (long names, PAX) are entries of a kind that no archive of ours has, and are
//! skipped like all such, never read into memory. What is kept has a name of ours and a cap of its own; the whole has
//! caps on its number of entries, on what comes out of it, and on how much more that is than what went in.

use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::caps::{CAPS, Caps, Counted, Gauge, Packed, Passed};
use crate::{
    model::{ProcessId, one_line},
    record::{
        Manifest,
        beside::{sweep, temporary_beside},
        live::TRAFFIC,
    },
};

/// The most that decompression may look back, as a power of two: 128 MiB of memory.
const WINDOW_LOG: u32 = 27;

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UnpackError {
    /// The file, or the folder it is read into.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The archive.
        path: PathBuf,
        /// What the system or the decoder said.
        #[source]
        source: io::Error,
    },
    /// It has no manifest, so it is no archive of this program.
    #[error("{} is no archive of e2e-tui: it has no manifest.json", .0.display())]
    NoArchive(PathBuf),
    /// It holds more than an archive may.
    #[error("{}: {what}: refused", .path.display())]
    TooMuch {
        /// The archive.
        path: PathBuf,
        /// Which cap.
        what: String,
    },
}

/// An archive's content in a private folder that goes away with this value.
#[derive(Debug)]
pub struct Unpacked {
    folder: Folder,
    /// Whether the archive broke off: what came before is there.
    pub broken: Option<String>,
}

impl Unpacked {
    /// The folder, laid out as a recording.
    pub fn dir(&self) -> &Path {
        &self.folder.0
    }
}

/// A folder among the system's temporary ones, named after who made it: what the killed leave, the next one sweeps.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn create() -> io::Result<Self> {
        let temporary = std::env::temp_dir();
        let _ = sweep(&temporary);
        let path = temporary_beside(&temporary.join("e2e-tui-replay"));
        DirBuilder::new().mode(0o700).create(&path)?;
        let folder = Self(path);
        DirBuilder::new().mode(0o700).create(folder.0.join("logs"))?;
        Ok(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to be told; the next one tries again.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The scenario whose run is packed at `path`, as its manifest says; none if no archive of a run is there.
pub(in crate::record) fn packed_scenario(path: &Path) -> Option<String> {
    std::fs::symlink_metadata(path).ok().filter(std::fs::Metadata::is_file)?;
    let mut decoder = zstd::Decoder::new(File::open(path).ok()?).ok()?;
    decoder.window_log_max(WINDOW_LOG).ok()?;
    // The manifest stands behind the summary.
    let mut archive = tar::Archive::new(decoder.take(2 * CAPS.document));
    let mut entries = archive.entries().ok()?.raw(true).take(2).flatten();
    let manifest = entries.find(|entry| *entry.path_bytes() == *b"manifest.json")?;
    let mut text = Vec::new();
    manifest.take(CAPS.document).read_to_end(&mut text).ok()?;
    serde_json::from_slice::<Manifest>(&text).ok().map(|manifest| manifest.scenario)
}

/// Reads the archive at `path`, a file or a pipe, into a private folder.
pub fn unpack(path: &Path) -> Result<Unpacked, UnpackError> {
    unpack_within(path, &CAPS)
}

pub(super) fn unpack_within(path: &Path, caps: &Caps) -> Result<Unpacked, UnpackError> {
    let io_error = |source| UnpackError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let folder = Folder::create().map_err(io_error)?;
    let gauge = Gauge::new(*caps);
    let mut decoder = zstd::Decoder::new(Packed { file, gauge: gauge.clone() }).map_err(io_error)?;
    decoder.window_log_max(WINDOW_LOG).map_err(io_error)?;
    let mut archive = tar::Archive::new(Passed { decoder, gauge: gauge.clone() });
    let entries = archive.entries().map_err(io_error)?.raw(true);
    let mut broken = None;
    for (count, entry) in entries.enumerate() {
        if count >= caps.entries {
            gauge.exceed(format!("it has more than {} entries", caps.entries));
        }
        if gauge.exceeded().is_some() {
            break;
        }
        if let Err(e) = entry.and_then(|entry| take(entry, &folder.0, &gauge)) {
            broken = Some(one_line(&e.to_string()).into_owned());
            break;
        }
    }
    if let Some(what) = gauge.exceeded() {
        return Err(UnpackError::TooMuch { path: path.to_owned(), what });
    }
    if !folder.0.join("manifest.json").is_file() {
        let why = |why| io_error(io::Error::new(io::ErrorKind::InvalidData, why));
        return Err(broken.map_or_else(|| UnpackError::NoArchive(path.to_owned()), why));
    }
    Ok(Unpacked { folder, broken })
}

/// Takes one entry if a recording has it; the name on disk is ours, whatever the archive calls it.
fn take(entry: tar::Entry<'_, impl Read>, folder: &Path, gauge: &Gauge) -> io::Result<()> {
    let size = entry.size();
    let name = entry.path_bytes().into_owned();
    let wanted = std::str::from_utf8(&name).ok().and_then(own_name);
    let Some(own) = wanted.filter(|_| entry.header().entry_type() == tar::EntryType::Regular) else { return Ok(()) };
    let cap = match own.as_str() {
        "events.jsonl" | TRAFFIC => gauge.caps().events,
        "manifest.json" | "scenario.toml" => gauge.caps().document,
        _ => gauge.caps().kept,
    };
    if size > cap {
        return Err(gauge.exceed(format!("its {own} is larger than {}", super::caps::size(cap))));
    }
    // What a header promises counts before a byte of it is written.
    gauge.keep(size)?;
    let named = |e: io::Error| io::Error::new(e.kind(), format!("{own}: {e}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(&own)).map_err(named)?;
    let mut content = entry.take(size);
    let written = if ["events.jsonl", TRAFFIC].contains(&own.as_str()) {
        io::copy(&mut content, &mut Counted { file: &mut file, gauge, lines: 0 })
    } else {
        io::copy(&mut content, &mut file)
    };
    let written = written.map_err(named)?;
    file.flush()?;
    if written < size { Err(named(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends before its size"))) } else { Ok(()) }
}

/// The name under which an entry is kept; none for what a recording does not have.
pub(super) fn own_name(name: &str) -> Option<String> {
    if ["manifest.json", "scenario.toml", "events.jsonl", TRAFFIC].contains(&name) {
        return Some(name.to_owned());
    }
    let stem = name.strip_prefix("logs/")?;
    let (stem, index) = stem.strip_suffix(".idx").map_or((stem, ""), |stem| (stem, ".idx"));
    let (process, stream) = stem.rsplit_once('.')?;
    let process = ProcessId::new(process).ok()?;
    ["out", "err"].contains(&stream).then(|| format!("logs/{process}.{stream}{index}"))
}
