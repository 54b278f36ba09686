//! `e2e-tui part …`: the hidden subcommand that makes the binary one of the MCP parts.
//!
//! Arguments only; what the parts do is in [`e2e_tui::mcp`]. The proxy takes Shadowcat's documented forms, with
//! the names that its flags had over time.

use std::time::Duration;

use clap::{Args, Subcommand};
use e2e_tui::mcp::{
    Level, Part, Token,
    client::{ClientConfig, ClientTarget, Scenario, ToolCall},
    parse_duration,
    protocol::Revision,
    proxy::{Listen, ProxyConfig, ProxyMode, SessionLimits, Target},
    run,
    upstream::{After, AnswerForm, Faults, UpstreamConfig, UpstreamTransport},
};

/// Which part to be.
#[derive(Debug, Subcommand)]
pub(crate) enum PartCommand {
    /// An MCP server with a few tools
    MockUpstream(UpstreamArgs),
    /// A stand-in for the reference server of mcp-validator, with its command line, routes and token
    McpValidator(ValidatorArgs),
    /// A stand-in for Shadowcat, with its command line
    Proxy(ProxyArgs),
    /// An MCP client that exits 0 or 1 and says why
    TestClient(ClientArgs),
}

/// Arguments of `part mock-upstream`.
#[derive(Debug, Args)]
pub(crate) struct UpstreamArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, required_unless_present = "stdio")]
    port: Option<u16>,
    /// Speak on stdin and stdout, log on stderr
    #[arg(long, conflicts_with = "port")]
    stdio: bool,
    /// Newest revision of the protocol to speak
    #[arg(long, default_value_t, value_name = "DATE")]
    revision: Revision,
    /// Form of the answers: json or sse
    #[arg(long, default_value = "json", value_name = "FORM")]
    answers: AnswerForm,
    /// Bearer token that requests must carry
    #[arg(long, env = "E2E_TUI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    faults: FaultArgs,
}

#[derive(Debug, Args)]
struct FaultArgs {
    /// Wait before each answer
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    response_delay: Option<Duration>,
    /// Wait up to this much longer, at random
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    jitter: Option<Duration>,
    /// Wait before listening
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    start_delay: Option<Duration>,
    /// Answer 500 from the n-th call on ("3 calls"), or from that time on ("2s")
    #[arg(long, value_name = "WHEN")]
    fail_after: Option<After>,
    /// Panic at the n-th call, or at that time
    #[arg(long, value_name = "WHEN")]
    crash_after: Option<After>,
    /// Answer nothing from the n-th call on, or from that time on
    #[arg(long, value_name = "WHEN")]
    hang_after: Option<After>,
    /// Break every n-th answer to a call; true breaks each
    #[arg(long, value_parser = every, value_name = "N", num_args = 0..=1, default_missing_value = "true")]
    bad_frames: Option<u32>,
    /// Answer 503 on /health in every other span of this length
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    flap_health: Option<Duration>,
}

/// Arguments of `part mcp-validator`.
#[derive(Debug, Args)]
pub(crate) struct ValidatorArgs {
    /// Address to listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: String,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 8088)]
    port: u16,
    /// Bearer token that requests must carry, in place of the reference server's
    #[arg(long, env = "E2E_TUI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Taken, and without effect
    #[arg(long)]
    debug: bool,
}

/// Arguments of `part proxy`.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
    /// Least level of the log: debug, info, warn or error
    #[arg(long, value_parser = level, default_value = "info", value_name = "LEVEL")]
    log_level: Level,
    /// The same as --log-level debug
    #[arg(long, short)]
    verbose: bool,
    /// How long the upstream may take to answer
    #[arg(long, value_parser = duration, default_value = "30s", value_name = "DURATION")]
    timeout: Duration,
    #[command(subcommand)]
    mode: ProxyModeArgs,
}

#[derive(Debug, Subcommand)]
enum ProxyModeArgs {
    /// Pass everything on to one target
    Forward {
        #[command(subcommand)]
        transport: ForwardArgs,
    },
    /// An endpoint of its own in front of an upstream
    #[command(visible_alias = "gateway")]
    Reverse(ReverseArgs),
}

#[derive(Debug, Subcommand)]
enum ForwardArgs {
    /// Over HTTP
    #[command(visible_aliases = ["streamable-http", "sse"])]
    Http {
        /// Address to listen on, with or without a port
        #[arg(long, default_value = "127.0.0.1")]
        bind: String,
        /// Port to listen on; 0 takes a free one
        #[arg(long)]
        port: Option<u16>,
        /// Where requests go: a URL, or `stdio -- CMD ARGS`
        #[arg(long, visible_aliases = ["url", "endpoint"], value_name = "URL")]
        target: String,
        /// The server, for `--target stdio`
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Over stdin and stdout
    Stdio {
        /// The server
        #[arg(last = true, required = true)]
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct ReverseArgs {
    /// Address and port to listen on
    #[arg(long, default_value = "127.0.0.1:8080", value_name = "ADDR")]
    bind: String,
    /// Where requests go: a URL with its whole path, or `stdio -- CMD ARGS`
    #[arg(long, value_name = "URL")]
    upstream: String,
    /// Bearer token for the upstream, in place of the client's
    #[arg(long, env = "E2E_TUI_UPSTREAM_TOKEN", hide_env_values = true)]
    upstream_token: Option<String>,
    /// End a session that was idle for so long
    #[arg(long, default_value_t = 3600)]
    session_timeout_secs: u64,
    /// Keep no more sessions than this
    #[arg(long, default_value_t = 1000)]
    max_sessions: usize,
    /// The server, for `--upstream stdio`
    #[arg(last = true)]
    command: Vec<String>,
}

/// Arguments of `part test-client`.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The MCP endpoint with its path, or `stdio -- CMD ARGS`
    #[arg(long, value_name = "URL")]
    target: String,
    /// What to do: ping, tools, stream, auth, session-loss, concurrency or soak
    #[arg(long, default_value_t)]
    scenario: Scenario,
    /// The tool to call
    #[arg(long, default_value = "echo", value_name = "NAME")]
    tool: String,
    /// Its arguments, a JSON object [default for echo: a message that must come back]
    #[arg(long, value_parser = object, value_name = "JSON")]
    arguments: Option<Object>,
    /// How many calls [default: 5]
    #[arg(long)]
    calls: Option<u32>,
    /// Calls a second [default: as fast as they are answered]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// How long to call
    #[arg(long, value_parser = duration)]
    duration: Option<Duration>,
    /// How many sessions call at once
    #[arg(long)]
    concurrency: Option<u32>,
    /// How often to try a call again when the chain fails it
    #[arg(long, default_value_t = 0)]
    retries: u32,
    /// Bearer token to send
    #[arg(long, env = "E2E_TUI_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A further header, as "Name: value"
    #[arg(long = "header", value_parser = header, value_name = "HEADER")]
    headers: Vec<(String, String)>,
    /// How long to wait for an answer
    #[arg(long, value_parser = duration, default_value = "10s", value_name = "DURATION")]
    timeout: Duration,
    /// Revision of the protocol to ask for
    #[arg(long, default_value_t, value_name = "DATE")]
    revision: Revision,
    /// The server, for `--target stdio`
    #[arg(last = true)]
    command: Vec<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("use a number of calls a second from 0.001 to 1000000".to_owned()),
    }
}

fn every(text: &str) -> Result<u32, String> {
    match text {
        "true" => Ok(1),
        "false" => Ok(0),
        number => number.parse().map_err(|_| "use true, or a number n to break every n-th answer".to_owned()),
    }
}

/// The arguments of a tool.
type Object = serde_json::Map<String, serde_json::Value>;

fn object(text: &str) -> Result<Object, String> {
    serde_json::from_str(text).map_err(|error| format!("that is no JSON object: {error}"))
}

fn level(text: &str) -> Result<Level, String> {
    Level::parse(text).ok_or_else(|| "use debug, info, warn or error".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("use the form \"Name: value\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

/// `HOST`, `HOST:PORT` or `[HOST]:PORT`.
fn listen(bind: &str, port: Option<u16>) -> Listen {
    let with_port = bind.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    // A bare IPv6 address is full of colons, and none of them starts a port.
    let with_port = with_port.filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let (host, bound) = with_port.map_or((bind, None), |(host, port)| (host, Some(port)));
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    Listen { host, port: port.or(bound).unwrap_or(8080) }
}

fn target(url: String, command: Vec<String>) -> Target {
    if url == "stdio" { Target::Stdio(command) } else { Target::Url(url) }
}

impl PartCommand {
    /// Is that part until it ends; returns the exit code.
    pub(crate) fn run(self) -> u8 {
        run(self.into_part())
    }

    fn into_part(self) -> Part {
        match self {
            Self::MockUpstream(args) => Part::MockUpstream(args.into_config()),
            Self::McpValidator(args) => Part::MockUpstream(args.into_config()),
            Self::Proxy(args) => Part::Proxy(args.into_config()),
            Self::TestClient(args) => Part::TestClient(args.into_config()),
        }
    }
}

impl UpstreamArgs {
    fn into_config(self) -> UpstreamConfig {
        let transport = match self.port {
            Some(port) => UpstreamTransport::Http { host: self.host, port },
            None => UpstreamTransport::Stdio,
        };
        let (revision, answers, token) = (self.revision, self.answers, self.token.map(Token::new));
        UpstreamConfig { transport, revision, answers, token, faults: self.faults.into_faults(), ..UpstreamConfig::default() }
    }
}

impl ValidatorArgs {
    fn into_config(self) -> UpstreamConfig {
        let mut config = UpstreamConfig::validator(self.host, self.port);
        if let Some(token) = self.token {
            config.token = Some(Token::new(token));
        }
        config
    }
}

impl FaultArgs {
    fn into_faults(self) -> Faults {
        Faults {
            response_delay: self.response_delay.unwrap_or_default(),
            jitter: self.jitter.unwrap_or_default(),
            start_delay: self.start_delay.unwrap_or_default(),
            fail_after: self.fail_after,
            crash_after: self.crash_after,
            hang_after: self.hang_after,
            bad_frames: self.bad_frames.unwrap_or(0),
            flap_health: self.flap_health,
        }
    }
}

impl ProxyArgs {
    fn into_config(self) -> ProxyConfig {
        let log_level = if self.verbose { Level::Debug } else { self.log_level };
        ProxyConfig { mode: self.mode.into_mode(), timeout: self.timeout, log_level }
    }
}

impl ProxyModeArgs {
    fn into_mode(self) -> ProxyMode {
        match self {
            Self::Forward { transport: ForwardArgs::Stdio { command } } => ProxyMode::Stdio { argv: command },
            Self::Forward { transport: ForwardArgs::Http { bind, port, target: url, command } } => {
                ProxyMode::Forward { listen: listen(&bind, port), target: target(url, command) }
            }
            Self::Reverse(args) => ProxyMode::Reverse {
                listen: listen(&args.bind, None),
                upstream: target(args.upstream, args.command),
                upstream_token: args.upstream_token.map(Token::new),
                sessions: SessionLimits { most: args.max_sessions.max(1), idle: Duration::from_secs(args.session_timeout_secs) },
            },
        }
    }
}

impl ClientArgs {
    fn into_config(self) -> ClientConfig {
        let target = if self.target == "stdio" { ClientTarget::Stdio(self.command) } else { ClientTarget::Url(self.target) };
        let tool = match self.arguments {
            None if self.tool == ToolCall::default().name() => ToolCall::default(),
            arguments => ToolCall::Named { name: self.tool, arguments: arguments.unwrap_or_default() },
        };
        ClientConfig {
            scenario: self.scenario,
            tool,
            calls: self.calls,
            rate: self.rate,
            duration: self.duration,
            concurrency: self.concurrency,
            retries: self.retries,
            token: self.token.map(Token::new),
            headers: self.headers,
            timeout: self.timeout,
            revision: self.revision,
            ..ClientConfig::new(target)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        part: PartCommand,
    }

    fn proxy(line: &str) -> ProxyMode {
        let words = ["part", "proxy"].into_iter().chain(line.split(' '));
        match Cli::try_parse_from(words).map(|cli| cli.part.into_part()) {
            Ok(Part::Proxy(config)) => config.mode,
            Ok(other) => panic!("{line}: {other:?}"),
            Err(error) => panic!("{line}: {error}"),
        }
    }

    fn at(host: &str, port: u16) -> Listen {
        Listen { host: host.to_owned(), port }
    }

    #[test]
    fn shadowcats_documented_forms_are_understood() {
        let url = || Target::Url("http://h/mcp".to_owned());
        let cat = || vec!["cat".to_owned(), "-u".to_owned()];
        assert_eq!(proxy("forward http --port 1 --target http://h/mcp"), ProxyMode::Forward { listen: at("127.0.0.1", 1), target: url() });
        assert_eq!(
            proxy("forward http --bind 127.0.0.2:3 --url http://h/mcp"),
            ProxyMode::Forward { listen: at("127.0.0.2", 3), target: url() }
        );
        assert_eq!(
            proxy("--log-level error forward streamable-http --endpoint http://h/mcp"),
            ProxyMode::Forward { listen: at("127.0.0.1", 8080), target: url() }
        );
        assert_eq!(
            proxy("forward http --port 1 --target stdio -- cat -u"),
            ProxyMode::Forward { listen: at("127.0.0.1", 1), target: Target::Stdio(cat()) }
        );
        assert_eq!(proxy("forward stdio -- cat -u"), ProxyMode::Stdio { argv: cat() });
        let reverse = |host, port, upstream| ProxyMode::Reverse {
            listen: at(host, port),
            upstream,
            upstream_token: None,
            sessions: SessionLimits::default(),
        };
        assert_eq!(proxy("reverse --bind 127.0.0.1:0 --upstream http://h/mcp"), reverse("127.0.0.1", 0, url()));
        assert_eq!(proxy("gateway --bind [::1]:9 --upstream stdio -- cat -u"), reverse("::1", 9, Target::Stdio(cat())));
    }

    #[test]
    fn a_proxy_without_a_target_is_a_usage_error() {
        assert!(Cli::try_parse_from(["part", "proxy", "forward", "http", "--port", "1"]).is_err());
        assert!(Cli::try_parse_from(["part", "proxy", "forward", "stdio"]).is_err());
        assert!(Cli::try_parse_from(["part", "mock-upstream"]).is_err());
    }
}
