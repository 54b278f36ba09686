//! The test client and the proxies against a server of rmcp, the Rust SDK of the protocol's own authors.
#![expect(deprecated, reason = "log messages leave the protocol after the revisions that these parts speak")]

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use e2e_tui::mcp::{
    Token,
    client::{ClientConfig, ClientTarget, Scenario, ToolCall},
    protocol::Revision,
    proxy::{ProxyConfig, ProxyMode, SessionLimits, Target},
};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, JsonObject, ListToolsResult, LoggingLevel,
        LoggingMessageNotificationParam, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{anywhere, client, client_for, count, fails, forward, passes, proxy, reverse};

/// A server with the tools that the test client wants.
#[derive(Clone)]
pub(crate) struct Server;

impl Server {
    /// Counts, with progress in the stream of the answer.
    async fn count(arguments: &JsonObject, context: &RequestContext<RoleServer>) -> String {
        let (to, interval) = (number(arguments, "to"), number(arguments, "interval_ms"));
        for n in 1..=to {
            if let Some(token) = context.meta.get_progress_token() {
                let _ = context.peer.notify_progress(ProgressNotificationParam::new(token, n as f64)).await;
            }
            tokio::time::sleep(Duration::from_millis(interval)).await;
        }
        format!("counted to {to}")
    }

    /// Sends log messages by another task, so that they go out on the session's own stream.
    async fn notify(arguments: &JsonObject, context: &RequestContext<RoleServer>) -> String {
        let (count, interval) = (number(arguments, "count"), number(arguments, "interval_ms"));
        let peer = context.peer.clone();
        let work = async move {
            for n in 1..=count {
                let params = LoggingMessageNotificationParam::new(LoggingLevel::Info, json!({"number": n}));
                let _ = peer.notify_logging_message(params).await;
                tokio::time::sleep(Duration::from_millis(interval)).await;
            }
        };
        tokio::spawn(work).await.expect("no panic");
        format!("sent {count} messages")
    }
}

fn number(arguments: &JsonObject, key: &str) -> u64 {
    arguments.get(key).and_then(Value::as_u64).unwrap_or_default()
}

fn object(json: Value) -> JsonObject {
    if let Value::Object(object) = json { object } else { JsonObject::new() }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().enable_logging().build())
    }

    async fn list_tools(&self, _: Option<PaginatedRequestParams>, _: RequestContext<RoleServer>) -> Result<ListToolsResult, ErrorData> {
        let schema = object(json!({"type": "object", "properties": {"message": {"type": "string"}}}));
        let tools = ["echo", "count", "notify", "fail"].map(|name| Tool::new(name, name, schema.clone()));
        Ok(ListToolsResult::with_all_items(tools.into()))
    }

    async fn call_tool(&self, request: CallToolRequestParams, context: RequestContext<RoleServer>) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let said = match request.name.as_ref() {
            "count" => Self::count(&arguments, &context).await,
            "notify" => Self::notify(&arguments, &context).await,
            "fail" => return Ok(CallToolResult::error(vec![ContentBlock::text("as asked")]).into()),
            _ => format!("Echo: {}", arguments.get("message").and_then(Value::as_str).unwrap_or_default()),
        };
        Ok(CallToolResult::success(vec![ContentBlock::text(said)]).into())
    }
}

/// Serves it over HTTP on a free port, for as long as the runtime lives. With a token, whoever has it not is refused
/// in front of rmcp, as its users do it.
async fn serve(config: StreamableHttpServerConfig, token: Option<&'static str>) -> SocketAddr {
    serve_any(|| Server, config, token).await
}

/// The same with any server.
pub(crate) async fn serve_any<S: ServerHandler>(
    server: impl Fn() -> S + Send + Sync + 'static,
    config: StreamableHttpServerConfig,
    token: Option<&'static str>,
) -> SocketAddr {
    let sessions = Arc::new(LocalSessionManager::default());
    let service: StreamableHttpService<S, LocalSessionManager> = StreamableHttpService::new(move || Ok(server()), sessions, config);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let addr = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = service.clone();
            let answer = service_fn(move |request: Request<Incoming>| {
                let service = service.clone();
                let wanted = token.map(|token| format!("Bearer {token}"));
                let given = request.headers().get("authorization").and_then(|value| value.to_str().ok()).map(str::to_owned);
                async move {
                    if wanted.is_some() && wanted != given {
                        let mut refusal = Response::new(http_body_util::combinators::BoxBody::default());
                        *refusal.status_mut() = StatusCode::UNAUTHORIZED;
                        return Ok::<_, Infallible>(refusal);
                    }
                    Ok(service.handle(request).await)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    addr
}

#[tokio::test]
async fn the_test_client_uses_it_through_both_proxies() {
    for json_response in [false, true] {
        let addr = serve(StreamableHttpServerConfig::default().with_json_response(json_response), None).await;
        let forward = forward(format!("http://{addr}/mcp")).await;
        let reverse = reverse(forward.url()).await;
        for revision in Revision::ALL {
            let mut config = client(reverse.url());
            config.revision = revision;
            let last = passes(config).await;
            assert!(last.starts_with("INFO 5 of 5 calls passed, p50 "), "{last}");
        }
        passes(client_for(reverse.url(), Scenario::Ping)).await;
        let last = passes(client_for(reverse.url(), Scenario::SessionLoss)).await;
        assert!(last.ends_with(", 2 sessions"), "{last}");
        let mut config = client_for(reverse.url(), Scenario::Concurrency);
        config.calls = Some(40);
        passes(config).await;
        let logs = [reverse.end().await, forward.end().await];
        assert!(logs.iter().flatten().all(|line| !line.starts_with("ERROR")), "{logs:#?}");
    }
}

#[tokio::test]
async fn its_streams_pass_both_proxies_as_they_come() {
    let addr = serve(StreamableHttpServerConfig::default(), None).await;
    let forward = forward(format!("http://{addr}/mcp")).await;
    let reverse = reverse(forward.url()).await;
    for revision in Revision::WITH_HANDSHAKE {
        let mut config = client_for(reverse.url(), Scenario::Stream);
        config.revision = revision;
        let last = passes(config).await;
        assert_eq!(last, "INFO 5 of 5 messages streamed in order, and as many ahead of an answer");
    }
    for part in [reverse, forward] {
        part.end().await;
    }
}

#[tokio::test]
async fn it_is_behind_a_token_that_the_client_or_the_reverse_proxy_sends() {
    let addr = serve(StreamableHttpServerConfig::default(), Some("demo-token")).await;
    let url = format!("http://{addr}/mcp");
    let mut config = client_for(url.clone(), Scenario::Auth);
    config.token = Some(Token::new("demo-token"));
    passes(config).await;
    let mode = ProxyMode::Reverse {
        listen: anywhere(),
        upstream: Target::Url(url),
        upstream_token: Some(Token::new("demo-token")),
        sessions: SessionLimits::default(),
    };
    let proxy = proxy(ProxyConfig::new(mode)).await;
    passes(client(proxy.url())).await;
    proxy.end().await;
}

#[tokio::test]
async fn any_tool_can_be_called_and_one_that_fails_is_a_failed_call() {
    let addr = serve(StreamableHttpServerConfig::default(), None).await;
    let mut config = client(format!("http://{addr}/mcp"));
    let named = |name: &str| ToolCall::Named { name: name.to_owned(), arguments: object(json!({"to": 1})) };
    config.tool = named("count");
    passes(config.clone()).await;
    config.tool = named("fail");
    assert_eq!(fails(config.clone()).await, "ERROR tools/call #1: the tool failed: as asked");
    config.tool = named("nope");
    assert_eq!(fails(config).await, "ERROR tools/list: the server has no tool \"nope\", it has echo, count, notify, fail");
}

/// A command that is the server on pipes: it passes its stdin and stdout on to one in this process.
async fn on_pipes() -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                if let Ok(server) = Server.serve(stream).await {
                    let _ = server.waiting().await;
                }
            });
        }
    });
    let bridge = format!("exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3 & cat >&3; kill $!");
    ["/bin/bash", "-c", &bridge].map(str::to_owned).to_vec()
}

#[tokio::test]
async fn the_test_client_talks_to_it_over_pipes_with_and_without_a_proxy() {
    let server = on_pipes().await;
    let binary = env!("CARGO_BIN_EXE_e2e-tui");
    let proxied: Vec<String> = ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>/dev/null", binary, "part", "proxy", "forward", "stdio", "--"]
        .map(str::to_owned)
        .into_iter()
        .chain(server.clone())
        .collect();
    for argv in [server, proxied] {
        for scenario in [Scenario::Tools, Scenario::Ping, Scenario::Stream, Scenario::Concurrency] {
            passes(ClientConfig { scenario, ..ClientConfig::new(ClientTarget::Stdio(argv.clone())) }).await;
        }
    }
}

#[tokio::test]
async fn the_reverse_proxy_serves_it_over_http_from_pipes() {
    let mode = ProxyMode::Reverse {
        listen: anywhere(),
        upstream: Target::Stdio(on_pipes().await),
        upstream_token: None,
        sessions: SessionLimits::default(),
    };
    let bridge = proxy(ProxyConfig::new(mode)).await;
    passes(client(bridge.url())).await;
    passes(client_for(bridge.url(), Scenario::SessionLoss)).await;
    let lines = bridge.end().await;
    assert_eq!(count(&lines, "Reverse proxy shutdown complete"), 1, "{lines:#?}");
}
