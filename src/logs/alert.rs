//! Lines that matter, found as they arrive.
//!
//! A multi-literal search over a chunk finds candidates at memory speed; a look at the bytes around a candidate decides.
//! Literals are four bytes or longer: at three the search is several times slower, so the two short signs (` 5\d\d `,
//! glog's `E1123`) have searches of their own. Regular expressions of a scenario run only on lines with one of their
//! literals. Those without literals are run over every chunk, and [`costly_alerts`] names them.

use std::{ops::Range, sync::Arc, sync::LazyLock};

use aho_corasick::{AhoCorasick, Input, Span, packed};
use regex::Regex;

use super::{
    level::{Level, level_of_word},
    pattern::{ACCEPTED, LinePattern},
};
use crate::model::LogFormat;

/// Literals that one search can hold at full speed.
const MAX_LITERALS: usize = 64;

/// What ends the head of every line of glog: `E1123 06:21:33.334567 12 file.go:4] text`.
const GLOG_PLACE: u8 = b']';

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
    /// `[E 2026-…`, with the newline before it.
    Bracket,
    /// A line that speaks to the supervisor.
    Order,
    /// A pattern of the scenario.
    User(u16),
}

const SIGNS: [(Sign, &[&str]); 6] = [
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
    (Sign::Bracket, &["\n[E ", "\n[C ", "\n[F "]),
    (Sign::Order, &["##e2e "]),
];

/// The built-in alerts and those of one process.
#[derive(Debug)]
pub(super) struct Alerts {
    search: Search,
    signs: Vec<Sign>,
    /// Of the scenario, with literals.
    patterns: Vec<LinePattern>,
    /// Of the scenario, without.
    costly: Vec<LinePattern>,
    /// Whether lines name their levels.
    levels: bool,
}

#[derive(Debug)]
enum Search {
    Packed(packed::Searcher),
    // Machines without vector instructions.
    Automaton(AhoCorasick),
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
            match &pattern.literals {
                Some(found) if literals.len() + found.len() <= MAX_LITERALS => {
                    literals.extend(found.iter().cloned());
                    signs.resize(literals.len(), Sign::User(patterns.len() as u16));
                    patterns.push(pattern);
                }
                _ => costly.push(pattern),
            }
        }
        let packed = packed::Config::new().builder().extend(&literals).build();
        let search =
            packed.map_or_else(|| Search::Automaton(AhoCorasick::new(&literals).expect("a few dozen short literals")), Search::Packed);
        Self { search, signs, patterns, costly, levels }
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
        // The first line of a text has no newline before it that the searches could see.
        if self.levels && (is_bracketed(text) || is_glog_error(text)) {
            found.push(Found { line: line_at(text, 0), order: false });
        }
        let mut at = 0;
        while let Some((sign, hit)) = self.search.find(text, at) {
            let line = line_at(text, hit.start + usize::from(text[hit.start] == b'\n'));
            match self.judge(self.signs[sign], text, &line, &hit) {
                Some(order) => {
                    at = line.end.max(hit.start + 1);
                    found.push(Found { line, order });
                }
                // A longer sign may begin within this one.
                None => at = hit.start + 1,
            }
        }
        let sorted = found.len();
        each_of(text, b" 5", &|after| matches!(after, [b'0'..=b'9', b'0'..=b'9', b' ', ..]), &mut found);
        // One search instead of two where no line of glog can be: each has a bracket behind its place.
        if self.levels && memchr::memchr(GLOG_PLACE, text).is_some() {
            each_of(text, b"\nE", &|after| is_glog_tail(after), &mut found);
            each_of(text, b"\nF", &|after| is_glog_tail(after), &mut found);
        }
        if found.len() > sorted {
            in_order(&mut found);
        }
        found
    }

    /// Whether the sign at `hit` makes its line matter; `Some(true)` if the line speaks to the supervisor.
    fn judge(&self, sign: Sign, text: &[u8], line: &Range<usize>, hit: &Range<usize>) -> Option<bool> {
        let (before, after) = (&text[line.start..hit.start.max(line.start)], &text[hit.end..line.end.max(hit.end)]);
        let alert = match sign {
            Sign::Sure | Sign::Bracket => true,
            Sign::Level => is_level(before, &text[hit.clone()], after),
            Sign::Opening => is_opening(before),
            Sign::Field => is_level_field(before, &text[hit.clone()], after),
            Sign::Order => return before.iter().all(u8::is_ascii_whitespace).then_some(true),
            Sign::User(pattern) => self.patterns[usize::from(pattern)].regex.is_match(&text[line.clone()]),
        };
        alert.then_some(false)
    }
}

impl Search {
    fn find(&self, text: &[u8], from: usize) -> Option<(usize, Range<usize>)> {
        match self {
            Self::Packed(packed) => {
                let hit = packed.find_in(text, Span { start: from, end: text.len() })?;
                Some((hit.pattern().as_usize(), hit.range()))
            }
            Self::Automaton(automaton) => {
                let hit = automaton.find(Input::new(text).range(from..))?;
                Some((hit.pattern().as_usize(), hit.range()))
            }
        }
    }
}

/// Adds the lines in which `needle` is followed by something that `fits`.
fn each_of(text: &[u8], needle: &[u8], fits: &dyn Fn(&[u8]) -> bool, found: &mut Vec<Found>) {
    for at in memchr::memmem::find_iter(text, needle).filter(|at| fits(&text[at + needle.len()..])) {
        found.push(Found { line: line_at(text, at + usize::from(needle[0] == b'\n')), order: false });
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

/// `[E 2026-…`, `[C `, `[F `.
fn is_bracketed(line: &[u8]) -> bool {
    matches!(line, [b'[', b'E' | b'C' | b'F', b' ', ..])
}

/// `E1123 06:21:33`, and `F` for fatal.
fn is_glog_error(line: &[u8]) -> bool {
    line.strip_prefix(b"E").or_else(|| line.strip_prefix(b"F")).is_some_and(is_glog_tail)
}

/// The same behind its letter.
fn is_glog_tail(after: &[u8]) -> bool {
    matches!(after, [m1, m2, d1, d2, b' ', hour, ..] if [m1, m2, d1, d2, hour].into_iter().all(u8::is_ascii_digit)) && {
        let head = &after[..after.len().min(HEAD)];
        let line = &head[..memchr::memchr(b'\n', head).unwrap_or(head.len())];
        line.contains(&GLOG_PLACE)
    }
}

/// Which of a scenario's alert patterns are run over every line, since no literal text is in all of their matches.
pub fn costly_alerts(patterns: &[Regex]) -> Vec<&str> {
    let is_costly = |pattern: &&Regex| LinePattern::new(pattern.as_str(), false, ACCEPTED).is_ok_and(|pattern| pattern.literals.is_none());
    patterns.iter().filter(is_costly).map(Regex::as_str).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::present;

    fn alerts(own: &[&str], text: &str) -> Vec<String> {
        let own: Vec<_> = own.iter().map(|own| Regex::new(own).expect("a pattern")).collect();
        Alerts::new(&own, LogFormat::Auto)
            .scan(text.as_bytes())
            .into_iter()
            .filter(|found| !found.order)
            .map(|found| text[found.line].to_owned())
            .collect()
    }

    #[test]
    fn lines_that_matter_are_found_in_every_format() {
        let bad = [
            "thread 'main' panicked at src/upstream.rs:42:",
            "Traceback (most recent call last):",
            "ValueError: bad",
            "pydantic_core._pydantic_core.ValidationError: 3 errors",
            "error: could not compile",
            "error[E0506]: cannot assign",
            "127.0.0.1 - - [23/Nov/2026:06:21:16 +0000] \"GET / HTTP/1.1\" 502 157 \"-\"",
            "INFO:     127.0.0.1:56716 - \"POST /mcp HTTP/1.1\" 500 Internal Server Error",
            "connect 127.0.0.1:20001: Connection refused",
            "Error: connect ECONNREFUSED 127.0.0.1",
            "request timed out",
            "2026-11-23T06:25:57.899639Z ERROR tr: HTTP upstream returned error status",
            "[2026-11-23T06:25:57Z ERROR target] msg",
            "2026-11-23 06:21:33,334 - server - CRITICAL - down",
            "{\"timestamp\":\"2026\",\"level\":\"ERROR\",\"fields\":{}}",
            "{\"level\": \"error\", \"msg\": \"x\"}",
            "{\"level\":50,\"time\":1,\"msg\":\"x\"}",
            "time=2026 level=error msg=x",
            "2026/11/23 06:31:25 [error] 21336#21336: *16 upstream prematurely closed",
            "[E 2026-11-23 06:20:33,351 name] x",
            "E1123 06:21:33.334567 12 file.go:4] x",
            "npm ERR! code 1",
            "npm error code 1",
            "06:21:33 ERR failed",
            "java.lang.OutOfMemoryError: heap",
            "==1==ERROR: AddressSanitizer: heap-use-after-free",
        ];
        for line in bad {
            assert_eq!(alerts(&[], line), [line]);
        }
        let text = format!("fine\n{}\nfine", bad.join("\nfine\n"));
        assert_eq!(alerts(&[], &text), bad, "each once, among others");
    }

    #[test]
    fn what_names_an_error_level_matters() {
        for line in [
            "[C 2026-11-23 06:20:33,351 name] x",
            "[F 2026-11-23 06:20:33,351 name] x",
            "F1123 06:21:33.334567 12 file.go:4] x",
            "6:21AM FTL gone",
            "time=2026-11-23T06:25:57Z level=ERROR msg=slog",
            "time=2026-11-23T06:25:57Z level=crit msg=x",
            r#"{"level":"dpanic","ts":1.763879157904e+09,"msg":"x"}"#,
            r#"{"levelname": "CRITICAL", "message": "x"}"#,
            "[ALERT]    (4711) : config : parsing [x.cfg:3] : unknown keyword",
            "2026-11-23 06:21:33,334 [main] FATAL c.e.Foo - logback",
            "WARN: x\nSEVERE: y",
        ] {
            let last = line.lines().last().unwrap_or_default();
            assert_eq!(present(last.as_bytes()).level, Some(Level::Error), "{last}");
            assert_eq!(alerts(&[], line), [last]);
            assert_eq!(alerts(&[], &format!("fine\n{line}\nfine")), [last]);
        }
    }

    #[test]
    fn in_plain_lines_only_words_of_trouble_matter() {
        let text = "ERROR x\nE1123 06:21:33.3 1 f.go:4] x\npanicked at\nGET / 502 x\nerror: y\nmine";
        let own = [Regex::new("^mine").expect("a pattern")];
        let found = Alerts::new(&own, LogFormat::Plain).scan(text.as_bytes());
        assert_eq!(found.into_iter().map(|found| &text[found.line]).collect::<Vec<_>>(), ["panicked at", "GET / 502 x", "mine"]);
    }

    #[test]
    fn near_misses_are_none() {
        for line in [
            "INFO upstream: response 1500 bytes, errors=0 n=7",
            "INFO auth: token accepted, refuse=false",
            "timer: tick, timeout in 30 s",
            "sse: event 2005 sent, no panic",
            "INFO retrying after ERROR from peer",
            "took 512ms",
            "status 5000 ",
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32601}}",
            "{\"level\":30,\"msg\":\"error rate 0\"}",
            "{\"level\":500,\"msg\":\"x\"}",
            "level=errors_total",
            "ERRORS=0 TERROR",
            "the error: small",
            "Exit E1123 ",
        ] {
            assert_eq!(alerts(&[], line), Vec::<String>::new(), "{line}");
        }
    }

    #[test]
    fn a_line_counts_once_however_much_is_in_it() {
        assert_eq!(alerts(&["refused.*again", r"\d+"], "ERROR 502 refused 502 again\nnone here").len(), 1);
    }

    #[test]
    fn own_patterns_run_with_and_without_literals() {
        let text = "slow answer 31 ms\nfast\nslow answer 4 ms\nSLOW\n\n";
        assert_eq!(alerts(&[r"slow answer \d\d"], text), ["slow answer 31 ms"]);
        assert_eq!(alerts(&[r"(?i)^slow$"], text), ["SLOW"]);
        assert_eq!(alerts(&[r"^\w{4}$"], text), ["fast", "SLOW"]);
        let own = [r"\d\d", "literal"].map(|own| Regex::new(own).expect("a pattern"));
        assert_eq!(costly_alerts(&own), [r"\d\d"]);
    }

    #[test]
    fn orders_stand_at_the_beginning_of_a_line() {
        let text = b"##e2e progress 1 of 2\nsaid ##e2e mark x\n  ##e2e mark y\n";
        let found = Alerts::new(&[], LogFormat::Auto).scan(text);
        assert_eq!(found.iter().map(|found| found.line.start).collect::<Vec<_>>(), [0, 40]);
        assert!(found.iter().all(|found| found.order));
    }
}
