//! Reading an archive that may come from anybody.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::model::ProcessId;

/// Bytes of all entries together.
const MAX_TOTAL: u64 = 64 << 30;
/// Bytes of everything that is no log: manifest, scenario, events.
const MAX_DOCUMENT: u64 = 1 << 30;
/// Entries of any kind.
const MAX_ENTRIES: usize = 10_000;
/// How often more than the archive itself may come out of it, beyond the first 64 MiB.
const MAX_RATIO: u64 = 2_000;

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
    folder: TempDir,
    /// Whether the archive broke off: what came before is there.
    pub broken: Option<String>,
}

impl Unpacked {
    /// The folder, laid out as a recording.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }
}

/// Reads the archive at `path` into a private folder.
pub fn unpack(path: &Path) -> Result<Unpacked, UnpackError> {
    let io_error = |source| UnpackError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io_error)?;
    let packed = file.metadata().map_err(io_error)?.len();
    let folder = tempfile::Builder::new().prefix("e2e-tui-replay-").tempdir().map_err(io_error)?;
    std::fs::DirBuilder::new().mode(0o700).create(folder.path().join("logs")).map_err(io_error)?;
    let decoder = zstd::Decoder::new(file).map_err(io_error)?;
    let limit = packed.saturating_mul(MAX_RATIO).saturating_add(64 << 20).min(MAX_TOTAL);
    let mut broken = None;
    // One byte above the limit tells a bomb from a full house.
    let mut archive = tar::Archive::new(decoder.take(limit + 1));
    let entries = archive.entries().map_err(io_error)?;
    let mut total = 0;
    for (count, entry) in entries.enumerate() {
        if count >= MAX_ENTRIES {
            return Err(UnpackError::TooMuch { path: path.to_owned(), what: format!("more than {MAX_ENTRIES} entries") });
        }
        match entry.and_then(|entry| take(entry, folder.path())) {
            Ok(size) => total += size,
            Err(e) => {
                broken = Some(e.to_string());
                break;
            }
        }
        if total > limit {
            return Err(UnpackError::TooMuch { path: path.to_owned(), what: format!("unpacks to more than {MAX_RATIO} times its size") });
        }
    }
    if !folder.path().join("manifest.json").is_file() {
        return Err(
            broken.map_or_else(|| UnpackError::NoArchive(path.to_owned()), |why| io_error(io::Error::new(io::ErrorKind::InvalidData, why)))
        );
    }
    Ok(Unpacked { folder, broken })
}

/// Takes one entry if a recording has it; the name on disk is ours, whatever the archive calls it.
fn take(entry: tar::Entry<'_, impl Read>, folder: &Path) -> io::Result<u64> {
    let size = entry.header().size()?;
    let name = entry.path_bytes().into_owned();
    let wanted = std::str::from_utf8(&name).ok().and_then(own_name);
    let Some(own) = wanted.filter(|_| entry.header().entry_type() == tar::EntryType::Regular) else { return Ok(size) };
    let cap = if own.starts_with("logs/") { MAX_TOTAL } else { MAX_DOCUMENT };
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(own))?;
    let written = io::copy(&mut entry.take(cap), &mut file)?;
    file.flush()?;
    Ok(written)
}

/// The name under which an entry is kept; none for what a recording does not have.
fn own_name(name: &str) -> Option<String> {
    if ["manifest.json", "scenario.toml", "events.jsonl"].contains(&name) {
        return Some(name.to_owned());
    }
    let stem = name.strip_prefix("logs/")?;
    let (stem, index) = stem.strip_suffix(".idx").map_or((stem, ""), |stem| (stem, ".idx"));
    let (process, stream) = stem.rsplit_once('.')?;
    let process = ProcessId::new(process).ok()?;
    ["out", "err"].contains(&stream).then(|| format!("logs/{process}.{stream}{index}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r3_only_names_that_a_recording_has_are_kept() {
        for evil in [
            "../manifest.json",
            "/etc/passwd",
            "logs/../../x.out",
            "logs/a/b.out",
            "logs/x.exe",
            "logs/.out",
            "summary.md",
            "logs/a\0.out",
            "MANIFEST.JSON",
        ] {
            assert_eq!(own_name(evil), None, "{evil}");
        }
        assert_eq!(own_name("logs/client-a.err.idx"), Some("logs/client-a.err.idx".into()));
    }

    #[test]
    fn r1_what_is_no_archive_is_a_typed_error() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for content in [&b""[..], b"not zstd at all", &zstd::encode_all(&b"not tar"[..], 1).expect("in memory")] {
            let path = folder.path().join("x.tar.zst");
            std::fs::write(&path, content).expect("it can be written");
            let error = unpack(&path).expect_err("it is no archive");
            assert!(error.to_string().contains("x.tar.zst"), "{error}");
        }
    }

    #[test]
    fn r2_a_bomb_is_refused_by_what_comes_out_of_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("bomb.tar.zst");
        let mut archive = tar::Builder::new(zstd::Encoder::new(File::create(&path).expect("it can be written"), 19).expect("in memory"));
        let mut header = tar::Header::new_gnu();
        header.set_size(300 << 20);
        archive.append_data(&mut header, "ballast", io::repeat(0).take(300 << 20)).expect("it compresses well");
        archive.into_inner().and_then(zstd::Encoder::finish).expect("it can be finished");
        assert!(unpack(&path).is_err());
    }
}
