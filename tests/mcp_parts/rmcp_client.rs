//! The upstream and the proxies against the client of rmcp, the Rust SDK of the protocol's own authors.
#![expect(deprecated, reason = "log messages leave the protocol after the revisions that these parts speak")]

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use e2e_tui::mcp::{
    Token,
    protocol::Revision,
    proxy::{ProxyConfig, ProxyMode, SessionLimits, Target},
    upstream::{AnswerForm, UpstreamConfig},
};
use rmcp::{
    ClientHandler, ClientLifecycleMode, ClientServiceExt, RoleClient, ServiceExt,
    model::{CallToolRequestParams, JsonObject, LoggingMessageNotificationParam, ProgressNotificationParam, ProtocolVersion},
    service::{NotificationContext, RunningService},
    transport::{StreamableHttpClientTransport, TokioChildProcess, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::json;

use crate::support::{Served, anywhere, count, forward, http, in_time, proxy, reverse, upstream};

/// Remembers what the server said unasked.
#[derive(Clone, Default)]
struct Listener {
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listener {
    fn note(&self, what: String) {
        self.heard.lock().expect("no panic").push(what);
    }

    async fn hears(&self, wanted: &[&str]) {
        in_time(async {
            while self.heard.lock().expect("no panic").len() < wanted.len() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        assert_eq!(self.heard.lock().expect("no panic").drain(..).collect::<Vec<_>>(), wanted);
    }
}

impl ClientHandler for Listener {
    async fn on_logging_message(&self, params: LoggingMessageNotificationParam, _: NotificationContext<RoleClient>) {
        self.note(format!("message {}", params.data["number"]));
    }

    async fn on_progress(&self, params: ProgressNotificationParam, _: NotificationContext<RoleClient>) {
        self.note(format!("progress {}", params.progress));
    }
}

type Client = RunningService<RoleClient, Listener>;

async fn connect(config: StreamableHttpClientTransportConfig) -> (Client, Listener) {
    let listener = Listener::default();
    let transport = StreamableHttpClientTransport::with_client(http(), config);
    let client = in_time(listener.clone().serve(transport)).await.expect("a handshake");
    (client, listener)
}

async fn connect_to(url: String) -> (Client, Listener) {
    connect(StreamableHttpClientTransportConfig::with_uri(url)).await
}

fn arguments(json: serde_json::Value) -> JsonObject {
    match json {
        serde_json::Value::Object(object) => object,
        _ => JsonObject::new(),
    }
}

async fn call(client: &Client, tool: &'static str, with: serde_json::Value) -> String {
    let request = CallToolRequestParams::new(tool).with_arguments(arguments(with));
    let result = in_time(client.call_tool(request)).await.expect("a result");
    result.content[0].as_text().expect("text").text.clone()
}

/// Whatever a client should get from the mock upstream, wherever that is.
async fn use_it_all(client: &Client, listener: &Listener) {
    let tools = in_time(client.list_all_tools()).await.expect("tools");
    assert!(tools.iter().any(|tool| tool.name == "echo"), "{tools:?}");
    assert_eq!(call(client, "echo", json!({"message": "grüße →"})).await, "grüße →");
    assert_eq!(call(client, "add", json!({"a": 2, "b": 40})).await, "42");
    call(client, "count", json!({"to": 3})).await;
    listener.hears(&["progress 1", "progress 2", "progress 3"]).await;
    let unknown = in_time(client.call_tool(CallToolRequestParams::new("nope"))).await.expect_err("no such tool");
    assert!(unknown.to_string().contains("unknown tool: nope"), "{unknown}");
}

/// The stream is opened by the client in its own time, so the first attempts may find none.
async fn hear_unasked(client: &Client, listener: &Listener) {
    in_time(async {
        while Box::pin(call(client, "notify", json!({"count": 2}))).await != "sent 2 messages" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    listener.hears(&["message 1", "message 2"]).await;
}

async fn end_all(parts: Vec<Served>) -> Vec<Vec<String>> {
    let mut logs = Vec::new();
    for part in parts {
        logs.push(part.end().await);
    }
    logs
}

#[tokio::test]
async fn its_client_uses_the_upstream_through_both_proxies() {
    for revision in Revision::WITH_HANDSHAKE {
        for answers in [AnswerForm::Json, AnswerForm::Sse] {
            let upstream = upstream(UpstreamConfig { revision, answers, ..UpstreamConfig::default() }).await;
            let forward = forward(upstream.url()).await;
            let reverse = reverse(forward.url()).await;
            let (client, listener) = connect_to(reverse.url()).await;
            assert_eq!(client.peer_info().expect("an answer").protocol_version.as_str(), revision.as_str());
            use_it_all(&client, &listener).await;
            hear_unasked(&client, &listener).await;
            in_time(client.cancel()).await.expect("a clean end");
            let logs = end_all(vec![reverse, forward, upstream]).await;
            assert_eq!(count(&logs[2], "tools/call echo"), 1, "{:#?}", logs[2]);
            assert_eq!(count(&logs[2], "ended by the client → 204"), 1, "{:#?}", logs[2]);
            assert!(logs.iter().flatten().all(|line| !line.starts_with("ERROR")), "{logs:#?}");
        }
    }
}

#[tokio::test]
async fn its_client_needs_no_handshake_in_the_newest_revision() {
    for answers in [AnswerForm::Json, AnswerForm::Sse] {
        let upstream = upstream(UpstreamConfig { revision: Revision::V2026_07_28, answers, ..UpstreamConfig::default() }).await;
        let forward = forward(upstream.url()).await;
        let reverse = reverse(forward.url()).await;
        let listener = Listener::default();
        let config = StreamableHttpClientTransportConfig::with_uri(reverse.url());
        let transport = StreamableHttpClientTransport::with_client(http(), config);
        let lifecycle = ClientLifecycleMode::Discover { preferred_versions: vec![ProtocolVersion::V_2026_07_28] };
        let client = in_time(listener.clone().serve_with_lifecycle(transport, lifecycle)).await.expect("an answer");
        use_it_all(&client, &listener).await;
        in_time(client.cancel()).await.expect("a clean end");
        let logs = end_all(vec![reverse, forward, upstream]).await;
        assert_eq!(count(&logs[2], "session="), 0, "{:#?}", logs[2]);
        assert_eq!(count(&logs[2], "tools/call echo"), 1, "{:#?}", logs[2]);
    }
}

#[tokio::test]
async fn its_client_sends_a_token_and_is_refused_without() {
    let upstream = upstream(UpstreamConfig { token: Some(Token::new("demo-token")), ..UpstreamConfig::default() }).await;
    let config = StreamableHttpClientTransportConfig::with_uri(upstream.url());
    let (client, listener) = connect(config.clone().auth_header("demo-token")).await;
    use_it_all(&client, &listener).await;
    in_time(client.cancel()).await.expect("a clean end");
    let transport = StreamableHttpClientTransport::with_client(http(), config);
    assert!(in_time(().serve(transport)).await.is_err());
}

#[tokio::test]
async fn its_client_opens_a_new_session_when_its_own_is_gone() {
    let first = upstream(UpstreamConfig::default()).await;
    let reverse = reverse(first.url()).await;
    let (client, listener) = connect_to(reverse.url()).await;
    use_it_all(&client, &listener).await;
    let lines = first.log.lines();
    let session = lines.iter().find_map(|line| line.strip_prefix("INFO session=")?.split(' ').next()).expect("a session");
    let ended = http().delete(first.url()).header("mcp-session-id", session).send().await.expect("an answer");
    assert_eq!(ended.status(), 204);
    assert_eq!(call(&client, "add", json!({"a": 1, "b": 1})).await, "2", "404 made it initialize anew");
    in_time(client.cancel()).await.expect("a clean end");
    let logs = end_all(vec![reverse, first]).await;
    assert_eq!(count(&logs[1], " initialize "), 2, "{:#?}", logs[1]);
}

#[tokio::test]
async fn its_client_talks_to_the_stdio_proxy_and_server() {
    let binary = env!("CARGO_BIN_EXE_e2e-tui");
    let command = |words: &[&str]| {
        // The logs of both go nowhere: here it is about stdin and stdout.
        let mut command = tokio::process::Command::new("/bin/sh");
        command.args(["-c", "exec \"$0\" \"$@\" 2>/dev/null", binary, "part"]).args(words);
        command
    };
    let server = [binary, "part", "mock-upstream", "--stdio"];
    for words in [vec!["mock-upstream", "--stdio"], [vec!["proxy", "forward", "stdio", "--"], server.to_vec()].concat()] {
        let listener = Listener::default();
        let transport = TokioChildProcess::new(command(&words)).expect("it starts");
        let client = in_time(listener.clone().serve(transport)).await.expect("a handshake");
        use_it_all(&client, &listener).await;
        hear_unasked(&client, &listener).await;
        in_time(client.cancel()).await.expect("a clean end");
    }
}

#[tokio::test]
async fn its_client_reaches_a_stdio_server_over_http() {
    let target = Target::Stdio(crate::stdio::server(&[]));
    let mode = ProxyMode::Reverse { listen: anywhere(), upstream: target, upstream_token: None, sessions: SessionLimits::default() };
    let bridge = proxy(ProxyConfig::new(mode)).await;
    let (client, listener) = connect_to(bridge.url()).await;
    let tools = in_time(client.list_all_tools()).await.expect("tools");
    assert!(tools.iter().any(|tool| tool.name == "echo"), "{tools:?}");
    assert_eq!(call(&client, "echo", json!({"message": "hi"})).await, "hi");
    hear_unasked(&client, &listener).await;
    in_time(client.cancel()).await.expect("a clean end");
    bridge.end().await;
}
