//! The beginning of a body, kept for whoever looks at it later.

pub(crate) use super::note::Body;
use super::note::Call;
use crate::redact::Redactor;

/// What is kept of a body.
pub(crate) const KEPT: usize = 64 << 10;
/// A body over this is not looked into for calls: nobody sends a message of JSON-RPC that long.
const READ: usize = 4 << 20;

/// Collects a body as it goes by.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    size: u64,
    bytes: Vec<u8>,
}

impl Collected {
    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        let room = READ.saturating_sub(self.bytes.len()).min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..room]);
    }

    /// The messages in it, if all of it is there.
    pub(crate) fn calls(&self) -> Vec<Call> {
        if self.size == self.bytes.len() as u64 { Call::all_in(&self.bytes) } else { Vec::new() }
    }

    /// What is written down of it. Masked before it is cut: a secret across the cut would show its beginning.
    pub(crate) fn shown(mut self, redactor: &Redactor) -> Body {
        redactor.mask_bytes(&mut self.bytes);
        Body { size: self.size, text: text(self.bytes) }
    }
}

/// The text of a message that came in one piece.
pub(crate) fn of(text: &str, redactor: &Redactor) -> Body {
    let mut collected = Collected::default();
    collected.push(text.as_bytes());
    collected.shown(redactor)
}

/// The beginning of `bytes` as text; nothing if they are none: compressed, say, or a picture.
fn text(mut bytes: Vec<u8>) -> String {
    let cut = bytes.len() > KEPT;
    bytes.truncate(KEPT);
    match String::from_utf8(bytes) {
        Ok(text) => text,
        // Cut within a letter.
        Err(error) if cut && KEPT - error.utf8_error().valid_up_to() < 4 => {
            let end = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(end);
            String::from_utf8(bytes).unwrap_or_default()
        }
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_masked_before_it_is_cut() {
        let redactor = Redactor::new(["swordfish".to_owned()]);
        let mut body = Collected::default();
        body.push("a".repeat(KEPT - 4).as_bytes());
        body.push("swordfish and more".as_bytes());
        let shown = body.shown(&redactor);
        assert!(shown.text.ends_with("a****"), "{:?}", &shown.text[KEPT - 10..]);
        assert_eq!((shown.size, shown.text.len(), shown.cut()), (KEPT as u64 + 14, KEPT, 14));
    }

    #[test]
    fn what_is_no_text_is_only_counted() {
        let mut body = Collected::default();
        body.push(&[0x1f, 0x8b, 0xff, 0xfe]);
        assert_eq!(body.shown(&Redactor::default()), Body { size: 4, text: String::new() });
        let mut letters = Collected::default();
        letters.push("a".repeat(KEPT - 1).as_bytes());
        letters.push("ö".as_bytes());
        assert_eq!(letters.shown(&Redactor::default()).text.len(), KEPT - 1, "no half letters");
    }
}
