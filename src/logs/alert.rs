//! Lines that matter, found as they arrive.
//!
//! A multi-literal search over a chunk finds candidates at memory speed; a look at the bytes around a candidate decides.
//! Literals are four bytes or longer: at three the search is several times slower, so the short signs (` 5\d\d `, glog's
//! `E1123`, `[E `) have searches of their own. Regular expressions of a scenario run only on lines with one of their
//! literals. Those without literals are run over every chunk, and [`costly_alerts`] names them.

use std::{ops::Range, sync::Arc, sync::LazyLock};

use regex::Regex;

use super::{
    anchors::{Anchor, Anchors},
    level::{Level, level_of_word},
    pattern::{ACCEPTED, LinePattern},
};
use crate::model::LogFormat;

/// What ends the head of a line whose level is one letter: `E1123 06:21:33.334567 12 file.go:4] text`,
/// `[E 2026-11-23 06:20:33,351 name] text`.
const HEAD_ENDS: u8 = b']';

/// How far into a line its level is looked for.
const HEAD: usize = 160;

/// What a literal is a sign of.
#[derive(Debug, Clone, Copy)]
enum Sign {
    /// An alert, wherever it stands.
    Sure,
    /// A level written in capitals: an alert if it is the line's level.
    Level,
    /// A word that is the level where a line begins with it, or with a type's name that ends in it.
    Opening,
    /// `level=error`, `"level": "error"`, pino's `"level":50`.
    Field,
    /// A line that speaks to the supervisor.
    Order,
    /// A pattern of the scenario.
    User(u16),
}

const SIGNS: [(Sign, &[&str]); 5] = [
    (
        Sign::Sure,
        &[
            "panicked",
            "Traceback",
            "refused",
            "REFUSED",
            "imed out",
            "TIMEDOUT",
            "ut of memory",
            "OutOfMemory",
            "oom-kill",
            "OOMKilled",
            "Sanitizer: ",
            "runtime error: ",
            "Segmentation fault",
            "core dumped",
            "[error]",
            "[crit]",
            "[alert]",
            "[emerg]",
            "[ALERT]",
        ],
    ),
    (Sign::Level, &["ERROR", "FATAL", "CRITICAL", "SEVERE", "EMERG", "PANIC", " ERR ", " FTL "]),
    (Sign::Opening, &["rror: ", "ption: ", "error[", "npm ERR!", "npm error ", "Uncaught ", "panic: ", "fatal: "]),
    (
        Sign::Field,
        &[
            "=error",
            "=fatal",
            "=critical",
            "=crit",
            "=panic",
            "\"error\"",
            "\"fatal\"",
            "\"critical\"",
            "\"panic\"",
            "\"dpanic\"",
            "\"level\":50",
            "\"level\":60",
        ],
    ),
    (Sign::Order, &["##e2e "]),
];

/// The built-in alerts and those of one process.
#[derive(Debug)]
pub(super) struct Alerts {
    anchors: Anchors,
    /// Of each literal.
    signs: Vec<Sign>,
    /// Of the scenario, with literals.
    patterns: Vec<LinePattern>,
    /// Of the scenario, without.
    costly: Vec<LinePattern>,
    /// Whether lines name their levels.
    levels: bool,
}

/// A line that was found: where it stands, and whether it speaks to the supervisor.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) line: Range<usize>,
    pub(super) order: bool,
}

impl Alerts {
    /// With the scenario's own patterns. In lines that are not to be taken apart no levels are looked for.
    pub(super) fn new(own: &[Regex], format: LogFormat) -> Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Alerts>> = LazyLock::new(|| Arc::new(Alerts::build(&[], true)));
        let levels = format != LogFormat::Plain;
        if own.is_empty() && levels { BUILT_IN.clone() } else { Arc::new(Self::build(own, levels)) }
    }

    fn build(own: &[Regex], levels: bool) -> Self {
        let mut literals: Vec<Vec<u8>> = Vec::new();
        let mut signs = Vec::new();
        let wanted = |sign: &Sign| levels || matches!(sign, Sign::Sure | Sign::Order);
        for (sign, spellings) in SIGNS.into_iter().filter(|(sign, _)| wanted(sign)) {
            literals.extend(spellings.iter().map(|spelling| spelling.as_bytes().to_vec()));
            signs.resize(literals.len(), sign);
        }
        let (mut patterns, mut costly) = (Vec::new(), Vec::new());
        // What a `Regex` accepts, a `LinePattern` does: both come from one parser.
        for pattern in own.iter().filter_map(|own| LinePattern::new(own.as_str(), false, ACCEPTED).ok()) {
            let found = pattern.literals.iter().flatten().cloned();
            let all: Vec<_> = literals.iter().cloned().chain(found).collect();
            if pattern.literals.is_some() && Anchors::hold(&all) {
                literals = all;
                signs.resize(literals.len(), Sign::User(patterns.len() as u16));
                patterns.push(pattern);
            } else {
                costly.push(pattern);
            }
        }
        Self { anchors: Anchors::new(&literals), signs, patterns, costly, levels }
    }

    /// The lines of `text` that matter, in order.
    pub(super) fn scan(&self, text: &[u8]) -> Vec<Found> {
        let mut found = self.candidates(text);
        for pattern in &self.costly {
            found.extend(pattern.regex.find_iter(text).map(|hit| Found { line: line_at(text, hit.start()), order: false }));
        }
        if !self.costly.is_empty() {
            in_order(&mut found);
        }
        found
    }

    fn candidates(&self, text: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(anchor) = self.anchors.find(text, at) {
            let line = self.judge_around(text, anchor);
            // Another literal may begin within this one.
            at = line.as_ref().map_or(anchor.at + 1, |found| found.line.end);
            found.extend(line);
        }
        let sorted = found.len();
        each_of(text, b" 5", &|after| matches!(after, [b'0'..=b'9', b'0'..=b'9', b' ', ..]), &mut found);
        // Most texts have no bracket, and so no such line; that is seen at once.
        if self.levels && memchr::memchr(HEAD_ENDS, text).is_some() {
            let starts = std::iter::once(0).chain(memchr::memchr_iter(b'\n', text).map(|newline| newline + 1));
            let lettered = starts.filter(|start| is_lettered(&text[*start..]));
            found.extend(lettered.map(|start| Found { line: line_at(text, start), order: false }));
        }
        if found.len() > sorted {
            in_order(&mut found);
        }
        found
    }

    /// The line of `anchor`, if one of the literals around it makes it matter.
    fn judge_around(&self, text: &[u8], anchor: Anchor) -> Option<Found> {
        let mut line = None;
        let order = self.anchors.around(text, anchor).find_map(|(literal, hit)| {
            let line = line.get_or_insert_with(|| line_at(text, anchor.at));
            self.judge(self.signs[literal], text, line, &hit)
        })?;
        Some(Found { line: line?, order })
    }

    /// Whether the sign at `hit` makes its line matter; `Some(true)` if the line speaks to the supervisor.
    fn judge(&self, sign: Sign, text: &[u8], line: &Range<usize>, hit: &Range<usize>) -> Option<bool> {
        let (before, after) = (&text[line.start..hit.start], &text[hit.end..line.end]);
        let alert = match sign {
            Sign::Sure => true,
            Sign::Level => is_level(before, &text[hit.clone()], after),
            Sign::Opening => is_opening(before),
            Sign::Field => is_level_field(before, &text[hit.clone()], after),
            Sign::Order => return before.iter().all(u8::is_ascii_whitespace).then_some(true),
            Sign::User(pattern) => self.patterns[usize::from(pattern)].regex.is_match(&text[line.clone()]),
        };
        alert.then_some(false)
    }
}

/// Adds the lines in which `needle` is followed by something that `fits`.
fn each_of(text: &[u8], needle: &[u8], fits: &dyn Fn(&[u8]) -> bool, found: &mut Vec<Found>) {
    for at in memchr::memmem::find_iter(text, needle).filter(|at| fits(&text[at + needle.len()..])) {
        found.push(Found { line: line_at(text, at), order: false });
    }
}

/// In the order of the lines, each once.
fn in_order(found: &mut Vec<Found>) {
    found.sort_by_key(|found| (found.line.start, !found.order));
    found.dedup_by_key(|found| found.line.start);
}

/// The line around `at`, without its newline.
fn line_at(text: &[u8], at: usize) -> Range<usize> {
    let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline);
    start..end.max(start)
}

/// Whether a level in capitals is the line's own: near its beginning, a word, and the first level there.
fn is_level(before: &[u8], word: &[u8], after: &[u8]) -> bool {
    let inside = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    let padded = word.starts_with(b" ");
    if before.len() > HEAD || (!padded && (inside(before.last()) || inside(after.first()))) {
        return false;
    }
    let words = before.split(|b| !b.is_ascii_alphabetic()).filter(|word| word.iter().all(u8::is_ascii_uppercase));
    !words.filter_map(|word| str::from_utf8(word).ok()).any(|word| level_of_word(word).is_some_and(|level| level < Level::Error))
}

/// Whether nothing, or the beginning of a type's name, stands before: `ValueError: `, `error: `.
fn is_opening(before: &[u8]) -> bool {
    before.len() <= HEAD && before.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':'))
}

/// Whether the value of a field is that of the level.
fn is_level_field(before: &[u8], hit: &[u8], after: &[u8]) -> bool {
    if hit.starts_with(b"\"level\":") {
        return !after.first().is_some_and(u8::is_ascii_digit);
    }
    if after.first().is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')) {
        return false;
    }
    let key = before.trim_ascii_end();
    let key = key.strip_suffix(b":").unwrap_or(key).trim_ascii_end();
    [&b"level"[..], b"level\"", b"lvl", b"lvl\"", b"severity", b"severity\"", b"levelname\""].iter().any(|name| key.ends_with(name))
}

/// Whether the line that begins here has a letter for its level, and that of an error: `[E 2026-…`, `E1123 06:21:33`; `C` and
/// `F` for critical and fatal.
fn is_lettered(from: &[u8]) -> bool {
    let begins = match from {
        [b'[', b'E' | b'C' | b'F', b' ', ..] => true,
        [b'E' | b'F', m1, m2, d1, d2, b' ', hour, ..] => [m1, m2, d1, d2, hour].into_iter().all(u8::is_ascii_digit),
        _ => false,
    };
    begins && {
        let head = &from[..from.len().min(HEAD)];
        head[..memchr::memchr(b'\n', head).unwrap_or(head.len())].contains(&HEAD_ENDS)
    }
}

/// Which of a scenario's alert patterns are run over every line, since no literal text is in all of their matches.
pub fn costly_alerts(patterns: &[Regex]) -> Vec<&str> {
    let is_costly = |pattern: &&Regex| LinePattern::new(pattern.as_str(), false, ACCEPTED).is_ok_and(|pattern| pattern.literals.is_none());
    patterns.iter().filter(is_costly).map(Regex::as_str).collect()
}
