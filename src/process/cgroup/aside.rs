//! A group with processes in it cannot hand down controllers. Where a supervisor is the only one in its own, it moves into a
//! group of its own below, as a program is to do with a group that was delegated to it; and back again at its end.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Place,
    group::write,
    limits::controllers_in,
    names::{GroupName, Maker},
};

/// Where this process is at `own` or was before it stepped aside, if that is where it has gone.
pub(super) fn before(own: PathBuf) -> PathBuf {
    let gone_to = GroupName::Supervisor(Maker::myself()).to_string();
    if own.ends_with(gone_to) { own.parent().map(Path::to_owned).unwrap_or(own) } else { own }
}

impl Place {
    pub(super) fn step_aside(&self) -> io::Result<()> {
        let me = std::process::id().to_string();
        let inside = fs::read_to_string(self.dir.join("cgroup.procs"))?;
        if inside.split_ascii_whitespace().any(|pid| pid != me) {
            return Err(io::Error::other("others are in it"));
        }
        let aside = self.dir.join(GroupName::Supervisor(Maker::myself()).to_string());
        match fs::create_dir(&aside) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
            _ => {}
        }
        write(&aside.join("cgroup.procs"), "0")
    }

    /// Goes back to where the supervisor has come from, and removes the group that it had for itself: at the end of its last
    /// run, or of the guardian that has survived it. Nothing is done where somebody is still in there, or below this place
    /// needs the controllers.
    pub(crate) fn step_back(&self) {
        let Some(aside) = self.own_group_in(&fs::read_to_string("/proc/self/cgroup").unwrap_or_default()) else { return };
        let me = std::process::id().to_string();
        let inside = fs::read_to_string(aside.join("cgroup.procs")).unwrap_or_default();
        if inside.split_ascii_whitespace().any(|pid| pid != me) {
            return;
        }
        let enabled = self.dir.join("cgroup.subtree_control");
        let handed_down: Vec<String> = controllers_in(&enabled).names().map(|name| format!("-{name}")).collect();
        // All at once: the kernel takes back all of them or none.
        if !handed_down.is_empty() && write(&enabled, &handed_down.join(" ")).is_err() {
            return;
        }
        if write(&self.dir.join("cgroup.procs"), "0").is_ok() {
            _ = fs::remove_dir(aside);
        }
    }

    /// The group below this place that a supervisor has moved into, if this process is in that one.
    fn own_group_in(&self, membership: &str) -> Option<PathBuf> {
        let own = membership.lines().find_map(|line| line.strip_prefix("0::"))?;
        let (_, name) = own.rsplit_once('/')?;
        matches!(GroupName::parse(name), Some(GroupName::Supervisor(_))).then(|| self.dir.join(name)).filter(|aside| aside.is_dir())
    }

    /// Removes what programs that were killed have left here, and is empty. Groups with somebody in them stay.
    pub(crate) fn remove_of_the_dead(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if GroupName::parse(&entry.file_name().to_string_lossy()).is_some_and(|name| name.maker().is_dead()) {
                super::group::remove(&entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_in_the_group_of_a_supervisor_finds_it() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let place = Place { dir: dir.path().to_owned() };
        let name = GroupName::Supervisor(Maker::myself()).to_string();
        let membership = format!("4:memory:/x\n0::/a.scope/{name}\n");
        assert_eq!(place.own_group_in(&membership), None, "there is none");
        fs::create_dir(dir.path().join(&name)).expect("a temp dir");
        assert_eq!(place.own_group_in(&membership), Some(dir.path().join(&name)));
        assert_eq!(place.own_group_in("0::/a.scope\n"), None);
        assert_eq!(before(dir.path().join(&name)), dir.path());
        assert_eq!(before(dir.path().join("a.scope")), dir.path().join("a.scope"));
    }

    #[test]
    fn p26_only_empty_groups_of_the_dead_are_removed() {
        let dir = tempfile::tempdir().expect("a temp dir");
        let me = Maker::myself();
        let GroupName::Run(dead, _) =
            GroupName::parse(&GroupName::Run(me, 1).to_string().replace(&std::process::id().to_string(), "0")).expect("a name")
        else {
            panic!("a run's")
        };
        let names = [GroupName::Run(me, 1), GroupName::Run(dead, 1), GroupName::Run(dead, 2), GroupName::Supervisor(dead)]
            .map(|name| name.to_string());
        for folder in [&names[0], &names[1], &format!("{}/tree-1", names[1]), &names[2], &names[3], "e2e-tui-notes", "user.slice"] {
            fs::create_dir(dir.path().join(folder)).expect("a temp dir");
        }
        // Stands for somebody who is in it.
        fs::write(dir.path().join(&names[2]).join("cgroup.procs"), "1\n").expect("a temp dir");
        Place { dir: dir.path().to_owned() }.remove_of_the_dead();
        let mut left: Vec<_> =
            fs::read_dir(dir.path()).expect("it exists").flatten().map(|e| e.file_name().into_string().expect("text")).collect();
        left.sort();
        let mut wanted = vec![names[0].clone(), names[2].clone(), "e2e-tui-notes".into(), "user.slice".into()];
        wanted.sort();
        assert_eq!(left, wanted);
    }
}
