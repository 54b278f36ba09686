//! The line that starts a process alone: its folder, its own environment and its words, as a shell takes them.

use crate::model::ProcessSnapshot;

/// A line that starts `row` alone. What is masked of its environment is taken from the shell that runs the line.
pub(crate) fn command(row: &ProcessSnapshot) -> String {
    let mut parts = Vec::new();
    if !row.info.cwd.is_empty() {
        parts.push(format!("cd {} &&", quoted(&row.info.cwd)));
    }
    let env = row.info.settings.iter().find(|(label, _)| label == "env").map(|(_, text)| text.as_str());
    parts.extend(env.map(environment));
    parts.extend(row.info.argv.iter().map(|word| quoted(word)));
    parts.join(" ")
}

/// `env NAME=value`, of a text that lists such pairs as `check` prints them.
fn environment(text: &str) -> String {
    let (begin, pairs) = match text.strip_prefix("nothing inherited") {
        Some(pairs) => ("env -i", pairs),
        None => ("env", text),
    };
    let pair = |word: &String| match word.split_once('=') {
        Some((name, value)) if is_masked(value) => format!("{name}=\"${name}\""),
        Some((name, value)) => format!("{name}={}", quoted(value)),
        None => quoted(word),
    };
    std::iter::once(begin.to_owned()).chain(words(pairs).iter().map(pair)).collect::<Vec<_>>().join(" ")
}

/// Values that nobody may see are stars, and as many as the value has characters.
fn is_masked(value: &str) -> bool {
    value.len() >= 4 && value.bytes().all(|b| b == b'*')
}

/// The words of a line in which only single quotes and a backslash before one mean anything.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut within = false;
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                within = !within;
                word.get_or_insert_default();
            }
            '\\' if !within && chars.peek() == Some(&'\'') => word.get_or_insert_default().extend(chars.next()),
            ' ' if !within => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// A word that a shell reads as one.
pub(super) fn quoted(word: &str) -> String {
    let safe = !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&b));
    if safe { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--port=20001"), "--port=20001");
        assert_eq!(quoted("it's here"), r"'it'\''s here'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn the_environment_comes_along_and_secrets_are_taken_from_the_shell() {
        assert_eq!(environment("MODE=demo TOKEN=********"), "env MODE=demo TOKEN=\"$TOKEN\"");
        assert_eq!(environment(r"nothing inherited 'A=it'\''s one' URL=http://a?b&c"), r"env -i A='it'\''s one' URL='http://a?b&c'");
        assert_eq!(environment("EMPTY='' HOME=~"), "env EMPTY='' HOME='~'");
        assert_eq!(environment("nothing inherited "), "env -i");
    }

    #[test]
    fn a_shell_reads_back_what_was_meant() {
        let value = "two words, it's \"quoted\", $HOME and a \\ besides";
        let line = environment(&format!("VALUE='{}'", value.replace('\'', r"'\''")));
        let output = std::process::Command::new("sh").args(["-c", &format!("{line} printenv VALUE")]).output().expect("sh is there");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim_end_matches('\n'), value);
    }
}
