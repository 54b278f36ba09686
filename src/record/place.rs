//! Where recordings are kept, and how a run gets a folder of its own.

use std::{
    fs::{DirBuilder, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use etcetera::BaseStrategy;
use jiff::{Timestamp, tz::TimeZone};

use super::beside::Beside;

/// Why there is no folder for a run.
#[derive(Debug, thiserror::Error)]
#[error("recordings cannot be kept in {}: {source}", .dir.display())]
pub struct PlaceError {
    /// Where it was tried.
    pub dir: PathBuf,
    /// What the system said.
    #[source]
    pub source: io::Error,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunDir {
    /// Its name, which is the run's id: `2026-11-23-0625-forward-k3`.
    pub id: String,
    /// The folder.
    pub path: PathBuf,
}

/// `$XDG_STATE_HOME/e2e-tui/recordings`, else below the home folder.
pub fn default_dir() -> PathBuf {
    let state = etcetera::base_strategy::Xdg::new().ok().and_then(|xdg| xdg.state_dir());
    state.unwrap_or_else(|| std::env::temp_dir().join(format!("e2e-tui-{}", nix::unistd::getuid()))).join("e2e-tui/recordings")
}

impl RunDir {
    /// Creates a folder below `base` for a run of `scenario` that starts at `started`. Two runs never share one.
    pub fn create(base: &Path, scenario: &str, started: Timestamp) -> Result<Self, PlaceError> {
        let fail = |source| PlaceError { dir: base.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(base).map_err(fail)?;
        let minute = started.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d-%H%M").to_string();
        let mut draw = started.as_nanosecond() as u64 ^ u64::from(std::process::id()).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        for attempt in 0..1000 {
            draw = draw.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
            // Two characters are enough for a person; a crowd of runs in one minute gets more.
            let id = format!("{minute}-{scenario}-{}", suffix(draw >> 20, if attempt < 50 { 2 } else { 5 }));
            let path = base.join(&id);
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { id, path }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(fail(e)),
            }
        }
        Err(fail(io::Error::new(io::ErrorKind::AlreadyExists, "no free name")))
    }

    /// The folder of the captured output.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// As [`write`](Self::write) into a folder that was just made: nothing can be in the way there.
    pub(super) fn write_first(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let unfinished = self.path.join(format!(".{name}"));
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?.write_all(content)?;
        std::fs::rename(unfinished, self.path.join(name))
    }

    /// Writes a small file of the recording, 0600 from its first byte. It is not waited for until it is on the disk: a
    /// recording survives the program's death, not the machine's.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        put(&self.path.join(name), content, false)
    }
}

/// Writes `content` beside `path`, syncs it and renames it there, 0600 from its first byte: a reader never meets half of
/// it. Never through a link; what is a device or a pipe is written into, `-` is standard output.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    put(path, content, true)
}

fn put(path: &Path, content: &[u8], sync: bool) -> io::Result<()> {
    let mut beside = Beside::create(path, true)?;
    beside.write_all(content)?;
    beside.finish(sync).map(drop)
}

fn suffix(mut n: u64, len: usize) -> String {
    const DIGITS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    (0..len)
        .map(|_| {
            let digit = DIGITS[(n % 32) as usize];
            n /= 32;
            char::from(digit)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn d9_runs_of_the_same_minute_have_folders_of_their_own() {
        let base = tempfile::tempdir().expect("a temporary folder");
        let now = Timestamp::now();
        let dirs: Vec<_> = (0..200).map(|_| RunDir::create(base.path(), "forward", now).expect("a free name")).collect();
        let names: std::collections::BTreeSet<_> = dirs.iter().map(|d| &d.id).collect();
        assert_eq!(names.len(), 200);
        let mode = std::fs::metadata(&dirs[0].path).expect("it was created").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[test]
    fn d3_a_place_that_cannot_be_written_is_named() {
        let error = RunDir::create(Path::new("/proc/none"), "x", Timestamp::now()).expect_err("nothing can be created there");
        assert!(error.to_string().contains("/proc/none"), "{error}");
    }
}
