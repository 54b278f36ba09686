//! Session ids: random UUIDs, since Shadowcat replaces any other form by a UUID of its own.

use super::super::random::random_bytes;

/// A fresh random UUID (version 4), as RFC 9562 writes it.
///
/// The specification wants ids that cannot be guessed, so the bytes come from the system.
pub fn new_session_id() -> std::io::Result<String> {
    let mut bytes = random_bytes::<16>()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    Ok(format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}

/// Whether `text` has the form of a UUID.
pub(crate) fn is_uuid(text: &str) -> bool {
    let dash = |at| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36 && text.bytes().enumerate().all(|(at, byte)| if dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let (a, b) = (new_session_id().expect("/dev/urandom"), new_session_id().expect("/dev/urandom"));
        assert_ne!(a, b);
        assert!(is_uuid(&a), "{a}");
        assert_eq!(a.as_bytes()[14], b'4', "the version");
        assert!(!is_uuid("6f1b-not-a-uuid"));
    }
}
