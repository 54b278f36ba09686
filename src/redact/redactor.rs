//! What to look for, and where it is.

use std::{borrow::Cow, collections::BTreeSet, fmt, ops::Range, sync::Arc};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};

use super::{
    spell::{is_escapable, spellings},
    stream::StreamMask,
    view::Reading,
    wrap,
};

/// Values shorter than this are not masked: they would occur everywhere.
pub const MIN_SECRET: usize = 4;

/// What the quick search looks for is this long at most: enough to be rare, short enough to be the same for many.
const NEEDLE: usize = 8;

/// Encoded, a byte takes up to six (`\u001b`).
const WIDEST: usize = 6;

/// Escape sequences within a secret, in bytes, that a stream is held back for.
const ESCAPES: usize = 1024;

/// Knows the secrets of a run. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor(Option<Arc<Patterns>>);

/// All spellings of all secrets.
pub(super) struct Patterns {
    /// In order.
    spellings: Vec<Vec<u8>>,
    /// Finds out at memory speed whether there is anything to mask.
    quick: Quick,
    every: AhoCorasick,
    longest: usize,
    begins: [bool; 256],
    multi_line: bool,
    /// Some secret is changed by programs that write it into a literal.
    escapable: bool,
    /// Some secret has a blank in it.
    blanks: bool,
}

/// Finds how spellings begin.
enum Quick {
    Packed(packed::Searcher),
    /// For more beginnings than a packed search takes.
    Table(AhoCorasick),
}

impl Redactor {
    /// Masks each of `secrets`. Values under [`MIN_SECRET`] bytes are left out; whoever reads them from a user refuses
    /// them with a message.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let (mut all, mut escapable, mut blanks) = (BTreeSet::new(), false, false);
        for secret in secrets {
            all.append(&mut spellings(&secret));
            escapable |= is_escapable(&secret);
            blanks |= secret.contains(' ');
        }
        if all.is_empty() {
            return Self(None);
        }
        let spellings: Vec<_> = all.into_iter().collect();
        // Only the noncontiguous automaton is small for any number of long patterns; it runs on hits alone.
        let every = AhoCorasick::builder().kind(Some(AhoCorasickKind::NoncontiguousNFA)).build(&spellings);
        let mut begins = [false; 256];
        for spelling in &spellings {
            begins[usize::from(spelling[0])] = true;
        }
        Self(Some(Arc::new(Patterns {
            quick: Quick::new(&spellings),
            every: every.expect("secrets are far smaller than an automaton's limits"),
            longest: spellings.iter().map(Vec::len).max().unwrap_or(0),
            begins,
            multi_line: spellings.iter().any(|spelling| spelling.contains(&b'\n')),
            escapable,
            blanks,
            spellings,
        })))
    }

    /// Whether there is nothing to mask.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// `text` without secrets.
    pub fn mask<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(covered) = self.0.as_ref().map(|patterns| patterns.cover(text.as_bytes(), 0)).filter(|covered| !covered.is_empty()) else {
            return Cow::Borrowed(text);
        };
        let mut bytes = text.as_bytes().to_vec();
        star(&mut bytes, covered);
        // Spellings are whole characters, so what is left is too.
        Cow::Owned(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Masks `text` where it stands; nothing is copied if there is nothing to mask.
    pub fn mask_in(&self, text: &mut String) {
        if let Cow::Owned(masked) = self.mask(text) {
            *text = masked;
        }
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
            let covered = patterns.cover(bytes, 0);
            star(bytes, covered);
        }
    }

    /// A mask for output that comes in chunks.
    pub fn stream(&self) -> StreamMask {
        StreamMask::new(self.clone())
    }

    /// The most bytes that a [`StreamMask`] can hold back.
    pub fn longest_held(&self) -> usize {
        self.0.as_ref().map_or(0, |patterns| patterns.longest_held())
    }

    pub(super) fn patterns(&self) -> Option<&Patterns> {
        self.0.as_deref()
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} spellings)", self.0.as_ref().map_or(0, |patterns| patterns.spellings.len()))
    }
}

impl Quick {
    fn new(spellings: &[Vec<u8>]) -> Self {
        let needles: BTreeSet<&[u8]> = spellings.iter().map(|spelling| &spelling[..spelling.len().min(NEEDLE)]).collect();
        match packed::Config::new().builder().extend(&needles).build() {
            Some(packed) => Self::Packed(packed),
            None => Self::Table(
                AhoCorasick::builder()
                    .kind(Some(AhoCorasickKind::DFA))
                    .match_kind(MatchKind::LeftmostFirst)
                    .build(&needles)
                    .expect("a table of short beginnings is small"),
            ),
        }
    }

    fn hits<'a>(&'a self, bytes: &'a [u8]) -> Box<dyn Iterator<Item = Range<usize>> + 'a> {
        match self {
            Self::Packed(packed) => Box::new(packed.find_iter(bytes).map(|hit| hit.range())),
            Self::Table(table) => Box::new(table.find_iter(bytes).map(|hit| hit.range())),
        }
    }
}

impl Patterns {
    fn longest_held(&self) -> usize {
        self.longest * WIDEST + ESCAPES
    }

    /// How far from an encoded byte the secret may begin or end that it is part of.
    fn reach(&self) -> usize {
        self.longest * WIDEST
    }

    /// Where secrets are, in order and without overlaps. Directly before `bytes` stood `run` letters of base64.
    pub(super) fn cover(&self, bytes: &[u8], run: usize) -> Vec<Range<usize>> {
        let mut all = self.literal(bytes);
        self.encoded(bytes, Reading::ALL, 0, &mut all);
        for view in wrap::views(bytes, run, self.longest) {
            for range in &self.literal(&view.bytes) {
                all.extend(view.raw(range));
            }
        }
        all.sort_unstable_by_key(|range| range.start);
        joined(all)
    }

    fn is_of_use(&self, reading: Reading) -> bool {
        match reading {
            Reading::Terminal | Reading::Percent => true,
            Reading::Form => self.blanks,
            Reading::Backslash => self.escapable,
        }
    }

    /// Adds where secrets are that only show when `bytes` are read in one of `readings`.
    fn encoded(&self, bytes: &[u8], readings: &[Reading], depth: usize, all: &mut Vec<Range<usize>>) {
        for reading in readings.iter().copied().filter(|reading| self.is_of_use(*reading)) {
            for view in reading.views(bytes, self.reach(), false) {
                let mut found = self.literal(&view.bytes);
                // Encodings of encodings, to a depth that keeps the worst of lines bearable; colours come for free.
                let deeper = depth + usize::from(reading != Reading::Terminal);
                if deeper < 2 {
                    self.encoded(&view.bytes, reading.within(), deeper, &mut found);
                }
                for range in &found {
                    all.extend(view.raw(range));
                }
            }
        }
    }

    /// Where secrets stand as they are spelled, joined.
    fn literal(&self, bytes: &[u8]) -> Vec<Range<usize>> {
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
        let reach = self.longest;
        joined(self.quick.hits(bytes).map(|hit| hit.start.saturating_sub(reach)..(hit.end + reach).min(bytes.len())))
    }

    /// Where the longest end of `bytes` begins that a secret may go on from.
    pub(super) fn open_start(&self, bytes: &[u8], run: usize) -> usize {
        let reach = bytes.len().saturating_sub(self.longest_held());
        let mut from = reach;
        if !self.multi_line {
            from += memchr::memrchr(b'\n', &bytes[from..]).map_or(0, |at| at + 1);
        }
        let start = from + self.open_in(&bytes[from..], Reading::ALL, 0);
        self.broken_open(bytes, reach, run).map_or(start, |broken| start.min(broken))
    }

    /// The same for base64 that is broken into lines, from `from` on.
    fn broken_open(&self, bytes: &[u8], from: usize, run: usize) -> Option<usize> {
        let view = wrap::open_view(bytes, from, run)?;
        let seen = self.literal_open(&view.bytes);
        view.raw(&(seen..seen + 1)).next().filter(|_| seen < view.bytes.len()).map(|raw| raw.start)
    }

    /// What belongs to a secret that `bytes` end within: nothing more comes. A beginning counts from `least` bytes of the
    /// secret on, however many they are written in. Like [`Self::cover`], in order and without what a reader swallows.
    pub(super) fn begun(&self, bytes: &[u8], run: usize, least: usize) -> Vec<Range<usize>> {
        let mut all = self.begun_in(bytes, Reading::ALL, 0, least);
        if let Some(view) = wrap::open_view(bytes, 0, run)
            && let Some(range) = self.literal_begun(&view.bytes, least)
        {
            all.extend(view.raw(&range));
        }
        all.sort_unstable_by_key(|range| range.start);
        joined(all)
    }

    fn literal_begun(&self, bytes: &[u8], least: usize) -> Option<Range<usize>> {
        let begun = self.literal_open(bytes)..bytes.len();
        (begun.len() >= least).then_some(begun)
    }

    fn begun_in(&self, bytes: &[u8], readings: &[Reading], depth: usize, least: usize) -> Vec<Range<usize>> {
        let mut all: Vec<_> = self.literal_begun(bytes, least).into_iter().collect();
        for reading in readings.iter().copied().filter(|reading| self.is_of_use(*reading)) {
            let deeper = depth + usize::from(reading != Reading::Terminal);
            let within = if deeper < 2 { reading.within() } else { &[] };
            // An unfinished escape at the end is cut off in one view and taken for what it looks like in the other: with an
            // `ESC ]` that nothing ends, the text behind it is shown.
            for open in [true, false] {
                let Some(view) = reading.views(bytes, self.reach(), open).pop().filter(|view| view.end == bytes.len()) else { continue };
                let found = self.begun_in(&view.bytes, within, deeper, least);
                for range in &found {
                    all.extend(view.raw(range));
                }
                if let Some(unfinished) = view.unfinished.filter(|_| reading != Reading::Terminal && !found.is_empty()) {
                    // Half of the next byte tells half of it.
                    all.push(unfinished.at..bytes.len());
                }
            }
        }
        all
    }

    fn open_in(&self, bytes: &[u8], readings: &[Reading], depth: usize) -> usize {
        let mut start = self.literal_open(bytes);
        for reading in readings.iter().copied().filter(|reading| self.is_of_use(*reading)) {
            // Only the last of them reaches the end.
            let Some(view) = reading.views(bytes, self.reach(), true).pop().filter(|view| view.end == bytes.len()) else { continue };
            let deeper = depth + usize::from(reading != Reading::Terminal);
            let within = if deeper < 2 { reading.within() } else { &[] };
            let seen = self.open_in(&view.bytes, within, deeper);
            if seen < view.bytes.len() {
                start = view.raw(&(seen..seen + 1)).next().map_or(start, |raw| start.min(raw.start));
            } else if let Some(unfinished) = view.unfinished
                // What is behind an escape sequence can only be read by who knows where it began.
                && (reading == Reading::Terminal || self.may_begin(unfinished.high))
            {
                start = start.min(unfinished.at);
            }
        }
        start
    }

    /// Whether a secret may begin with an encoded byte. Nobody encodes letters and digits.
    fn may_begin(&self, high: Option<u8>) -> bool {
        let encoded = |b: &u8| !b.is_ascii_alphanumeric() && high.is_none_or(|high| *b >> 4 == high);
        (0..=u8::MAX).any(|b| self.begins[usize::from(b)] && encoded(&b))
    }

    /// Where the longest end of `bytes` begins that is the beginning of a spelling.
    fn literal_open(&self, bytes: &[u8]) -> usize {
        let from = bytes.len().saturating_sub(self.longest - 1);
        let goes_on = |start: &usize| {
            let end = &bytes[*start..];
            self.begins[usize::from(end[0])] && {
                // The first spelling above `end` begins with it if any longer one does.
                let next = self.spellings.partition_point(|spelling| spelling.as_slice() <= end);
                self.spellings.get(next).is_some_and(|spelling| spelling.starts_with(end))
            }
        };
        (from..bytes.len()).find(goes_on).unwrap_or(bytes.len())
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

/// Replaces the `secrets` in `bytes` by stars, newlines excepted.
pub(super) fn star(bytes: &mut [u8], secrets: impl IntoIterator<Item = Range<usize>>) {
    for secret in secrets {
        bytes[secret].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b'*');
    }
}
