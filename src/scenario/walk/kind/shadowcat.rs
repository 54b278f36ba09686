//! `shadowcat`: the proxy under test, or a stand-in with the same command line.

use super::{
    super::{
        super::{diagnostics::Diagnostic, names::Instance, tree::Value},
        probe::ready_when_running,
        state::{Scope, Walk},
    },
    recipe::Recipe,
};
use crate::model::{HttpProbe, Probe, ReadySpec, StdinMode, Text};

/// The documented modes.
const MODES: &[&str] = &["forward", "reverse", "stdio"];
/// The variable that names the real program.
const PROGRAM: &str = "SHADOWCAT_BIN";
/// The upstream that is a program of its own.
const PIPES: &str = "stdio";
/// What it prints once it listens, with the port it got.
const LISTENING: &str = r"listening on \S+:(?<port>\d+)";

impl Walk<'_> {
    pub(super) fn shadowcat(&mut self, instance: &Instance, listens: &[String]) -> Recipe {
        let scope = Scope::of(instance);
        let (mut argv, stand_in) = self.shadowcat_program(instance, scope);
        let mut env = Vec::new();
        let mode = self.required(instance, "mode", "this kind needs one", "\"forward\", \"reverse\" or \"stdio\"");
        let mode = mode.and_then(|node| self.choice("mode", node, scope, MODES)).map(|m| MODES[m]);
        let port = listens.first().map(|lease| self.leased_text(lease, Scope::of(instance)));
        let (ready, stdin) = match mode {
            Some("forward") => {
                argv.extend([Text::from("forward"), Text::from("http"), Text::from("--port")]);
                argv.push(port.clone().unwrap_or_else(|| Text::from("0")));
                self.upstream_of(instance, &mut argv, "--target");
                // A forward proxy passes every path on, so it has no health of its own to ask for.
                (port.is_none().then(listening_line), StdinMode::Null)
            }
            Some("reverse") => {
                let bind = port.clone().unwrap_or_else(|| Text::from("0")).prefixed("127.0.0.1:");
                argv.extend([Text::from("reverse"), Text::from("--bind"), bind]);
                self.upstream_of(instance, &mut argv, "--upstream");
                self.upstream_token(instance, &mut env, stand_in);
                let ready = port.map_or_else(listening_line, health_of);
                (Some(ready), StdinMode::Null)
            }
            Some(_) => {
                argv.extend([Text::from("forward"), Text::from("stdio")]);
                (None, StdinMode::Pipe)
            }
            None => (None, StdinMode::Null),
        };
        if mode == Some("stdio") || (mode.is_some() && on_pipes(instance)) {
            argv.push(Text::from("--"));
            if let Some(node) = self.required(instance, "argv", "a proxy to pipes starts the server", "[\"server\", \"--flag\"]") {
                argv.extend(self.argv("argv", node, scope).unwrap_or_default());
            }
        }
        self.shadowcat_keys_fit(instance, mode);
        Recipe { argv, env, ready, stand_in, stdin, ..Recipe::default() }
    }

    /// The real program where one is named, else the stand-in.
    fn shadowcat_program(&mut self, instance: &Instance, scope: Scope<'_>) -> (Vec<Text>, bool) {
        if let Some(node) = instance.table.node("program") {
            let program = self.plain("program", node, scope).filter(|program| self.is_program(program, node.span));
            let program =
                program.map(|p| if p.contains('/') { self.in_its_folder(&p, node.span).to_string_lossy().into_owned() } else { p });
            return (program.map(Text::from).into_iter().collect(), false);
        }
        match self.names.env.get(PROGRAM).filter(|p| !p.is_empty()) {
            Some(program) => (vec![Text::from(program.to_string_lossy().into_owned())], false),
            None => (self.part(&["proxy"]), true),
        }
    }

    fn upstream_of(&mut self, instance: &Instance, argv: &mut Vec<Text>, flag: &str) {
        if on_pipes(instance) {
            argv.extend([Text::from(flag), Text::from(PIPES)]);
        } else if let Some(node) = self.required(instance, "upstream", "a proxy needs one", "\"${process.NAME.url}/mcp\"")
            && let Some(url) = self.endpoint("upstream", node, Scope::of(instance))
        {
            argv.extend([Text::from(flag), url]);
        }
    }

    fn upstream_token(&mut self, instance: &Instance, env: &mut Vec<(String, Text)>, stand_in: bool) {
        if stand_in {
            self.token(env, instance, "upstream_token", "E2E_TUI_UPSTREAM_TOKEN");
            return;
        }
        let Some(node) = instance.table.node("upstream_token") else { return };
        if let Some(text) = self.token_text("upstream_token", node, Scope::of(instance)) {
            env.push(("SHADOWCAT_UPSTREAM_AUTH".to_owned(), text.prefixed("Bearer ")));
        }
    }

    /// Own keys of one mode beside another.
    fn shadowcat_keys_fit(&mut self, instance: &Instance, mode: Option<&str>) {
        let Some(mode) = mode else { return };
        for (key, modes) in [("argv", &["stdio"] as &[&str]), ("upstream", &["forward", "reverse"]), ("upstream_token", &["reverse"])] {
            if let Some(entry) = instance.table.get(key)
                && !modes.contains(&mode)
                && !(key == "argv" && on_pipes(instance))
            {
                let or_pipes = if key == "argv" { format!(", or to upstream = \"{PIPES}\"") } else { String::new() };
                self.out.push(
                    Diagnostic::error(format!("`{key}` belongs to the mode {}{or_pipes}", modes.join(" or ")))
                        .at(entry.key, format!("has no meaning in the mode {mode}")),
                );
            }
        }
        if let (Some(entry), "stdio") = (instance.table.get("listens"), mode) {
            self.out.push(Diagnostic::error("the mode stdio listens on no port").at(entry.key, "leave this out"));
        }
    }
}

/// Whether it starts the server itself and speaks to it over pipes, whatever its clients speak.
fn on_pipes(instance: &Instance) -> bool {
    instance.table.node("upstream").is_some_and(|node| matches!(&node.value, Value::Text(text) if text == PIPES))
}

fn listening_line() -> ReadySpec {
    let probe = regex::Regex::new(LISTENING).ok().map(|pattern| Probe::Log { pattern });
    ReadySpec { probe, ..ready_when_running() }
}

fn health_of(port: Text) -> ReadySpec {
    let url = Text::from_parts([port.prefixed("http://127.0.0.1:"), Text::from("/health")].iter().flat_map(Text::parts).cloned());
    let probe = HttpProbe { url, method: "GET".into(), headers: Vec::new(), body: None, expect: vec![200], expect_body: None };
    ReadySpec { probe: Some(Probe::Http(probe)), ..ready_when_running() }
}
