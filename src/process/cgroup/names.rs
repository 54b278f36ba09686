//! What our groups are called: after whoever made them, so that later nobody's are taken for a dead program's.

use std::fmt;

use crate::process::procfs;

/// How the names of all our groups begin: nothing else is ever killed or removed.
const PREFIX: &str = "e2e-tui-";
/// What follows in the name of a group that a supervisor has moved into.
const SUPERVISOR: &str = "supervisor-";

/// A program that makes groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Maker {
    /// The PID namespace that the pid is of, by its inode: only in there does it mean somebody.
    namespace: u64,
    pid: u32,
    start: u64,
}

/// The name of a group of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupName {
    /// A run's: the maker's n-th.
    Run(Maker, u32),
    /// The one that its maker has moved into.
    Supervisor(Maker),
}

impl Maker {
    /// This process.
    pub(super) fn myself() -> Self {
        let me = procfs::myself();
        Self { namespace: namespace().unwrap_or(0), pid: me.pid, start: me.start }
    }

    /// Whether it has certainly ended: of one in another PID namespace nobody here can tell.
    pub(super) fn is_dead(self) -> bool {
        namespace() == Some(self.namespace) && procfs::stat(self.pid).is_none_or(|stat| stat.id.start != self.start || !stat.is_alive())
    }

    /// Three numbers; and what follows them.
    fn read(text: &str) -> Option<(Self, &str)> {
        let mut parts = text.splitn(4, '-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (namespace, pid, start) = (number()?, u32::try_from(number()?).ok()?, number()?);
        Some((Self { namespace, pid, start }, parts.next().unwrap_or("")))
    }
}

impl GroupName {
    /// What a group of that name is; none if it is not of ours.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let rest = name.strip_prefix(PREFIX)?;
        match rest.strip_prefix(SUPERVISOR) {
            Some(rest) => Maker::read(rest).filter(|(_, rest)| rest.is_empty()).map(|(maker, _)| Self::Supervisor(maker)),
            None => Maker::read(rest).and_then(|(maker, n)| Some(Self::Run(maker, n.parse().ok()?))),
        }
    }

    pub(super) fn maker(self) -> Maker {
        match self {
            Self::Run(maker, _) | Self::Supervisor(maker) => maker,
        }
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Maker { namespace, pid, start } = self.maker();
        match self {
            Self::Run(_, n) => write!(f, "{PREFIX}{namespace}-{pid}-{start}-{n}"),
            Self::Supervisor(_) => write!(f, "{PREFIX}{SUPERVISOR}{namespace}-{pid}-{start}"),
        }
    }
}

/// The inode of this process's PID namespace: of `pid:[4026531836]` the number.
fn namespace() -> Option<u64> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_no_others_do() {
        let me = Maker::myself();
        for name in [GroupName::Run(me, 7), GroupName::Supervisor(me)] {
            assert_eq!(GroupName::parse(&name.to_string()), Some(name), "{name}");
        }
        for other in ["e2e-tui-", "e2e-tui-1-2-3", "e2e-tui-1-2-3-x", "e2e-tui-supervisor-1-2", "e2e-tui-supervisor-1-2-3-4", "user.slice"]
        {
            assert_eq!(GroupName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn p26_only_who_has_certainly_ended_is_dead() {
        let me = Maker::myself();
        assert!(!me.is_dead());
        assert!(Maker { start: me.start + 1, ..me }.is_dead(), "its pid is another's now");
        assert!(!Maker { start: me.start + 1, namespace: 1, ..me }.is_dead(), "somebody of another namespace");
    }
}
