//! Where output goes while the disk refuses it: a bounded ring in memory, oldest out first.

use std::collections::{HashMap, VecDeque};

/// Bytes kept for all streams together.
const BUDGET: usize = 8 << 20;

/// Chunks by stream and record.
#[derive(Debug)]
pub(crate) struct Ring {
    chunks: HashMap<(u16, u64), Box<[u8]>>,
    age: VecDeque<(u16, u64)>,
    bytes: usize,
    budget: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self { chunks: HashMap::new(), age: VecDeque::new(), bytes: 0, budget: BUDGET }
    }
}

impl Ring {
    /// Keeps `bytes`; `lost` hears of every chunk that had to go for them.
    pub(crate) fn push(&mut self, stream: u16, record: u64, bytes: &[u8], mut lost: impl FnMut(u16, u64)) {
        self.bytes += bytes.len();
        self.chunks.insert((stream, record), bytes.into());
        self.age.push_back((stream, record));
        while self.bytes > self.budget {
            let Some(oldest) = self.age.pop_front() else { break };
            // Chunks that reached the disk since are not in the map any more.
            if let Some(chunk) = self.chunks.remove(&oldest) {
                self.bytes -= chunk.len();
                lost(oldest.0, oldest.1);
            }
        }
    }

    /// The bytes of a chunk.
    pub(crate) fn get(&self, stream: u16, record: u64) -> Option<&[u8]> {
        self.chunks.get(&(stream, record)).map(|chunk| &**chunk)
    }

    /// Lets a chunk go that is on disk now.
    pub(crate) fn remove(&mut self, stream: u16, record: u64) {
        if let Some(chunk) = self.chunks.remove(&(stream, record)) {
            self.bytes -= chunk.len();
        }
        if self.chunks.is_empty() {
            self.age.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_are_named() {
        let mut ring = Ring { budget: 10, ..Ring::default() };
        let mut gone = Vec::new();
        for record in 0..4 {
            ring.push(1, record, b"four", |stream, record| gone.push((stream, record)));
        }
        assert_eq!(gone, [(1, 0), (1, 1)]);
        assert_eq!((ring.get(1, 1), ring.get(1, 2)), (None, Some(&b"four"[..])));
        ring.remove(1, 2);
        ring.remove(1, 3);
        assert_eq!((ring.bytes, ring.age.len()), (0, 0));
    }
}
