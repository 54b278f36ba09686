//! Masking: no secret value reaches a disk, a screen or a report.
//!
//! A [`Redactor`] knows every secret of a run in the spellings that programs print: as it is, escaped for JSON, encoded
//! for URLs, and in base64 at each of its three alignments. Whatever leaves the program passes one of its functions; all
//! of them replace every byte of an occurrence by `*`, so that lengths, offsets and columns stay the same. Newlines
//! within a secret are kept, so that line numbers do too.
//!
//! Captured output comes in chunks that may end within a secret. A [`StreamMask`] holds back such an end, and nothing
//! else: only a tail that is the beginning of a secret waits for more.

use std::{borrow::Cow, collections::BTreeSet, fmt, fmt::Write, ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, packed};

/// Values shorter than this are not masked: they would occur everywhere.
pub const MIN_SECRET: usize = 4;

/// Knows the secrets of a run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Patterns>>);

/// All spellings of all secrets.
struct Patterns {
    spellings: Vec<Vec<u8>>,
    /// Finds out at memory speed whether there is anything to mask; none if there are too many spellings for that.
    quick: Option<packed::Searcher>,
    every: AhoCorasick,
    longest: usize,
    begins: [bool; 256],
    multi_line: bool,
}

impl Redactor {
    /// Masks each of `secrets`. Values under [`MIN_SECRET`] bytes are left out; whoever reads them from a user refuses
    /// them with a message.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let spellings: BTreeSet<Vec<u8>> = secrets.into_iter().flat_map(|secret| spellings(&secret)).collect();
        if spellings.is_empty() {
            return Self(None);
        }
        let spellings: Vec<_> = spellings.into_iter().collect();
        // Only the noncontiguous automaton is small for any number of long patterns; it runs on hits alone.
        let every = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(&spellings);
        let mut begins = [false; 256];
        for spelling in &spellings {
            begins[usize::from(spelling[0])] = true;
        }
        Self(Some(Arc::new(Patterns {
            quick: packed::Config::new().builder().extend(&spellings).build(),
            every: every.expect("secrets are far smaller than an automaton's limits"),
            longest: spellings.iter().map(Vec::len).max().unwrap_or(0),
            begins,
            multi_line: spellings.iter().any(|spelling| spelling.contains(&b'\n')),
            spellings,
        })))
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// `text` without secrets.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(covered) = self.0.as_ref().map(|patterns| patterns.cover(text.as_bytes())).filter(|covered| !covered.is_empty()) else {
            return Cow::Borrowed(text);
        };
        let mut bytes = text.as_bytes().to_vec();
        star(&mut bytes, covered);
        // Spellings are whole characters, so what is left is too.
        Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// `text` without secrets, where its end was cut off before anybody could mask it: an end that a secret may go on from
    /// is masked as well. As long as `text`.
    pub fn mask_cut(&self, text: &str) -> String {
        let mut bytes = text.as_bytes().to_vec();
        self.stream().apply(&mut bytes);
        bytes.resize(text.len(), b'*');
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Masks secrets in `bytes`.
    pub fn mask_bytes(&self, bytes: &mut [u8]) {
        if let Some(patterns) = &self.0 {
            let covered = patterns.cover(bytes);
            star(bytes, covered);
        }
    }

    /// A mask for output that comes in chunks.
    pub fn stream(&self) -> StreamMask {
        StreamMask { redactor: self.clone(), held: Vec::new(), covered: 0 }
    }

    /// The most bytes that a [`StreamMask`] can hold back.
    pub fn longest_held(&self) -> usize {
        self.0.as_ref().map_or(0, |patterns| patterns.longest - 1)
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} spellings)", self.0.as_ref().map_or(0, |patterns| patterns.spellings.len()))
    }
}

impl Patterns {
    /// Where secrets are, in order and without overlaps.
    fn cover(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut all: Vec<Range<usize>> = Vec::new();
        for region in self.suspects(bytes) {
            let found = self.every.find_overlapping_iter(&bytes[region.clone()]);
            all.extend(found.map(|found| region.start + found.start()..region.start + found.end()));
        }
        all.sort_unstable_by_key(|range| range.start);
        joined(all)
    }

    /// Where secrets can be: around each hit of the quick search. It finds no hits that overlap another one, but those
    /// lie within a secret's length of it.
    fn suspects(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let Some(quick) = &self.quick else {
            return self.every.is_match(bytes).then_some(0..bytes.len()).into_iter().collect();
        };
        let reach = self.longest - 1;
        joined(quick.find_iter(bytes).map(|hit| hit.start().saturating_sub(reach)..(hit.end() + reach).min(bytes.len())))
    }

    /// The length of the longest end of `bytes` that a secret may go on from.
    fn open_end(&self, bytes: &[u8]) -> usize {
        let mut from = bytes.len().saturating_sub(self.longest - 1);
        if !self.multi_line {
            from += memchr::memrchr(b'\n', &bytes[from..]).map_or(0, |at| at + 1);
        }
        let goes_on = |start: &usize| {
            let end = &bytes[*start..];
            self.begins[usize::from(end[0])]
                && self.spellings.iter().any(|spelling| spelling.len() > end.len() && spelling.starts_with(end))
        };
        (from..bytes.len()).find(goes_on).map_or(0, |start| bytes.len() - start)
    }
}

/// Ranges in order of their starts, overlapping and touching ones made one.
fn joined(ranges: impl IntoIterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let mut all: Vec<Range<usize>> = Vec::new();
    for range in ranges {
        match all.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => all.push(range),
        }
    }
    all
}

/// Masks one stream, chunk by chunk.
#[derive(Debug, Clone)]
pub struct StreamMask {
    redactor: Redactor,
    /// The end of what came so far, unmasked, if a secret may go on from it.
    held: Vec<u8>,
    /// How many bytes of it belong to a secret that began before it.
    covered: usize,
}

impl StreamMask {
    /// What is held back, unmasked. The next chunk goes behind it.
    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Masks `bytes`, which begin with what is [`held`](Self::held), in place. The first so many may go on; the rest is
    /// held back.
    pub fn mask_in_place(&mut self, bytes: &mut [u8]) -> usize {
        let Some(patterns) = &self.redactor.0 else { return bytes.len() };
        debug_assert!(bytes.starts_with(&self.held), "a chunk goes behind what was held back");
        let mut secrets = patterns.cover(bytes);
        let free = bytes.len() - patterns.open_end(bytes);
        if self.covered > 0 {
            secrets.insert(0, 0..self.covered);
        }
        self.held.clear();
        self.held.extend_from_slice(&bytes[free..]);
        self.covered = 0;
        for secret in &mut secrets {
            if secret.start < free && secret.end > free {
                self.covered = self.covered.max(secret.end - free);
            }
            *secret = secret.start.min(free)..secret.end.min(free);
        }
        star(bytes, secrets);
        free
    }

    /// Masks the next chunk: what may go on is left in `bytes`, with what was held back before it.
    pub fn apply(&mut self, bytes: &mut Vec<u8>) {
        bytes.splice(..0, self.held.iter().copied());
        let free = self.mask_in_place(bytes);
        bytes.truncate(free);
    }

    /// What is still held back, masked: nothing more comes.
    pub fn flush(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.held);
        self.redactor.mask_bytes(&mut bytes);
        star(&mut bytes, std::iter::once(0..self.covered));
        self.covered = 0;
        bytes
    }
}

/// Replaces the `secrets` in `bytes` by stars, newlines excepted.
fn star(bytes: &mut [u8], secrets: impl IntoIterator<Item = Range<usize>>) {
    for secret in secrets {
        bytes[secret].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b'*');
    }
}

/// Whether a variable of this name holds something that must not be shown.
pub fn looks_secret(name: &str) -> bool {
    const WORDS: [&str; 18] = [
        "SECRET",
        "SECRETS",
        "TOKEN",
        "TOKENS",
        "PASSWORD",
        "PASSWORDS",
        "PASSWD",
        "PASSPHRASE",
        "PASS",
        "CREDENTIAL",
        "CREDENTIALS",
        "APIKEY",
        "PRIVKEY",
        "AUTHORIZATION",
        "BEARER",
        "COOKIE",
        "PAT",
        "JWT",
    ];
    const LONG: [&str; 5] = ["SECRET", "PASSWORD", "PASSWD", "PASSPHRASE", "APIKEY"];
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let ends_in = |word: &str| words.last() == Some(&word);
    let public = words.contains(&"PUBLIC");
    words.iter().any(|word| WORDS.contains(word) || LONG.iter().any(|long| word.contains(long)) || word.ends_with("TOKEN"))
        || (ends_in("KEY") && !public)
        || ends_in("AUTH")
}

/// The ways in which programs print `secret`.
fn spellings(secret: &str) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::new();
    let trimmed = secret.trim();
    let mut values = vec![secret, trimmed];
    // Of a secret of several lines (a key file) each line may be printed alone, behind a prefix. Its frame is no secret.
    values.extend(trimmed.lines().map(str::trim).filter(|line| line.len() >= 8 && !line.starts_with("-----") && *line != trimmed));
    for value in values.into_iter().filter(|value| value.len() >= MIN_SECRET) {
        all.insert(value.as_bytes().to_vec());
        all.extend(json_spellings(value).map(String::into_bytes));
        all.extend(url_spellings(value).map(String::into_bytes));
        all.extend(base64_spellings(value.as_bytes()));
    }
    all
}

/// Inside a JSON string: plain, in ASCII only, as Go and PHP write it, inside a string inside a string; and as Rust's
/// `{:?}` writes it.
fn json_spellings(value: &str) -> impl Iterator<Item = String> {
    let inside = |text: &str| {
        let quoted = serde_json::to_string(text).unwrap_or_default();
        quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
    };
    let plain = inside(value);
    let escaped = |of: &dyn Fn(char) -> bool, upper: bool| {
        plain.chars().fold(String::new(), |mut text, c| {
            if of(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    let written = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
                    written.expect("writing to a string");
                }
            } else {
                text.push(c);
            }
            text
        })
    };
    let ascii = [escaped(&|c| !c.is_ascii(), false), escaped(&|c| !c.is_ascii(), true)];
    let html = escaped(&|c| matches!(c, '<' | '>' | '&'), false);
    let debug = format!("{value:?}");
    let debug = debug[1..debug.len() - 1].to_owned();
    let twice = inside(&plain);
    let slashes = plain.replace('/', "\\/");
    ascii.into_iter().chain([html, debug, twice, slashes, plain])
}

/// In a URL or a form: with capital and small digits, by the strict and the lenient set of characters left as they are.
fn url_spellings(value: &str) -> impl Iterator<Item = String> {
    let encode = |keep: &'static [u8], upper: bool, plus: bool| {
        value.bytes().fold(String::new(), |mut text, b| {
            if b.is_ascii_alphanumeric() || keep.contains(&b) {
                text.push(char::from(b));
            } else if plus && b == b' ' {
                text.push('+');
            } else {
                let written = if upper { write!(text, "%{b:02X}") } else { write!(text, "%{b:02x}") };
                written.expect("writing to a string");
            }
            text
        })
    };
    let sets: [(&[u8], bool); 5] =
        [(b"-._~", false), (b"-._~!'()*", false), (b"*-._", true), (b"-._~!$&'()*+,;=:@", false), (b"-._~!$&'()*+,;=:@/?", false)];
    let all: Vec<_> = sets.into_iter().flat_map(|(keep, plus)| [true, false].map(|upper| encode(keep, upper, plus))).collect();
    all.into_iter()
}

/// Inside base64, standard and URL-safe, at each alignment: the characters that depend on nothing but the secret.
fn base64_spellings(secret: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let sextet = |bit: usize| {
        let at = |byte: usize| secret.get(byte).copied().unwrap_or(0);
        let both = u16::from(at(bit / 8)) << 8 | u16::from(at(bit / 8 + 1));
        usize::from(both >> (10 - bit % 8) & 0x3f)
    };
    let bits = secret.len() * 8;
    // At alignment n the secret's first whole character begins at its bit 0, 4 or 2.
    let all: Vec<Vec<u8>> = [0, 4, 2]
        .into_iter()
        .flat_map(|first| {
            [STANDARD, URL].map(|letters| (first..).step_by(6).take_while(|bit| bit + 6 <= bits).map(|bit| letters[sextet(bit)]).collect())
        })
        .collect();
    all.into_iter().filter(|text| text.len() >= MIN_SECRET)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::new(secrets.iter().map(|secret| (*secret).to_owned()))
    }

    #[test]
    fn every_spelling_is_masked_at_its_own_length() {
        let secret = "s3cr\"t/ü & more";
        let redactor = redactor(&[secret]);
        for text in [
            "x=s3cr\"t/ü & more.",
            r#"{"x":"s3cr\"t/ü & more"}"#,
            r#"{"x":"s3cr\"t/\u00fc & more"}"#,
            r#"{"x":"s3cr\"t/\u00FC & more"}"#,
            r#"{"x":"s3cr\"t/ü \u0026 more"}"#,
            r#"{"x":"s3cr\"t\/ü & more"}"#,
            r#"{"y":"{\"x\":\"s3cr\\\"t/ü & more\"}"}"#,
            "?x=s3cr%22t%2F%C3%BC%20%26%20more&",
            "?x=s3cr%22t%2f%c3%bc%20%26%20more&",
            "x=s3cr%22t%2F%C3%BC+%26+more&",
        ] {
            let masked = redactor.mask(text);
            assert_eq!(masked.len(), text.len());
            assert!(masked.contains("*****") && !masked.contains("s3cr") && !masked.contains("more"), "{text} -> {masked}");
        }
    }

    #[test]
    fn base64_is_masked_at_each_alignment() {
        // printf 'user:demo-token' | base64, and with one and two letters less before it
        let redactor = redactor(&["demo-token"]);
        for (text, masked) in [
            ("Basic dXNlcjpkZW1vLXRva2Vu.", "Basic dXNlcjp*************."),
            ("Basic dXNyOmRlbW8tdG9rZW4=.", "Basic dXNyOm************4=."),
            ("Basic dXM6ZGVtby10b2tlbg==.", "Basic dXM6*************g==."),
        ] {
            assert_eq!(redactor.mask(text), masked);
        }
    }

    #[test]
    fn lines_of_a_key_are_secrets_too() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n";
        let redactor = redactor(&[key]);
        assert_eq!(redactor.mask("log: kqhkiG9w0BAQEF"), "log: **************");
        assert_eq!(redactor.mask(key.trim()).lines().count(), 4);
        assert!(!redactor.mask(key).contains("KEY"));
    }

    #[test]
    fn short_values_are_left_alone() {
        assert!(redactor(&["abc", ""]).is_empty());
        assert_eq!(redactor(&["abc"]).mask("abc"), "abc");
        assert_eq!(Redactor::default().mask("anything"), "anything");
    }

    #[test]
    fn only_the_beginning_of_a_secret_is_held_back() {
        let mut mask = redactor(&["demo-token"]).stream();
        let mut feed = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            mask.apply(&mut bytes);
            String::from_utf8(bytes).expect("text")
        };
        assert_eq!(feed("with demo-tok"), "with ");
        assert_eq!(feed("en and demo"), "********** and ");
        assert_eq!(feed("cracy\n"), "democracy\n");
        assert_eq!(feed("d"), "");
        assert_eq!(mask.flush(), b"d");
    }

    #[test]
    fn a_cut_end_that_begins_a_secret_is_masked_too() {
        let redactor = redactor(&["demo-token", "schlüssel"]);
        assert_eq!(redactor.mask_cut("serve --token demo-to"), "serve --token *******");
        assert_eq!(redactor.mask_cut("demo-token and schlü"), "********** and ******");
        assert_eq!(redactor.mask_cut("serve --token demo-token"), "serve --token **********");
        assert_eq!(redactor.mask_cut("serve --port 80"), "serve --port 80");
        assert_eq!(Redactor::default().mask_cut("demo-to"), "demo-to");
    }

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in [
            "GITHUB_TOKEN",
            "github_token",
            "AWS_SECRET_ACCESS_KEY",
            "MYSQL_PWD_PASSWORD",
            "API_KEY",
            "DBPASSWORD",
            "NPM_AUTH",
            "GH_PAT",
            "authToken",
        ] {
            assert!(looks_secret(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "PWD",
            "SSH_AUTH_SOCK",
            "TOKENIZERS_PARALLELISM",
            "PUBLIC_KEY",
            "KEYBOARD",
            "MONKEY",
            "XAUTHORITY",
            "PASSENGER",
        ] {
            assert!(!looks_secret(name), "{name}");
        }
    }

    proptest! {
        /// Output masked in any chunks equals the output masked at once, and nothing of a secret is left.
        #[test]
        fn chunks_make_no_difference(
            secrets in proptest::collection::vec("[ab]{4,7}", 1..4),
            text in "[abc\n]{0,80}",
            cuts in proptest::collection::vec(0usize..80, 0..8),
        ) {
            let redactor = Redactor::new(secrets.clone());
            let mut whole = text.clone().into_bytes();
            redactor.mask_bytes(&mut whole);
            prop_assert_eq!(whole.len(), text.len());
            for secret in &secrets {
                prop_assert!(!String::from_utf8_lossy(&whole).contains(secret.as_str()));
            }
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut <= text.len()).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let mut mask = redactor.stream();
            let mut streamed = Vec::new();
            for pair in cuts.windows(2) {
                let mut bytes = text.as_bytes()[pair[0]..pair[1]].to_vec();
                mask.apply(&mut bytes);
                prop_assert!(mask.held().len() <= redactor.longest_held());
                streamed.extend(bytes);
            }
            streamed.extend(mask.flush());
            prop_assert_eq!(streamed, whole);
        }

        #[test]
        fn base64_agrees_with_a_plain_encoder(secret in proptest::collection::vec(any::<u8>(), 4..20), before in 0usize..3) {
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let bytes: Vec<u8> = std::iter::repeat_n(b'?', before).chain(secret.iter().copied()).collect();
            let bits: Vec<bool> = bytes.iter().flat_map(|b| (0..8).map(move |i| b >> (7 - i) & 1 == 1)).collect();
            let encoded: Vec<u8> = bits.chunks_exact(6).map(|six| letters[six.iter().fold(0, |n, bit| n << 1 | usize::from(*bit))]).collect();
            prop_assert!(base64_spellings(&secret).any(|spelling| memchr::memmem::find(&encoded, &spelling).is_some()));
        }
    }
}
