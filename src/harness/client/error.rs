//! Why there is no answer.

use std::fmt;

use crate::mcp::{ServeError, client::CallError, protocol::RpcError};

/// Nothing came that could be looked at. `{:?}` is the same text as `{}`: it is what a test shows that returns or unwraps it.
///
/// ```no_run
/// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
/// match client.send_mcp_request("ping", None).await {
///     Ok(response) => assert_eq!(response.status(), 502, "a proxy without its upstream"),
///     Err(error) => panic!("not even an answer: {error}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no tokio runtime around the request.
    #[error("{method} was not sent: a client needs a tokio runtime around it, as in a `#[tokio::test]`")]
    NoRuntime {
        /// What was to be sent.
        method: String,
    },
    /// The URL or a header cannot be used.
    #[error(transparent)]
    Setup(#[from] ServeError),
    /// Refused, broken off, or no answer in time.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The server did not open a session.
    #[error("no session was opened: {error}{}", status.map_or_else(String::new, |status| format!(" (HTTP {status})")))]
    Handshake {
        /// Why not.
        error: CallError,
        /// What it answered, if it did.
        status: Option<u16>,
    },
    /// The answer holds no result.
    #[error("{method} was answered with HTTP {status} and no result: {body}")]
    NoResult {
        /// What was asked.
        method: String,
        /// What came.
        status: u16,
        /// The start of the body.
        body: String,
    },
    /// The server answered with a JSON-RPC error.
    #[error("{method}: {error}")]
    Rpc {
        /// What was asked.
        method: String,
        /// The error.
        error: RpcError,
    },
}

impl fmt::Debug for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
