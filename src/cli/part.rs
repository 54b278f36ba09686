//! `e2e-tui part …`: the hidden subcommand that makes the binary one of the MCP parts.
//!
//! Arguments only; what the parts do is in [`e2e_tui::mcp`]. The proxy takes Shadowcat's documented forms.

use std::time::Duration;

use clap::{Args, Subcommand};
use e2e_tui::mcp::{
    Part,
    client::{ClientConfig, Scenario},
    protocol::Revision,
    proxy::{ProxyConfig, ProxyMode},
    run,
    upstream::UpstreamConfig,
};

/// Which part to be.
#[derive(Debug, Subcommand)]
pub(crate) enum PartCommand {
    /// An MCP server with a few tools
    MockUpstream(UpstreamArgs),
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
    #[arg(long)]
    port: u16,
    /// Newest revision of the protocol to speak
    #[arg(long, default_value_t, value_name = "DATE")]
    revision: Revision,
}

/// Arguments of `part proxy`.
#[derive(Debug, Args)]
pub(crate) struct ProxyArgs {
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
}

#[derive(Debug, Subcommand)]
enum ForwardArgs {
    /// Over HTTP
    Http {
        /// Address to listen on
        #[arg(long, default_value = "127.0.0.1")]
        bind: String,
        /// Port to listen on; 0 takes a free one
        #[arg(long, default_value_t = 8080)]
        port: u16,
        /// Where requests go
        #[arg(long, value_name = "URL")]
        target: String,
    },
}

/// Arguments of `part test-client`.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// The MCP endpoint, with its path
    #[arg(long, value_name = "URL")]
    target: String,
    /// What to do
    #[arg(long, default_value_t)]
    scenario: Scenario,
    /// How many calls
    #[arg(long, default_value_t = 5)]
    calls: u32,
    /// Calls a second [default: as fast as they are answered]
    #[arg(long, value_parser = rate)]
    rate: Option<f64>,
    /// How often to try a call again when the chain fails it
    #[arg(long, default_value_t = 0)]
    retries: u32,
    /// How many seconds to wait for an answer
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    timeout: u64,
    /// Revision of the protocol to ask for
    #[arg(long, default_value_t, value_name = "DATE")]
    revision: Revision,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.001..=1_000_000.0).contains(&rate) => Ok(rate),
        _ => Err("use a number of calls a second from 0.001 to 1000000".to_owned()),
    }
}

impl PartCommand {
    /// Is that part until it ends; returns the exit code.
    pub(crate) fn run(self) -> u8 {
        run(self.into_part())
    }

    fn into_part(self) -> Part {
        match self {
            Self::MockUpstream(args) => Part::MockUpstream(UpstreamConfig { host: args.host, port: args.port, revision: args.revision }),
            Self::Proxy(ProxyArgs { mode: ProxyModeArgs::Forward { transport: ForwardArgs::Http { bind, port, target } } }) => {
                Part::Proxy(ProxyConfig { mode: ProxyMode::Forward { host: bind, port, target }, timeout: ProxyConfig::TIMEOUT })
            }
            Self::TestClient(args) => Part::TestClient(ClientConfig {
                target: args.target,
                scenario: args.scenario,
                calls: args.calls,
                rate: args.rate,
                retries: args.retries,
                timeout: Duration::from_secs(args.timeout),
                revision: args.revision,
            }),
        }
    }
}
