//! What a mock upstream is told.

use std::{fmt, str::FromStr, time::Duration};

use super::super::{Token, duration::parse_duration, protocol::Revision};

/// What a mock upstream is told. The default serves a free port of the loopback interface, and is well.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UpstreamConfig {
    /// How it is reached.
    pub transport: UpstreamTransport,
    /// The newest revision it speaks; it speaks all before it too.
    pub revision: Revision,
    /// The form of its answers over HTTP.
    pub answers: AnswerForm,
    /// The bearer token that requests to `/mcp` must carry.
    pub token: Option<Token>,
    /// Whose routes it has.
    pub routes: Routes,
    /// What is wrong with it.
    pub faults: Faults,
}

/// How a mock upstream is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpstreamTransport {
    /// Streamable HTTP on `/mcp`.
    Http {
        /// The address or name to listen on.
        host: String,
        /// The port to listen on; 0 takes a free one, which the listening line names.
        port: u16,
    },
    /// A message a line on stdin and stdout; the log goes to stderr.
    Stdio,
}

impl Default for UpstreamTransport {
    fn default() -> Self {
        Self::Http { host: "127.0.0.1".to_owned(), port: 0 }
    }
}

/// Whose routes a mock upstream has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Routes {
    /// `/mcp` and `/health`.
    #[default]
    Own,
    /// Those of the reference server of mcp-validator: `/mcp` and `/`, no `/health`. Its handshake needs no
    /// token, everything after it does, and a session may also be named by `?session_id=`.
    Validator,
}

/// The form of answers over HTTP. A client must take both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnswerForm {
    /// One JSON body.
    #[default]
    Json,
    /// A stream of events, closed after the answer.
    Sse,
}

impl UpstreamConfig {
    /// The one token that the reference server of mcp-validator takes.
    pub const VALIDATOR_TOKEN: &str = "valid-test-token-123";

    /// A stand-in for the reference server of mcp-validator. What it cannot stand in for is that server's
    /// handshake, which wants a member `clientCapabilities` that no standard client sends, and fails without.
    pub fn validator(host: String, port: u16) -> Self {
        Self {
            transport: UpstreamTransport::Http { host, port },
            token: Some(Token::new(Self::VALIDATOR_TOKEN)),
            routes: Routes::Validator,
            ..Self::default()
        }
    }
}

impl FromStr for AnswerForm {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "json" => Ok(Self::Json),
            "sse" => Ok(Self::Sse),
            _ => Err("use json or sse"),
        }
    }
}

/// What is wrong with a mock upstream. Calls are requests of `tools/call`, counted from 1 in each run of the
/// program: "3 calls" strikes at the third.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// Each answer of `/mcp` waits this long.
    pub response_delay: Duration,
    /// And up to this much longer, at random.
    pub jitter: Duration,
    /// It waits this long before it listens.
    pub start_delay: Duration,
    /// From then on, `/mcp` answers 500. `/health` stays 200, as it does in real servers.
    pub fail_after: Option<After>,
    /// Then it panics, and exits with 101.
    pub crash_after: Option<After>,
    /// From then on, nothing is answered any more, `/health` included.
    pub hang_after: Option<After>,
    /// Every so many calls, the answer is broken; 0 is never, 1 is each.
    pub bad_frames: u32,
    /// `/health` answers 503 in every other span of this length.
    pub flap_health: Option<Duration>,
}

/// When a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// At this call.
    Calls(u32),
    /// This long after the start.
    Time(Duration),
}

/// A text that says neither a number of calls nor a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} says no moment: use \"3 calls\" or a duration like \"2s\"")]
pub struct InvalidAfter(pub String);

impl FromStr for After {
    type Err = InvalidAfter;
    fn from_str(text: &str) -> Result<Self, InvalidAfter> {
        let invalid = || InvalidAfter(text.chars().take(40).collect());
        match text.trim().strip_suffix("calls").or_else(|| text.trim().strip_suffix("call")) {
            Some(number) => number.trim().parse().ok().filter(|n| *n > 0).map(Self::Calls).ok_or_else(invalid),
            None => parse_duration(text).map(Self::Time).map_err(|_| invalid()),
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Calls(1) => f.write_str("1 call"),
            Self::Calls(n) => write!(f, "{n} calls"),
            Self::Time(d) => write!(f, "{d:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_calls_or_durations() {
        assert_eq!("3 calls".parse(), Ok(After::Calls(3)));
        assert_eq!("1 call".parse(), Ok(After::Calls(1)));
        assert_eq!("2s".parse(), Ok(After::Time(Duration::from_secs(2))));
        for wrong in ["3", "0 calls", "calls", "-1 calls", "soon"] {
            assert!(wrong.parse::<After>().is_err(), "{wrong}");
        }
        assert_eq!(After::Calls(3).to_string(), "3 calls");
        assert_eq!(After::Time(Duration::from_secs(2)).to_string(), "2s");
    }
}
