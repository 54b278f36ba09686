//! What this machine offers for holding trees together: for people who ask why something is as it is.

use std::{fs, path::PathBuf};

use nix::{
    fcntl::{AT_FDCWD, AtFlags},
    unistd::{AccessFlags, faccessat},
};
use rustix::process::{PidfdFlags, getpid, pidfd_open};

use super::{procfs, tag::TagRange};

/// Something that this machine has or lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is there.
    pub there: bool,
    /// What that means, in a sentence.
    pub meaning: String,
}

/// Looks at what matters to the supervision of processes, most important first.
pub fn facts() -> Vec<Fact> {
    let fact = |name, there, with: &str, without: &str| Fact { name, there, meaning: if there { with } else { without }.to_owned() };
    let cgroup = own_cgroup();
    vec![
        fact(
            "subreaper",
            nix::sys::prctl::get_child_subreaper().is_ok(),
            "the guardian adopts what its children leave behind, daemons included",
            "daemons of a stopped process may escape",
        ),
        fact(
            "tags",
            !TagRange::reserve().values().is_empty(),
            "each tree is marked by a resource limit that setsid, double fork and env -i leave in place",
            "the limit on message queues leaves no room for marks: a daemon that leaves its session is told by its environment alone",
        ),
        fact(
            "pidfd",
            pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
            "a signal can only reach the process it is meant for",
            "this kernel is older than 5.3: pids are compared by start time right before each signal",
        ),
        fact(
            "child lists",
            procfs::children_of_this_thread().is_some(),
            "an empty tree is seen without reading the whole process table",
            "this kernel was built without CONFIG_PROC_CHILDREN: stops take a little more CPU time",
        ),
        Fact {
            name: "cgroup",
            there: cgroup.is_some(),
            meaning: match cgroup {
                Some(path) => {
                    format!("{} may be divided, which nothing here makes use of yet: memory is watched, CPU not limited", path.display())
                }
                None => "no cgroup v2 of this user's may be divided: memory is watched, CPU cannot be limited".to_owned(),
            },
        },
    ]
}

/// The folder of this process's own cgroup (version 2), if it may make others in it.
fn own_cgroup() -> Option<PathBuf> {
    let membership = fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = membership.lines().find_map(|line| line.strip_prefix("0::/"))?;
    ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"]
        .into_iter()
        .map(|mount| PathBuf::from(mount).join(own))
        .find(|path| path.join("cgroup.procs").exists() && faccessat(AT_FDCWD, path, AccessFlags::W_OK, AtFlags::AT_EACCESS).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_says_what_it_means() {
        let facts = facts();
        assert!(facts.iter().all(|fact| !fact.meaning.is_empty()));
        assert_eq!(facts.iter().map(|fact| fact.name).collect::<Vec<_>>(), ["subreaper", "tags", "pidfd", "child lists", "cgroup"]);
        assert!(facts[0].there, "Linux has it since 3.4");
    }
}
