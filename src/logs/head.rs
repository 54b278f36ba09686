//! What stands before a line's message, part by part.
//!
//! Formats are recognised by their parts, not one by one: a time stamp, a level, a bracket around either, a logger's name
//! between dashes, until something else comes.

use std::sync::LazyLock;

use regex::Regex;

use super::{
    level::{Level, level_of_letter, level_of_word},
    stamp::{bracketed_time, time_at},
    structure::{Structure, Time, pattern},
};

/// Reads the head of `text`.
pub(super) fn head(text: &str) -> Structure {
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
        self.priority();
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

    /// syslog's `<131>` before a time: its last three bits are the level.
    fn priority(&mut self) {
        let Some((number, rest)) = self.text.strip_prefix('<').and_then(|text| text.split_once('>')) else { return };
        let Some(number) = number.parse::<u8>().ok().filter(|number| *number < 192) else { return };
        let version = if rest.starts_with("1 ") { 2 } else { 0 };
        if time_at(&rest[version..]).is_some() {
            self.found.level = Some(match number % 8 {
                0..=3 => Level::Error,
                4 => Level::Warn,
                5 | 6 => Level::Info,
                _ => Level::Debug,
            });
            self.take(self.text.len() - rest.len() + version);
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
        let glog = glog_level(self.rest());
        if glog.is_some() && self.at > 0 {
            return false;
        }
        // `12:00:01 is when it began` is no time stamp: one stands alone or before more of a head.
        if rest.starts_with(|c: char| !c.is_whitespace() && !matches!(c, ']' | '|' | ':' | ')' | ',')) {
            return false;
        }
        self.found.level = self.found.level.or(glog);
        self.found.time = Some(Time::At(self.at + usize::from(glog.is_some())..self.at + len));
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

/// glog puts the level's letter before the date: `E1123 06:21:33.334567`.
fn glog_level(head: &str) -> Option<Level> {
    (head.as_bytes().get(1..5)?.iter().all(u8::is_ascii_digit) && head.as_bytes()[0].is_ascii_uppercase())
        .then(|| level_of_letter(&head[..1]))
        .flatten()
}

/// Lines that tell a failure without naming a level.
pub(super) fn spoken_level(text: &str) -> Option<Level> {
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
