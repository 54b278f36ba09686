//! Lines made of fields: JSON objects (tracing, pino, zap, bunyan) and logfmt.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::{
    level::{Level, level_of_word},
    stamp::readable,
    structure::{Structure, Time},
};

const LEVELS: [&str; 5] = ["level", "severity", "levelname", "lvl", "log.level"];
const TIMES: [&str; 6] = ["timestamp", "time", "ts", "@timestamp", "asctime", "t"];
const MESSAGES: [&str; 4] = ["message", "msg", "event", "error"];
/// Fields that say nothing about the event.
const NOISE: [&str; 6] = ["pid", "hostname", "v", "threadId", "threadName", "spans"];

/// A JSON object that has a level or a message. Other JSON (a protocol's messages) is left as it is, unless `any` will do.
pub(super) fn json(text: &str, any: bool) -> Option<Structure> {
    let text = text.trim();
    if !(text.starts_with('{') && text.ends_with('}')) {
        return None;
    }
    let Ok(Value::Object(mut all)) = serde_json::from_str(text) else { return None };
    let level = take(&mut all, &LEVELS, |value| level_of_value(value).is_some());
    if !any && level.is_none() && !MESSAGES[..2].iter().any(|name| all.get(*name).is_some_and(Value::is_string)) {
        return None;
    }
    let time = take(&mut all, &TIMES, |value| value.is_string() || value.is_number());
    let mut fields = match all.remove("fields") {
        Some(Value::Object(fields)) => fields,
        Some(other) => Map::from_iter([("fields".to_owned(), other)]),
        None => Map::new(),
    };
    let message = take(&mut fields, &MESSAGES, Value::is_string).or_else(|| take(&mut all, &MESSAGES, Value::is_string));
    let mut told = String::new();
    if let Some(Value::Object(mut span)) = all.remove("span") {
        let name = span.remove("name").as_ref().map(bare).unwrap_or_default();
        let mut inside = String::new();
        span.iter().for_each(|(name, value)| pair(&mut inside, name, &quoted(value)));
        write!(told, "{name}{{{inside}}}: ").expect("writing to a string");
    }
    if let Some(target) = all.remove("target").or_else(|| all.remove("logger")).or_else(|| all.remove("name")) {
        write!(told, "{}: ", bare(&target)).expect("writing to a string");
    }
    told.push_str(&message.as_ref().map(bare).unwrap_or_default());
    let rest = fields.iter().chain(all.iter().filter(|(name, _)| !NOISE.contains(&name.as_str())));
    rest.for_each(|(name, value)| pair(&mut told, name, &quoted(value)));
    Some(Structure {
        level: level.as_ref().and_then(level_of_value),
        time: time.as_ref().map(|time| Time::Value(readable(printable(&bare(time))))),
        elided: Vec::new(),
        message: Some(printable(&told)),
    })
}

/// `time=… level=info msg="…" key=value`: pairs with a level and a message, unless `any` will do.
pub(super) fn logfmt(text: &str, any: bool) -> Option<Structure> {
    let begins = text.split_once('=').is_some_and(|(key, _)| is_key(key));
    let speaks = (text.contains("level=") || text.contains("lvl=")) && (text.contains("msg=") || text.contains("message="));
    if !begins || !(any || speaks) {
        return None;
    }
    let pairs = pairs(text)?;
    let value = |names: &[&str]| pairs.iter().find(|(key, _)| names.contains(key)).map(|(_, value)| value);
    let level = value(&LEVELS).and_then(|word| level_of_word(word));
    let (time, message) = (value(&TIMES), value(&MESSAGES[..2]));
    if !any && (level.is_none() || message.is_none()) {
        return None;
    }
    let mut told = message.cloned().unwrap_or_default();
    // A level's field whose value is none is a field like others.
    let known = |key: &str| level.is_some() && LEVELS.contains(&key) || TIMES.contains(&key) || MESSAGES[..2].contains(&key);
    for (key, value) in pairs.iter().filter(|(key, _)| !known(key)) {
        pair(&mut told, key, &quote(value));
    }
    Some(Structure {
        level,
        time: time.map(|time| Time::Value(readable(printable(time)))),
        elided: Vec::new(),
        message: Some(printable(&told)),
    })
}

/// The pairs of a logfmt line; none if something in it is no pair.
fn pairs(text: &str) -> Option<Vec<(&str, String)>> {
    let mut pairs = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=')?;
        if !is_key(key) {
            return None;
        }
        let (value, after) = if let Some(inside) = after.strip_prefix('"') {
            let end = closing_quote(inside)?;
            (unescape(&inside[..end]), &inside[end + 1..])
        } else {
            let end = after.find(' ').unwrap_or(after.len());
            (after[..end].to_owned(), &after[end..])
        };
        pairs.push((key, value));
        rest = after.trim_start();
    }
    Some(pairs)
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|b| {
        let closes = b == b'"' && !escaped;
        escaped = b == b'\\' && !escaped;
        closes
    })
}

fn unescape(text: &str) -> String {
    serde_json::from_str(&format!("\"{text}\"")).unwrap_or_else(|_| text.to_owned())
}

/// Takes the first of `names` whose value will do.
fn take(from: &mut Map<String, Value>, names: &[&str], will_do: impl Fn(&Value) -> bool) -> Option<Value> {
    let name = names.iter().find(|name| from.get(**name).is_some_and(&will_do))?;
    from.remove(*name)
}

/// `"warn"`, or pino's and bunyan's 10 to 60.
fn level_of_value(value: &Value) -> Option<Level> {
    match value {
        Value::String(word) => level_of_word(word),
        Value::Number(number) => match number.as_u64()? {
            10..20 => Some(Level::Trace),
            20..30 => Some(Level::Debug),
            30..40 => Some(Level::Info),
            40..50 => Some(Level::Warn),
            50..=60 => Some(Level::Error),
            _ => None,
        },
        _ => None,
    }
}

fn pair(into: &mut String, name: &str, value: &str) {
    let gap = if into.is_empty() { "" } else { " " };
    write!(into, "{gap}{name}={value}").expect("writing to a string");
}

/// A value as it is.
fn bare(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as logfmt writes it.
fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        other => other.to_string(),
    }
}

fn quote(text: &str) -> String {
    if text.is_empty() || text.contains([' ', '"', '=']) { format!("{text:?}") } else { text.to_owned() }
}

/// Values can hold what lines cannot: escaped control characters.
fn printable(text: &str) -> String {
    super::text::plain(text.replace('\n', "\u{23ce}").as_bytes())
}
