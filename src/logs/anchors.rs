//! Many literal texts, looked for by fewer and shorter ones.
//!
//! Teddy takes 32 bytes at a step for up to 32 texts, and 16 for more. So texts that have a part in common (`[error]`,
//! `error: `, `=error`) are looked for by that part, their anchor, and told apart where it stands. No anchor is part of
//! another one: at one place at most one of them is found, and none hides a text of another.

use std::ops::Range;

use aho_corasick::{AhoCorasick, Input, MatchKind, Span, packed};
use memchr::memmem;

/// Anchors that one search can hold.
const MAX_ANCHORS: usize = 64;

/// Parts that texts are gathered by, and the order in which Teddy gets them: every eighth shares a bucket, and those that
/// are like log text in it make false candidates of each other's bytes (in order of length the search is a third slower).
/// A text with none of them is its own anchor. Shorter than four bytes they would slow the whole search down.
const PREFERRED: [&str; 31] = [
    "rror",
    "panic",
    "fatal",
    "crit",
    "refused",
    "imed out",
    "emory",
    "oom-kill",
    "core dumped",
    "ption: ",
    "Traceback",
    "REFUSED",
    "TIMEDOUT",
    "OOMKilled",
    "Sanitizer: ",
    "Segmentation fault",
    "[alert]",
    "[emerg]",
    "[ALERT]",
    "ERROR",
    "FATAL",
    "CRITICAL",
    "SEVERE",
    "EMERG",
    "PANIC",
    " ERR",
    " FTL ",
    "Uncaught ",
    "l\":50",
    "l\":60",
    "##e2e ",
];

/// A search for any of many texts.
#[derive(Debug)]
pub(super) struct Anchors {
    search: Search,
    /// Of each anchor.
    texts: Vec<Vec<Anchored>>,
}

#[derive(Debug)]
enum Search {
    Packed(packed::Searcher),
    // Machines without vector instructions.
    Automaton(AhoCorasick),
}

/// A text, which of those given it is, and where in it its anchor stands.
#[derive(Debug)]
struct Anchored {
    number: usize,
    bytes: Vec<u8>,
    offset: usize,
}

/// An anchor, found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Anchor {
    pub(super) at: usize,
    number: usize,
}

impl Anchors {
    /// Whether one search can hold these.
    pub(super) fn hold(texts: &[Vec<u8>]) -> bool {
        choose(texts).len() <= MAX_ANCHORS
    }

    /// A search for `texts`, which are not empty.
    pub(super) fn new(texts: &[Vec<u8>]) -> Self {
        let anchors = choose(texts);
        let mut anchored: Vec<Vec<Anchored>> = anchors.iter().map(|_| Vec::new()).collect();
        for (number, text) in texts.iter().enumerate() {
            let offsets = anchors.iter().map(|anchor| memmem::find(text, anchor));
            if let Some((anchor, offset)) = offsets.enumerate().find_map(|(anchor, offset)| Some((anchor, offset?))) {
                anchored[anchor].push(Anchored { number, bytes: text.clone(), offset });
            }
        }
        let packed = packed::Config::new().builder().extend(&anchors).build();
        let search = if let Some(packed) = packed {
            Search::Packed(packed)
        } else {
            let automaton = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(&anchors);
            Search::Automaton(automaton.expect("a few dozen short literals"))
        };
        Self { search, texts: anchored }
    }

    /// The first anchor in `text` at or behind `from`.
    pub(super) fn find(&self, text: &[u8], from: usize) -> Option<Anchor> {
        let (number, at) = match &self.search {
            Search::Packed(packed) => {
                let hit = packed.find_in(text, Span { start: from, end: text.len() })?;
                (hit.pattern().as_usize(), hit.start())
            }
            Search::Automaton(automaton) => {
                let hit = automaton.find(Input::new(text).range(from..))?;
                (hit.pattern().as_usize(), hit.start())
            }
        };
        Some(Anchor { at, number })
    }

    /// Which of the texts stand around `anchor`, and where.
    pub(super) fn around<'a>(&'a self, text: &'a [u8], anchor: Anchor) -> impl Iterator<Item = (usize, Range<usize>)> + 'a {
        self.texts[anchor.number].iter().filter_map(move |anchored| {
            let start = anchor.at.checked_sub(anchored.offset)?;
            let place = start..start + anchored.bytes.len();
            // Of texts that share an anchor the last byte tells most apart, without a call.
            let may_be = text.get(place.end - 1) == anchored.bytes.last();
            (may_be && text[place.clone()] == anchored.bytes).then_some((anchored.number, place))
        })
    }
}

/// Texts of which one is in each of `texts`, and none in another.
fn choose(texts: &[Vec<u8>]) -> Vec<&[u8]> {
    let is_used = |part: &&[u8]| texts.iter().any(|text| memmem::find(text, part).is_some());
    let preferred = PREFERRED.iter().map(|part| part.as_bytes()).filter(is_used);
    let mut candidates: Vec<(usize, &[u8])> = preferred.chain(texts.iter().map(Vec::as_slice)).enumerate().collect();
    candidates.sort_by_key(|(_, candidate)| candidate.len());
    let mut chosen: Vec<(usize, &[u8])> = Vec::new();
    for (place, candidate) in candidates {
        if !chosen.iter().any(|(_, anchor)| memmem::find(candidate, anchor).is_some()) {
            chosen.push((place, candidate));
        }
    }
    chosen.sort_by_key(|(place, _)| *place);
    chosen.into_iter().map(|(_, anchor)| anchor).collect()
}
