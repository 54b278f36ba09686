//! What a later start must know to clean up after a run whose supervisor and guardian were killed in the same instant.
//!
//! Then nobody is left to kill what they had started but the next start, see [`sweep_dead_runs`](super::sweep_dead_runs): each
//! run leaves a file that says who it was (by pid, start time and boot, so that nobody is mistaken for them) and how its
//! processes are known. A run that ends in order removes its file.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{Guardian, guardian::Traces, procfs, tree::Identity};

/// The format of the file; another one is left alone.
const FORMAT: u32 = 2;
const EXTENSION: &str = "run";

/// Where this user's runs leave their files: `$XDG_RUNTIME_DIR/e2e-tui/runs`, or where that would be, else
/// `/tmp/e2e-tui-UID/runs`. Never in a home folder, which other machines may share.
pub fn runs_dir() -> PathBuf {
    let uid = nix::unistd::geteuid();
    let named = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let usual = PathBuf::from(format!("/run/user/{uid}"));
    let runtime = named.or_else(|| usual.is_dir().then_some(usual)).map(|dir| dir.join("e2e-tui"));
    runtime.unwrap_or_else(|| PathBuf::from(format!("/tmp/e2e-tui-{uid}"))).join("runs")
}

/// What is written there decides who is killed: so nobody but this user may have written it.
fn is_private(path: &Path) -> io::Result<()> {
    // Of the name itself, not of what a link under it points to.
    let found = fs::symlink_metadata(path)?;
    let ours = found.uid() == nix::unistd::geteuid().as_raw() && found.mode() & 0o022 == 0 && !found.is_symlink();
    if ours { Ok(()) } else { Err(io::Error::new(io::ErrorKind::PermissionDenied, "others than this user may write it")) }
}

/// The file of a run under way. Dropping it removes the file.
#[derive(Debug)]
pub struct PidFile {
    pub(super) path: PathBuf,
}

/// What stands in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Content {
    pub(super) format: u32,
    pub(super) run: String,
    pub(super) boot: String,
    /// The PID namespace of the supervisor: only in there do the two numbers below mean somebody.
    pub(super) namespace: String,
    pub(super) supervisor: Who,
    pub(super) guardian: Who,
    pub(super) marker: String,
    pub(super) tags: Range<u64>,
    /// The folder of its control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) group: Option<PathBuf>,
}

/// A process for good: its pid may be another's by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Who {
    pub(super) pid: u32,
    pub(super) start: u64,
}

impl Who {
    pub(super) fn of(id: Identity) -> Self {
        Self { pid: id.pid, start: id.start }
    }

    pub(super) fn lives(self) -> bool {
        procfs::stat(self.pid).is_some_and(|stat| stat.id.start == self.start && stat.is_alive())
    }
}

impl Content {
    /// Whether it may still clean up by itself.
    pub(super) fn lives(&self) -> bool {
        self.supervisor.lives() || self.guardian.lives()
    }
}

impl PidFile {
    /// Leaves word of this run, called `run`, in `dir`, which is made if need be. Only this user can read it.
    pub fn create(dir: &Path, run: &str, guardian: &Guardian) -> io::Result<Self> {
        let Traces { guardian, marker, tags, group } = guardian.traces();
        let content = Content {
            format: FORMAT,
            run: run.to_owned(),
            boot: boot_id()?,
            namespace: pid_namespace()?,
            supervisor: Who::of(procfs::myself()),
            guardian: Who::of(guardian),
            marker,
            tags,
            group,
        };
        Self::write(dir, &content)
    }

    pub(super) fn write(dir: &Path, content: &Content) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        is_private(dir)?;
        let name = format!("{}-{}", content.guardian.pid, content.guardian.start);
        let path = dir.join(&name).with_extension(EXTENSION);
        // Whole or not at all: a sweep may look at any moment.
        let unfinished = dir.join(format!(".{name}.{}", std::process::id()));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
        let written = file.write_all(&serde_json::to_vec(content)?).and_then(|()| fs::rename(&unfinished, &path));
        if written.is_err() {
            _ = fs::remove_file(&unfinished);
        }
        written.map(|()| Self { path })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.path);
    }
}

/// The files of all runs in `dir`; none if others than this user may write there.
pub(super) fn files_in(dir: &Path) -> Vec<(PathBuf, Content)> {
    if is_private(dir).is_err() {
        return Vec::new();
    }
    fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| read(entry.path())).collect()
}

fn read(path: PathBuf) -> Option<(PathBuf, Content)> {
    if path.extension()? != EXTENSION || is_private(&path).is_err() {
        return None;
    }
    let content: Content = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    (content.format == FORMAT).then_some((path, content))
}

pub(super) fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

pub(super) fn pid_namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A run that is dead: nobody has pid 0's start time.
    pub(in super::super) fn dead_run(marker: &str, tags: Range<u64>) -> Content {
        Content {
            format: FORMAT,
            run: "2026-11-23-0625-reverse-k3".into(),
            boot: boot_id().expect("Linux"),
            namespace: pid_namespace().expect("Linux"),
            supervisor: Who { pid: std::process::id(), start: 0 },
            guardian: Who { pid: std::process::id(), start: 1 },
            marker: marker.into(),
            tags,
            group: None,
        }
    }

    #[test]
    fn files_are_private() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let below = dir.path().join("runs");
        let file = PidFile::write(&below, &dead_run("E2E_TUI_TEST=x:", 0..0)).expect("a temp dir is writable");
        let mode = |path: &Path| fs::metadata(path).expect("it exists").permissions().mode() & 0o777;
        assert_eq!((mode(&file.path), mode(&below)), (0o600, 0o700));
    }
}
