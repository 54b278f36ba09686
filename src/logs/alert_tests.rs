//! Which lines matter, by examples and by comparison with asking every line.

use std::sync::LazyLock;

use proptest::prelude::*;
use regex::{Regex, RegexSet};

use super::{
    alert::{Alerts, costly_alerts},
    level::{Level, level_of_word},
    present::present,
};
use crate::model::LogFormat;

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

#[test]
fn a_literal_of_the_scenario_is_not_hidden_by_a_built_in_one() {
    let line = "INFO retrying after ERROR from db";
    assert_eq!(alerts(&["ERROR.*db"], line), [line]);
    assert_eq!(alerts(&["CRIT"], "the CRITICAL path"), ["the CRITICAL path"]);
}

static LEVELS: LazyLock<Regex> = LazyLock::new(|| Regex::new("ERROR|FATAL|CRITICAL|SEVERE|EMERG|PANIC| ERR | FTL ").expect("a pattern"));
static ORDER: LazyLock<Regex> = LazyLock::new(|| Regex::new("^ *##e2e ").expect("a pattern"));
static SIGNS: LazyLock<RegexSet> = LazyLock::new(|| {
    let signs = [
        "panicked|Traceback|refused|REFUSED|imed out|TIMEDOUT|ut of memory|OutOfMemory|oom-kill|OOMKilled|Sanitizer: ",
        r"runtime error: |Segmentation fault|core dumped|\[(error|crit|alert|emerg|ALERT)\]",
        r" 5[0-9][0-9] ",
        r"^[A-Za-z0-9_.:]{0,160}(rror: |ption: |error\[|npm ERR!|npm error |Uncaught |panic: |fatal: )",
        r#"(level"?|lvl"?|severity"?|levelname") *:? *(=(error|fatal|critical|crit|panic)|"(d?panic|error|fatal|critical)")([^A-Za-z0-9_-]|$)"#,
        r#""level":[56]0([^0-9]|$)"#,
        r"^\[[ECF] .{0,156}\]",
        r"^[EF][0-9]{4} [0-9].{0,152}\]",
    ];
    RegexSet::new(signs).expect("patterns")
});

/// Whether a line is an alert, as its rules are told: by expressions, one after the other.
fn is_alert(line: &str, own: &[Regex]) -> bool {
    let word = |b: Option<char>| b.is_some_and(|b| b.is_ascii_alphanumeric() || b == '_');
    let is_level = LEVELS.find_iter(line).any(|hit| {
        let (before, after) = (&line[..hit.start()], &line[hit.end()..]);
        let mut words = before.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| word.chars().all(|c| c.is_ascii_uppercase()));
        let alone = hit.as_str().starts_with(' ') || !(word(before.chars().last()) || word(after.chars().next()));
        alone && before.len() <= 160 && !words.any(|word| level_of_word(word).is_some_and(|level| level < Level::Error))
    });
    !ORDER.is_match(line) && (is_level || SIGNS.is_match(line) || own.iter().any(|own| own.is_match(line)))
}

/// Texts of the rules, pieces of them, and what stands around them.
fn pieces() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "panicked",
        "Traceback",
        "refused",
        "ECONNREFUSED",
        "timed out",
        "TIMEDOUT",
        "out of memory",
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
        "ERROR",
        "FATAL",
        "CRITICAL",
        "SEVERE",
        "EMERG",
        "PANIC",
        " ERR ",
        " FTL ",
        "Error: ",
        "Exception: ",
        "error[",
        "npm ERR!",
        "npm error ",
        "Uncaught ",
        "panic: ",
        "fatal: ",
        "level=error",
        "level=fatal",
        "level=critical",
        "level=crit",
        "lvl=panic",
        "\"level\": \"error\"",
        "\"severity\":\"fatal\"",
        "\"levelname\": \"critical\"",
        "\"panic\"",
        "level\":\"dpanic\"",
        "\"level\":50",
        "\"level\":60",
        "[E 2026 x]",
        "[C ",
        "[F ",
        "E1123 06:21 f.go:4]",
        "F1123 0",
        "##e2e ",
        " 502 ",
        " 5000 ",
        "INFO ",
        "WARN",
        "errors=0",
        "no panic",
        "memory",
        "rror",
        "slow 31 ms",
        "=",
        "]",
        "x",
    ];
    prop_oneof![
        6 => proptest::sample::select(WORDS).prop_map(str::to_owned),
        2 => (proptest::sample::select(WORDS), 0usize..6, 0usize..6)
            .prop_map(|(word, from, less)| word.get(from..word.len().saturating_sub(less)).unwrap_or("-").to_owned()),
        3 => Just("\n".to_owned()),
        2 => Just(" ".to_owned()),
        1 => Just(".".repeat(150)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever stands beside whatever: those lines are found, in order and each once, that the rules name.
    #[test]
    fn the_search_equals_asking_every_line(
        said in proptest::collection::vec(pieces(), 0..60),
        own in proptest::sample::subsequence(vec!["ERROR.*db|x$", "refu", "(?i)error", "CRIT", r"\d\d ms", "slow [0-9]", "=err", "mory.+E"], 0..4),
    ) {
        let text = said.concat();
        let patterns: Vec<_> = own.iter().map(|own| Regex::new(own).expect("a pattern")).collect();
        let naive: Vec<_> = text.split('\n').filter(|line| is_alert(line, &patterns)).collect();
        prop_assert_eq!(alerts(&own, &text), naive);
    }
}
