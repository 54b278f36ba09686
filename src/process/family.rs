//! Who a living process has started, for who looks at it. Policy never asks here: a tree is more than who descends from whom.

use super::procfs::name;

/// One of a family, where it stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relative {
    /// Its pid.
    pub pid: u32,
    /// How many generations below the first.
    pub depth: usize,
    /// The program's name; its arguments may hold secrets, and stay where they are.
    pub name: String,
}

/// So many are listed; a tree of more is told by its number.
const MOST: usize = 64;

/// The process `leader` and its descendants, parents before their children. Reads some small files of `/proc`, and waits for
/// nothing; empty if there is no such process.
pub fn family(leader: u32) -> Vec<Relative> {
    let mut found = Vec::new();
    let mut waiting = vec![(leader, 0)];
    while let Some((pid, depth)) = waiting.pop() {
        let name = name(pid);
        // It ended while we looked.
        if name == "?" || found.len() >= MOST {
            continue;
        }
        found.push(Relative { pid, depth, name });
        let mut children = children(pid);
        children.sort_unstable_by(|a, b| b.cmp(a));
        waiting.extend(children.into_iter().map(|child| (child, depth + 1)));
    }
    found
}

/// The children of all its threads; none where the kernel does not tell.
fn children(pid: u32) -> Vec<u32> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten().take(MOST);
    let texts = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok());
    texts.flat_map(|text| text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()).collect()
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader},
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn a_family_is_listed_from_its_first_to_its_last() {
        let mut leader =
            Command::new("sh").args(["-c", "sleep 600 & echo started; wait"]).stdout(Stdio::piped()).spawn().expect("sh is there");
        let mut line = String::new();
        BufReader::new(leader.stdout.take().expect("it is piped")).read_line(&mut line).expect("it says something");
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        let named = loop {
            let found = family(leader.id());
            let named: Vec<_> = found.iter().map(|one| (one.depth, one.name.clone())).collect();
            // The child is a shell until it has become what it runs.
            if named.get(1).is_some_and(|(_, name)| name == "sleep") || std::time::Instant::now() > deadline {
                for one in found.iter().skip(1) {
                    let pid = nix::unistd::Pid::from_raw(one.pid.cast_signed());
                    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it is ours");
                }
                break named;
            }
        };
        leader.wait().expect("it ends when its child does");
        assert_eq!(named, [(0, "sh".to_owned()), (1, "sleep".to_owned())]);
        assert!(family(u32::MAX).is_empty());
    }
}
