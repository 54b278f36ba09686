//! Where this process may make groups: in its own, if that is visible, writable, and of a kernel that can kill groups.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat},
};

use super::{
    aside,
    limits::{Controllers, controllers_in},
};

/// How a user without privileges gets a group that may be divided.
const DELEGATE: &str = "`systemd-run --user --scope -p Delegate=yes e2e-tui …` runs it in one that may";

/// A group that may be divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dir: PathBuf,
}

impl Place {
    /// The group of this process; or why there can be none in it.
    pub(crate) fn find() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).map_err(|e| format!("{path}: {e}"));
        Self::found_in(&read("/proc/self/mountinfo")?, &read("/proc/self/cgroup")?)
    }

    /// Where the group of a run was made, whether that is still there or not.
    pub(crate) fn around(group: &Path) -> Option<Self> {
        group.parent().filter(|dir| dir.is_absolute() && is_group(dir)).map(|dir| Self { dir: dir.to_owned() })
    }

    fn found_in(mounts: &str, membership: &str) -> Result<Self, String> {
        let own = membership.lines().find_map(|line| line.strip_prefix("0::"));
        let own = own.ok_or("this kernel has no cgroup v2, or it is switched off")?;
        let mut mounted = mounts.lines().filter_map(Mount::parse).peekable();
        if mounted.peek().is_none() {
            return Err("no cgroup v2 hierarchy is mounted".to_owned());
        }
        let dir = mounted.find_map(|mount| mount.folder_of(own));
        // Where this process has stepped aside its runs go on being made beside it.
        let dir = dir.map(aside::before);
        let dir = dir.ok_or_else(|| format!("the group of this process ({own}) is outside of what is mounted here, as in a container"))?;
        let place = Self { dir };
        place.check()?;
        Ok(place)
    }

    fn check(&self) -> Result<(), String> {
        let dir = self.dir.display();
        let may = |path: &Path| faccessat(AT_FDCWD, path, AccessFlags::W_OK, AtFlags::AT_EACCESS);
        match may(&self.dir) {
            Err(nix::errno::Errno::EROFS) => return Err(format!("{dir} is mounted read-only, as in most containers")),
            Err(_) => return Err(format!("{dir}, the group of this process, may not be divided by this user; {DELEGATE}")),
            Ok(()) => {}
        }
        // Moving somebody takes this right on the group that is above both, which is this one.
        if may(&self.dir.join("cgroup.procs")).is_err() {
            return Err(format!("{dir}/cgroup.procs may not be written by this user: nobody could be put into a group; {DELEGATE}"));
        }
        match fs::read_to_string(self.dir.join("cgroup.type")) {
            Ok(kind) if kind.trim() != "domain" => Err(format!("{dir} is a group of threads (cgroup.type is {:?})", kind.trim())),
            _ => Ok(()),
        }
    }

    /// Sees to it that groups made here have these controllers, as far as the system allows; says which they will have.
    pub(super) fn hand_down(&self, wanted: Controllers) -> Controllers {
        let offered = controllers_in(&self.dir.join("cgroup.controllers"));
        for name in wanted.and(offered).names() {
            if let Err(error) = self.enable(name)
                && error.raw_os_error() == Some(nix::libc::EBUSY)
                && self.step_aside().is_ok()
            {
                _ = self.enable(name);
            }
        }
        controllers_in(&self.dir.join("cgroup.subtree_control"))
    }

    fn enable(&self, name: &str) -> io::Result<()> {
        let file = self.dir.join("cgroup.subtree_control");
        if controllers_in(&file).names().any(|there| there == name) {
            return Ok(());
        }
        fs::OpenOptions::new().write(true).open(file).and_then(|mut file| io::Write::write_all(&mut file, format!("+{name}").as_bytes()))
    }
}

/// Whether a folder lies in a hierarchy of cgroup v2.
pub(super) fn is_group(dir: &Path) -> bool {
    /// `CGROUP2_SUPER_MAGIC` of the kernel.
    const MAGIC: u64 = 0x6367_7270;
    rustix::fs::statfs(dir).is_ok_and(|fs| fs.f_type as u64 == MAGIC)
}

/// A cgroup v2 hierarchy, or a part of one, that is mounted.
struct Mount {
    /// What of the hierarchy is mounted.
    root: String,
    at: PathBuf,
}

impl Mount {
    /// A line of `/proc/self/mountinfo`, see proc(5): `id parent dev root at options [optional…] - type source super`.
    fn parse(line: &str) -> Option<Self> {
        let (front, back) = line.split_once(" - ")?;
        if back.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = front.split(' ').skip(3);
        Some(Self { root: unescaped(fields.next()?), at: unescaped(fields.next()?).into() })
    }

    /// Where a group is, if it is below what is mounted.
    fn folder_of(&self, group: &str) -> Option<PathBuf> {
        // Seen from inside a cgroup namespace what is outside begins with `/..`.
        let below = if self.root == "/" {
            group
        } else {
            group.strip_prefix(&self.root).filter(|rest| rest.is_empty() || rest.starts_with('/'))?
        };
        let below = Some(below.trim_start_matches('/')).filter(|_| !below.starts_with("/.."))?;
        Some(if below.is_empty() { self.at.clone() } else { self.at.join(below) })
    }
}

/// Spaces and the like are written in octal there.
fn unescaped(field: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(field.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[cfg(test)]
mod tests {
    use super::{
        super::names::{GroupName, Maker},
        *,
    };

    const HYBRID: &str = "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
        32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n";

    /// A folder that looks like a group, mounted there.
    fn fake() -> (tempfile::TempDir, String) {
        let dir = tempfile::tempdir().expect("a temp dir");
        for folder in ["", "user.slice", "user.slice/a.scope"] {
            fs::create_dir_all(dir.path().join(folder)).expect("a temp dir");
            fs::write(dir.path().join(folder).join("cgroup.procs"), "").expect("a temp dir");
        }
        let line = format!("{HYBRID}41 31 0:38 / {} rw,relatime shared:9 - cgroup2 cgroup2 rw\n", dir.path().display());
        (dir, line)
    }

    #[test]
    fn the_own_group_is_found_wherever_the_hierarchy_is_mounted() {
        let (dir, mounts) = fake();
        let find = |membership: &str| Place::found_in(&mounts, membership).map(|place| place.dir);
        assert_eq!(find("4:memory:/x\n0::/user.slice/a.scope\n"), Ok(dir.path().join("user.slice/a.scope")));
        assert_eq!(find("0::/\n"), Ok(dir.path().to_owned()));
        let aside = GroupName::Supervisor(Maker::myself());
        fs::create_dir(dir.path().join(aside.to_string())).expect("a temp dir");
        assert_eq!(find(&format!("0::/{aside}\n")), Ok(dir.path().to_owned()), "a second run of one that has stepped aside");
    }

    #[test]
    fn a_part_that_is_mounted_counts_from_its_root() {
        let (dir, _) = fake();
        let mounts = format!("41 31 0:38 /docker/4711 {} rw - cgroup2 cgroup2 rw\n", dir.path().display());
        let find = |own: &str| Place::found_in(&mounts, &format!("0::{own}\n")).map(|place| place.dir);
        assert_eq!(find("/docker/4711/user.slice"), Ok(dir.path().join("user.slice")));
        assert_eq!(find("/docker/4711"), Ok(dir.path().to_owned()));
        assert!(find("/docker/47112").is_err(), "another group whose name begins so");
    }

    #[test]
    fn why_there_is_none_is_said() {
        let (dir, mounts) = fake();
        let why = |mounts: &str, own: &str| Place::found_in(mounts, own).expect_err("no place");
        assert_eq!(why(HYBRID, "0::/\n"), "no cgroup v2 hierarchy is mounted");
        assert_eq!(why(&mounts, "4:memory:/\n"), "this kernel has no cgroup v2, or it is switched off");
        assert!(why(&mounts, "0::/../b.scope\n").contains("outside of what is mounted here"));
        fs::write(dir.path().join("user.slice/cgroup.type"), "threaded\n").expect("a temp dir");
        assert!(why(&mounts, "0::/user.slice\n").ends_with("is a group of threads (cgroup.type is \"threaded\")"));
    }

    #[test]
    fn names_with_spaces_are_read() {
        let mount = Mount::parse("41 31 0:38 / /mnt/c\\040group rw - cgroup2 none rw").expect("a mount");
        assert_eq!(mount.at, Path::new("/mnt/c group"));
    }
}
