//! CI systems act on commands in a log. What a child prints must not be one.
//!
//! GitHub's `::set-env` counts at the start of a line only, and no line of a child stands there. Azure's `##vso[…]`, GitHub's
//! older `##[…]` and `##teamcity[…]` count anywhere in a line.

use std::borrow::Cow;

/// `text` with every `##word[` pulled apart.
pub(crate) fn disarm(text: &str) -> Cow<'_, str> {
    let mut rest = text;
    let mut safe = String::new();
    while let Some(at) = rest.find("##") {
        let after = &rest[at + 2..];
        let word = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        let (upto, gap) = if after[word..].starts_with('[') { (at + 2, " ") } else { (at + 1, "") };
        safe.push_str(&rest[..upto]);
        safe.push_str(gap);
        rest = &rest[upto..];
    }
    if safe.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(safe + rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o17_commands_are_pulled_apart_wherever_they_stand() {
        assert_eq!(disarm("x ##vso[task.setvariable]y"), "x ## vso[task.setvariable]y");
        assert_eq!(disarm("##[set-env name=A]1"), "## [set-env name=A]1");
        assert_eq!(disarm("###VSO[a] ##teamcity[b]"), "### VSO[a] ## teamcity[b]");
        assert!(!disarm("####[x").contains("##["));
    }

    #[test]
    fn other_text_stays_as_it_is() {
        for text in ["", "## Heading", "##e2e mark x", "a # b", "##", "é##é["] {
            assert_eq!(disarm(text), text);
        }
    }
}
