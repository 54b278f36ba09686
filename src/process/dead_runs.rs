//! The end of what a run has left whose supervisor and guardian were killed in the same instant.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fmt, fs,
    ops::Range,
    os::unix::fs::MetadataExt,
    path::Path,
};

use super::{
    KILL_BOUND, Member, TreeId,
    cgroup::{Place, RunGroup},
    guardian_main::COMM,
    mark::{ANY_MARKER, Doubts, EXEC_TAKES},
    pidfile::{Content, boot_id, files_in, pid_namespace},
    procfs,
    sweeper::{self, Among, Claim},
    tree::{Identity, Stat},
};

/// How many processes of a dead run its text names.
const NAMED: usize = 5;

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

/// Kills what dead runs have left alive, by their files in `dir`, and removes those; and the empty control groups of runs
/// whose files lie elsewhere. A run whose supervisor or guardian
/// lives is left alone, and so is everything whose owner is not certain: also each run of another PID namespace, from where
/// nobody here can tell whether it lives. Takes some milliseconds: not on the way to a first
/// frame.
pub fn sweep_dead_runs(dir: &Path) -> Vec<Swept> {
    let (Ok(boot), Ok(namespace)) = (boot_id(), pid_namespace()) else { return Vec::new() };
    let may_live = |content: &Content| content.boot == boot && (content.namespace != namespace || content.lives());
    let (alone, dead): (Vec<_>, Vec<_>) = files_in(dir).into_iter().partition(|(_, content)| may_live(content));
    let living = Living::of(&alone.into_iter().map(|(_, content)| content).collect::<Vec<_>>());
    let mut swept = Vec::new();
    let mut places: Vec<Place> = Place::find().into_iter().collect();
    for (path, content) in dead {
        if content.boot == boot {
            places.extend(content.group.as_deref().and_then(Place::around));
            match sweep(&content, &living) {
                Sweep::Nobody => {}
                Sweep::Done(done) => swept.push(done),
                Sweep::InUse => continue,
            }
            // Who bears only a tag that is a living run's as well was left alone: a later start looks again.
            if living.may_share_tags(&content) {
                continue;
            }
        }
        _ = fs::remove_file(path);
    }
    places.iter().for_each(Place::remove_of_the_dead);
    swept
}

/// What a look for a dead run's processes has come to.
enum Sweep {
    /// Nobody was left.
    Nobody,
    /// This very process, or another run, was started from among them (from a terminal in that run, say): somebody works there.
    InUse,
    Done(Swept),
}

/// Who must not be hurt by a sweep.
struct Living {
    /// The tags of living runs.
    tags: Vec<Range<u64>>,
    /// This process, living runs, and all that these descend from.
    lines: HashSet<u32>,
}

impl Living {
    fn of(runs: &[Content]) -> Self {
        let all = runs.iter().flat_map(|run| [run.supervisor, run.guardian]).filter(|who| who.lives()).map(|who| who.pid);
        let lines = all.chain([std::process::id()]).flat_map(line_of).collect();
        Self { tags: runs.iter().map(|run| run.tags.clone()).collect(), lines }
    }

    fn may_share_tags(&self, dead: &Content) -> bool {
        self.tags.iter().any(|tags| tags.start < dead.tags.end && dead.tags.start < tags.end)
    }
}

fn sweep(content: &Content, living: &Living) -> Sweep {
    let group = content.group.clone().and_then(RunGroup::of_the_dead);
    let evidence = Evidence::of(content, group.as_ref(), &living.tags);
    let table = procfs::table();
    let found: Vec<&Stat> = table.iter().filter(|stat| stat.is_alive() && evidence.proves(stat)).collect();
    if found.is_empty() {
        group.map(|group| group.remove());
        return Sweep::Nobody;
    }
    if found.iter().any(|stat| living.lines.contains(&stat.id.pid)) {
        return Sweep::InUse;
    }
    let assigned = table.assign(0, &found.iter().map(|stat| (stat.id, TreeId(0))).collect::<HashMap<_, _>>(), &mut |_, _| None);
    let member = |stat: &Stat| Member { pid: stat.id.pid, ppid: stat.ppid, command: procfs::command(stat.id.pid) };
    let killed = assigned.members_of(TreeId(0)).map(member).collect();
    if let Some(group) = &group {
        group.kill();
    }
    let mut left = sweeper::kill(Among::Everybody, KILL_BOUND, |stat| evidence.claim(stat));
    left.extend(group.map(|group| group.end(KILL_BOUND)).into_iter().flatten());
    left.sort_unstable();
    left.dedup();
    Sweep::Done(Swept { run: content.run.clone(), killed, left })
}

/// What tells a dead run's processes from all others.
struct Evidence<'a> {
    run: &'a Content,
    user: u32,
    /// Who is in the run's control group was started by it, or put there by somebody who meant to.
    grouped: HashSet<u32>,
    /// Who has cleared its environment and bears a tag of the run's range. That alone proves little: there are not many ranges,
    /// and another run, whose file lies in another folder, may have the same.
    tagged: HashSet<Identity>,
    tags_of_the_living: &'a [Range<u64>],
    doubts: RefCell<Doubts>,
}

impl<'a> Evidence<'a> {
    fn of(run: &'a Content, group: Option<&RunGroup>, tags_of_the_living: &'a [Range<u64>]) -> Self {
        let grouped = group.into_iter().flat_map(RunGroup::members).collect();
        let (user, doubts) = (rustix::process::getuid().as_raw(), RefCell::default());
        let mut evidence = Self { run, user, grouped, tagged: HashSet::new(), tags_of_the_living, doubts };
        let looks_so = |stat: &Stat| evidence.may_be(stat) && evidence.bears_tag(stat) && !is_of_another_run(stat);
        let mut tagged: Vec<Stat> = procfs::table().iter().filter(|stat| looks_so(stat)).copied().collect();
        if !tagged.is_empty() {
            // In the midst of its start a process of another run looks the same.
            std::thread::sleep(EXEC_TAKES);
            tagged.retain(|was| procfs::stat(was.id.pid).is_some_and(|stat| stat.id == was.id && looks_so(&stat)));
        }
        evidence.tagged = tagged.into_iter().map(|stat| stat.id).collect();
        evidence
    }

    /// Of this user, and no older than the run.
    fn may_be(&self, stat: &Stat) -> bool {
        stat.id.start >= self.run.guardian.start && fs::metadata(format!("/proc/{}", stat.id.pid)).is_ok_and(|meta| meta.uid() == self.user)
    }

    /// A tag of the run's that is no living run's as well.
    fn bears_tag(&self, stat: &Stat) -> bool {
        let free = |tag: u64| self.run.tags.contains(&tag) && !self.tags_of_the_living.iter().any(|range| range.contains(&tag));
        procfs::message_queue_limit(stat.id.pid).is_some_and(free)
    }

    /// Who is in the middle of an `exec` shows its mark only after it.
    fn claim(&self, stat: &Stat) -> Claim {
        match self.proves(stat) {
            false if self.may_be(stat) && self.bears_tag(stat) => {
                self.doubts.borrow_mut().settle(stat.id, self.run.marker.as_bytes()).into()
            }
            proven => proven.into(),
        }
    }

    fn proves(&self, stat: &Stat) -> bool {
        let marked = || procfs::environment_contains(stat.id.pid, self.run.marker.as_bytes());
        self.grouped.contains(&stat.id.pid) || self.tagged.contains(&stat.id) || self.may_be(stat) && marked()
    }
}

/// Whether a process, or one that it descends from, is of some run: marked by it, or its guardian. What a dead run has left
/// and is not marked has lost its parents.
fn is_of_another_run(stat: &Stat) -> bool {
    line_of(stat.id.pid).into_iter().any(|pid| procfs::environment_contains(pid, ANY_MARKER) || procfs::name(pid) == COMM)
}

/// A process and all it descends from.
fn line_of(pid: u32) -> Vec<u32> {
    let mut line = vec![pid];
    while let Some(parent) = line.last().and_then(|pid| procfs::stat(*pid)).map(|stat| stat.ppid)
        && parent > 0
        && !line.contains(&parent)
    {
        line.push(parent);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::PermissionsExt,
        process::{Child, Command, Stdio},
    };

    use super::{
        super::pidfile::{PidFile, Who, tests::dead_run},
        *,
    };

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
    fn s6_a_run_whose_tags_a_living_one_has_as_well_is_looked_for_again() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let run = |start, tags| Content { guardian: Who { pid: std::process::id(), start }, ..dead_run("E2E_TUI_TEST=nobody:", tags) };
        let of_living = Content { supervisor: Who::of(procfs::myself()), ..run(1, 5..9) };
        let living = PidFile::write(dir.path(), &of_living).expect("a temp dir is writable");
        let dead = PidFile::write(dir.path(), &run(2, 8..12)).expect("a temp dir is writable");
        let apart = PidFile::write(dir.path(), &run(3, 9..12)).expect("a temp dir is writable");
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(living.path.exists() && dead.path.exists() && !apart.path.exists());
        drop(living);
        assert_eq!(sweep_dead_runs(dir.path()), []);
        assert!(!dead.path.exists());
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

    /// Sleeps with a tag and this environment, as a child of a shell with that one.
    fn tagged(tag: u64, env: &str, env_of_parent: &str) -> (Sleeper, u32) {
        let script = format!("env -i {env} prlimit --msgqueue={tag}:{tag} sleep 3600 & echo $!; wait");
        let mut shell = Command::new("env");
        shell.args(env_of_parent.split_whitespace()).args(["sh", "-c", &script]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = Sleeper(shell.spawn().expect("a shell"));
        let mut said = std::io::BufReader::new(shell.0.stdout.take().expect("a pipe"));
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).expect("a line");
        (shell, line.trim().parse().expect("a pid"))
    }

    #[test]
    fn p26_a_tag_alone_proves_nothing_of_who_is_of_another_run() {
        if Command::new("prlimit").arg("--version").output().is_err() {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"SKIPPED p26_a_tag_alone: there is no prlimit to set a tag with\n");
            return;
        }
        let dir = tempfile::tempdir().expect("a temp dir");
        let tag = 131_072 + u64::from(std::process::id() % 1000);
        let kin = [("E2E_TUI_TREE=1-2-3:4", ""), ("", "E2E_TUI_TREE=1-2-3:4")].map(|(env, parent)| tagged(tag, env, parent));
        let (shell, orphan) = tagged(tag, "", "");
        let all: Vec<u32> = kin.iter().map(|(_, pid)| *pid).chain([orphan]).collect();
        for pid in &all {
            while procfs::message_queue_limit(*pid) != Some(tag) {
                assert!(procfs::stat(*pid).is_some(), "it was started");
                std::thread::yield_now();
            }
        }
        // Its parent goes, as a dead run's has.
        drop(shell);
        let run = Content { guardian: Who { start: procfs::myself().start, pid: 0 }, ..dead_run("E2E_TUI_TEST=nobody:", tag..tag + 1) };
        std::mem::forget(PidFile::write(dir.path(), &run).expect("a temp dir is writable"));
        let swept = sweep_dead_runs(dir.path());
        assert_eq!(swept.iter().flat_map(|swept| &swept.killed).map(|member| member.pid).collect::<Vec<_>>(), [orphan]);
        for (_, pid) in &kin {
            let stat = procfs::stat(*pid).filter(Stat::is_alive).expect("it lives");
            crate::process::signal::send(stat.id, crate::model::Signal::KILL).expect("it is ours");
        }
    }
}
