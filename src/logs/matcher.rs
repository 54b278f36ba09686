//! Asks many lines at once: each condition is a pass over a whole text, and passes are combined bit by bit.

use std::{ops::Range, sync::LazyLock};

use aho_corasick::AhoCorasick;
use regex::bytes::Regex;

use super::{
    alert::Alerts,
    format::structure,
    level::{Level, level_of_word},
    line::MAX_LINE,
    manner::Manner,
    query::Condition,
};
use crate::model::LogFormat;

/// Words that every line of a level holds, in any case: a net that is wider than the levels' real spellings.
static ERROR_WORDS: &[&str] = &[
    "err",
    "ftl",
    "fatal",
    "crit",
    "sever",
    "panic",
    "emerg",
    "alert",
    "exception",
    "traceback",
    "uncaught",
    "\":5",
    "\":6",
    "\": 5",
    "\": 6",
    "[e ",
    "[c ",
    "[f ",
    "[e]",
    "[c]",
    "[f]",
    "\ne0",
    "\ne1",
    "\nc0",
    "\nc1",
    "\nf0",
    "\nf1",
    "\n<",
];
static WARN_WORDS: &[&str] = &["warn", "wrn", "\":4", "\": 4", "[w ", "[w]", "\nw0", "\nw1", "\n<"];
static LOW_WORDS: &[&str] = &[
    "debug", "dbg", "debu", "trace", "trc", "verbose", "\":1", "\":2", "\": 1", "\": 2", "[d ", "[t ", "[d]", "[t]", "\nd0", "\nd1",
    "\nt0", "\nt1", "\n<",
];

/// Lines as bits.
pub(super) type Bits = Vec<u64>;

/// Which of the `count` lines of `text` meet all `conditions`. The last line has no newline.
pub(super) fn ask(conditions: &[Condition], manner: &Manner, text: &[u8], count: usize) -> Bits {
    let mut all = ones(count);
    for condition in conditions {
        if all.iter().all(|word| *word == 0) {
            break;
        }
        let mut hits = vec![0; all.len()];
        match condition {
            Condition::Within(regex) | Condition::Without(regex) => mark(text, regex, &mut hits),
            Condition::AtLeast(level) => mark_level(text, *level, manner.format, &mut hits),
            Condition::Matters(more) => {
                mark_alerts(text, &manner.alerts, &mut hits);
                if let Some(more) = more {
                    mark_alerts(text, more, &mut hits);
                }
            }
        }
        let keep = match condition {
            Condition::Within(_) | Condition::Matters(_) => true,
            Condition::Without(_) => false,
            Condition::AtLeast(level) => *level >= Level::Warn,
        };
        for (all, hits) in all.iter_mut().zip(hits) {
            *all &= if keep { hits } else { !hits };
        }
    }
    all
}

/// Bits for `count` lines, all set.
fn ones(count: usize) -> Bits {
    let mut bits = vec![u64::MAX; count.div_ceil(64)];
    if let (Some(last), 1..) = (bits.last_mut(), count % 64) {
        *last = (1 << (count % 64)) - 1;
    }
    bits
}

fn set(bits: &mut [u64], line: usize) {
    if let Some(word) = bits.get_mut(line / 64) {
        *word |= 1 << (line % 64);
    }
}

/// Marks the lines with a match.
fn mark(text: &[u8], regex: &Regex, hits: &mut [u64]) {
    let mut lines = Counter::new(text);
    let mut behind = 0;
    for hit in regex.find_iter(text) {
        // What a view does not show of a line is not asked for: whether a line is found must not depend on its chunks.
        if hit.start() >= behind {
            let start = || memchr::memrchr(b'\n', &text[..hit.start()]).map_or(0, |newline| newline + 1);
            if hit.end() - behind <= MAX_LINE || hit.end() - start() <= MAX_LINE {
                set(hits, lines.at(hit.start()));
            }
            behind = end_of_line(text, hit.start()) + 1;
        }
    }
}

/// Marks the lines that matter.
fn mark_alerts(text: &[u8], alerts: &Alerts, hits: &mut [u64]) {
    let mut lines = Counter::new(text);
    for found in alerts.scan(text).into_iter().filter(|found| !found.order) {
        set(hits, lines.at(found.line.start));
    }
}

/// Marks the lines of level `least` and above, for errors and warnings; below that, those that are less.
fn mark_level(text: &[u8], least: Level, format: LogFormat, hits: &mut [u64]) {
    static ERROR: LazyLock<AhoCorasick> = LazyLock::new(|| net(&[ERROR_WORDS]));
    static WARN: LazyLock<AhoCorasick> = LazyLock::new(|| net(&[ERROR_WORDS, WARN_WORDS]));
    static LOW: LazyLock<AhoCorasick> = LazyLock::new(|| net(&[LOW_WORDS]));
    let (net, keep): (_, fn(Level, Level) -> bool) = match least {
        Level::Error => (&*ERROR, |level, least| level >= least),
        Level::Warn => (&*WARN, |level, least| level >= least),
        Level::Info | Level::Debug | Level::Trace => (&*LOW, |level, least| level < least),
    };
    let mut lines = Counter::new(text);
    let mut test = |line: Range<usize>, hits: &mut [u64]| {
        let said = String::from_utf8_lossy(&text[line.clone()]);
        if structure(&said, format).level.is_some_and(|level| keep(level, least)) {
            set(hits, lines.at(line.start));
        }
    };
    // The first line has no newline before it that the net could catch.
    let mut behind = end_of_line(text, 0);
    test(0..behind, hits);
    while let Some(hit) = net.find(aho_corasick::Input::new(text).range(behind.min(text.len())..)) {
        if !may_be_level(text, hit.range()) {
            behind = hit.end();
            continue;
        }
        let at = hit.start() + usize::from(text[hit.start()] == b'\n');
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
        behind = end_of_line(text, at);
        test(start..behind, hits);
    }
}

/// Whether the word around a hit can be a level: `errors=0` is in most logs and none.
fn may_be_level(text: &[u8], hit: Range<usize>) -> bool {
    if !text[hit.start].is_ascii_alphabetic() {
        return true;
    }
    let start = text[..hit.start].iter().rposition(|b| !b.is_ascii_alphabetic()).map_or(0, |before| before + 1);
    let end = text[hit.end..].iter().position(|b| !b.is_ascii_alphabetic()).map_or(text.len(), |after| hit.end + after);
    let word = str::from_utf8(&text[start..end]).unwrap_or_default();
    let ends = |ending: &str| word.len() >= ending.len() && word[word.len() - ending.len()..].eq_ignore_ascii_case(ending);
    level_of_word(word).is_some() || ["error", "exception", "panicked", "traceback", "uncaught"].into_iter().any(ends)
}

fn net(words: &[&[&str]]) -> AhoCorasick {
    let words = words.iter().flat_map(|words| words.iter());
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).expect("a few dozen short words")
}

fn end_of_line(text: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |newline| from + newline)
}

/// Numbers places by their lines; they must be asked for in order.
struct Counter<'a> {
    text: &'a [u8],
    counted: usize,
    line: usize,
}

impl<'a> Counter<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, counted: 0, line: 0 }
    }

    fn at(&mut self, place: usize) -> usize {
        self.line += memchr::memchr_iter(b'\n', &self.text[self.counted..place]).count();
        self.counted = place;
        self.line
    }
}
