//! What a tree may use, where the system has handed down controllers; and whether the kernel had to kill for it.

use std::{fs, io, path::Path};

use crate::model::Limits;

/// The period in which shares of CPU time are given, in microseconds.
const CPU_PERIOD: u64 = 100_000;
/// The smallest share that the kernel takes, in microseconds a period.
const CPU_LEAST: u64 = 1000;
/// Where a group counts what came of its memory limit.
const EVENTS: &str = "memory.events";

/// Controllers of cgroup v2: which are wanted, or which are there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Controllers {
    /// `memory.max`.
    pub memory: bool,
    /// `cpu.max`.
    pub cpu: bool,
    /// `pids.max`.
    pub pids: bool,
}

impl Controllers {
    /// Those that would hold these limits.
    pub fn for_limits<'l>(limits: impl IntoIterator<Item = &'l Limits>) -> Self {
        limits.into_iter().fold(Self::default(), |all, limits| Self {
            memory: all.memory || limits.memory.is_some(),
            cpu: all.cpu || limits.cpu.is_some(),
            pids: all.pids || limits.processes.is_some(),
        })
    }

    /// Those in both.
    pub(super) fn and(self, other: Self) -> Self {
        Self { memory: self.memory && other.memory, cpu: self.cpu && other.cpu, pids: self.pids && other.pids }
    }

    /// What the kernel calls them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [(self.memory, "memory"), (self.cpu, "cpu"), (self.pids, "pids")].into_iter().filter_map(|(there, name)| there.then_some(name))
    }
}

/// Those listed in a file of the kernel's.
pub(super) fn controllers_in(file: &Path) -> Controllers {
    let text = fs::read_to_string(file).unwrap_or_default();
    let has = |name: &str| text.split_ascii_whitespace().any(|word| word == name);
    Controllers { memory: has("memory"), cpu: has("cpu"), pids: has("pids") }
}

/// Writes what `limits` ask for into the files of a group, where there are such files.
pub(super) fn write_limits(dir: &Path, limits: &Limits) -> io::Result<()> {
    if let Some(bytes) = limits.memory {
        // One of a tree that lost a member is of no use: all of it goes, and what was hit is told.
        if set(dir, "memory.max", &bytes.to_string())? {
            set(dir, "memory.oom.group", "1")?;
        }
    }
    if let Some(cores) = limits.cpu {
        let share = (cores * CPU_PERIOD as f64).round() as u64;
        // Others are watched where they cannot be set; nobody watches this one.
        if !set(dir, "cpu.max", &format!("{} {CPU_PERIOD}", share.max(CPU_LEAST)))? {
            return Err(io::ErrorKind::Unsupported.into());
        }
    }
    if let Some(most) = limits.processes {
        set(dir, "pids.max", &most.to_string())?;
    }
    Ok(())
}

/// Whether there was such a file to write to. One that does not exist is never made.
fn set(dir: &Path, file: &str, value: &str) -> io::Result<bool> {
    match fs::OpenOptions::new().write(true).open(dir.join(file)) {
        Ok(mut file) => io::Write::write_all(&mut file, value.as_bytes()).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether a group has a count of kills for want of memory: where the `memory` controller was handed down.
pub(super) fn counts_oom_kills(dir: &Path) -> bool {
    dir.join(EVENTS).exists()
}

/// How often the kernel has killed in this group because its memory limit was reached. Kills for want of memory in the
/// whole machine, or in a group above, count, too: the reason is told by [`was_at_its_own_limit`].
pub(super) fn oom_kills(dir: &Path) -> u64 {
    event(dir, "oom_kill").unwrap_or(0)
}

/// Whether the group has been at its own limit, and not only the machine out of memory.
pub(super) fn was_at_its_own_limit(dir: &Path) -> bool {
    event(dir, "oom").is_some_and(|count| count > 0)
}

/// A number of `memory.events`.
fn event(dir: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(dir.join(EVENTS)).ok()?;
    text.lines().find_map(|line| line.split_once(' ').filter(|(key, _)| *key == name)?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a temp dir");
        for (name, text) in files {
            fs::write(dir.path().join(name), text).expect("a temp dir");
        }
        dir
    }

    fn read(dir: &tempfile::TempDir, file: &str) -> Option<String> {
        fs::read_to_string(dir.path().join(file)).ok()
    }

    #[test]
    fn limits_are_written_where_there_are_files_for_them() {
        let dir = group(&[("memory.max", ""), ("memory.oom.group", ""), ("cpu.max", ""), ("pids.max", "")]);
        let limits = Limits { memory: Some(500 << 20), cpu: Some(1.5), processes: Some(40), ..Limits::default() };
        write_limits(dir.path(), &limits).expect("a temp dir is writable");
        let wanted = [("memory.max", "524288000"), ("memory.oom.group", "1"), ("cpu.max", "150000 100000"), ("pids.max", "40")];
        for (file, text) in wanted {
            assert_eq!(read(&dir, file).as_deref(), Some(text), "{file}");
        }
        write_limits(dir.path(), &Limits { cpu: Some(0.0001), ..Limits::default() }).expect("a temp dir is writable");
        assert!(read(&dir, "cpu.max").is_some_and(|text| text.starts_with("1000 100000")), "the kernel takes no less");
    }

    #[test]
    fn no_file_is_made_where_the_system_has_none() {
        let dir = group(&[]);
        let limits = Limits { memory: Some(1), processes: Some(1), ..Limits::default() };
        write_limits(dir.path(), &limits).expect("nothing to do");
        let cpu = Limits { cpu: Some(1.0), ..Limits::default() };
        assert_eq!(write_limits(dir.path(), &cpu).expect_err("nobody would hold it").kind(), io::ErrorKind::Unsupported);
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 0);
    }

    #[test]
    fn s5_kills_for_memory_are_told_from_others() {
        let dir = group(&[("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 1\n")]);
        assert_eq!((oom_kills(dir.path()), was_at_its_own_limit(dir.path())), (2, true));
        let dir = group(&[("memory.events", "max 0\noom 0\noom_kill 1\n")]);
        assert_eq!((oom_kills(dir.path()), was_at_its_own_limit(dir.path())), (1, false));
        assert_eq!(oom_kills(group(&[]).path()), 0);
    }

    #[test]
    fn controllers_are_those_that_the_limits_need() {
        let limits = [Limits { cpu: Some(1.0), ..Limits::default() }, Limits { memory: Some(1), ..Limits::default() }];
        let wanted = Controllers::for_limits(&limits);
        assert_eq!(wanted.names().collect::<Vec<_>>(), ["memory", "cpu"]);
        let dir = group(&[("cgroup.controllers", "cpuset cpu io pids\n")]);
        let there = controllers_in(&dir.path().join("cgroup.controllers"));
        assert_eq!(there, Controllers { memory: false, cpu: true, pids: true });
        assert_eq!(wanted.and(there).names().collect::<Vec<_>>(), ["cpu"]);
        assert_eq!(controllers_in(&dir.path().join("none")), Controllers::default());
    }
}
