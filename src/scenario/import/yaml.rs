//! YAML as plain values.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

use super::draft::Draft;

/// A mapping with its keys in the order of the file.
pub(super) type Mapping = IndexMap<String, Value>;

/// A file of one of the two tools.
#[derive(Debug, Default)]
pub(super) struct File {
    /// All its keys.
    pub(super) top: Mapping,
    /// `processes` of process-compose.
    pub(super) processes: Option<Mapping>,
    /// `procs` of mprocs.
    pub(super) procs: Option<Mapping>,
}

/// The parts whose order counts.
#[derive(Debug, Deserialize)]
struct Ordered {
    processes: Option<Mapping>,
    procs: Option<Mapping>,
}

/// What is wrong with a file, in words for somebody who knows neither the grammar nor the parser.
#[derive(Debug)]
pub(super) struct Mistake {
    /// Line and column, from 1, where they are known.
    pub(super) at: Option<(usize, usize)>,
    pub(super) what: String,
    pub(super) help: Option<&'static str>,
}

/// Reads a file; what is wrong names its place.
pub(super) fn read(text: &str) -> Result<File, Mistake> {
    let top: Mapping = serde_saphyr::from_str(text).map_err(wrong)?;
    if let Some(text) = top.iter().find_map(|(key, value)| if key.contains('\0') { Some(key.as_str()) } else { with_nul(value) }) {
        let what = format!("a NUL byte, which no program can be given, stands in {:?}", super::super::suggest::shown(text));
        return Err(Mistake { at: None, what, help: None });
    }
    let Ordered { processes, procs } = serde_saphyr::from_str(text).map_err(wrong)?;
    Ok(File { top, processes, procs })
}

/// What the parser says, in our words.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn wrong(error: serde_saphyr::Error) -> Mistake {
    const KNOWN: &[(&str, &str, Option<&str>)] = &[
        ("budget breached", "more comes out of it than anybody writes", Some("anchors (`&a`, `*a`) that use each other multiply")),
        ("recursion limit", "too many lists and mappings stand inside each other", None),
        ("multiple YAML documents", "there is more than one document in it", Some("keep one, without `---`")),
        ("expected mapping start", "a mapping goes here", Some("it looks like `name: …`, one a line")),
        ("expected string", "a text goes here", None),
        ("alias references unknown anchor", "this `*` names no anchor of the file", Some("quote a text that begins with `*`")),
        ("tabs disallowed", "a tab stands in the indentation", Some("indent with spaces")),
        (
            "mapping values are not allowed",
            "no `key: value` can stand here",
            Some("indent it as those beside it; quote a text with `: ` in it"),
        ),
        ("unclosed quote", "a quote is not closed", None),
        ("unclosed bracket", "a bracket is not closed", None),
        (
            "while parsing a block mapping",
            "this line is indented neither as those above it nor as one below them",
            Some("keys of one mapping stand below each other"),
        ),
    ];
    let location = error.location();
    let at = location.and_then(|place| Some((usize::try_from(place.line()).ok()?, usize::try_from(place.column()).ok()?)));
    let said = error.without_snippet().to_string();
    let said = said.lines().next().unwrap_or_default().trim_start_matches("error: ");
    // The place is told with the excerpt.
    let said = match said.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => said,
    };
    if let Some(key) = said.strip_prefix("duplicate mapping key: ").and_then(|rest| rest.split(", set ").next()) {
        return Mistake { at, what: format!("`{}` is given twice", super::super::suggest::shown(key)), help: Some("keep one of them") };
    }
    let said = match said.rsplit_once(" at line ") {
        Some((what, _)) if at.is_some() => what,
        _ => said,
    };
    let known = KNOWN.iter().find(|(start, ..)| said.starts_with(start));
    Mistake { at, what: known.map_or(said, |(_, what, _)| *what).to_owned(), help: known.and_then(|(.., help)| *help) }
}

/// A text in there with a NUL byte. How deep values nest is bounded by the parser.
fn with_nul(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => text.contains('\0').then_some(text),
        Value::Array(all) => all.iter().find_map(with_nul),
        Value::Object(all) => all.iter().find_map(|(key, value)| if key.contains('\0') { Some(key.as_str()) } else { with_nul(value) }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A plain value as the text that a shell or an environment would see.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `["A=b"]` or `{A: b}`; what is no such pair is told.
pub(super) fn environment(value: Option<&Value>, whose: &str, draft: &mut Draft) -> IndexMap<String, String> {
    let mut all = Vec::new();
    match value {
        Some(Value::Array(entries)) => {
            for entry in entries {
                match entry.as_str().and_then(|entry| entry.split_once('=')) {
                    Some((name, value)) => all.push((name.trim().to_owned(), value.to_owned())),
                    None => draft.note(format!("{whose}: {entry} among the variables has no `=`")),
                }
            }
        }
        Some(Value::Object(entries)) => {
            all.extend(entries.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))));
        }
        _ => {}
    }
    draft.variables(whose, all)
}

/// Tells of the keys in there that are not known.
pub(super) fn others(value: &Value, known: &[&str], place: &str, draft: &mut Draft) {
    for other in value.as_object().into_iter().flat_map(|object| object.keys()).filter(|other| !known.contains(&other.as_str())) {
        draft.note(format!("{place}`{}`", super::phrase::key(other)));
    }
}

/// A number of seconds as a duration, of at least so many. Another value is told.
pub(super) fn seconds(value: &Value, key: &str, least: u64, place: &str, draft: &mut Draft) -> Option<u64> {
    /// Longer is longer than a scenario takes.
    const MOST: u64 = 100 * 365 * 86_400;
    let value = value.get(key).filter(|value| !value.is_null())?;
    let read = value.as_u64().filter(|seconds| *seconds <= MOST);
    if read.is_none() {
        draft.note(format!("{place}`{key}` is no number of seconds"));
    }
    read.map(|seconds| seconds.max(least))
}

/// A number of times, of at least one.
pub(super) fn times(value: &Value, key: &str) -> Option<u64> {
    value.get(key)?.as_u64().map(|n| n.clamp(1, u64::from(u32::MAX)))
}
