//! What a kind sets, and how its own keys become flags.

use super::super::{
    super::{diagnostics::Diagnostic, names::Instance, suggest::shown, tree::Node},
    state::{Scope, Walk},
};
use crate::model::{ReadySpec, Role, StdinMode, Text};

/// The variable that holds a part's own bearer token.
pub(super) const TOKEN: &str = "E2E_TUI_TOKEN";

/// What a kind sets; the process's other keys override it.
#[derive(Debug)]
pub(in crate::scenario::walk) struct Recipe {
    pub(in crate::scenario::walk) argv: Vec<Text>,
    pub(in crate::scenario::walk) env: Vec<(String, Text)>,
    pub(in crate::scenario::walk) role: Role,
    /// None: as for any process.
    pub(in crate::scenario::walk) ready: Option<ReadySpec>,
    pub(in crate::scenario::walk) stand_in: bool,
    pub(in crate::scenario::walk) stdin: StdinMode,
}

impl Default for Recipe {
    fn default() -> Self {
        Self { argv: Vec::new(), env: Vec::new(), role: Role::Service, ready: None, stand_in: false, stdin: StdinMode::Null }
    }
}

impl Walk<'_> {
    pub(in crate::scenario::walk) fn recipe(&mut self, kind: &str, instance: &Instance, listens: &[String]) -> Recipe {
        match kind {
            "mock-upstream" => self.mock_upstream(instance, listens),
            "shadowcat" => self.shadowcat(instance, listens),
            "test-client" => self.test_client(instance),
            _ => self.mcp_validator(instance, listens),
        }
    }

    /// The start of a command line of a built-in part.
    pub(super) fn part(&self, words: &[&str]) -> Vec<Text> {
        std::iter::once(Text::from(self.exe()))
            .chain(std::iter::once(Text::from("part")))
            .chain(words.iter().map(|w| Text::from(*w)))
            .collect()
    }

    /// The number of the port that a process listens on itself.
    pub(in crate::scenario::walk) fn leased_text(&mut self, lease: &str, scope: Scope<'_>) -> Text {
        self.leased(lease, scope).part_text()
    }

    /// Adds `--some-key VALUE` for the own key `some_key`, if it is there and `check` finds it right.
    pub(super) fn flag(
        &mut self,
        argv: &mut Vec<Text>,
        instance: &Instance,
        key: &str,
        check: impl FnOnce(&mut Self, &Node, Scope<'_>) -> Option<Text>,
    ) {
        let Some(node) = instance.table.node(key) else { return };
        if let Some(text) = check(self, node, Scope::of(instance)) {
            argv.push(Text::from(format!("--{}", key.replace('_', "-"))));
            argv.push(text);
        }
    }

    /// A flag with a duration.
    pub(super) fn duration_flag(&mut self, argv: &mut Vec<Text>, instance: &Instance, key: &str) {
        self.flag(argv, instance, key, |w, node, scope| {
            w.duration(key, node, scope).map(|d| Text::from(super::super::super::values::duration_text(d)))
        });
    }

    /// A flag with a whole number.
    pub(super) fn integer_flag(&mut self, argv: &mut Vec<Text>, instance: &Instance, key: &str, least: u64) {
        self.flag(argv, instance, key, |w, node, scope| {
            w.integer(key, node, scope, least, u64::from(u32::MAX)).map(|n| Text::from(n.to_string()))
        });
    }

    /// A flag with one of some words.
    pub(super) fn choice_flag(&mut self, argv: &mut Vec<Text>, instance: &Instance, key: &str, words: &[&'static str]) {
        self.flag(argv, instance, key, |w, node, scope| w.choice(key, node, scope, words).map(|i| Text::from(words[i])));
    }

    /// A token, passed by environment.
    pub(super) fn token(&mut self, env: &mut Vec<(String, Text)>, instance: &Instance, key: &str, variable: &str) {
        let Some(node) = instance.table.node(key) else { return };
        if let Some(text) = self.token_text(key, node, Scope::of(instance)) {
            env.push((variable.to_owned(), text));
        }
    }

    /// A token, which is sent in a header.
    pub(super) fn token_text(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let filled = self.filled(key, node, scope)?;
        self.can_be_sent(&filled.sample, node.span, "a token").then_some(filled.text)
    }

    /// A text that becomes a word of a command line.
    pub(super) fn argument(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let filled = self.filled(key, node, scope)?;
        self.fits_argv(&filled.sample, node.span).then_some(filled.text)
    }

    /// A required own key.
    pub(super) fn required<'n>(&mut self, instance: &'n Instance, key: &str, why: &str, example: &str) -> Option<&'n Node> {
        let node = instance.table.node(key);
        if node.is_none() {
            let at = instance.table.get("kind").map_or(instance.key, |e| e.node.span);
            self.out.push(
                Diagnostic::error(format!("`{}` has no `{key}`", instance.base))
                    .at(at, why.to_owned())
                    .help(format!("add {key} = {example}")),
            );
        }
        node
    }

    /// A URL with the path that MCP needs.
    pub(super) fn endpoint(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let text = self.url(key, node, scope)?;
        let sample = self.filled(key, node, scope)?.sample;
        if reqwest::Url::parse(&sample).is_ok_and(|url| url.path() == "/") {
            self.out.push(
                Diagnostic::warning(format!("`{key}` has no path, and nothing is added to it"))
                    .at(node.span, "most MCP servers answer at /mcp only")
                    .help(format!("did you mean `{}/mcp`?", shown(text.to_string().trim_end_matches('/')))),
            );
        }
        Some(text)
    }
}
