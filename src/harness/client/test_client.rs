//! The client.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    runtime::Handle,
    sync::{OnceCell, mpsc},
};

use super::{super::kinds::endpoint, ClientError, McpResponse, ToolResult};
use crate::mcp::{
    Token,
    client::{CallError, ClientConfig, ClientTarget, Peer, PeerSession},
    protocol::{Message, Revision},
};

/// An MCP client over streamable HTTP. It opens its session at the first request, and judges nothing: a 401 or a 502 is an
/// answer like any other. Must be used within a tokio runtime.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::ClientError> {
/// use e2e_tui::harness::TestClient;
/// use serde_json::json;
///
/// let client = TestClient::new("http://127.0.0.1:20100").bearer("test-token");
/// let pong = client.send_mcp_request("ping", None).await?;
/// assert_eq!(pong.status(), 200);
/// assert_eq!(client.call_tool("echo", json!({"message": "hi"})).await?.text, "hi");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TestClient {
    config: ClientConfig,
    next_id: Arc<AtomicU64>,
    /// A new cell takes the old one's place when a session is given up.
    session: Arc<Mutex<Arc<OnceCell<Open>>>>,
}

#[derive(Debug, Clone)]
struct Open {
    peer: Peer,
    session: PeerSession,
}

impl fmt::Debug for TestClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestClient").field("target", &self.config.target).field("session", &self.session_id()).finish_non_exhaustive()
    }
}

impl TestClient {
    /// A client for the endpoint at `url`; one without a path means its `/mcp`. Nothing is sent yet.
    ///
    /// ```no_run
    /// let client = e2e_tui::TestClient::new("http://127.0.0.1:8080/mcp");
    /// ```
    pub fn new(url: impl AsRef<str>) -> Self {
        let config = ClientConfig::new(ClientTarget::Url(endpoint(url.as_ref())));
        Self { config, next_id: Arc::new(AtomicU64::new(1)), session: Arc::default() }
    }

    /// Sends a bearer token with every request.
    ///
    /// ```no_run
    /// let client = e2e_tui::TestClient::new("http://127.0.0.1:8080/mcp").bearer("demo-token");
    /// ```
    #[must_use]
    pub fn bearer(mut self, token: impl AsRef<str>) -> Self {
        let token = token.as_ref();
        self.config.token = Some(Token::new(token.strip_prefix("Bearer ").unwrap_or(token)));
        self.anew()
    }

    /// Sends a header with every request.
    ///
    /// ```no_run
    /// let client = e2e_tui::TestClient::new("http://127.0.0.1:8080/mcp").header("X-Tenant", "blue");
    /// ```
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.headers.push((name.into(), value.into()));
        self.anew()
    }

    /// How long an answer may take; 10 s unless set.
    ///
    /// ```no_run
    /// let client = e2e_tui::TestClient::new("http://127.0.0.1:8080/mcp").timeout(std::time::Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.config.timeout = timeout;
        self.anew()
    }

    /// The revision of the protocol that it asks for.
    ///
    /// ```no_run
    /// use e2e_tui::{TestClient, mcp::protocol::Revision};
    ///
    /// let client = TestClient::new("http://127.0.0.1:8080/mcp").revision(Revision::V2025_03_26);
    /// ```
    #[must_use]
    pub fn revision(mut self, revision: Revision) -> Self {
        self.config.revision = revision;
        self.anew()
    }

    /// The same client with a session of its own.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// // Two sessions on one proxy.
    /// let other = client.anew();
    /// assert_ne!(client.send_mcp_request("ping", None).await?.session_id(), other.send_mcp_request("ping", None).await?.session_id());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn anew(&self) -> Self {
        Self { config: self.config.clone(), next_id: Arc::new(AtomicU64::new(1)), session: Arc::default() }
    }

    /// Sends a request and gives back what came, whatever its status. Opens the session first, if there is none.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let response = client.send_mcp_request("ping", None).await?;
    /// assert_eq!(response.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_mcp_request(&self, method: &str, params: Option<Value>) -> Result<McpResponse, ClientError> {
        let open = self.open(method).await?;
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let reply = open.peer.request(id, method, params.unwrap_or(Value::Null), &open.session).await?;
        Ok(McpResponse { method: method.to_owned(), reply, session: open.session.id().map(str::to_owned) })
    }

    /// Sends a notification.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.notify("notifications/roots/list_changed", None).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn notify(&self, method: &str, params: Option<Value>) -> Result<McpResponse, ClientError> {
        let open = self.open(method).await?;
        let reply = open.peer.notify(&Message::notification(method, params.unwrap_or(Value::Null)), &open.session).await?;
        Ok(McpResponse { method: method.to_owned(), reply, session: open.session.id().map(str::to_owned) })
    }

    /// Calls a tool; its failure is in the result, not an error.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let said = client.call_tool("echo", serde_json::json!({ "message": "hello" })).await?;
    /// assert!(said.text.contains("hello"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn call_tool(&self, tool: &str, arguments: Value) -> Result<ToolResult, ClientError> {
        let response = self.send_mcp_request("tools/call", Some(json!({"name": tool, "arguments": arguments}))).await?;
        let result = response.clone().into_result()?;
        let content = result.get("content").and_then(Value::as_array).cloned().unwrap_or_default();
        let texts = content.iter().filter_map(|part| part.get("text").and_then(Value::as_str));
        let text = texts.collect::<Vec<_>>().join("\n");
        Ok(ToolResult { text, is_error: result.get("isError").and_then(Value::as_bool).unwrap_or(false), response })
    }

    /// The names of the server's tools.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(client.list_tools().await?.contains(&"echo".to_owned()));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn list_tools(&self) -> Result<Vec<String>, ClientError> {
        let result = self.send_mcp_request("tools/list", None).await?.into_result()?;
        let tools = result.get("tools").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(tools.iter().filter_map(|tool| tool.get("name").and_then(Value::as_str)).map(str::to_owned).collect())
    }

    /// Opens a stream on which the server may speak first. It closes with the receiver.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut messages = client.listen().await?;
    /// let first = messages.recv().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn listen(&self) -> Result<mpsc::Receiver<Message>, ClientError> {
        let open = self.open("GET").await?;
        Ok(open.peer.listen(&open.session).await?)
    }

    /// Sends any bytes with any method, without a session and without judging: for requests that should be refused.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let refused = client.raw_request("POST", &[("Content-Type", "text/plain")], "no JSON").await?;
    /// assert!(refused.status() >= 400);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn raw_request(&self, method: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Result<McpResponse, ClientError> {
        within_a_runtime(method)?;
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let reply = Peer::new(&self.config)?.raw(method, &headers, body.into()).await?;
        Ok(McpResponse { method: method.to_owned(), reply, session: None })
    }

    /// The id of the session, once there is one.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(client.session_id().is_some(), "it has begun a session");
    /// # Ok(())
    /// # }
    /// ```
    pub fn session_id(&self) -> Option<String> {
        self.cell().get()?.session.id().map(str::to_owned)
    }

    /// Asks the server to forget the session; the next request opens another.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.end_session().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn end_session(&self) -> Result<Option<McpResponse>, ClientError> {
        within_a_runtime("DELETE")?;
        let Some(open) = self.forget_session() else { return Ok(None) };
        let reply = open.peer.delete(&open.session).await?;
        Ok(Some(McpResponse { method: "DELETE".to_owned(), reply, session: open.session.id().map(str::to_owned) }))
    }

    /// Gives the session up without telling the server; the next request opens another.
    ///
    /// ```no_run
    /// # async fn example(client: &e2e_tui::TestClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.reconnect();
    /// # Ok(())
    /// # }
    /// ```
    pub fn reconnect(&self) {
        self.forget_session();
    }

    fn forget_session(&self) -> Option<Open> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *session).get().cloned()
    }

    fn cell(&self) -> Arc<OnceCell<Open>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The session; requests sent at once share one handshake.
    async fn open(&self, method: &str) -> Result<Open, ClientError> {
        within_a_runtime(method)?;
        let cell = self.cell();
        let open = cell.get_or_try_init(|| async {
            let peer = Peer::new(&self.config)?;
            match peer.open().await {
                Ok(session) => Ok(Open { peer, session }),
                Err((error @ (CallError::Refused { .. } | CallError::Broken { .. } | CallError::Timeout(_)), None)) => {
                    Err(ClientError::Call(error))
                }
                Err((error, reply)) => Err(ClientError::Handshake { error, status: reply.map(|reply| reply.status) }),
            }
        });
        open.await.cloned()
    }
}

/// Connections are made on the caller's runtime, and cannot be without one.
fn within_a_runtime(method: &str) -> Result<(), ClientError> {
    Handle::try_current().map(drop).map_err(|_| ClientError::NoRuntime { method: method.to_owned() })
}
