//! What a test client is told.

use std::{fmt, str::FromStr, time::Duration};

use super::super::protocol::Revision;

/// What a test client is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientConfig {
    /// The URL of the MCP endpoint, with its path: `http://127.0.0.1:3001/mcp`.
    pub target: String,
    /// What it does.
    pub scenario: Scenario,
    /// How many calls it makes.
    pub calls: u32,
    /// Calls a second; none is as fast as they are answered.
    pub rate: Option<f64>,
    /// How often a call is tried again when the chain fails it (refused, broken off, no answer, 502, 503, 504).
    pub retries: u32,
    /// How long it waits for an answer.
    pub timeout: Duration,
    /// The revision it asks for.
    pub revision: Revision,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            target: String::new(),
            scenario: Scenario::default(),
            calls: 1,
            rate: None,
            retries: 0,
            timeout: Duration::from_secs(10),
            revision: Revision::default(),
        }
    }
}

/// What a test client does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scenario {
    /// Handshake, list of tools, calls of `echo`.
    #[default]
    Tools,
}

/// A text that names no scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no scenario of the test client: use {list}", list = Scenario::list())]
pub struct UnknownScenario(pub String);

impl Scenario {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Tools];

    /// Its name, as users write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
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
