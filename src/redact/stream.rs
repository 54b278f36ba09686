//! Masking what comes in chunks.

use std::ops::Range;

use super::{Redactor, redactor::star, wrap};

/// The beginning of a secret is masked at the end of a stream from this length on, in bytes of the secret; shorter ones are
/// the beginnings of ordinary words.
const BEGINNING: usize = 8;

/// Masks one stream, chunk by chunk.
#[derive(Debug, Clone)]
pub struct StreamMask {
    redactor: Redactor,
    /// The end of what came so far, unmasked, if a secret may go on from it.
    held: Vec<u8>,
    /// What in it belongs to secrets that began before it.
    covered: Vec<Range<usize>>,
    /// How many letters of base64 came directly before what is held back.
    run: usize,
}

impl StreamMask {
    pub(super) fn new(redactor: Redactor) -> Self {
        Self { redactor, held: Vec::new(), covered: Vec::new(), run: 0 }
    }

    /// What is held back, unmasked. The next chunk goes behind it.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Masks `bytes`, which begin with what is [`held`](Self::held), in place. The first so many may go on; the rest is
    /// held back.
    pub fn mask_in_place(&mut self, bytes: &mut [u8]) -> usize {
        let Some(patterns) = self.redactor.patterns() else { return bytes.len() };
        debug_assert!(bytes.starts_with(&self.held), "a chunk goes behind what was held back");
        let mut secrets = patterns.cover(bytes, self.run);
        secrets.append(&mut self.covered);
        let free = patterns.open_start(bytes, self.run);
        self.run = wrap::run_at_end(&bytes[..free], self.run);
        self.held.clear();
        self.held.extend_from_slice(&bytes[free..]);
        self.covered = secrets.iter().filter(|secret| secret.end > free).map(|s| s.start.saturating_sub(free)..s.end - free).collect();
        star(bytes, secrets.into_iter().map(|secret| secret.start.min(free)..secret.end.min(free)));
        free
    }

    /// Masks the next chunk: what may go on is left in `bytes`, with what was held back before it.
    pub fn apply(&mut self, bytes: &mut Vec<u8>) {
        bytes.splice(..0, self.held.iter().copied());
        let free = self.mask_in_place(bytes);
        bytes.truncate(free);
    }

    /// What is still held back, masked: nothing more comes. Of a writer that was killed within a secret the beginning is
    /// masked too, if it is long enough to be one.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        let Some(patterns) = self.redactor.patterns() else { return bytes };
        let begun = patterns.begun(&bytes, self.run, BEGINNING);
        let covered = patterns.cover(&bytes, self.run);
        star(&mut bytes, covered.into_iter().chain(begun));
        star(&mut bytes, std::mem::take(&mut self.covered));
        bytes
    }
}
