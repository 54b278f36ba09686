//! Random bytes from the system for ids, and a small generator for jitter.

use std::{
    fs::File,
    io::{self, Read},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// Bytes that cannot be guessed.
pub(crate) fn random_bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// A generator for what need not be secret: splitmix64.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    /// A generator that differs from run to run.
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(random_bytes().map_or(0, u64::from_ne_bytes)))
    }

    fn next(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A duration from zero to `most`, all alike likely.
    pub(crate) fn up_to(&self, most: Duration) -> Duration {
        most.mul_f64(self.next() as f64 / u64::MAX as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_its_span_and_differs() {
        let (random, most) = (Random::new(), Duration::from_millis(10));
        let all: Vec<Duration> = (0..100).map(|_| random.up_to(most)).collect();
        assert!(all.iter().all(|wait| *wait <= most));
        assert!(all.iter().any(|wait| *wait != all[0]));
    }
}
