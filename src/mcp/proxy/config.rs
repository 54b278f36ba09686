//! What a proxy is told.

use std::time::Duration;

use super::super::{Level, Token};

/// What a proxy is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyConfig {
    /// What it does.
    pub mode: ProxyMode,
    /// How long the upstream may take until its answer starts; past it, the client gets 504.
    pub timeout: Duration,
    /// What its log leaves out.
    pub log_level: Level,
}

/// What a proxy does.
#[derive(Debug, Clone, PartialEq)]
pub enum ProxyMode {
    /// `forward http --bind HOST --port PORT --target …`: what comes in goes to the target.
    Forward {
        /// Where it listens.
        listen: Listen,
        /// Where requests go.
        target: Target,
    },
    /// `reverse --bind ADDR --upstream …`: an MCP endpoint in front of another one.
    Reverse {
        /// Where it listens.
        listen: Listen,
        /// Where requests go.
        upstream: Target,
        /// What the upstream wants to see; it takes the place of the client's own token.
        upstream_token: Option<Token>,
        /// How sessions are kept.
        sessions: SessionLimits,
    },
    /// `forward stdio -- CMD ARGS`: our stdin and stdout, and those of a server that we start.
    Stdio {
        /// The server.
        argv: Vec<String>,
    },
}

/// Where a proxy listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address or name.
    pub host: String,
    /// The port; 0 takes a free one, which the listening line names.
    pub port: u16,
}

/// Where a proxy sends what it gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// To this URL.
    Url(String),
    /// `stdio -- CMD ARGS`: to a server of its own for each session, started when the session opens.
    Stdio(Vec<String>),
}

/// How a reverse proxy keeps its sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// The oldest goes when one more comes.
    pub most: usize,
    /// A session that was idle for so long is gone.
    pub idle: Duration,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self { most: 1000, idle: Duration::from_hours(1) }
    }
}

impl ProxyConfig {
    /// How long the upstream may take, unless told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// A proxy with the usual timeout and log level.
    pub fn new(mode: ProxyMode) -> Self {
        Self { mode, timeout: Self::TIMEOUT, log_level: Level::Info }
    }
}
