//! The MCP client: whatever comes is an answer.

use std::time::Duration;

use e2e_tui::{
    harness::{ClientError, ProcessConfig, ProcessType, ProxyConfig, ProxyMode, TestClient},
    mcp::protocol::{Message, code},
};
use serde_json::json;

use crate::{
    support::Bench,
    yard::{self, SOON},
};

#[tokio::test]
async fn a_session_is_opened_once_used_and_given_up() {
    let bench = Bench::new("session");
    let harness = yard::harness(&bench).await;
    let upstream = harness.start_mock_upstream(Duration::from_millis(20)).await.expect("a server");
    let client = TestClient::new(&upstream.url);
    assert_eq!(client.session_id(), None);
    let (one, other) = tokio::join!(client.send_mcp_request("ping", None), client.send_mcp_request("ping", None));
    let (one, other) = (one.expect("an answer"), other.expect("an answer"));
    assert_eq!((one.status(), one.session_id()), (200, client.session_id().as_deref()));
    assert_eq!(one.session_id(), other.session_id(), "requests sent at once share one handshake");
    assert!(one.latency() >= Duration::from_millis(20), "{:?}", one.latency());
    assert!(client.list_tools().await.expect("a list").contains(&"echo".to_owned()));
    assert!(client.call_tool("echo", json!({"message": "hello"})).await.expect("a result").text.contains("hello"));

    let unknown = client.send_mcp_request("no/such/method", None).await.expect("an answer");
    assert_eq!(unknown.error().map(|error| error.code), Some(code::METHOD_NOT_FOUND));
    assert!(matches!(unknown.into_result(), Err(ClientError::Rpc { .. })));

    let first = client.session_id();
    let ended = client.end_session().await.expect("an answer").expect("there was one");
    assert!((200..300).contains(&ended.status()), "{ended:?}");
    assert_eq!(client.session_id(), None);
    client.send_mcp_request("ping", None).await.expect("another session");
    assert_ne!(client.session_id(), first);
}

#[tokio::test]
async fn refusals_of_every_kind_are_seen_as_what_they_are() {
    let bench = Bench::new("refusals");
    let harness = yard::harness(&bench).await;
    let upstream = harness.start_mcp_validator_with_token("the-right-token").await.expect("a server");
    let proxy = harness.start_shadowcat_proxy(ProxyConfig { mode: ProxyMode::Forward, upstream: upstream.url.clone(), auth: None });
    let proxy = proxy.await.expect("a proxy");

    let stranger = TestClient::new(&proxy.url);
    let refused = stranger.send_mcp_request("ping", None).await;
    let status = match &refused {
        Ok(response) => response.status(),
        Err(ClientError::Handshake { status, .. }) => status.expect("it answered"),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(status, 401, "{refused:?}");
    let client = TestClient::new(&proxy.url).bearer("the-right-token");
    assert_eq!(client.send_mcp_request("ping", None).await.expect("an answer").status(), 200);

    // No MCP at all: bytes as they are.
    let raw = client.raw_request("POST", &[("content-type", "application/json")], "this is no JSON").await.expect("an answer");
    assert!((400..500).contains(&raw.status()), "{} {}", raw.status(), raw.text());
    assert_eq!(client.raw_request("PUT", &[], Vec::new()).await.expect("an answer").status(), 405);

    // The upstream goes away: the session is there, the path is dead.
    upstream.stop(SOON).await.expect("it ends");
    assert_eq!(client.send_mcp_request("ping", None).await.expect("the proxy's own answer").status(), 502);
    proxy.stop(SOON).await.expect("it ends");
    let error = client.send_mcp_request("ping", None).await.expect_err("nobody listens");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn a_stream_gives_what_came_ahead_of_the_answer() {
    let bench = Bench::new("stream");
    let harness = yard::harness(&bench).await;
    let port = harness.port_allocator().allocate().await.expect("a port");
    let upstream: ProcessConfig = ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config();
    let upstream = harness.start_server(port, upstream.args(["--answers", "sse"])).await.expect("a server");
    let client = TestClient::new(&upstream.url);
    let pong = client.send_mcp_request("ping", None).await.expect("an answer");
    assert_eq!(pong.header("content-type"), Some("text/event-stream"));
    assert_eq!(pong.result(), Some(&json!({})));
    let tools = client.list_tools().await.expect("a list");
    assert!(!tools.is_empty(), "{tools:?}");
    let listening = client.listen().await.expect("a stream");
    drop(listening);
    let _: &[(Message, Duration)] = pong.messages();
}
