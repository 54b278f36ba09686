//! YAML as plain values.

use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;

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

/// Reads a file; what is wrong names its place.
pub(super) fn read(text: &str) -> Result<File, String> {
    let wrong = |error: serde_saphyr::Error| error.to_string().trim().to_owned();
    let top: Mapping = serde_saphyr::from_str(text).map_err(wrong)?;
    let Ordered { processes, procs } = serde_saphyr::from_str(text).map_err(wrong)?;
    Ok(File { top, processes, procs })
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

/// `["A=b"]` or `{A: b}`.
pub(super) fn environment(value: Option<&Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::Array(entries)) => {
            let pairs = entries.iter().filter_map(Value::as_str).filter_map(|entry| entry.split_once('='));
            pairs.map(|(name, value)| (name.trim().to_owned(), value.to_owned())).collect()
        }
        Some(Value::Object(entries)) => entries.iter().filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect(),
        _ => Vec::new(),
    }
}
