//! Why a call failed, and where.

use std::time::Duration;

use super::super::protocol::RpcError;

/// Why one call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Nobody listens there.
    #[error("connection to {addr} refused")]
    Refused {
        /// Host and port.
        addr: String,
    },
    /// The connection could not be made or broke before the answer was whole.
    #[error("connection to {addr} failed: {reason}")]
    Broken {
        /// Host and port.
        addr: String,
        /// The innermost cause.
        reason: String,
    },
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Another HTTP status than the protocol asks for.
    #[error("HTTP {got}, wanted {wanted}")]
    Status {
        /// What came.
        got: u16,
        /// What should have come.
        wanted: u16,
    },
    /// The server answered with a JSON-RPC error.
    #[error(transparent)]
    Rpc(#[from] RpcError),
    /// The answer is not what the protocol asks for.
    #[error("malformed answer: {0}")]
    Malformed(String),
    /// The answer is well-formed, but not the right one.
    #[error("{0}")]
    Wrong(String),
    /// The end was wanted from outside.
    #[error("interrupted")]
    Interrupted,
}

impl CallError {
    /// Whether the same call may work a moment later: the chain failed, not the server's judgement.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Refused { .. } | Self::Broken { .. } | Self::Timeout(_) => true,
            Self::Status { got, .. } => matches!(got, 502..=504),
            Self::Rpc(_) | Self::Malformed(_) | Self::Wrong(_) | Self::Interrupted => false,
        }
    }

    /// In a few words, for the line of a retry: `502`, `refused`.
    pub fn short(&self) -> String {
        match self {
            Self::Refused { .. } => "refused".to_owned(),
            Self::Broken { .. } => "broken off".to_owned(),
            Self::Timeout(_) => "timed out".to_owned(),
            Self::Status { got, .. } => got.to_string(),
            other => other.to_string(),
        }
    }
}

/// Why a test failed: the step, and what was wrong with it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{step}: {error}")]
pub struct Failure {
    /// `initialize`, `tools/call #3`.
    pub step: String,
    /// What was wrong.
    pub error: CallError,
}

impl Failure {
    /// Puts the two together.
    pub fn new(step: impl Into<String>, error: CallError) -> Self {
        Self { step: step.into(), error }
    }
}
