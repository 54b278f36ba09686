//! A Procfile: `name: command line`, as foreman, overmind and Heroku read it.

use std::collections::HashSet;

use super::draft::{Draft, filled_in, quoted, table};

/// Reads it into the draft; an error names its line.
pub(super) fn read(text: &str, draft: &mut Draft) -> Result<(), String> {
    let mut names = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some((name, command)) = line.split_once(':').map(|(name, command)| (name.trim(), command.trim())) else {
            return Err(format!("line {}: `name: command` goes here, not `{}`", index + 1, line.chars().take(60).collect::<String>()));
        };
        if name.is_empty() || command.is_empty() {
            return Err(format!("line {}: `name: command` goes here, and one of them is missing", index + 1));
        }
        if !names.insert(name.to_owned()) {
            return Err(format!("line {}: there is a process `{name}` already", index + 1));
        }
        let mut process = draft.process(name);
        if name == "release" {
            process.set("role", "\"task\"".to_owned());
        }
        process.set("shell", quoted(command));
        // The tools that read Procfiles give each process a port in this variable, and it is meant to listen there.
        if command.contains("$PORT") || command.contains("${PORT") {
            let port = process.name.clone();
            process.set("env", table([("PORT", filled_in(&format!("${{ports.{port}}}")))]));
            process.set("listens", quoted(&port));
            draft.ports.push(port);
        }
        draft.add(process);
    }
    draft.note("a `.env` file beside a Procfile is not read: its variables go into `[defaults] env`, its secrets into `[secrets]`");
    Ok(())
}
