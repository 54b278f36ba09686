//! A set of rows that can be counted and walked: which rows of a log match. A few bits a row, wherever they are.

use std::collections::BTreeMap;

const WORDS: usize = 64;
const BLOCK: u64 = 64 * WORDS as u64;

#[derive(Debug, Clone)]
struct Bits {
    words: [u64; WORDS],
    count: u32,
}

/// Rows, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowSet {
    blocks: BTreeMap<u64, Box<Bits>>,
    len: u64,
}

impl RowSet {
    /// Adds a row; adding it again changes nothing.
    pub(crate) fn insert(&mut self, row: u64) {
        let bits = self.blocks.entry(row / BLOCK).or_insert_with(|| Box::new(Bits { words: [0; WORDS], count: 0 }));
        let (word, bit) = ((row % BLOCK / 64) as usize, 1 << (row % 64));
        if bits.words[word] & bit == 0 {
            bits.words[word] |= bit;
            bits.count += 1;
            self.len += 1;
        }
    }

    /// How many rows it holds.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds `row`.
    pub(crate) fn contains(&self, row: u64) -> bool {
        self.blocks.get(&(row / BLOCK)).is_some_and(|bits| bits.words[(row % BLOCK / 64) as usize] >> (row % 64) & 1 == 1)
    }

    /// How many of its rows come before `row`.
    pub(crate) fn rank(&self, row: u64) -> u64 {
        let whole: u64 = self.blocks.range(..row / BLOCK).map(|(_, bits)| u64::from(bits.count)).sum();
        let Some(bits) = self.blocks.get(&(row / BLOCK)) else { return whole };
        let word = (row % BLOCK / 64) as usize;
        let before: u32 = bits.words[..word].iter().map(|w| w.count_ones()).sum();
        whole + u64::from(before + (bits.words[word] & ((1 << (row % 64)) - 1)).count_ones())
    }

    /// The row with `n` of its rows before it.
    pub(crate) fn nth(&self, n: u64) -> Option<u64> {
        let mut left = n;
        for (block, bits) in &self.blocks {
            if left >= u64::from(bits.count) {
                left -= u64::from(bits.count);
                continue;
            }
            for (i, word) in bits.words.iter().enumerate() {
                if left >= u64::from(word.count_ones()) {
                    left -= u64::from(word.count_ones());
                    continue;
                }
                let bit = (0..64).filter(|bit| word >> bit & 1 == 1).nth(left as usize)?;
                return Some(block * BLOCK + i as u64 * 64 + bit);
            }
        }
        None
    }

    /// Its first row after `row`.
    pub(crate) fn after(&self, row: u64) -> Option<u64> {
        self.nth(self.rank(row.saturating_add(1)))
    }

    /// Its last row before `row`.
    pub(crate) fn before(&self, row: u64) -> Option<u64> {
        self.nth(self.rank(row).checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_answers_as_an_ordinary_set_would(rows in proptest::collection::vec(0u64..20_000, 0..200), ask in 0u64..20_000) {
            let plain: BTreeSet<u64> = rows.iter().copied().collect();
            let mut set = RowSet::default();
            rows.iter().for_each(|row| set.insert(*row));
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.contains(ask), plain.contains(&ask));
            prop_assert_eq!(set.rank(ask), plain.range(..ask).count() as u64);
            prop_assert_eq!(set.after(ask), plain.range(ask + 1..).next().copied());
            prop_assert_eq!(set.before(ask), plain.range(..ask).next_back().copied());
            prop_assert_eq!(set.nth(ask % 200), plain.iter().nth((ask % 200) as usize).copied());
        }
    }
}
