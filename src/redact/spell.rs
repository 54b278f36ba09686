//! The spellings of a secret that are looked for as they are. What decodes to one of them is found through a view.

use std::collections::BTreeSet;

use super::MIN_SECRET;

/// A line of a secret of several lines is one of its own from this length on.
const MIN_LINE: usize = 8;

/// The ways in which programs print `secret` without encoding it byte by byte.
pub(super) fn spellings(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let trimmed = secret.trim();
    let mut values = vec![secret, trimmed];
    // Of a secret of several lines (a key file) each line may be printed alone, behind a prefix. Its frame is no secret.
    values.extend(trimmed.lines().map(str::trim).filter(|line| line.len() >= MIN_LINE && !line.starts_with("-----") && *line != trimmed));
    for value in values.into_iter().filter(|value| value.len() >= MIN_SECRET) {
        all.insert(value.as_bytes().to_vec());
        if value.contains(' ') {
            // In a form; where there is more to encode, the view finds it.
            all.insert(value.replace(' ', "+").into_bytes());
        }
        for text in base64_spellings(value.as_bytes()) {
            if text.contains('/') {
                // As PHP writes it into JSON.
                all.insert(text.replace('/', "\\/").into_bytes());
            }
            all.insert(text.into_bytes());
        }
    }
    all
}

/// Whether some program puts a backslash into `secret` when it prints it as a literal of some language.
pub(super) fn is_escapable(secret: &str) -> bool {
    !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.~:@+,=%".contains(&b))
}

/// Inside base64, standard and URL-safe, at each alignment: the characters that depend on nothing but the secret.
pub(super) fn base64_spellings(secret: &[u8]) -> impl Iterator<Item = String> {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sextet = |bit: usize| {
        let at = |byte: usize| secret.get(byte).copied().unwrap_or(0);
        let both = u16::from(at(bit / 8)) << 8 | u16::from(at(bit / 8 + 1));
        usize::from(both >> (10 - bit % 8) & 0x3f)
    };
    let bits = secret.len() * 8;
    // At alignment n the secret's first whole character begins at its bit 0, 4 or 2.
    let all: Vec<String> = [0, 4, 2]
        .into_iter()
        .flat_map(|first| {
            [STANDARD, URL].map(|letters| {
                (first..).step_by(6).take_while(|bit| bit + 6 <= bits).map(|bit| char::from(letters[sextet(bit)])).collect::<String>()
            })
        })
        .collect();
    all.into_iter().filter(|text| text.len() >= MIN_SECRET)
}
