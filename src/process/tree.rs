//! Which process belongs to which tree: pure functions on one reading of the process table.
//!
//! A process is known by its pid *and* its start time, since pids are used again. It belongs to the tree of the
//! nearest ancestor that does. One without such an ancestor is an orphan (its parent ended, so the kernel moved it to a
//! subreaper); whose it is then tells what survives that: a tag, its session, its environment. How those are read is the
//! caller's business, see [`Table::assign`].

use std::collections::HashMap;

use super::TreeId;

/// A process that cannot be mistaken for a later one of the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) pid: u32,
    /// Clock ticks since boot.
    pub(crate) start: u64,
}

/// What `/proc/PID/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) id: Identity,
    pub(crate) ppid: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// `R`, `S`, `D`, `Z`, …
    pub(crate) state: u8,
    pub(crate) threads: u32,
    /// CPU time of it and of all it has waited for, in clock ticks.
    pub(crate) cpu: u64,
    /// Resident pages.
    pub(crate) rss: u64,
}

impl Stat {
    /// Reads the one line of `/proc/PID/stat`. The name in parentheses may itself contain anything, parentheses included.
    pub(crate) fn parse(line: &[u8]) -> Option<Stat> {
        let open = line.iter().position(|b| *b == b'(')?;
        let close = line.iter().rposition(|b| *b == b')')?;
        let pid = number(line.get(..open)?.trim_ascii())?;
        // `proc_pid_stat(5)` counts from 1; the first field after the name, the state, is number 3.
        let mut fields = line.get(close + 1..)?.split(|b| *b == b' ').filter(|f| !f.is_empty());
        let state = *fields.next()?.first()?;
        let mut field = { move |skip: usize| fields.nth(skip).and_then(number::<u64>) };
        let ppid = field(0)?; // 4
        let group = field(0)?; // 5
        let session = field(0)?; // 6
        let cpu = [field(7)?, field(0)?, field(0)?, field(0)?]; // 14 to 17: utime, stime, cutime, cstime
        let threads = field(2)?; // 20
        let start = field(1)?; // 22
        let rss = field(1)?; // 24
        Some(Stat {
            id: Identity { pid, start },
            ppid: u32::try_from(ppid).ok()?,
            group: u32::try_from(group).unwrap_or(0),
            session: u32::try_from(session).unwrap_or(0),
            state,
            threads: u32::try_from(threads).unwrap_or(1),
            cpu: cpu.iter().sum(),
            rss,
        })
    }

    /// Whether it was stopped, by a signal or by whoever traces it.
    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.state, b'T' | b't')
    }

    /// Whether it still runs. A zombie does not, unless it is only the first thread that has ended.
    pub(crate) fn is_alive(&self) -> bool {
        match self.state {
            b'Z' => self.threads > 1,
            b'X' | b'x' => false,
            _ => true,
        }
    }
}

/// A decimal number, and nothing else.
fn number<N: std::str::FromStr>(digits: &[u8]) -> Option<N> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One reading of the process table. It is not an instant: processes come and go while it is made.
#[derive(Debug, Default)]
pub(crate) struct Table {
    /// By pid, ascending.
    all: Vec<Stat>,
}

/// Whose each process of a [`Table`] is.
pub(crate) struct Assignment<'t> {
    table: &'t Table,
    owner: Vec<Option<TreeId>>,
    below: Vec<bool>,
}

impl Table {
    pub(crate) fn new(mut all: Vec<Stat>) -> Self {
        all.sort_unstable_by_key(|stat| stat.id.pid);
        all.dedup_by_key(|stat| stat.id.pid);
        Self { all }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stat> {
        self.all.iter()
    }

    fn position(&self, pid: u32) -> Option<usize> {
        self.all.binary_search_by_key(&pid, |stat| stat.id.pid).ok()
    }

    /// The parent of the process at `at`, if it is in the table. One that is younger than its child took over the pid
    /// of the real parent while the table was read.
    fn parent(&self, at: usize) -> Option<usize> {
        let child = self.all[at];
        self.position(child.ppid).filter(|parent| *parent != at && self.all[*parent].id.start <= child.id.start)
    }

    /// Decides whose each process is. `known` holds leaders and members found earlier. `orphan` is asked for each process
    /// that neither `known` nor its ancestors place; it also hears whether the process is below `keeper`, as everything a
    /// subreaper has started is.
    pub(crate) fn assign(
        &self,
        keeper: u32,
        known: &HashMap<Identity, TreeId>,
        orphan: &mut dyn FnMut(&Stat, bool) -> Option<TreeId>,
    ) -> Assignment<'_> {
        let mut owner = vec![None; self.all.len()];
        let mut below = vec![false; self.all.len()];
        let mut done = vec![false; self.all.len()];
        let mut path = Vec::new();
        for first in 0..self.all.len() {
            // Up to an ancestor that is decided, or to the top; marking on the way keeps a cycle from trapping us.
            let mut at = Some(first);
            while let Some(i) = at.filter(|i| !done[*i]) {
                done[i] = true;
                path.push(i);
                at = self.parent(i);
            }
            let mut above = at;
            while let Some(i) = path.pop() {
                let stat = &self.all[i];
                below[i] = stat.ppid == keeper || above.is_some_and(|parent| below[parent]);
                owner[i] = known
                    .get(&stat.id)
                    .copied()
                    .or_else(|| above.and_then(|parent| owner[parent]))
                    .or_else(|| if stat.id.pid == keeper { None } else { orphan(stat, below[i]) });
                above = Some(i);
            }
        }
        Assignment { table: self, owner, below }
    }
}

impl Assignment<'_> {
    /// All live processes that belong to a tree.
    pub(crate) fn owned(&self) -> impl Iterator<Item = (TreeId, &Stat)> {
        self.table.all.iter().zip(&self.owner).filter(|(stat, _)| stat.is_alive()).filter_map(|(stat, owner)| Some(((*owner)?, stat)))
    }

    /// The live processes of one tree.
    pub(crate) fn members_of(&self, tree: TreeId) -> impl Iterator<Item = &Stat> {
        self.owned().filter(move |(owner, _)| *owner == tree).map(|(_, stat)| stat)
    }

    /// All live processes below the keeper, whosever they are.
    pub(crate) fn below(&self) -> impl Iterator<Item = &Stat> {
        self.table.all.iter().zip(&self.below).filter(|(stat, below)| **below && stat.is_alive()).map(|(stat, _)| stat)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(pid: u32, ppid: u32, start: u64) -> Stat {
        Stat { id: Identity { pid, start }, ppid, group: pid, session: pid, state: b'S', threads: 1, cpu: 0, rss: 0 }
    }

    const KEEPER: u32 = 10;

    /// Leaders 20 (tree 1) and 30 (tree 2) below the keeper, and a stranger 90 below init.
    fn table(more: impl IntoIterator<Item = Stat>) -> Table {
        let mut all = vec![stat(1, 0, 0), stat(KEEPER, 1, 5), stat(20, KEEPER, 10), stat(30, KEEPER, 10), stat(90, 1, 3)];
        all.extend(more);
        Table::new(all)
    }

    fn known(more: impl IntoIterator<Item = (Identity, TreeId)>) -> HashMap<Identity, TreeId> {
        let leaders = [(Identity { pid: 20, start: 10 }, TreeId(1)), (Identity { pid: 30, start: 10 }, TreeId(2))];
        leaders.into_iter().chain(more).collect()
    }

    fn pids(table: &Table, known: &HashMap<Identity, TreeId>, tree: u64) -> Vec<u32> {
        table.assign(KEEPER, known, &mut |_, _| None).members_of(TreeId(tree)).map(|s| s.id.pid).collect()
    }

    #[test]
    fn stat_lines_are_read_whatever_the_name_contains() {
        let line =
            b"4711 (a) R (1) S 17 4711 4700 34816 4711 4194304 500 600 0 0 7 8 9 10 20 0 3 0 123456 9000000 2500 18446744073709551615 1 1";
        let stat = Stat::parse(line).expect("a stat line");
        assert_eq!(stat.id, Identity { pid: 4711, start: 123_456 });
        assert_eq!(
            (stat.ppid, stat.group, stat.session, stat.state, stat.threads, stat.cpu, stat.rss),
            (17, 4711, 4700, b'S', 3, 34, 2500)
        );
        assert_eq!(Stat::parse(b"4711 (cut short"), None);
        assert_eq!(Stat::parse(b""), None);
    }

    #[test]
    fn p17_zombies_are_not_alive_unless_only_their_first_thread_has_ended() {
        let zombie = Stat { state: b'Z', ..stat(5, 1, 1) };
        assert!(!zombie.is_alive());
        assert!(Stat { threads: 2, ..zombie }.is_alive());
        assert!(!Stat { state: b'X', ..zombie }.is_alive());
        let table = table([Stat { state: b'Z', ..stat(21, 20, 11) }]);
        assert_eq!(pids(&table, &known([]), 1), [20]);
    }

    #[test]
    fn descendants_belong_to_their_nearest_placed_ancestor() {
        // 31 was found in tree 1 earlier although it now hangs below the leader of tree 2.
        let table = table([stat(21, 20, 11), stat(22, 21, 12), stat(31, 30, 11), stat(32, 31, 12), stat(33, 30, 11)]);
        let known = known([(Identity { pid: 31, start: 11 }, TreeId(1))]);
        assert_eq!(pids(&table, &known, 1), [20, 21, 22, 31, 32]);
        assert_eq!(pids(&table, &known, 2), [30, 33]);
    }

    #[test]
    fn orphans_are_asked_for_and_their_children_follow_them() {
        let table = table([stat(40, KEEPER, 20), stat(41, 40, 21), stat(91, 90, 4)]);
        let mut asked = Vec::new();
        let assignment = table.assign(KEEPER, &known([]), &mut |stat, below| {
            asked.push((stat.id.pid, below));
            (stat.id.pid == 40).then_some(TreeId(1))
        });
        assert_eq!(assignment.members_of(TreeId(1)).map(|s| s.id.pid).collect::<Vec<_>>(), [20, 40, 41]);
        assert_eq!(assignment.below().map(|s| s.id.pid).collect::<Vec<_>>(), [20, 30, 40, 41]);
        asked.sort_unstable();
        assert_eq!(asked, [(1, false), (40, true), (90, false), (91, false)], "placed ones and the keeper are not asked for");
    }

    #[test]
    fn p26_a_reused_pid_is_neither_a_leader_nor_a_parent() {
        // The leader of tree 1 has gone; a stranger got its pid, and 21, older than that stranger, still names it as parent.
        let table = Table::new(vec![stat(1, 0, 0), stat(KEEPER, 1, 5), stat(20, 90, 50), stat(90, 1, 3), stat(21, 20, 11)]);
        assert_eq!(pids(&table, &known([]), 1), [0_u32; 0]);
    }

    #[test]
    fn a_cycle_from_a_torn_reading_ends() {
        let table = Table::new(vec![stat(2, 3, 7), stat(3, 2, 7)]);
        assert!(table.assign(KEEPER, &known([]), &mut |_, _| None).owned().next().is_none());
    }
}
