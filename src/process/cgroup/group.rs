//! The group of a run and those of its trees.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::fd::{AsFd, BorrowedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use super::{
    Controllers, Place,
    limits::{controllers_in, counts_oom_kills, oom_kills, was_at_its_own_limit, write_limits},
    names::{GroupName, Maker},
    place::is_group,
};
use crate::{model::Limits, process::TreeId};

const TREE: &str = "tree-";
/// The deepest groups within groups that are looked into.
const DEEPEST: u32 = 16;

/// The group of a run: those of its trees are in it, and no process itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunGroup {
    dir: PathBuf,
}

impl RunGroup {
    /// Makes one that nobody has had before, whose trees have the controllers wanted as far as the system hands them down.
    pub(crate) fn create(place: &Place, wanted: Controllers) -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let name = GroupName::Run(Maker::myself(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = place.dir.join(name.to_string());
        // Fails if there is one: what somebody else has made is never taken for ours.
        fs::create_dir(&dir)?;
        let made = Self { dir };
        if !made.dir.join("cgroup.kill").exists() {
            made.remove();
            let text = "this kernel cannot end a group at once: cgroup.kill came with Linux 5.14";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        // Last, since this process may have to step aside for it, which only its end undoes.
        let handed_down = place.hand_down(wanted);
        let list: Vec<String> = wanted.and(handed_down).names().map(|name| format!("+{name}")).collect();
        if !list.is_empty() {
            _ = write(&made.dir.join("cgroup.subtree_control"), &list.join(" "));
        }
        Ok(made)
    }

    /// The group of a run at that path, made by another process of the same run or by one that is dead. None if no run can
    /// have made it.
    pub(crate) fn known(dir: PathBuf) -> Option<Self> {
        let name = GroupName::parse(dir.file_name()?.to_str()?)?;
        (matches!(name, GroupName::Run(..)) && dir.is_absolute()).then_some(Self { dir })
    }

    /// The same, of a run that is dead, for whoever sweeps: it must still lie in a hierarchy of cgroup v2.
    pub(crate) fn of_the_dead(dir: PathBuf) -> Option<Self> {
        Self::known(dir).filter(|group| is_group(&group.dir))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.dir
    }

    /// Where it was made.
    pub(crate) fn place(&self) -> Option<Place> {
        Place::around(&self.dir)
    }

    /// The controllers that hold the limits of its trees.
    pub(crate) fn controllers(&self) -> Controllers {
        controllers_in(&self.dir.join("cgroup.subtree_control"))
    }

    /// Makes the group of a tree, with its limits.
    pub(crate) fn tree(&self, id: TreeId, limits: &Limits) -> io::Result<TreeGroup> {
        let dir = self.dir.join(format!("{TREE}{}", id.0));
        fs::create_dir(&dir)?;
        match write_limits(&dir, limits).and_then(|()| File::open(&dir)) {
            Ok(handle) => Ok(TreeGroup::of(dir, handle)),
            Err(e) => {
                _ = fs::remove_dir(&dir);
                Err(e)
            }
        }
    }

    /// In whose group a process is; none if in no tree's of this run.
    pub(crate) fn owner_of(&self, pid: u32) -> Option<TreeId> {
        let name = self.dir.file_name()?.to_str()?;
        owner_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?, name)
    }

    /// Everybody alive in it.
    pub(crate) fn members(&self) -> Vec<u32> {
        members(&self.dir, DEEPEST)
    }

    /// Ends everybody in it at once, those who are being forked included.
    pub(crate) fn kill(&self) {
        _ = write(&self.dir.join("cgroup.kill"), "1");
    }

    /// Ends everybody and removes it. Says who is left after `within`.
    pub(crate) fn end(&self, within: Duration) -> Vec<u32> {
        let started = Instant::now();
        loop {
            self.kill();
            if self.remove() {
                return Vec::new();
            }
            if started.elapsed() >= within {
                return self.members();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Removes it, if nobody is in it. Says whether it is gone.
    pub(crate) fn remove(&self) -> bool {
        remove(&self.dir)
    }
}

/// The group of a tree.
#[derive(Debug)]
pub(crate) struct TreeGroup {
    dir: PathBuf,
    /// For the birth of a process in it.
    handle: File,
    /// Whether the kernel counts kills for want of memory in it: asked once, since each sample of the tree wants to know.
    counts_kills: bool,
}

impl TreeGroup {
    fn of(dir: PathBuf, handle: File) -> Self {
        let counts_kills = counts_oom_kills(&dir);
        Self { dir, handle, counts_kills }
    }

    /// Ends everybody in it at once.
    pub(crate) fn kill(&self) {
        _ = write(&self.dir.join("cgroup.kill"), "1");
    }

    /// Removes it, if nobody is in it. Says whether it is gone.
    pub(crate) fn remove(&self) -> bool {
        remove(&self.dir)
    }

    /// How often the kernel has killed somebody in it for want of memory, and whether that was for the group's own limit.
    pub(crate) fn killed_for_memory(&self) -> Option<(u64, bool)> {
        let kills = self.counts_kills.then(|| oom_kills(&self.dir)).filter(|count| *count > 0);
        kills.map(|count| (count, was_at_its_own_limit(&self.dir)))
    }
}

impl AsFd for TreeGroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

/// Writes into a file of the kernel's, which is never made.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(file)?.write_all(text.as_bytes())
}

fn folders(dir: &Path) -> impl Iterator<Item = PathBuf> {
    let all = fs::read_dir(dir).into_iter().flatten().flatten();
    all.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

fn members(dir: &Path, deepest: u32) -> Vec<u32> {
    let text = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
    let mut all: Vec<u32> = text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).filter(|pid| *pid > 1).collect();
    if deepest > 0 {
        all.extend(folders(dir).flat_map(|folder| members(&folder, deepest - 1)));
    }
    all
}

/// Removes a group and those that programs have made in it. One with somebody in it stays, and so do those above it.
pub(super) fn remove(dir: &Path) -> bool {
    remove_to(dir, DEEPEST)
}

fn remove_to(dir: &Path, deepest: u32) -> bool {
    match fs::remove_dir(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return true,
        Ok(()) => return true,
        Err(_) => {}
    }
    deepest > 0 && folders(dir).all(|folder| remove_to(&folder, deepest - 1)) && fs::remove_dir(dir).is_ok()
}

/// The tree of the run called `run` in whose group a process is, by its `/proc/PID/cgroup`.
fn owner_in(membership: &str, run: &str) -> Option<TreeId> {
    let path = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
    let mut folders = path.split('/').skip_while(|folder| *folder != run).skip(1);
    folders.next()?.strip_prefix(TREE)?.parse().ok().map(TreeId)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_a_process_is_stands_in_its_membership() {
        let owner = |text: &str| owner_in(text, "e2e-tui-7-8-1");
        assert_eq!(owner("4:memory:/x\n0::/a.scope/e2e-tui-7-8-1/tree-12\n"), Some(TreeId(12)));
        assert_eq!(owner("0::/e2e-tui-7-8-1/tree-12/its own/group\n"), Some(TreeId(12)));
        assert_eq!(owner("0::/e2e-tui-7-8-1/tree-3/e2e-tui-9-9-1/tree-4\n"), Some(TreeId(3)), "a run within a tree");
        for other in ["0::/e2e-tui-7-8-2/tree-12\n", "0::/e2e-tui-7-8-1\n", "0::/\n", "", "0::/e2e-tui-7-8-1/tree-x\n"] {
            assert_eq!(owner(other), None, "{other:?}");
        }
    }

    #[test]
    fn p26_only_what_a_run_may_have_made_is_taken_for_a_runs() {
        assert_eq!(RunGroup::known("/sys/fs/cgroup/user.slice".into()), None);
        assert_eq!(RunGroup::known("e2e-tui-1-2-3-4".into()), None);
        assert_eq!(RunGroup::known("/sys/fs/cgroup/e2e-tui-1-2-3-4/..".into()), None);
        let dir = tempfile::tempdir().expect("a temp dir");
        let planted = dir.path().join("e2e-tui-1-2-3-4");
        fs::create_dir(&planted).expect("a temp dir");
        assert!(RunGroup::known(planted.clone()).is_some());
        assert_eq!(RunGroup::of_the_dead(planted), None, "it is no cgroup");
    }

    #[test]
    fn p26_a_group_that_is_there_already_is_not_taken() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let run = RunGroup::known(dir.path().join("e2e-tui-1-2-3-4")).expect("a name of ours");
        fs::create_dir(run.path()).expect("a temp dir");
        let tree = run.tree(TreeId(1), &Limits::default()).expect("it is new");
        assert_eq!(run.tree(TreeId(1), &Limits::default()).expect_err("it is there").kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(tree.killed_for_memory(), None);
        assert!(tree.remove() && run.remove() && run.remove(), "gone is gone");
    }

    #[test]
    fn s5_kills_are_counted_where_the_group_was_made_with_a_count_of_them() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let group = || TreeGroup::of(dir.path().to_owned(), File::open(dir.path()).expect("it exists"));
        let without = group();
        fs::write(dir.path().join("memory.events"), "oom 1\noom_kill 2\n").expect("a temp dir");
        assert_eq!(group().killed_for_memory(), Some((2, true)));
        assert_eq!(without.killed_for_memory(), None, "nobody opens a file at every sample that was not there");
    }

    #[test]
    fn a_kernel_without_group_kills_leaves_no_trace() {
        let dir = tempfile::tempdir().expect("a temp dir");
        for (file, text) in [("cgroup.controllers", "memory pids"), ("cgroup.subtree_control", "")] {
            fs::write(dir.path().join(file), text).expect("a temp dir");
        }
        let wanted = Controllers { memory: true, ..Controllers::default() };
        let place = Place { dir: dir.path().to_owned() };
        assert_eq!(RunGroup::create(&place, wanted).expect_err("no cgroup.kill").kind(), io::ErrorKind::Unsupported);
        assert_eq!(fs::read_to_string(dir.path().join("cgroup.subtree_control")).expect("a temp dir"), "");
        assert_eq!(fs::read_dir(dir.path()).expect("a temp dir").count(), 2);
    }
}
