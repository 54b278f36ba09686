//! A query as people type it, in one line.
//!
//! ```text
//! level:warn process:upstream,proxy status=502 !health since:1.5s upstream failed
//! ```
//!
//! Words with a colon after a known name, fields (`name=value`) and words after `!` are conditions of their own, wherever
//! they stand; all else is one pattern as it was typed, blanks included: an expression, or the text itself where it is
//! none. Text in double quotes is never taken apart.

use std::time::Duration;

use super::{
    level::Level,
    pattern::InvalidPattern,
    query::{Pattern, Query},
    store::Stream,
};
use crate::model::{At, ProcessId};

/// A typed line, understood.
#[derive(Debug, Clone, Default)]
pub struct Typed {
    /// What is asked.
    pub query: Query,
}

/// Why a typed line cannot be understood; it says what to type instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mistyped {
    /// No level has this name.
    #[error("`{0}` is no level: error, warn, info, debug or trace")]
    Level(String),
    /// No stream has this name.
    #[error("`{0}` is no stream: out or err")]
    Stream(String),
    /// No process has this name.
    #[error("there is no process `{0}`")]
    Process(String),
    /// It is no time since the run's start.
    #[error("`{0}` is no time since the start of the run: 1.5s, 250ms or 2m")]
    Time(String),
    /// The engine refuses it.
    #[error(transparent)]
    Pattern(#[from] InvalidPattern),
}

impl Typed {
    /// Understands `text`, in a run of these `processes`.
    pub fn parse(text: &str, processes: &[ProcessId]) -> Result<Self, Mistyped> {
        let mut query = Query::default();
        let (mut rest, mut from, mut until) = (String::new(), At::START, At(u64::MAX));
        for word in words(text) {
            match condition(word) {
                Condition::Level(name) => {
                    query.level = Some(super::level::level_of_word(name).ok_or_else(|| Mistyped::Level(name.to_owned()))?);
                }
                Condition::Stream(name) => {
                    let stream =
                        Stream::ALL.into_iter().find(|stream| stream.word() == name || name.strip_prefix("std") == Some(stream.word()));
                    query.stream = Some(stream.ok_or_else(|| Mistyped::Stream(name.to_owned()))?);
                }
                Condition::Process(names) => {
                    let find = |name: &str| {
                        let found = processes.iter().find(|process| process.as_str().eq_ignore_ascii_case(name));
                        found.cloned().ok_or_else(|| Mistyped::Process(name.to_owned()))
                    };
                    let found = names.split(',').filter(|name| !name.is_empty()).map(find).collect::<Result<Vec<_>, _>>()?;
                    query.only.get_or_insert_default().extend(found);
                }
                Condition::Since(time) => from = at(time)?,
                Condition::Until(time) => until = at(time)?,
                Condition::Field(name, value) => query.within.push(Pattern::field(name, value)?),
                Condition::Without(text) => query.without.push(Pattern::either(text)?),
                Condition::Text => rest.push_str(word),
            }
        }
        if (from, until) != (At::START, At(u64::MAX)) {
            query.time = Some(from..until);
        }
        let rest = rest.trim();
        let quoted = rest.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).filter(|inside| !inside.contains('"'));
        if let Some(quoted) = quoted.filter(|quoted| !quoted.is_empty()) {
            query.within.push(Pattern::text(quoted)?);
        } else if !rest.is_empty() {
            query.within.push(Pattern::either(rest)?);
        }
        // A level asked for by name shows the lines of that level and above; lines without one do not count for `info:`.
        query.level = query.level.filter(|level| *level > Level::Trace);
        Ok(Self { query })
    }
}

/// What a word is.
enum Condition<'a> {
    Level(&'a str),
    Stream(&'a str),
    Process(&'a str),
    Since(&'a str),
    Until(&'a str),
    Field(&'a str, &'a str),
    Without(&'a str),
    /// Part of the pattern.
    Text,
}

fn condition(word: &str) -> Condition<'_> {
    let named = |name: &str| word.strip_prefix(name).and_then(|rest| rest.strip_prefix(':')).filter(|value| !value.is_empty());
    if let Some(value) = named("level") {
        Condition::Level(value)
    } else if let Some(value) = named("stream") {
        Condition::Stream(value)
    } else if let Some(value) = named("process") {
        Condition::Process(value)
    } else if let Some(value) = named("since") {
        Condition::Since(value)
    } else if let Some(value) = named("until") {
        Condition::Until(value)
    } else if let Some(text) = word.strip_prefix('!').filter(|text| !text.is_empty()) {
        Condition::Without(text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).filter(|text| !text.is_empty()).unwrap_or(text))
    } else if let Some((name, value)) = field(word) {
        Condition::Field(name, value)
    } else {
        Condition::Text
    }
}

/// `name=value` without anything of an expression in it.
fn field(word: &str) -> Option<(&str, &str)> {
    let (name, value) = word.split_once('=')?;
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    let name_fits =
        name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
    (name_fits && !value.is_empty() && !value.contains(['*', '+', '?', '|', '(', '[', '{', '\\', '^', '$', '"'])).then_some((name, value))
}

/// The words of a line and the blanks between them, all in order; what is in double quotes is one word.
fn words(text: &str) -> Vec<&str> {
    let (mut words, mut start, mut quoted, mut blank) = (Vec::new(), 0, false, false);
    for (at, c) in text.char_indices() {
        quoted ^= c == '"';
        let is_blank = c.is_whitespace() && !quoted;
        if is_blank != blank && at > start {
            words.push(&text[start..at]);
            start = at;
        }
        blank = is_blank;
    }
    words.push(&text[start..]);
    words
}

/// `1.5s`, `250ms`, `2m`, `1h`, `90`: since the run's start.
fn at(text: &str) -> Result<At, Mistyped> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit {
        "ms" => 0.001,
        "s" | "" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(Mistyped::Time(text.to_owned())),
    };
    let number: f64 = number.parse().map_err(|_| Mistyped::Time(text.to_owned()))?;
    let time = Duration::try_from_secs_f64(number * seconds).map_err(|_| Mistyped::Time(text.to_owned()))?;
    Ok(At(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Query, Mistyped> {
        let all: Vec<_> = ["up", "proxy"].iter().map(|name| ProcessId::new(name).expect("a name")).collect();
        Typed::parse(text, &all).map(|typed| typed.query)
    }

    /// Patterns in and out as they were typed.
    fn told(text: &str) -> (Vec<String>, Vec<String>) {
        let query = parse(text).expect("understood");
        let told = |patterns: &[Pattern]| patterns.iter().map(|pattern| pattern.typed().to_owned()).collect();
        (told(&query.within), told(&query.without))
    }

    #[test]
    fn what_is_typed_is_a_pattern_unless_it_names_something() {
        let (none, one) = (Vec::<String>::new(), |text: &str| vec![text.to_owned()]);
        assert_eq!(told(""), (none.clone(), none.clone()));
        assert_eq!(told(r"\d{3} OK"), (one(r"\d{3} OK"), none.clone()));
        assert_eq!(told("upstream  failed"), (one("upstream  failed"), none.clone()));
        assert_eq!(told("a=.* b"), (one("a=.* b"), none.clone()));
        assert_eq!(told("http://x:1 -32000"), (one("http://x:1 -32000"), none.clone()));
        assert_eq!(told("failed !health !\"a b\""), (one("failed"), vec!["health".into(), "a b".into()]));
        assert_eq!(told("status=502 failed"), (vec!["status=502".into(), "failed".into()], none.clone()));
        assert_eq!(told("\"level:warn x=1\""), (one("level:warn x=1"), none));
    }

    #[test]
    fn conditions_combine() {
        let query = parse("level:warn stream:err process:UP,proxy since:1.5s until:2m refused").expect("understood");
        assert_eq!((query.level, query.stream), (Some(Level::Warn), Some(Stream::Err)));
        assert_eq!(query.only.expect("named").iter().map(ProcessId::as_str).collect::<Vec<_>>(), ["up", "proxy"]);
        assert_eq!(query.time, Some(At(1_500_000)..At(120_000_000)));
        assert_eq!(query.within.iter().map(Pattern::typed).collect::<Vec<_>>(), ["refused"]);
    }

    #[test]
    fn mistakes_say_what_to_type_instead() {
        let told = |text| parse(text).expect_err("a mistake").to_string();
        assert_eq!(told("level:loud"), "`loud` is no level: error, warn, info, debug or trace");
        assert_eq!(told("stream:in"), "`in` is no stream: out or err");
        assert_eq!(told("process:x"), "there is no process `x`");
        assert_eq!(told("since:soon"), "`soon` is no time since the start of the run: 1.5s, 250ms or 2m");
        assert_eq!(told("since:1.2.3s"), "`1.2.3s` is no time since the start of the run: 1.5s, 250ms or 2m");
    }

    proptest::proptest! {
        #[test]
        fn nothing_typed_breaks_it(text in "(level:|since:|!|\"|a=|[ -~é]|\u{2003}){0,12}") {
            let _ = parse(&text);
        }
    }
}
