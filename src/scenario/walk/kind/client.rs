//! `test-client`: the built-in MCP client, a test.

use serde_json::error::Category;

use super::{
    super::{
        super::{
            diagnostics::Diagnostic,
            keys,
            names::Instance,
            tree::{Node, Value},
            values,
        },
        state::{Scope, Walk},
    },
    recipe::{Recipe, TOKEN},
};
use crate::model::{Role, Text};

impl Walk<'_> {
    pub(super) fn test_client(&mut self, instance: &Instance) -> Recipe {
        let scope = Scope::of(instance);
        let mut argv = self.part(&["test-client"]);
        let target = self.required(instance, "target", "a client needs one", "\"${process.NAME.url}/mcp\"");
        let stdio = target.is_some_and(|node| matches!(&node.value, Value::Text(text) if text == "stdio"));
        if stdio {
            argv.extend([Text::from("--target"), Text::from("stdio")]);
        } else if let Some(node) = target
            && let Some(url) = self.endpoint("target", node, scope)
        {
            argv.extend([Text::from("--target"), url]);
        }
        self.choice_flag(&mut argv, instance, "scenario", keys::CLIENT_SCENARIOS);
        self.flag(&mut argv, instance, "tool", |w, node, scope| w.argument("tool", node, scope));
        self.flag(&mut argv, instance, "arguments", Self::json_object);
        self.integer_flag(&mut argv, instance, "calls", 1);
        self.flag(&mut argv, instance, "rate", |w, _, scope| {
            let rate = w.above_zero(&instance.table, "rate", "it would never call", |w, node| w.number("rate", node, scope, 1_000_000.0));
            rate.map(|rate| Text::from(rate.to_string()))
        });
        self.flag(&mut argv, instance, "duration", |w, _, scope| {
            let duration = w.some_time(&instance.table, "duration", scope, "it would never call");
            duration.map(|duration| Text::from(values::duration_text(duration)))
        });
        self.integer_flag(&mut argv, instance, "concurrency", 1);
        self.integer_flag(&mut argv, instance, "retries", 0);
        if let Some(node) = instance.table.node("headers") {
            if let Value::Table(table) = &node.value {
                for (name, value) in self.headers(table, scope) {
                    argv.extend([Text::from("--header"), value.prefixed(&format!("{name}: "))]);
                }
            } else {
                self.mismatch("headers", node, "a table of texts");
            }
        }
        self.server(&mut argv, instance, stdio);
        let mut env = Vec::new();
        self.token(&mut env, instance, "token", TOKEN);
        Recipe { argv, env, role: Role::Test, ..Recipe::default() }
    }

    /// A text that is a JSON object.
    fn json_object(&mut self, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let filled = self.filled("arguments", node, scope)?;
        let Err(error) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&filled.sample) else {
            return Some(filled.text);
        };
        self.out.push(
            Diagnostic::error("`arguments` is no JSON object")
                .at(node.span, no_object(&filled.sample, &error))
                .help("write it like arguments = '{\"a\": 1}'"),
        );
        None
    }

    /// The server that a client on pipes starts itself.
    fn server(&mut self, argv: &mut Vec<Text>, instance: &Instance, stdio: bool) {
        if stdio {
            if let Some(node) = self.required(instance, "argv", "a client on pipes starts its server", "[\"server\", \"--flag\"]") {
                argv.push(Text::from("--"));
                argv.extend(self.argv("argv", node, Scope::of(instance)).unwrap_or_default());
            }
        } else if let Some(entry) = instance.table.get("argv") {
            self.out.push(Diagnostic::error("`argv` belongs to the target \"stdio\"").at(entry.key, "has no meaning with a URL"));
        }
    }
}

/// Why a text is no JSON object. The parser's own words may quote it, and speak of Rust's types.
fn no_object(text: &str, error: &serde_json::Error) -> String {
    match error.classify() {
        _ if text.trim().is_empty() => "nothing stands here".to_owned(),
        Category::Eof => "it ends too soon: a quote, `}` or `]` is missing".to_owned(),
        Category::Data => "this is JSON, but no object in `{ }`".to_owned(),
        Category::Syntax | Category::Io if error.line() <= 1 => format!("this is no JSON from its character {} on", error.column()),
        Category::Syntax | Category::Io => format!("this is no JSON from character {} of its line {} on", error.column(), error.line()),
    }
}
