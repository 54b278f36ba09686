//! `mock-upstream`: the built-in MCP server, with its faults.

use super::{
    super::{
        super::{diagnostics::Diagnostic, keys, names::Instance, tree::Node, values},
        state::{Scope, Walk},
    },
    recipe::{Recipe, TOKEN},
};
use crate::model::{StdinMode, Text};

impl Walk<'_> {
    pub(super) fn mock_upstream(&mut self, instance: &Instance, listens: &[String]) -> Recipe {
        let mut argv = self.part(&["mock-upstream"]);
        let stdio = listens.is_empty();
        if let Some(lease) = listens.first() {
            argv.push(Text::from("--port"));
            argv.push(self.leased_text(lease, Scope::of(instance)));
        } else {
            argv.push(Text::from("--stdio"));
        }
        self.choice_flag(&mut argv, instance, "revision", keys::REVISIONS);
        self.choice_flag(&mut argv, instance, "answers", keys::ANSWERS);
        for key in ["response_delay", "jitter", "start_delay", "flap_health"] {
            self.duration_flag(&mut argv, instance, key);
        }
        for key in ["fail_after", "crash_after", "hang_after"] {
            self.flag(&mut argv, instance, key, |w, node, scope| w.after(key, node, scope));
        }
        self.flag(&mut argv, instance, "bad_frames", Self::every);
        let mut env = Vec::new();
        self.token(&mut env, instance, "token", TOKEN);
        let stdin = if stdio { StdinMode::Pipe } else { StdinMode::Null };
        Recipe { argv, env, stdin, ..Recipe::default() }
    }

    /// `"3 calls"` or `"2s"`.
    fn after(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let read = self.read(key, node, scope)?;
        let text = read.trim();
        let calls = text.strip_suffix("calls").or_else(|| text.strip_suffix("call")).map(str::trim);
        if let Some(count) = calls {
            if let Ok(n @ 1..) = count.parse::<u32>() {
                return Some(Text::from(format!("{n} calls")));
            }
        } else if let Ok(duration) = values::duration(text) {
            return Some(Text::from(values::duration_text(duration)));
        }
        let help = match text.parse::<u32>() {
            Ok(n) if !read.is_secret() => format!("did you mean \"{n} calls\" or \"{n}s\"?"),
            _ => "write a number of calls like \"3 calls\", or a time like \"2s\"".into(),
        };
        self.out.push(
            Diagnostic::error(format!("`{key}` must be a number of calls or a time, not `{}`", read.shown()))
                .at(node.span, "\"3 calls\" or \"2s\" goes here")
                .help(help),
        );
        None
    }

    /// `true`, or which of the answers.
    fn every(&mut self, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let read = self.read("bad_frames", node, scope)?;
        if matches!(&*read, "true" | "false") || read.parse::<u32>().is_ok() {
            return Some(Text::from(&*read));
        }
        self.out.push(
            Diagnostic::error(format!("`bad_frames` must be true or a number, not `{}`", read.shown()))
                .at(node.span, "n breaks every n-th answer"),
        );
        None
    }
}
