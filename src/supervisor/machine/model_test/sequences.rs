//! As many lives as are wanted: some with shrinking, the bulk by seeds.

use proptest::prelude::*;

use super::world::World;

fn sequences() -> u32 {
    std::env::var("E2E_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(100_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: sequences() / 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_holds_with_shrinking(bytes in proptest::collection::vec(any::<u8>(), 1..400)) {
        World::new(&bytes).live();
    }
}

/// `length` bytes that follow from `seed`.
fn bytes_of(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let length = 20 + usize::from(next());
    (0..length).map(|_| next()).collect()
}

#[test]
fn whatever_happens_holds_a_hundred_thousand_times() {
    for seed in 0..u64::from(sequences()) {
        let lived = std::panic::catch_unwind(|| World::new(&bytes_of(seed)).live());
        assert!(lived.is_ok(), "seed {seed} failed, see above");
    }
}
