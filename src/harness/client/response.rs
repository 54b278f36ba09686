//! What came back.

use std::time::Duration;

use serde_json::Value;

use super::ClientError;
use crate::mcp::{
    client::Reply,
    protocol::{Message, RpcError},
};

/// What came back for a request.
///
/// ```no_run
/// # async fn example(client: e2e_tui::harness::TestClient) -> Result<(), e2e_tui::harness::ClientError> {
/// let response = client.send_mcp_request("no/such/method", None).await?;
/// assert_eq!(response.status(), 200);
/// assert_eq!(response.error().map(|error| error.code), Some(-32601));
/// assert!(response.latency().as_secs() < 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct McpResponse {
    pub(super) method: String,
    pub(super) reply: Reply,
    pub(super) session: Option<String>,
}

impl McpResponse {
    /// The HTTP status.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub fn status(&self) -> u16 {
        self.reply.status
    }

    /// From the request to the last byte that was read.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.latency() < std::time::Duration::from_millis(50));
    /// # Ok(())
    /// # }
    /// ```
    pub fn latency(&self) -> Duration {
        self.reply.took
    }

    /// The result, if the answer is one.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.result().is_some());
    /// # Ok(())
    /// # }
    /// ```
    pub fn result(&self) -> Option<&Value> {
        match &self.reply.answer {
            Some(Message::Response { outcome: Ok(result), .. }) => Some(result),
            _ => None,
        }
    }

    /// The JSON-RPC error, if the answer is one.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.error().is_none());
    /// # Ok(())
    /// # }
    /// ```
    pub fn error(&self) -> Option<&RpcError> {
        match &self.reply.answer {
            Some(Message::Response { outcome: Err(error), .. }) => Some(error),
            _ => None,
        }
    }

    /// The result, or why there is none.
    ///
    /// ```no_run
    /// # async fn example(response: e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// let tools = response.into_result()?["tools"].clone();
    /// # Ok(())
    /// # }
    /// ```
    pub fn into_result(self) -> Result<Value, ClientError> {
        let (method, status, body) = (self.method.clone(), self.status(), self.text());
        match self.reply.answer {
            Some(Message::Response { outcome: Ok(result), .. }) => Ok(result),
            Some(Message::Response { outcome: Err(error), .. }) => Err(ClientError::Rpc { method, error }),
            _ => Err(ClientError::NoResult { method, status, body: body.chars().take(200).collect() }),
        }
    }

    /// Messages that came in the same stream ahead of the answer, each with its time since the request.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.messages().is_empty(), "nothing came ahead of the answer");
    /// # Ok(())
    /// # }
    /// ```
    pub fn messages(&self) -> &[(Message, Duration)] {
        &self.reply.ahead
    }

    /// A header, by its name in any case.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(response.header("content-type"), Some("application/json"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn header(&self, name: &str) -> Option<&str> {
        self.reply.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as it came; of a stream, what was read up to the answer.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.body().starts_with(b"{"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn body(&self) -> &[u8] {
        &self.reply.body
    }

    /// The body as text.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(response.text().contains("jsonrpc"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.reply.body).into_owned()
    }

    /// The session in which it was asked.
    ///
    /// ```no_run
    /// # async fn example(response: &e2e_tui::harness::McpResponse) -> Result<(), Box<dyn std::error::Error>> {
    /// let session = response.session_id();
    /// # Ok(())
    /// # }
    /// ```
    pub fn session_id(&self) -> Option<&str> {
        self.session.as_deref()
    }
}

/// What came of a tool.
///
/// ```no_run
/// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
/// let sum = client.call_tool("add", serde_json::json!({ "a": 2, "b": 40 })).await?;
/// assert!(!sum.is_error, "{}", sum.text);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ToolResult {
    /// The text parts of its content, a line each.
    pub text: String,
    /// Whether the tool says that it failed.
    pub is_error: bool,
    /// The whole answer.
    pub response: McpResponse,
}
