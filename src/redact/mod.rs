//! Masking: no secret value reaches a disk, a screen or a report.
//!
//! A [`Redactor`] knows every secret of a run in the spellings that programs print. Whatever leaves the program passes
//! one of its functions; all of them replace every byte of an occurrence by `*`, so that lengths, offsets and columns
//! stay the same. Newlines within a secret are kept, so that line numbers do too.
//!
//! ```text
//!   bytes ──> literal search: as it is, in base64 at each alignment           (spell)   at memory speed
//!     │
//!     └─> views of them: without escape sequences, percent-decoded,           (view)    only where there is something
//!         backslash-decoded, and views of views; base64 without the           (wrap)    to decode
//!         breaks between its lines ──> the same literal search
//! ```
//!
//! A view knows where each of its bytes came from, so that what is found in it is masked where it stands. That covers
//! what no list of spellings could: capital, small and mixed hex digits, every choice of characters left as they are,
//! JSON within JSON, and a colour code in the middle of a secret, which the screen would swallow.
//!
//! Captured output comes in chunks that may end within a secret. A [`StreamMask`] holds back such an end, and nothing
//! else: only a tail that is the beginning of a secret waits for more.

mod names;
mod redactor;
mod spell;
mod stream;
mod view;
mod wrap;

#[cfg(test)]
mod tests;

pub use names::looks_secret;
pub use redactor::{MIN_SECRET, Redactor};
pub use stream::StreamMask;
