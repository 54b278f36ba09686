//! What a test client is told.

use std::{fmt, str::FromStr, time::Duration};

use super::super::{Token, protocol::Revision};

/// What a test client is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// The server.
    pub target: ClientTarget,
    /// What it does.
    pub scenario: Scenario,
    /// The tool it calls, in the scenarios that call one.
    pub tool: ToolCall,
    /// How many calls it makes. Without this and a duration: 5.
    pub calls: Option<u32>,
    /// Calls a second, of all its sessions together; none is as fast as they are answered.
    pub rate: Option<f64>,
    /// How long it goes on calling. With a number of calls too, whichever comes first.
    pub duration: Option<Duration>,
    /// How many sessions call at once. None is 4 for the scenario `concurrency` and 1 for all others.
    pub concurrency: Option<u32>,
    /// How often a call is tried again when the chain fails it (refused, broken off, no answer, 502, 503, 504).
    pub retries: u32,
    /// The bearer token it sends.
    pub token: Option<Token>,
    /// Further headers, as name and value.
    pub headers: Vec<(String, String)>,
    /// How long it waits for an answer.
    pub timeout: Duration,
    /// The revision it asks for.
    pub revision: Revision,
}

impl ClientConfig {
    /// A client that calls `echo` five times.
    pub fn new(target: ClientTarget) -> Self {
        Self {
            target,
            scenario: Scenario::default(),
            tool: ToolCall::default(),
            calls: None,
            rate: None,
            duration: None,
            concurrency: None,
            retries: 0,
            token: None,
            headers: Vec::new(),
            timeout: Duration::from_secs(10),
            revision: Revision::default(),
        }
    }
}

/// What a call is.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum ToolCall {
    /// `echo` with a message that differs from call to call, and must come back.
    #[default]
    Echo,
    /// A tool of that name with these arguments; any result does that is no error.
    Named {
        /// Its name.
        name: String,
        /// Its arguments, a JSON object.
        arguments: serde_json::Map<String, serde_json::Value>,
    },
}

impl ToolCall {
    /// The tool's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Echo => "echo",
            Self::Named { name, .. } => name,
        }
    }
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientTarget {
    /// The URL of the MCP endpoint, with its path: `http://127.0.0.1:3001/mcp`.
    Url(String),
    /// `stdio -- CMD ARGS`: a server that the client starts, one for each session.
    Stdio(Vec<String>),
}

/// What a test client does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Handshake, then pings.
    Ping,
    /// Handshake, list of tools, calls of one of them.
    #[default]
    Tools,
    /// Messages on a GET stream and progress in a streamed answer, each as it was sent and not at the end.
    Stream,
    /// Refused without a token and with a wrong one, served with the right one.
    Auth,
    /// Calls that outlive a session: a 404 means a new handshake. Half-way, the client ends its session itself.
    SessionLoss,
    /// Calls in several sessions at once.
    Concurrency,
    /// Calls for a long time; failures are counted, and any fails the test at its end.
    Soak,
}

/// A text that names no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scenario of the test client: use {list}", list = Scenario::list())]
pub struct UnknownScenario(pub String);

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Ping, Self::Tools, Self::Stream, Self::Auth, Self::SessionLoss, Self::Concurrency, Self::Soak];

    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Tools => "tools",
            Self::Stream => "stream",
            Self::Auth => "auth",
            Self::SessionLoss => "session-loss",
            Self::Concurrency => "concurrency",
            Self::Soak => "soak",
        }
    }

    fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl FromStr for Scenario {
    type Err = UnknownScenario;
    fn from_str(text: &str) -> Result<Self, UnknownScenario> {
        Self::ALL.into_iter().find(|scenario| scenario.name() == text).ok_or_else(|| UnknownScenario(text.chars().take(40).collect()))
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_have_names_both_ways() {
        for scenario in Scenario::ALL {
            assert_eq!(scenario.name().parse(), Ok(scenario));
        }
        let error = "tool".parse::<Scenario>().expect_err("no such scenario");
        assert!(error.to_string().ends_with("use ping, tools, stream, auth, session-loss, concurrency, soak"), "{error}");
    }
}
