//! What a later start must know to clean up after a run whose supervisor and guardian were killed in the same instant.
//!
//! Then nobody is left to kill what they had started but the next start: each run leaves a file that says who it was (by
//! pid, start time and boot, so that nobody is mistaken for them) and how its processes are known. A run that ends in order
//! removes its file.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    ops::Range,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Guardian, KILL_BOUND, Member, TreeId,
    cgroup::RunGroup,
    guardian::Traces,
    procfs,
    sweeper::{self, Among},
    tree::{Identity, Stat},
};

/// The format of the file; another one is left alone.
const FORMAT: u32 = 2;
const EXTENSION: &str = "run";
/// How many processes of a dead run its text names.
const NAMED: usize = 5;

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
    path: PathBuf,
}

/// What was done about one dead run. Its text names programs only: the secrets of that run are not known any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Swept {
    /// What the run was called.
    pub run: String,
    /// Who was found alive and killed.
    pub killed: Vec<Member>,
    /// Who could not be killed.
    pub left: Vec<u32>,
}

impl fmt::Display for Swept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { run, killed, left } = self;
        let program = |member: &Member| {
            let word = member.command.split(' ').next().unwrap_or_default();
            format!("pid {} ({})", member.pid, word.rsplit('/').next().unwrap_or_default())
        };
        let named: Vec<String> = killed.iter().take(NAMED).map(program).collect();
        let more = killed.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        write!(f, "the run {run} was killed together with its guardian; what it had left was ended now: {}{more}", named.join(", "))?;
        if left.is_empty() { Ok(()) } else { write!(f, "; could not be killed: {left:?}") }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    format: u32,
    run: String,
    boot: String,
    /// The PID namespace of the supervisor: only in there do the two numbers below mean somebody.
    namespace: String,
    supervisor: Who,
    guardian: Who,
    marker: String,
    tags: Range<u64>,
    /// The folder of its control group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Who {
    pid: u32,
    start: u64,
}

impl Who {
    fn of(id: Identity) -> Self {
        Self { pid: id.pid, start: id.start }
    }

    fn lives(self) -> bool {
        procfs::stat(self.pid).is_some_and(|stat| stat.id.start == self.start && stat.is_alive())
    }
}

impl Content {
    /// Whether it may still clean up by itself.
    fn lives(&self) -> bool {
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

    fn write(dir: &Path, content: &Content) -> io::Result<Self> {
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

/// Kills what dead runs have left alive, by their files in `dir`, and removes those. A run whose supervisor or guardian
/// lives is left alone, and so is everything whose owner is not certain: also each run of another PID namespace, from where
/// nobody here can tell whether it lives. Takes some milliseconds: not on the way to a first
/// frame.
pub fn sweep_dead_runs(dir: &Path) -> Vec<Swept> {
    let (Ok(boot), Ok(namespace), Ok(())) = (boot_id(), pid_namespace(), is_private(dir)) else { return Vec::new() };
    let files: Vec<(PathBuf, Content)> = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| read(entry.path())).collect();
    let may_live = |content: &Content| content.boot == boot && (content.namespace != namespace || content.lives());
    let (alone, dead): (Vec<_>, Vec<_>) = files.into_iter().partition(|(_, content)| may_live(content));
    let in_use: Vec<Range<u64>> = alone.into_iter().map(|(_, content)| content.tags).collect();
    let mut swept = Vec::new();
    for (path, content) in dead {
        if content.boot == boot {
            match sweep(&content, &in_use) {
                Sweep::Nobody => {}
                Sweep::Done(done) => swept.push(done),
                Sweep::InUse => continue,
            }
        }
        _ = fs::remove_file(path);
    }
    swept
}

fn read(path: PathBuf) -> Option<(PathBuf, Content)> {
    if path.extension()? != EXTENSION || is_private(&path).is_err() {
        return None;
    }
    let content: Content = serde_json::from_slice(&fs::read(&path).ok()?).ok()?;
    (content.format == FORMAT).then_some((path, content))
}

/// What a look for a dead run's processes has come to.
enum Sweep {
    /// Nobody was left.
    Nobody,
    /// This very process was started from among them (from a terminal in that run, say): somebody works there.
    InUse,
    Done(Swept),
}

fn sweep(content: &Content, in_use: &[Range<u64>]) -> Sweep {
    let own_line = ancestors();
    let user = rustix::process::getuid().as_raw();
    let same_user = |stat: &Stat| fs::metadata(format!("/proc/{}", stat.id.pid)).is_ok_and(|meta| meta.uid() == user);
    let tagged = |stat: &Stat| {
        let tag = procfs::message_queue_limit(stat.id.pid).filter(|tag| content.tags.contains(tag));
        // Somebody else uses the same values now: then the tag alone proves nothing.
        tag.is_some_and(|tag| !in_use.iter().any(|range| range.contains(&tag)))
    };
    let marked = |stat: &Stat| procfs::environment_contains(stat.id.pid, content.marker.as_bytes());
    // Whoever is in the run's control group was started by it, or put there by somebody who meant to.
    let group = content.group.clone().and_then(RunGroup::of_the_dead);
    let grouped: HashSet<u32> = group.iter().flat_map(RunGroup::members).collect();
    let ours = |stat: &Stat| {
        grouped.contains(&stat.id.pid) || stat.id.start >= content.guardian.start && same_user(stat) && (tagged(stat) || marked(stat))
    };
    let table = procfs::table();
    let found: Vec<&Stat> = table.iter().filter(|stat| stat.is_alive() && ours(stat)).collect();
    if found.is_empty() {
        group.map(|group| group.remove());
        return Sweep::Nobody;
    }
    if found.iter().any(|stat| own_line.contains(&stat.id.pid)) {
        return Sweep::InUse;
    }
    let assigned = table.assign(0, &found.iter().map(|stat| (stat.id, TreeId(0))).collect::<HashMap<_, _>>(), &mut |_, _| None);
    let member = |stat: &Stat| Member { pid: stat.id.pid, ppid: stat.ppid, command: procfs::command(stat.id.pid) };
    let killed = assigned.members_of(TreeId(0)).map(member).collect();
    if let Some(group) = &group {
        group.kill();
    }
    let mut left = sweeper::kill(Among::Everybody, KILL_BOUND, ours);
    left.extend(group.map(|group| group.end(KILL_BOUND)).into_iter().flatten());
    left.sort_unstable();
    left.dedup();
    Sweep::Done(Swept { run: content.run.clone(), killed, left })
}

/// This process and all it descends from.
fn ancestors() -> Vec<u32> {
    let mut line = vec![std::process::id()];
    while let Some(parent) = line.last().and_then(|pid| procfs::stat(*pid)).map(|stat| stat.ppid)
        && parent > 0
        && !line.contains(&parent)
    {
        line.push(parent);
    }
    line
}

fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

fn pid_namespace() -> io::Result<String> {
    Ok(fs::read_link("/proc/self/ns/pid")?.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt,
        process::{Child, Command, Stdio},
    };

    use super::*;

    /// A run that is dead: nobody has pid 0's start time.
    fn dead_run(marker: &str, tags: Range<u64>) -> Content {
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

    /// Somebody who sleeps until the test ends, however it does.
    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            _ = self.0.kill();
            _ = self.0.wait();
        }
    }

    fn sleeper(marker: &str) -> Sleeper {
        let (name, value) = marker.split_once('=').expect("a variable");
        let mut command = Command::new("sleep");
        command.arg("3600").env(name, format!("{value}7")).stdout(Stdio::null()).stderr(Stdio::null());
        Sleeper(command.spawn().expect("sleep exists"))
    }

    fn lives(sleeper: &Sleeper) -> bool {
        procfs::stat(sleeper.0.id()).is_some_and(|stat| stat.is_alive())
    }

    #[test]
    fn s6_what_a_dead_run_has_left_is_killed_and_told_and_nobody_else_is() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let marker = format!("E2E_TUI_TEST={}-s6:", std::process::id());
        let (left, other) = (sleeper(&marker), sleeper("E2E_TUI_TEST=somebody-else:"));
        std::mem::forget(PidFile::write(dir.path(), &dead_run(&marker, 0..0)).expect("a temp dir is writable"));
        let [swept] = &sweep_dead_runs(dir.path())[..] else { panic!("one run was dead") };
        assert_eq!(swept.killed.iter().map(|m| (m.pid, m.command.as_str())).collect::<Vec<_>>(), [(left.0.id(), "sleep 3600")]);
        assert_eq!((swept.run.as_str(), swept.left.len()), ("2026-11-23-0625-reverse-k3", 0));
        assert!(!lives(&left) && lives(&other));
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 0, "its file is gone");
    }

    #[test]
    fn s6_a_living_run_another_boot_and_unknown_files_are_left_alone() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let marker = format!("E2E_TUI_TEST={}-alive:", std::process::id());
        let child = sleeper(&marker);
        let alive = Content { supervisor: Who::of(procfs::myself()), ..dead_run(&marker, 0..0) };
        let file = PidFile::write(dir.path(), &alive).expect("a temp dir is writable");
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(file.path.exists() && lives(&child));
        drop(file);

        let before = Content { boot: "another".into(), ..dead_run(&marker, 0..0) };
        std::mem::forget(PidFile::write(dir.path(), &before).expect("a temp dir is writable"));
        fs::write(dir.path().join("later.run"), br#"{"format":3}"#).expect("a temp dir is writable");
        fs::set_permissions(dir.path().join("later.run"), fs::Permissions::from_mode(0o600)).expect("it is ours");
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(lives(&child));
        let names: Vec<_> = fs::read_dir(dir.path()).expect("it exists").flatten().map(|e| e.file_name()).collect();
        assert_eq!(names, ["later.run"], "of a boot that is over nothing can be left");
        assert_eq!(sweep_dead_runs(Path::new("/no/such/dir")), []);
    }

    #[test]
    fn s6_a_run_of_another_pid_namespace_is_left_alone() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let marker = format!("E2E_TUI_TEST={}-elsewhere:", std::process::id());
        let child = sleeper(&marker);
        let elsewhere = Content { namespace: "pid:[1]".into(), ..dead_run(&marker, 0..0) };
        let file = PidFile::write(dir.path(), &elsewhere).expect("a temp dir is writable");
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(file.path.exists() && lives(&child));
    }

    #[test]
    fn a_folder_that_others_may_write_is_neither_used_nor_believed() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let marker = format!("E2E_TUI_TEST={}-planted:", std::process::id());
        let child = sleeper(&marker);
        std::mem::forget(PidFile::write(dir.path(), &dead_run(&marker, 0..0)).expect("a temp dir is writable"));
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("it is ours");
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(PidFile::write(dir.path(), &dead_run(&marker, 0..0)).is_err());
        assert!(lives(&child));
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
