//! A set of rows of a view that can be counted and walked: which rows match.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

const WORDS: usize = 256;
const BLOCK: u64 = 64 * WORDS as u64;

#[derive(Debug, Clone)]
struct Bits {
    words: [u64; WORDS],
    count: u32,
}

/// Rows, in order: at most a bit for each, and nothing where there are none. A clone is cheap and shares what does not
/// change afterwards.
#[derive(Debug, Clone, Default)]
pub struct RowSet {
    blocks: BTreeMap<u64, Arc<Bits>>,
    len: u64,
}

impl RowSet {
    /// How many rows it holds.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether it holds `row`.
    pub fn contains(&self, row: u64) -> bool {
        self.blocks.get(&(row / BLOCK)).is_some_and(|bits| bits.words[word(row)] >> (row % 64) & 1 == 1)
    }

    /// Adds a row; adding it again changes nothing.
    pub fn insert(&mut self, row: u64) {
        self.insert_range(row..row.saturating_add(1));
    }

    /// Adds rows.
    pub fn insert_range(&mut self, rows: Range<u64>) {
        let mut row = rows.start;
        while row < rows.end {
            let until = rows.end.min((row / 64 + 1) * 64);
            let mask = (u64::MAX << (row % 64)) & (u64::MAX >> (63 - (until - 1) % 64));
            self.set_word(row, mask);
            row = until;
        }
    }

    /// Takes a row out.
    pub fn remove(&mut self, row: u64) {
        if self.contains(row)
            && let Some(bits) = self.blocks.get_mut(&(row / BLOCK))
        {
            let bits = Arc::make_mut(bits);
            bits.words[word(row)] &= !(1 << (row % 64));
            bits.count -= 1;
            self.len -= 1;
        }
    }

    /// Adds the rows `first + n` for each bit `n` of `words`.
    pub(super) fn insert_bits(&mut self, first: u64, words: &[u64]) {
        let shift = first % 64;
        for (i, &bits) in words.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            let row = first + i as u64 * 64;
            self.set_word(row, bits << shift);
            if shift > 0 && bits >> (64 - shift) != 0 {
                self.set_word(row + 64, bits >> (64 - shift));
            }
        }
    }

    /// Sets `mask` in the word that `row` is in.
    fn set_word(&mut self, row: u64, mask: u64) {
        if mask == 0 {
            return;
        }
        let bits = self.blocks.entry(row / BLOCK).or_insert_with(|| Arc::new(Bits { words: [0; WORDS], count: 0 }));
        let new = mask & !bits.words[word(row)];
        if new != 0 {
            let bits = Arc::make_mut(bits);
            bits.words[word(row)] |= new;
            bits.count += new.count_ones();
            self.len += u64::from(new.count_ones());
        }
    }

    /// How many of its rows come before `row`.
    pub fn rank(&self, row: u64) -> u64 {
        let whole: u64 = self.blocks.range(..row / BLOCK).map(|(_, bits)| u64::from(bits.count)).sum();
        let Some(bits) = self.blocks.get(&(row / BLOCK)) else { return whole };
        let before: u32 = bits.words[..word(row)].iter().map(|word| word.count_ones()).sum();
        whole + u64::from(before + (bits.words[word(row)] & ((1 << (row % 64)) - 1)).count_ones())
    }

    /// The row with `n` of its rows before it.
    pub fn nth(&self, n: u64) -> Option<u64> {
        let mut left = n;
        for (block, bits) in &self.blocks {
            if left >= u64::from(bits.count) {
                left -= u64::from(bits.count);
                continue;
            }
            for (i, &word) in bits.words.iter().enumerate() {
                if left < u64::from(word.count_ones()) {
                    return Some(block * BLOCK + i as u64 * 64 + nth_bit(word, left));
                }
                left -= u64::from(word.count_ones());
            }
        }
        None
    }

    /// The first of its rows behind `row`.
    pub fn after(&self, row: u64) -> Option<u64> {
        self.nth(self.rank(row.checked_add(1)?))
    }

    /// The last of its rows before `row`.
    pub fn before(&self, row: u64) -> Option<u64> {
        self.nth(self.rank(row).checked_sub(1)?)
    }

    /// Its rows in `range`, in order.
    pub fn iter(&self, range: Range<u64>) -> impl Iterator<Item = u64> {
        let mut next = self.first_at(range.start);
        std::iter::from_fn(move || {
            let row = next.filter(|row| *row < range.end)?;
            next = self.first_at(row + 1);
            Some(row)
        })
    }

    /// The first of its rows at `row` or behind it.
    fn first_at(&self, row: u64) -> Option<u64> {
        for (block, bits) in self.blocks.range(row / BLOCK..) {
            let from = if *block == row / BLOCK { word(row) } else { 0 };
            for (i, &word) in bits.words.iter().enumerate().skip(from) {
                let start = block * BLOCK + i as u64 * 64;
                let word = if start < row { word & u64::MAX << (row - start) } else { word };
                if word != 0 {
                    return Some(start + u64::from(word.trailing_zeros()));
                }
            }
        }
        None
    }

    /// Its rows with `context` rows around each, up to row `end`.
    #[must_use]
    pub fn widened(&self, context: u64, end: u64) -> Self {
        let mut wide = Self::default();
        let mut run: Option<Range<u64>> = None;
        for row in self.iter(0..end) {
            let around = row.saturating_sub(context)..row.saturating_add(context + 1).min(end);
            match &mut run {
                Some(run) if around.start <= run.end => run.end = around.end,
                _ => wide.insert_range(run.replace(around).unwrap_or(0..0)),
            }
        }
        wide.insert_range(run.unwrap_or(0..0));
        wide
    }
}

/// The word of its block that `row` is in.
fn word(row: u64) -> usize {
    (row % BLOCK / 64) as usize
}

/// The place of the bit with `n` set bits before it.
fn nth_bit(mut word: u64, n: u64) -> u64 {
    for _ in 0..n {
        word &= word - 1;
    }
    u64::from(word.trailing_zeros())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_in_order(
            steps in proptest::collection::vec((0u64..40_000, 1u64..200, any::<bool>()), 0..60),
            probes in proptest::collection::vec(0u64..41_000, 10),
            context in 0u64..5,
        ) {
            let (mut set, mut naive) = (RowSet::default(), BTreeSet::new());
            for (row, len, add) in steps {
                if add {
                    set.insert_range(row..row + len);
                    naive.extend(row..row + len);
                } else {
                    set.remove(row);
                    naive.remove(&row);
                }
            }
            prop_assert_eq!(set.len(), naive.len() as u64);
            prop_assert!(set.iter(0..u64::MAX).eq(naive.iter().copied()));
            for probe in probes {
                prop_assert_eq!(set.contains(probe), naive.contains(&probe));
                prop_assert_eq!(set.rank(probe), naive.range(..probe).count() as u64);
                prop_assert_eq!(set.nth(probe / 20), naive.iter().nth((probe / 20) as usize).copied());
                prop_assert_eq!(set.after(probe), naive.range(probe + 1..).next().copied());
                prop_assert_eq!(set.before(probe), naive.range(..probe).next_back().copied());
            }
            let wide: BTreeSet<u64> = naive.iter().flat_map(|row| row.saturating_sub(context)..=row + context).filter(|row| *row < 40_010).collect();
            prop_assert!(set.widened(context, 40_010).iter(0..u64::MAX).eq(wide));
        }

        #[test]
        fn bits_land_where_they_belong(first in 0u64..300, words in proptest::collection::vec(any::<u64>(), 0..4)) {
            let mut set = RowSet::default();
            set.insert_bits(first, &words);
            let naive = (0..words.len() * 64).filter(|n| words[n / 64] >> (n % 64) & 1 == 1).map(|n| first + n as u64);
            prop_assert!(set.iter(0..u64::MAX).eq(naive));
        }
    }
}
