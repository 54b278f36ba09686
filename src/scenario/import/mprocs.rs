//! `mprocs.yaml`: `procs`, each a shell line or a table.

use serde_json::Value;

use super::{
    draft::{Draft, Process, key, list, quoted, table},
    yaml::{Mapping, environment, text},
};

/// Keys of a process that have their place in a scenario.
const KNOWN: &[&str] = &["shell", "cmd", "cwd", "env", "autostart", "autorestart", "stop"];

pub(super) fn read(procs: &Mapping, draft: &mut Draft) {
    for (name, value) in procs {
        let mut process = draft.process(name);
        match value {
            Value::String(line) => process.set("shell", quoted(line)),
            Value::Array(words) => process.set("command", list(words.iter().filter_map(text))),
            Value::Object(_) => one(value, name, &mut process, draft),
            _ => {
                draft.note(format!("{name} has no command"));
                continue;
            }
        }
        draft.add(process);
    }
}

fn one(value: &Value, name: &str, process: &mut Process, draft: &mut Draft) {
    if let Some(line) = value["shell"].as_str() {
        process.set("shell", quoted(line));
    } else if let Some(words) = value["cmd"].as_array() {
        process.set("command", list(words.iter().filter_map(text)));
    } else {
        draft.note(format!("{name} has no command, and does nothing here"));
        process.set("command", list(["true".to_owned()]));
    }
    if let Some(cwd) = value["cwd"].as_str() {
        process.set("cwd", quoted(&cwd.replace("<CONFIG_DIR>", ".")));
    }
    let env = environment(value.get("env"));
    if !env.is_empty() {
        process.set("env", table(env.iter().map(|(name, value)| (name.as_str(), quoted(value)))));
    }
    if value["autostart"] == Value::Bool(false) {
        process.set("autostart", "false".to_owned());
    }
    if value["autorestart"] == Value::Bool(true) {
        process.set("restart", quoted("always"));
    }
    match value["stop"].as_str() {
        None if value["stop"].is_object() => draft.note(format!("{name}: stopping by keys: it gets SIGTERM")),
        Some("SIGINT") => process.set("stop", table([("signal", quoted("INT"))])),
        Some("SIGKILL" | "hard-kill") => process.set("stop", table([("signal", quoted("KILL"))])),
        _ => {}
    }
    for other in value.as_object().into_iter().flat_map(|object| object.keys()).filter(|other| !KNOWN.contains(&other.as_str())) {
        draft.note(format!("{name}: `{}`", key(other)));
    }
}
