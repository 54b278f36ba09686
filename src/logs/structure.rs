//! What a line says about itself: its level, its time, and where both stand in it.
//!
//! Formats are recognised by their parts, not one by one: a line's head is read part by part (time stamp, level, a
//! bracket around either, a logger's name between dashes) until something else comes. JSON and logfmt are told anew as
//! `message key=value`.

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{fields, present::Level};

/// What was found.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Structure {
    pub(super) level: Option<Level>,
    pub(super) time: Option<Time>,
    /// Parts of the text that columns show already, in order.
    pub(super) elided: Vec<Range<usize>>,
    /// The text to show instead, where fields were taken apart.
    pub(super) message: Option<String>,
}

/// The line's own time.
#[derive(Debug, PartialEq)]
pub(super) enum Time {
    /// Where it stands in the text.
    At(Range<usize>),
    /// Its value in a field.
    Value(String),
}

/// Reads the head of `text`.
pub(super) fn structure(text: &str) -> Structure {
    if let Some(found) = fields::json(text).or_else(|| fields::logfmt(text)) {
        return found;
    }
    let mut head = Head { text, at: 0, found: Structure::default() };
    head.read();
    let Head { mut found, .. } = head;
    if found.time.is_none()
        && let Some((time, around)) = bracketed_time(text)
    {
        found.time = Some(Time::At(time));
        found.elided.push(around);
        found.elided.sort_by_key(|range| range.start);
    }
    if found.level.is_none() {
        found.level = spoken_level(text);
    }
    found
}

/// A reader of a line's head.
struct Head<'a> {
    text: &'a str,
    at: usize,
    found: Structure,
}

impl<'a> Head<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Reads parts until one is unknown.
    fn read(&mut self) {
        for _ in 0..12 {
            let blank = self.rest().len() - self.rest().trim_start().len();
            // Blanks behind something elided go with it.
            if self.found.elided.last().is_some_and(|range| range.end == self.at) {
                self.elide(blank);
            }
            self.at += blank;
            if !(self.time() || self.bracket() || self.level() || self.dash() || self.name()) {
                break;
            }
        }
    }

    fn elide(&mut self, len: usize) {
        let range = self.at..self.at + len;
        match self.found.elided.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.found.elided.push(range),
        }
    }

    fn take(&mut self, len: usize) {
        self.elide(len);
        self.at += len;
    }

    fn time(&mut self) -> bool {
        let Some(len) = (if self.found.time.is_none() { time_at(self.rest()) } else { None }) else { return false };
        let rest = &self.rest()[len..];
        if let Some(level) = glog_level(self.rest()) {
            if self.at > 0 {
                return false;
            }
            self.found.level = Some(level);
        }
        // `12:00:01 is when it began` is no time stamp: one stands alone or before more of a head.
        if rest.starts_with(|c: char| !c.is_whitespace() && !matches!(c, ']' | '|' | ':' | ')' | ',')) {
            return false;
        }
        self.found.time = Some(Time::At(self.at..self.at + len));
        self.take(len + rest.starts_with([':', '|', ',']) as usize);
        true
    }

    /// `INFO`, `INFO:`, `warn]`.
    fn level(&mut self) -> bool {
        if self.found.level.is_some() {
            return false;
        }
        let word = word(self.rest());
        let Some(level) = level_of_word(word) else { return false };
        let after = &self.rest()[word.len()..];
        let colon = after.starts_with(':');
        // A word at the very start of a line is a level if it looks like one.
        let shouted = word.bytes().all(|b| b.is_ascii_uppercase());
        let stands_alone = after.is_empty() || after.starts_with(char::is_whitespace);
        if !(colon || stands_alone) || !(shouted || self.found.time.is_some()) {
            return false;
        }
        self.found.level = Some(level);
        self.take(word.len() + usize::from(colon));
        true
    }

    /// `[2026-11-23T06:25:57Z INFO  target]`, `[I 2026-11-23 06:20:33,351 name]`, `[INFO]`, `[main]`.
    fn bracket(&mut self) -> bool {
        let rest = self.rest();
        let Some(end) = rest.starts_with('[').then(|| rest.bytes().take(160).position(|b| b == b']')).flatten() else { return false };
        let (mut at, mut taken, mut kept) = (1, Vec::new(), false);
        while at < end {
            let inner = &rest[at..end];
            let blank = inner.len() - inner.trim_start().len();
            at += blank;
            let inner = &inner[blank..];
            let time = if self.found.time.is_none() { time_at(inner) } else { None };
            let token = inner.find(char::is_whitespace).map_or(inner, |end| &inner[..end]);
            let letter = || if at == 1 { level_of_letter(token) } else { None };
            let len = match (time, level_of_word(token).or_else(letter)) {
                (Some(len), _) => {
                    self.found.time = Some(Time::At(self.at + at..self.at + at + len));
                    len
                }
                (None, Some(level)) if self.found.level.is_none() && !kept => {
                    self.found.level = Some(level);
                    token.len()
                }
                _ => {
                    kept |= !token.is_empty();
                    at += token.len();
                    continue;
                }
            };
            taken.push(self.at + at..self.at + at + len);
            at += len;
        }
        if taken.is_empty() {
            // A thread's or logger's name between the time and the level.
            let more = self.found.time.is_some() && self.found.level.is_none();
            self.at += if more { end + 1 } else { 0 };
            return more;
        }
        if kept {
            for range in taken {
                let blank = self.text[range.end..].len() - self.text[range.end..].trim_start().len();
                self.at = range.start;
                self.elide(range.len() + blank);
            }
            self.at = self.text.len() - rest_after(self.text, self.at).len();
        } else {
            self.take(end + 1 + usize::from(self.rest()[end + 1..].starts_with(':')));
        }
        true
    }

    /// `- ` or `| ` between parts.
    fn dash(&mut self) -> bool {
        let dash = self.rest().starts_with("- ") || self.rest().starts_with("| ");
        if dash && self.at > 0 {
            self.take(1);
        }
        dash && self.at > 0
    }

    /// A logger's name before the level: `name - INFO - `.
    fn name(&mut self) -> bool {
        if self.found.level.is_some() || self.found.time.is_none() {
            return false;
        }
        let Some((name, after)) = self.rest().split_once(" - ") else { return false };
        let named = name.len() <= 80 && !name.contains(char::is_whitespace) && level_of_word(word(after)).is_some();
        if named {
            self.at += name.len() + " - ".len();
        }
        named
    }
}

/// The text behind the next `]`.
fn rest_after(text: &str, at: usize) -> &str {
    text[at..].split_once(']').map_or("", |(_, rest)| rest)
}

/// The word that `text` begins with.
fn word(text: &str) -> &str {
    let end = text.bytes().position(|b| !b.is_ascii_alphabetic()).unwrap_or(text.len());
    &text[..end]
}

/// The level that a word names.
pub(super) fn level_of_word(word: &str) -> Option<Level> {
    let is = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
    if !(3..=9).contains(&word.len()) {
        return None;
    }
    if is(&["error", "err", "fatal", "critical", "crit", "severe", "panic", "emerg", "alert", "emergency", "erro", "ftl"]) {
        Some(Level::Error)
    } else if is(&["warn", "warning", "wrn"]) {
        Some(Level::Warn)
    } else if is(&["info", "inf", "notice", "information"]) {
        Some(Level::Info)
    } else if is(&["debug", "dbg", "debu"]) {
        Some(Level::Debug)
    } else if is(&["trace", "trc", "verbose"]) {
        Some(Level::Trace)
    } else {
        None
    }
}

/// The level that one letter names in `[I …]`.
fn level_of_letter(token: &str) -> Option<Level> {
    Some(match token {
        "E" | "C" | "F" => Level::Error,
        "W" => Level::Warn,
        "I" => Level::Info,
        "D" => Level::Debug,
        "T" => Level::Trace,
        _ => return None,
    })
}

/// glog puts the level's letter before the date: `E1123 06:21:33.334567`.
fn glog_level(head: &str) -> Option<Level> {
    (head.as_bytes().get(1..5)?.iter().all(u8::is_ascii_digit) && head.as_bytes()[0].is_ascii_uppercase())
        .then(|| level_of_letter(&head[..1]))
        .flatten()
}

/// Lines that tell a failure without naming a level.
fn spoken_level(text: &str) -> Option<Level> {
    static ERROR: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r"^(?:thread '.*' (?:\(\d+\) )?panicked at|Traceback \(most recent call last\)|panic: |fatal error: |npm ERR!|npm error |==\d+==ERROR: |Uncaught |(?:[\w.]+(?:Error|Exception)|[Ee]rror|[Ff]atal|error\[\w+\])(?:: |:$))",
        )
    });
    static WARN: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:[Ww]arning(?:\[\w+\])?: |npm warn |npm WARN )"));
    static INFO: LazyLock<Regex> = LazyLock::new(|| pattern(r"^(?:[Ii]nfo|debug): "));
    let head = &text[..text.floor_char_boundary(200)];
    if ERROR.is_match(head) {
        Some(Level::Error)
    } else if WARN.is_match(head) {
        Some(Level::Warn)
    } else if INFO.is_match(head) {
        Some(if head.starts_with('d') { Level::Debug } else { Level::Info })
    } else {
        None
    }
}

/// The length of the time stamp that `text` begins with.
fn time_at(text: &str) -> Option<usize> {
    static STAMP: LazyLock<Regex> = LazyLock::new(|| {
        pattern(concat!(
            r"^(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)*(?:Z| UTC| ?[+-]\d\d:?\d\d)?",
            r"|\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?",
            r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?",
            r"|[IWEFD]\d{4} \d\d:\d\d:\d\d\.\d+",
            r"|\d\d:\d\d:\d\d(?:[.,]\d+)?)",
        ))
    });
    // Cheap first: most lines that carry no time begin with neither a digit nor one of these letters.
    text.as_bytes().first().filter(|b| b.is_ascii_digit() || b.is_ascii_uppercase())?;
    STAMP.find(text).map(|found| found.end())
}

/// The time in an access line: `127.0.0.1 - - [23/Nov/2026:06:21:16 +0000] "GET …`; and what goes with it.
fn bracketed_time(text: &str) -> Option<(Range<usize>, Range<usize>)> {
    static STAMP: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^.{1,120}?\[(\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?:\.\d+)?(?: [+-]\d{4})?)\] ?"));
    text.contains('[').then(|| STAMP.captures(text)).flatten().and_then(|found| {
        let time = found.get(1)?.range();
        Some((time.clone(), time.start - 1..found.get(0)?.end()))
    })
}

/// A pattern of our own.
pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns in the source are valid")
}

#[cfg(test)]
mod tests {
    use crate::logs::present;

    /// Each line as `level | own time | text`.
    fn seen(lines: &[&str]) -> String {
        let tell = |line: &&str| {
            let seen = present(line.as_bytes());
            let level = seen.level.map_or('-', super::Level::letter);
            format!("{level} | {} | {}", seen.own_time.as_deref().unwrap_or("-"), seen.text())
        };
        lines.iter().map(tell).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn rust_formats() {
        insta::assert_snapshot!(seen(&[
            "\x1b[2m2026-11-23T06:25:57.881890Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mtr\x1b[0m\x1b[2m:\x1b[0m Reverse proxy listening on 127.0.0.1:8089",
            "2026-11-23T06:25:57.899611Z  INFO handle{session_id=\"6f1b...\"}: tr: Processing initialize for 6f1b...",
            "2026-11-23T06:25:57.899624Z  WARN handle{session_id=\"6f1b...\"}: tr: upstream failed status=502",
            "2026-11-23T06:25:57.899639Z ERROR tr: HTTP upstream returned error status: 500 Internal Server Error - Body: multi",
            "line",
            "[2026-11-23T06:25:57Z INFO  target::module] env_logger",
            "[2026-11-23T06:25:57Z DEBUG target] env_logger",
            "thread 'main' panicked at src/upstream.rs:42:",
            "thread 'tokio-runtime-worker' (4711) panicked at src/upstream.rs:42:",
            "error[E0506]: cannot assign to `x`",
            "warning: unused variable",
        ]), @r##"
        I | 2026-11-23T06:25:57.881890Z | tr: Reverse proxy listening on 127.0.0.1:8089
        I | 2026-11-23T06:25:57.899611Z | handle{session_id="6f1b..."}: tr: Processing initialize for 6f1b...
        W | 2026-11-23T06:25:57.899624Z | handle{session_id="6f1b..."}: tr: upstream failed status=502
        E | 2026-11-23T06:25:57.899639Z | tr: HTTP upstream returned error status: 500 Internal Server Error - Body: multi
        - | - | line
        I | 2026-11-23T06:25:57Z | [target::module] env_logger
        D | 2026-11-23T06:25:57Z | [target] env_logger
        E | - | thread 'main' panicked at src/upstream.rs:42:
        E | - | thread 'tokio-runtime-worker' (4711) panicked at src/upstream.rs:42:
        E | - | error[E0506]: cannot assign to `x`
        W | - | warning: unused variable
        "##);
    }

    #[test]
    fn fields() {
        insta::assert_snapshot!(seen(&[
            r#"{"timestamp":"2026-11-23T06:25:57.904537Z","level":"WARN","fields":{"message":"upstream failed","status":502},"target":"tr","span":{"session_id":"6f1b","name":"handle"},"spans":[]}"#,
            r#"{"level":30,"time":1763879157904,"pid":12,"hostname":"box","msg":"pino says","reqId":"a b"}"#,
            r#"{"level":"info","ts":1763879157.9,"caller":"main.go:4","msg":"zap says"}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
            r#"{"severity":"ERROR","message":"two\nlines"}"#,
            r#"time="2026-11-23T06:25:57Z" level=info msg="logfmt says \"hi\"" session=6f1b empty="""#,
            "ts=2026-11-23T06:25:57Z level=error msg=short code=7",
            "status=200 elapsed=2ms",
        ]), @r##"
        W | 2026-11-23T06:25:57.904537Z | handle{session_id=6f1b}: tr: upstream failed status=502
        I | 1763879157904 | pino says reqId="a b"
        I | 1763879157.9 | zap says caller=main.go:4
        - | - | {"jsonrpc":"2.0","id":1,"result":{}}
        E | - | two⏎lines
        I | 2026-11-23T06:25:57Z | logfmt says "hi" session=6f1b empty=""
        E | 2026-11-23T06:25:57Z | short code=7
        - | - | status=200 elapsed=2ms
        "##);
    }

    #[test]
    fn python_formats() {
        insta::assert_snapshot!(seen(&[
            "[I 2026-11-23 06:20:33,351.351 mcp_proxy.__main__] Configured default server: x",
            "INFO:     Uvicorn running on http://127.0.0.1:8000",
            "INFO:     127.0.0.1:56716 - \"POST /mcp HTTP/1.1\" 200 OK",
            "2026-11-23 06:21:33,334 - mcp-reference-server - INFO - started",
            "[2026-11-23 06:33:59,687] [INFO] [name] gunicorn-like",
            "[2026-11-23 06:33:59 +0000] [123] [WARNING] gunicorn",
            "[2026-11-23 06:25:10] bare",
            "WARNING:root:basicConfig",
            "Traceback (most recent call last):",
            "  File \"x.py\", line 1, in <module>",
            "ValueError: bad",
        ]), @r##"
        I | 2026-11-23 06:20:33,351.351 | [mcp_proxy.__main__] Configured default server: x
        I | - | Uvicorn running on http://127.0.0.1:8000
        I | - | 127.0.0.1:56716 - "POST /mcp HTTP/1.1" 200 OK
        I | 2026-11-23 06:21:33,334 | mcp-reference-server - started
        I | 2026-11-23 06:33:59,687 | [name] gunicorn-like
        W | 2026-11-23 06:33:59 +0000 | [123] gunicorn
        - | 2026-11-23 06:25:10 | bare
        W | - | root:basicConfig
        E | - | Traceback (most recent call last):
        - | - |   File "x.py", line 1, in <module>
        E | - | ValueError: bad
        "##);
    }

    #[test]
    fn servers_and_others() {
        insta::assert_snapshot!(seen(&[
            "2026/11/23 06:31:25 [error] 21336#21336: *16 upstream prematurely closed",
            "127.0.0.1 - - [23/Nov/2026:06:21:16 +0000] \"GET / HTTP/1.1\" 200 612 \"-\" \"curl\"",
            "127.0.0.1:5000 [23/Nov/2026:06:21:22.693] fe be/srv 0/0/0/1/1 200 100 - - ---- 1/1/0/0/0 0/0 \"GET / HTTP/1.1\"",
            "[06:21:27.616][127.0.0.1:5000] client connect",
            "\x1b[90m2026-11-23T06:22:21.470Z\x1b[0m [ping] \x1b[32mSUCCESS\x1b[0m done",
            "I1123 06:21:33.334567   12345 file.go:42] glog",
            "E1123 06:21:33.334567   12345 file.go:42] glog",
            "2026-11-23 06:21:33,334 [main] INFO  c.e.Foo - logback",
            "2026-11-23T06:21:33.334Z\tINFO\tmain.go:4\tzap console",
            "Nov 23 06:21:16 host prog[1]: syslog",
            "npm warn exec The following package was not found",
            "npm ERR! code 1",
        ]), @r##"
        E | 2026/11/23 06:31:25 | 21336#21336: *16 upstream prematurely closed
        - | 23/Nov/2026:06:21:16 +0000 | 127.0.0.1 - - "GET / HTTP/1.1" 200 612 "-" "curl"
        - | 23/Nov/2026:06:21:22.693 | 127.0.0.1:5000 fe be/srv 0/0/0/1/1 200 100 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1"
        - | 06:21:27.616 | [127.0.0.1:5000] client connect
        - | 2026-11-23T06:22:21.470Z | [ping] SUCCESS done
        I | I1123 06:21:33.334567 | 12345 file.go:42] glog
        E | E1123 06:21:33.334567 | 12345 file.go:42] glog
        I | 2026-11-23 06:21:33,334 | [main] c.e.Foo - logback
        I | 2026-11-23T06:21:33.334Z | main.go:4       zap console
        - | Nov 23 06:21:16 | host prog[1]: syslog
        W | - | npm warn exec The following package was not found
        E | - | npm ERR! code 1
        "##);
    }

    #[test]
    fn lines_without_a_head_stay_as_they_are() {
        insta::assert_snapshot!(seen(&[
            "Received MCP POST request",
            "Session initialized with ID: 56643a0f",
            "12:00:01is when it began",
            "12 monkeys",
            "[ping] works",
            "info is not a level here",
            "Error handling is fine",
            "INFORMATION DESK",
            "",
            "   indented",
            "[unclosed",
            "\u{274c} Failed \u{1f4cb} Context: x",
        ]), @r##"
        - | - | Received MCP POST request
        - | - | Session initialized with ID: 56643a0f
        - | - | 12:00:01is when it began
        - | - | 12 monkeys
        - | - | [ping] works
        - | - | info is not a level here
        - | - | Error handling is fine
        - | - | INFORMATION DESK
        - | - | 
        - | - |    indented
        - | - | [unclosed
        - | - | ❌ Failed 📋 Context: x
        "##);
    }
}
