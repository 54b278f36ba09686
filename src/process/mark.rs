//! Marks: a variable in the environment of whatever a keeper starts, which says whose it is.
//!
//! An environment can be read at any time and still not tell: in the middle of an `exec` a process has none. So what is read
//! once is judged as a whole, and who shows nothing is looked at again for a while before it counts as not marked.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use memchr::memmem;

use super::{KILL_BOUND, procfs, tree::Identity};

/// The variable in every child's environment that says whose tree it is in.
pub(crate) const VARIABLE: &str = "E2E_TUI_TREE";

/// In the environment of whatever any keeper of this machine has started.
pub(crate) const ANY_MARKER: &[u8] = b"E2E_TUI_TREE=";
/// Longer than any `exec` is between an old environment and a new one.
pub(crate) const EXEC_TAKES: Duration = Duration::from_millis(200);

/// How the variable begins in all trees of one keeper: `E2E_TUI_TREE=PID-START-N:`, with the keeper's process and its number
/// in there. The tree's number follows.
pub(crate) fn marker(process: Identity, n: u32) -> String {
    format!("{VARIABLE}={}-{}-{n}:", process.pid, process.start)
}

/// What an environment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The keeper's whose marker was looked for.
    Own,
    /// Another keeper's.
    Other,
    /// Nothing.
    None,
}

impl Mark {
    fn in_environment(environment: &[u8], marker: &[u8]) -> Self {
        if memmem::find(environment, marker).is_some() {
            return Self::Own;
        }
        // One that ends in the middle of the mark was cut short by an `exec`, and nobody knows how it would have gone on.
        let whole = |at| memchr::memchr(0, &environment[at..]).is_some();
        if memmem::find(environment, ANY_MARKER).is_some_and(whole) { Self::Other } else { Self::None }
    }
}

/// Whose a process is, by its mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The keeper's.
    Ours,
    /// It may be in the middle of an `exec`: that shows later.
    NotYetKnown,
    /// Another keeper's.
    Others,
    /// It has cleared its environment, or may not be looked into.
    Unmarked,
}

/// Who was looked at and showed no mark, since when.
#[derive(Debug, Default)]
pub(crate) struct Doubts(HashMap<Identity, Instant>);

impl Doubts {
    /// Looks once, and weighs it with what earlier looks have shown.
    pub(crate) fn settle(&mut self, id: Identity, marker: &[u8]) -> Whose {
        let mark = Mark::in_environment(&procfs::environment(id.pid), marker);
        if mark != Mark::None {
            // The next `exec` is another doubt.
            self.0.remove(&id);
        }
        match mark {
            Mark::Own => Whose::Ours,
            Mark::Other => Whose::Others,
            Mark::None => {
                let since = self.0.entry(id).or_insert_with(Instant::now);
                // On a machine that does a hundred things at once the middle of an `exec` may be long.
                let enough = if procfs::has_environment(id.pid) { EXEC_TAKES } else { KILL_BOUND };
                if since.elapsed() > enough { Whose::Unmarked } else { Whose::NotYetKnown }
            }
        }
    }

    /// Forgets those who have gone.
    pub(crate) fn prune(&mut self, gone: impl Fn(&Identity) -> bool) {
        self.0.retain(|id, _| !gone(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_judged_as_a_whole() {
        let of = |environment: &[u8]| Mark::in_environment(environment, b"E2E_TUI_TREE=7-70-0:");
        assert_eq!(of(b"A=b\0E2E_TUI_TREE=7-70-0:3\0"), Mark::Own);
        assert_eq!(of(b"E2E_TUI_TREE=8-70-0:3\0A=b\0"), Mark::Other);
        assert_eq!(of(b"A=b\0E2E_TUI_TREE=7-7"), Mark::None, "cut short: it may be ours");
        assert_eq!((of(b""), of(b"A=b\0")), (Mark::None, Mark::None));
    }

    #[test]
    fn who_has_cleared_its_environment_is_in_doubt_for_as_long_as_an_exec_may_take() {
        let mut child = std::process::Command::new("sleep").arg("3600").env_clear().spawn().expect("sleep exists");
        let id = procfs::stat(child.id()).expect("it lives").id;
        let mut doubts = Doubts::default();
        let (started, marker) = (Instant::now(), b"E2E_TUI_TREE=7-70-0:");
        assert_eq!(doubts.settle(id, marker), Whose::NotYetKnown);
        while doubts.settle(id, marker) == Whose::NotYetKnown {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(started.elapsed() > EXEC_TAKES);
        assert_eq!(doubts.settle(id, marker), Whose::Unmarked, "and stays so");
        doubts.prune(|_| true);
        assert_eq!(doubts.settle(id, marker), Whose::NotYetKnown);
        child.kill().expect("it runs");
        child.wait().expect("it is ours");
    }
}
