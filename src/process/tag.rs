//! Tags: a mark on each tree that its processes cannot lose.
//!
//! A daemon that has forked twice, made itself a session and emptied its environment still has its resource limits. So
//! each tree gets a soft limit of its own on POSIX message queues, of which nobody uses more than a few thousand bytes: the
//! values used lie in the upper half of what the system allows. Measured: it survives `setsid`, double fork and `env -i`,
//! and reading it costs 9 µs.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    ops::Range,
    sync::{Mutex, PoisonError},
};

use nix::sys::resource::{Resource, getrlimit};

use super::TreeId;

/// How many values one keeper uses. More trees than this may come and go, but not live at once.
const SPAN: u64 = 1 << 12;
/// Below this many bytes a program with message queues could notice.
const LEAST: u64 = 1 << 17;
/// Where the hard limit is none, values stay below this.
const MOST: u64 = 1 << 24;

/// The values that one keeper may use. No two keepers that this process has anything to do with share one: when a guardian
/// dies, its tags tell what it had started from what others have.
#[derive(Debug)]
pub(crate) struct TagRange(Range<u64>);

/// Where the ranges in use begin.
static IN_USE: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

impl TagRange {
    /// Chooses at random, so that keepers of different processes hardly ever share values either. Empty where the system
    /// leaves no room for tags.
    pub(crate) fn reserve() -> Self {
        let (own, hard) = getrlimit(Resource::RLIMIT_MSGQUEUE).unwrap_or((0, 0));
        Self::within(own, hard, random())
    }

    fn within(own: u64, hard: u64, random: u64) -> Self {
        let top = hard.min(MOST);
        let bottom = (top / 2).max(LEAST);
        let slots = top.saturating_sub(bottom) / SPAN;
        let mut in_use = IN_USE.lock().unwrap_or_else(PoisonError::into_inner);
        // Not where this process's own tag lies, which everything it starts otherwise inherits.
        let free = (0..slots)
            .map(|n| bottom + (random.wrapping_add(n) % slots) * SPAN)
            .find(|start| !in_use.contains(start) && !(*start..*start + SPAN).contains(&own));
        Self(free.map_or(0..0, |start| {
            in_use.insert(start);
            start..start + SPAN
        }))
    }

    pub(crate) fn values(&self) -> Range<u64> {
        self.0.clone()
    }
}

impl Drop for TagRange {
    fn drop(&mut self) {
        IN_USE.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0.start);
    }
}

/// Different in every process and at every call.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// The tags of one keeper.
#[derive(Debug)]
pub(crate) struct Tags {
    range: Range<u64>,
    next: u64,
    used: HashMap<u64, TreeId>,
}

impl Tags {
    /// Values of that range, from some place in it on: programs that use the same range by chance still hardly share a value.
    pub(crate) fn new(range: Range<u64>, random: u64) -> Self {
        let next = range.start + random.checked_rem(range.end - range.start).unwrap_or(0);
        Self { next, range, used: HashMap::new() }
    }

    /// A value for `tree` that no other tree has now; none if there is none.
    pub(crate) fn take(&mut self, tree: TreeId) -> Option<u64> {
        let Range { start, end } = self.range;
        let tag = (self.next..end).chain(start..self.next).find(|tag| !self.used.contains_key(tag))?;
        self.next = tag + 1;
        self.used.insert(tag, tree);
        Some(tag)
    }

    pub(crate) fn release(&mut self, tag: u64) {
        self.used.remove(&tag);
    }

    /// Whose tag this is.
    pub(crate) fn tree_of(&self, tag: u64) -> Option<TreeId> {
        self.used.get(&tag).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_unique_among_living_trees_and_come_again_last() {
        let mut tags = Tags::new(100..103, 3);
        assert_eq!([1, 2].map(|n| tags.take(TreeId(n))), [Some(100), Some(101)]);
        assert_eq!((tags.tree_of(100), tags.tree_of(101), tags.tree_of(102)), (Some(TreeId(1)), Some(TreeId(2)), None));
        tags.release(100);
        assert_eq!(tags.tree_of(100), None);
        assert_eq!(tags.take(TreeId(3)), Some(102), "not the old one at once: something of its tree may be dying yet");
        assert_eq!(tags.take(TreeId(4)), Some(100));
        assert_eq!(tags.take(TreeId(5)), None, "all are in use");
        assert_eq!(Tags::new(0..0, 9).take(TreeId(1)), None);
    }

    #[test]
    fn ranges_of_one_process_are_apart_and_avoid_its_own_tag() {
        // 819,200 bytes is what most systems allow.
        let hard = 819_200;
        let ranges: Vec<TagRange> = (0..40).map(|n| TagRange::within(500_000, hard, n / 7)).collect();
        for (n, range) in ranges.iter().enumerate() {
            let values = range.values();
            assert!(values.start >= hard / 2 && values.end <= hard && !values.contains(&500_000));
            assert!(ranges[..n].iter().all(|other| other.values().end <= values.start || values.end <= other.values().start));
        }
        assert!(TagRange::within(0, 0, 7).values().is_empty());
        assert!(TagRange::within(0, LEAST, 7).values().is_empty());
        assert!(TagRange::within(u64::MAX, u64::MAX, u64::MAX).values().end <= MOST);
    }
}
