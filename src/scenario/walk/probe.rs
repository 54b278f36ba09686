//! `ready` and `health`: what is asked of a process to learn how it is.

use std::time::Duration;

use super::{
    super::{
        diagnostics::Diagnostic,
        keys::{self, Key},
        source::Span,
        suggest::{list_of, shown},
        support,
        tree::{Entry, Node, Table, Value},
    },
    state::{Scope, Walk},
};
use crate::model::{HealthSpec, HttpProbe, OnUnhealthy, Probe, ReadySpec, StdinMode, Text};

/// How long a process has to become ready.
const READY_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause between two questions whether it is.
pub(in crate::scenario) const READY_INTERVAL: Duration = Duration::from_millis(100);

/// `ready` without any question.
pub(super) fn ready_when_running() -> ReadySpec {
    ReadySpec { probe: None, timeout: READY_TIMEOUT, interval: READY_INTERVAL }
}

impl Walk<'_> {
    /// `ready = { … }`; `otherwise` is what a kind or the ports ask where the table names no probe.
    pub(super) fn ready(&mut self, node: &Node, scope: Scope<'_>, otherwise: ReadySpec, stdin: StdinMode) -> ReadySpec {
        let Some(table) = self.table("ready", node, "a table like { http = \"…\" }") else { return otherwise };
        self.check_keys(table, keys::READY, "`ready`");
        let probe = self.probe(table, node, keys::READY, "ready", scope, stdin);
        ReadySpec {
            probe: probe.or(otherwise.probe),
            timeout: self.timeout(table, scope, "nothing is ready at once").unwrap_or(otherwise.timeout),
            interval: self.some_time(table, "interval", scope, "a busy loop").unwrap_or(otherwise.interval),
        }
    }

    /// `health = { … }`
    pub(super) fn health(&mut self, node: &Node, scope: Scope<'_>, stdin: StdinMode) -> Option<HealthSpec> {
        let table = self.table("health", node, "a table like { http = \"…\" }")?;
        self.check_keys(table, keys::HEALTH, "`health`");
        self.not_yet(table, support::HEALTH);
        let scope = scope.ready();
        let probe = self.probe(table, node, keys::HEALTH, "health", scope, stdin);
        // An unknown key is probably the probe, and was reported.
        let all_known = table.iter().all(|(key, _)| keys::HEALTH.iter().any(|k| k.name == key));
        if all_known && !keys::PROBES.iter().any(|p| table.get(p).is_some()) {
            self.out.push(
                Diagnostic::error("`health` asks nothing")
                    .at(node.span, "no probe in here")
                    .help(format!("add {}", list_of(keys::PROBES.iter().copied()))),
            );
        }
        let degraded = table.node("degraded").and_then(|n| self.statuses("degraded", n, scope)).unwrap_or_default();
        let on_unhealthy = table.node("on_unhealthy").and_then(|n| self.choice("on_unhealthy", n, scope, &["restart", "none"]));
        let spec = HealthSpec {
            interval: self.some_time(table, "interval", scope, "a busy loop").unwrap_or(Duration::from_secs(5)),
            timeout: self.timeout(table, scope, "nothing answers at once").unwrap_or(Duration::from_secs(2)),
            start_period: self.duration_or(table, "start_period", scope, Duration::ZERO),
            failures: self.count_or(table, "failures", scope, 1, 3),
            successes: self.count_or(table, "successes", scope, 1, 1),
            degraded_after: self.some_time(table, "degraded_after", scope, "every answer takes longer"),
            degraded,
            on_unhealthy: if on_unhealthy == Some(1) { OnUnhealthy::None } else { OnUnhealthy::Restart },
            lazy: self.bool_or(table, "lazy", scope, false),
            probe: probe?,
        };
        Some(spec)
    }

    /// The one probe of a table.
    fn probe(&mut self, table: &Table, node: &Node, known: &[Key], key: &str, scope: Scope<'_>, stdin: StdinMode) -> Option<Probe> {
        debug_assert!(keys::PROBES.iter().all(|p| known.iter().any(|k| k.name == *p)), "the key table knows all probes");
        let given: Vec<(&str, &Entry)> = keys::PROBES.iter().filter_map(|p| Some((*p, table.get(p)?))).collect();
        if let [(first, one), (second, other), ..] = given.as_slice() {
            self.out.push(
                Diagnostic::error(format!("`{key}` has two probes, `{first}` and `{second}`"))
                    .at(other.key, "this one")
                    .and(one.key, "and this one")
                    .help("keep one of them"),
            );
        }
        let (word, entry) = *given.first()?;
        self.only_with_probe(table, word);
        match word {
            "http" => self.http(table, &entry.node, scope).map(Probe::Http),
            "tcp" => self.tcp(&entry.node, scope).map(|addr| Probe::Tcp { addr }),
            "exec" => self.argv("exec", &entry.node, scope).map(|argv| Probe::Exec { argv }),
            "log" => self.pattern("log", &entry.node, scope).map(|pattern| Probe::Log { pattern }),
            _ => self.stdio(table, &entry.node, node, scope, stdin),
        }
    }

    /// Keys of one probe beside another.
    fn only_with_probe(&mut self, table: &Table, word: &str) {
        let foreign = keys::HTTP_ONLY.iter().copied().chain((word != "stdio").then_some("expect")).filter(|_| word != "http");
        for key in foreign {
            if let Some(entry) = table.get(key) {
                self.out.push(
                    Diagnostic::error(format!("`{key}` belongs to an `http` probe, and this is a `{word}` probe"))
                        .at(entry.key, "has no effect here"),
                );
            }
        }
    }

    fn http(&mut self, table: &Table, node: &Node, scope: Scope<'_>) -> Option<HttpProbe> {
        let url = self.url("http", node, scope);
        let method = table.node("method").and_then(|n| self.method(n, scope)).unwrap_or_else(|| "GET".into());
        let mut headers = Vec::new();
        if let Some(node) = table.node("headers")
            && let Some(table) = self.table("headers", node, "a table of texts")
        {
            headers = self.headers(table, scope);
        }
        let expect = table.node("expect").and_then(|n| self.statuses("expect", n, scope)).unwrap_or_else(|| vec![200]);
        let body = table.node("body").and_then(|n| self.text("body", n, scope));
        let expect_body = table.node("expect_body").and_then(|n| self.pattern("expect_body", n, scope));
        Some(HttpProbe { url: url?, method, headers, body, expect, expect_body })
    }

    fn method(&mut self, node: &Node, scope: Scope<'_>) -> Option<String> {
        let read = self.read("method", node, scope)?;
        if !read.is_empty() && read.bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') {
            return Some(read.to_ascii_uppercase());
        }
        self.out.push(Diagnostic::error(format!("`{}` is no HTTP method", read.shown())).at(node.span, "use GET, HEAD or POST"));
        None
    }

    /// A table of HTTP headers.
    pub(super) fn headers(&mut self, table: &Table, scope: Scope<'_>) -> Vec<(String, Text)> {
        let mut all = Vec::new();
        for (name, entry) in table.iter() {
            if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
                self.out.push(Diagnostic::error(format!("`{}` is no name of a header", shown(name))).at(entry.key, "here"));
                continue;
            }
            if let Some(filled) = self.filled(name, &entry.node, scope) {
                if filled.sample.contains(['\r', '\n']) {
                    self.out.push(Diagnostic::error("a header is one line").at(entry.node.span, "has more lines"));
                    continue;
                }
                if !self.can_be_sent(&filled.sample, entry.node.span, "a header") {
                    continue;
                }
                all.push((name.to_owned(), filled.text));
            }
        }
        all
    }

    /// Reports what no header of HTTP can hold.
    pub(super) fn can_be_sent(&mut self, value: &str, at: Span, what: &str) -> bool {
        let fine = reqwest::header::HeaderValue::from_str(value).is_ok();
        if !fine {
            self.out.push(Diagnostic::error(format!("{what} cannot hold control characters")).at(at, "HTTP has no way to send them"));
        }
        fine
    }

    /// A URL that can be asked; one that cannot be is reported, and taken as it is.
    pub(super) fn url(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let filled = self.filled(key, node, scope)?;
        let text = filled.text.clone();
        let read = self.readable(filled);
        let (message, help) = match reqwest::Url::parse(&read) {
            Ok(parsed) if parsed.scheme() == "http" => return Some(text),
            Ok(parsed) if parsed.scheme() == "https" => {
                ("https cannot be spoken here".to_owned(), "use http:// on the loopback, or a `tcp` probe where it is one")
            }
            Ok(parsed) if read.contains("://") && !read.is_secret() => {
                (format!("`{}` URLs cannot be asked", shown(parsed.scheme())), "it starts with http://")
            }
            _ => (format!("`{}` must be a URL, not `{}`", shown(key), read.shown()), "it looks like http://127.0.0.1:8080/health"),
        };
        self.out.push(Diagnostic::error(message).at(node.span, "a URL goes here").help(help));
        Some(text)
    }

    fn tcp(&mut self, node: &Node, scope: Scope<'_>) -> Option<Text> {
        let filled = self.filled("tcp", node, scope)?;
        let text = filled.text.clone();
        let read = self.readable(filled);
        let (host, port) = read.rsplit_once(':').unwrap_or(("127.0.0.1", &read));
        if host.is_empty() || !port.parse::<u16>().is_ok_and(|p| p > 0) {
            self.out.push(
                Diagnostic::error(format!("`tcp` must be an address, not `{}`", read.shown()))
                    .at(node.span, "host:port goes here")
                    .help("it looks like \"${process.NAME.addr}\" or \"127.0.0.1:8080\""),
            );
            return None;
        }
        Some(if read.contains(':') { text } else { text.prefixed("127.0.0.1:") })
    }

    fn stdio(&mut self, table: &Table, node: &Node, whole: &Node, scope: Scope<'_>, stdin: StdinMode) -> Option<Probe> {
        if stdin != StdinMode::Pipe {
            self.out.push(
                Diagnostic::error("a `stdio` probe writes to the process's stdin, which is /dev/null")
                    .at(whole.span, "asked here")
                    .help("add `stdin = \"pipe\"` to the process"),
            );
        }
        let (send, expect) = match &node.value {
            Value::Table(inner) => {
                self.check_keys(inner, keys::STDIO, "`stdio`");
                (inner.node("send"), inner.node("expect"))
            }
            _ => (Some(node), table.node("expect")),
        };
        for (key, part) in [("send", send), ("expect", expect)] {
            if part.is_none() {
                self.out.push(
                    Diagnostic::error(format!("a `stdio` probe needs `{key}`"))
                        .at(node.span, "missing here")
                        .help("stdio = { send = \"ping\", expect = 'pong' }"),
                );
            }
        }
        let send = send.and_then(|n| self.plain("send", n, scope));
        let expect = expect.and_then(|n| self.pattern("expect", n, scope));
        Some(Probe::Stdio { send: send?, expect: expect? })
    }

    /// A status or a list of them.
    fn statuses(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Vec<u16>> {
        let all = self.one_or_more(node, |w, n| w.integer(key, n, scope, 100, 599))?;
        if all.is_empty() {
            self.out.push(Diagnostic::error(format!("`{key}` is empty")).at(node.span, "a status goes here"));
        }
        Some(all.into_iter().filter_map(|n| u16::try_from(n).ok()).collect())
    }
}
