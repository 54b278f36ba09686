//! The processes of a proxy chain: the real programs where they are, else the built-in parts.

use std::{path::PathBuf, time::Duration};

use super::{HttpHealthCheck, LogHealthCheck, ProcessConfig, Program, RestartPolicy, TcpHealthCheck};
use crate::model::Role;

/// Names the real Shadowcat.
const SHADOWCAT: &str = "SHADOWCAT_BIN";
/// Names a checkout of mcp-validator.
const VALIDATOR: &str = "MCP_VALIDATOR_DIR";

/// What a proxy does.
///
/// ```no_run
/// use e2e_tui::{ProxyConfig, ProxyMode};
///
/// let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: "http://127.0.0.1:8080/mcp".into(), auth: None };
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyMode {
    /// What comes in goes to the target.
    Forward,
    /// An MCP endpoint of its own, with its own sessions, in front of another.
    #[default]
    Reverse,
    /// Its stdin and stdout, and those of a server that it starts.
    Stdio {
        /// The server.
        command: Vec<String>,
    },
}

/// A proxy to start. No field will be added: write it as a literal, or with `..ProxyConfig::default()`.
///
/// ```
/// use e2e_tui::harness::{ProxyConfig, ProxyMode};
///
/// let config = ProxyConfig {
///     mode: ProxyMode::Reverse,
///     upstream: "http://127.0.0.1:20100".to_string(),
///     auth: Some("Bearer test-token".to_string()),
/// };
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyConfig {
    /// What it does.
    pub mode: ProxyMode,
    /// Where requests go: a URL. One without a path means its `/mcp`.
    pub upstream: String,
    /// What the upstream wants to see in `Authorization`: `Bearer …`.
    pub auth: Option<String>,
}

impl std::fmt::Debug for ProxyConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let auth = self.auth.as_ref().map(|_| "***");
        f.debug_struct("ProxyConfig").field("mode", &self.mode).field("upstream", &self.upstream).field("auth", &auth).finish()
    }
}

/// A process that end-to-end tests of MCP proxies are made of.
///
/// ```
/// use std::time::Duration;
///
/// use e2e_tui::harness::ProcessType;
///
/// let slow = ProcessType::MockUpstream { port: 20_100, response_delay: Duration::from_millis(300) }.to_process_config();
/// assert_eq!(slow.port, Some(20_100));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProcessType {
    /// Shadowcat, which `SHADOWCAT_BIN` names, or else the built-in stand-in with its command line.
    ShadowcatProxy {
        /// What it does.
        mode: ProxyMode,
        /// Where it listens: `127.0.0.1:PORT`. Has no meaning on stdio.
        bind_address: String,
        /// Where requests go.
        upstream: String,
        /// What the upstream wants to see: `Bearer …`.
        auth: Option<String>,
    },
    /// The reference server of a checkout of mcp-validator, which `MCP_VALIDATOR_DIR` names, or else a built-in stand-in. With a
    /// token the stand-in has that server's routes; without one it is a plain server that wants none.
    McpValidator {
        /// Where it listens.
        port: u16,
        /// The bearer token it wants.
        auth_token: Option<String>,
    },
    /// The built-in MCP server.
    MockUpstream {
        /// Where it listens.
        port: u16,
        /// How long each answer waits.
        response_delay: Duration,
    },
    /// The built-in MCP client, which exits with 0 or 1 and says why.
    TestClient {
        /// The URL of the endpoint. One without a path means its `/mcp`.
        target: String,
        /// What it does: `ping`, `tools`, `stream`, `auth`, `session-loss`, `concurrency` or `soak`.
        scenario: String,
    },
}

impl std::fmt::Debug for ProcessType {
    /// Without tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ShadowcatProxy { mode, bind_address, upstream, .. } => f
                .debug_struct("ShadowcatProxy")
                .field("mode", mode)
                .field("bind_address", bind_address)
                .field("upstream", upstream)
                .finish_non_exhaustive(),
            Self::McpValidator { port, .. } => f.debug_struct("McpValidator").field("port", port).finish_non_exhaustive(),
            Self::MockUpstream { port, response_delay } => {
                f.debug_struct("MockUpstream").field("port", port).field("response_delay", response_delay).finish()
            }
            Self::TestClient { target, scenario } => {
                f.debug_struct("TestClient").field("target", target).field("scenario", scenario).finish()
            }
        }
    }
}

impl ProcessType {
    /// How it is started, and how it shows that it is ready and well.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessType;
    /// let config = ProcessType::MockUpstream { port: 20001, response_delay: std::time::Duration::ZERO }.to_process_config();
    /// ```
    pub fn to_process_config(&self) -> ProcessConfig {
        match self {
            Self::ShadowcatProxy { mode, bind_address, upstream, auth } => shadowcat(mode, bind_address, upstream, auth.as_deref()),
            Self::McpValidator { port, auth_token } => validator(*port, auth_token.as_deref()),
            Self::MockUpstream { port, response_delay } => {
                let delay = format!("{}ms", response_delay.as_millis());
                part("upstream", &["mock-upstream", "--port", &port.to_string(), "--response-delay", &delay])
                    .kind("mock-upstream", false)
                    .port(*port)
                    .health_check(HttpHealthCheck::new(format!("http://127.0.0.1:{port}/health")))
            }
            Self::TestClient { target, scenario } => {
                part("client", &["test-client", "--target", &endpoint(target), "--scenario", scenario])
                    .kind("test-client", false)
                    .role(Role::Test)
            }
        }
    }
}

impl ProcessConfig {
    fn kind(mut self, kind: &'static str, stand_in: bool) -> Self {
        (self.kind, self.stand_in) = (Some(kind), stand_in);
        self
    }
}

fn part(name: &str, words: &[&str]) -> ProcessConfig {
    ProcessConfig::new(name, Program::BuiltIn).arg("part").args(words.iter().copied())
}

fn shadowcat(mode: &ProxyMode, bind: &str, upstream: &str, auth: Option<&str>) -> ProcessConfig {
    let real = std::env::var(SHADOWCAT).ok().filter(|path| !path.is_empty());
    let mut config = match &real {
        Some(program) => ProcessConfig::new("shadowcat", program.as_str()),
        None => part("shadowcat", &["proxy"]),
    };
    config = config.kind("shadowcat", real.is_none());
    config.restart_policy = RestartPolicy::OnFailure { max_attempts: 3, backoff: Duration::from_secs(1) };
    let port: Option<u16> = bind.rsplit(':').next().and_then(|port| port.parse().ok()).filter(|port| *port != 0);
    match mode {
        ProxyMode::Forward => {
            let number = port.unwrap_or_default().to_string();
            config = config.args(["forward", "http", "--port", &number, "--target", &endpoint(upstream)]);
            // It passes every path on, so it has no health of its own to ask for.
            config = match port {
                Some(port) => config.port(port).health_check(TcpHealthCheck::new(format!("127.0.0.1:{port}"))),
                None => config.ready_when(LogHealthCheck::new(r"listening on \S+:(?<port>\d+)")),
            };
        }
        ProxyMode::Reverse => {
            config = config.args(["reverse", "--bind", bind, "--upstream", &endpoint(upstream)]);
            config = match port {
                Some(port) => config.port(port).health_check(HttpHealthCheck::new(format!("http://127.0.0.1:{port}/health"))),
                None => config.ready_when(LogHealthCheck::new(r"listening on \S+:(?<port>\d+)")),
            };
        }
        ProxyMode::Stdio { command } => {
            config = config.args(["forward", "stdio", "--"]).args(command.iter().cloned()).stdin_pipe();
        }
    }
    let token = auth.map(|auth| auth.strip_prefix("Bearer ").unwrap_or(auth));
    match (token, real.is_some()) {
        (Some(token), true) => config.env("SHADOWCAT_UPSTREAM_AUTH", format!("Bearer {token}")),
        (Some(token), false) => config.env("E2E_TUI_UPSTREAM_TOKEN", token),
        (None, _) => config,
    }
}

fn validator(port: u16, token: Option<&str>) -> ProcessConfig {
    if let Some(checkout) = std::env::var_os(VALIDATOR).filter(|path| !path.is_empty()).map(PathBuf::from) {
        let server = checkout.join("ref_http_server/reference_mcp_server.py").to_string_lossy().into_owned();
        return ProcessConfig::new("validator", "python3")
            .args([server.as_str(), "--host", "127.0.0.1", "--port", &port.to_string()])
            .kind("mcp-validator", false)
            .port(port);
    }
    let number = port.to_string();
    let config = match token {
        Some(token) => part("validator", &["mcp-validator", "--port", &number]).env("E2E_TUI_TOKEN", token),
        None => part("validator", &["mock-upstream", "--port", &number]),
    };
    config.kind("mcp-validator", true).port(port)
}

/// `url`, with `/mcp` where it has no path: MCP servers answer there, and nothing is added by a proxy.
pub(super) fn endpoint(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(parsed) if parsed.path() == "/" && parsed.query().is_none() => format!("{}/mcp", url.trim_end_matches('/')),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_without_a_path_means_its_endpoint() {
        assert_eq!(endpoint("http://127.0.0.1:3000"), "http://127.0.0.1:3000/mcp");
        assert_eq!(endpoint("http://127.0.0.1:3000/"), "http://127.0.0.1:3000/mcp");
        assert_eq!(endpoint("http://127.0.0.1:3000/other"), "http://127.0.0.1:3000/other");
        assert_eq!(endpoint("no url"), "no url");
    }

    #[test]
    fn the_command_line_of_a_proxy_is_shadowcats() {
        let proxy = |mode| {
            ProcessType::ShadowcatProxy {
                mode,
                bind_address: "127.0.0.1:20200".into(),
                upstream: "http://127.0.0.1:20100".into(),
                auth: Some("Bearer s3cret-token".into()),
            }
            .to_process_config()
        };
        let args = |config: &ProcessConfig| config.args[1..].join(" ");
        let reverse = proxy(ProxyMode::Reverse);
        assert_eq!(args(&reverse), "proxy reverse --bind 127.0.0.1:20200 --upstream http://127.0.0.1:20100/mcp");
        assert_eq!(args(&proxy(ProxyMode::Forward)), "proxy forward http --port 20200 --target http://127.0.0.1:20100/mcp");
        let stdio = proxy(ProxyMode::Stdio { command: vec!["server".into(), "--flag".into()] });
        assert_eq!(args(&stdio), "proxy forward stdio -- server --flag");
        assert!(stdio.stdin_pipe && stdio.port.is_none());
        assert_eq!(reverse.env_vars, [("E2E_TUI_UPSTREAM_TOKEN".to_owned(), "s3cret-token".to_owned())]);
        assert!(!format!("{reverse:?}").contains("s3cret"), "{reverse:?}");
    }
}
