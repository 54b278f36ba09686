//! A Procfile: `name: command line`, as foreman, overmind and Heroku read it.

use std::collections::HashSet;

use super::{
    draft::Draft,
    phrase::{Phrase, quoted, table},
};

/// Reads it into the draft; an error names its line.
pub(super) fn read(text: &str, draft: &mut Draft) -> Result<(), String> {
    let mut names = HashSet::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line.contains('\0') {
            return Err(format!("line {}: a NUL byte, which no program can be given", index + 1));
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
        if asks_for(command, "PORT") {
            let port = process.name.clone();
            process.set("env", table([("PORT", Phrase::name(&format!("ports.{port}")).toml())]));
            process.set("listens", quoted(&port));
            draft.ports.push(port);
        }
        draft.add(process);
    }
    Ok(())
}

/// Whether a line for a shell asks for this very variable, and not for one whose name only begins so.
fn asks_for(line: &str, variable: &str) -> bool {
    line.split('$').skip(1).any(|after| {
        let behind = after.strip_prefix('{').unwrap_or(after).strip_prefix(variable);
        behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_one_whose_whole_name_it_is() {
        assert!(asks_for("a -p $PORT", "PORT") && asks_for("a ${PORT:-80}x", "PORT") && asks_for("$A$PORT/x", "PORT"));
        assert!(!asks_for("a $PORTAL ${PORTS} $PORT_2 PORT", "PORT"));
    }
}
