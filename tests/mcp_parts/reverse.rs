//! The reverse proxy: its own endpoint, its own sessions.

use std::time::Duration;

use e2e_tui::mcp::{
    Token,
    client::{ClientTarget, Scenario},
    proxy::{ProxyConfig, ProxyMode, SessionLimits, Target},
    upstream::UpstreamConfig,
};

use crate::support::{PING, anywhere, client, client_for, count, fails, http, initialize, passes, post, proxy, reverse, upstream};

#[tokio::test]
async fn it_serves_mcp_health_and_metrics_and_nothing_else() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = reverse(upstream.url()).await;
    passes(client(proxy.url())).await;
    passes(client_for(proxy.url(), Scenario::Stream)).await;
    let get = async |path: &str| http().get(format!("http://{}{path}", proxy.addr)).send().await.expect("an answer");
    let health = get("/health").await;
    assert_eq!(health.status(), 200);
    let health: serde_json::Value = serde_json::from_slice(&health.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(health["status"], "healthy");
    assert_eq!(health["protocol_version"], "2025-06-18");
    assert!(health["version"].is_string());
    assert!(get("/metrics").await.text().await.expect("text").contains("shadowcat_requests_total "));
    assert_eq!(get("/ready").await.status(), 404, "documented, but not in the router");
    upstream.end().await;
    assert_eq!(get("/health").await.status(), 200, "liveness only");
    assert_eq!(fails(client(proxy.url())).await, "ERROR initialize: HTTP 502, wanted 200");
    let addr = proxy.addr;
    let proxied = proxy.end().await;
    assert_eq!(proxied[0], format!("INFO Starting reverse proxy with shutdown support on {addr}"));
    assert!(proxied[1].starts_with(&format!("INFO Reverse proxy listening on {addr}")), "{proxied:#?}");
    assert_eq!(count(&proxied, "INFO Reverse proxy received shutdown signal"), 1, "{proxied:#?}");
    assert_eq!(proxied.last().map(String::as_str), Some("INFO Reverse proxy shutdown complete"));
}

#[tokio::test]
async fn it_adds_the_upstreams_token_in_place_of_the_clients() {
    let upstream = upstream(UpstreamConfig { token: Some(Token::new("demo-token")), ..UpstreamConfig::default() }).await;
    let mode = ProxyMode::Reverse {
        listen: anywhere(),
        upstream: Target::Url(upstream.url()),
        upstream_token: Some(Token::new("demo-token")),
        sessions: SessionLimits::default(),
    };
    let with_token = proxy(ProxyConfig::new(mode)).await;
    let mut config = client(with_token.url());
    passes(config.clone()).await;
    config.token = Some(Token::new("of-the-client"));
    passes(config.clone()).await;
    let without = reverse(upstream.url()).await;
    config.target = ClientTarget::Url(without.url());
    assert_eq!(fails(config.clone()).await, "ERROR initialize: HTTP 401, wanted 200");
    config.token = Some(Token::new("demo-token"));
    passes(config).await;
}

#[tokio::test]
async fn its_sessions_are_checked_before_the_upstream_is_asked() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = reverse(upstream.url()).await;
    let url = proxy.url();
    let status = async |body: &str, headers: &[(&str, &str)]| post(&url, body, headers).await.status().as_u16();
    assert_eq!(status(PING, &[]).await, 400);
    assert_eq!(status(PING, &[("mcp-session-id", "4711")]).await, 404);
    let session = initialize(&url, "2025-06-18").await;
    let mine = ("mcp-session-id", session.as_str());
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "2025-06-18")]).await, 200);
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "2025-03-26")]).await, 400, "fixed to what was negotiated");
    assert_eq!(status(&format!("[{PING}]"), &[mine]).await, 400, "a batch");
    assert_eq!(http().delete(&url).header("mcp-session-id", &session).send().await.expect("an answer").status(), 204);
    assert_eq!(status(PING, &[mine]).await, 404);
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "Version downgrade prevented: this session speaks 2025-06-18, not 2025-03-26 → 400"), 1, "{proxied:#?}");
    let served = upstream.end().await;
    assert_eq!(count(&served, " ping"), 1, "only the good one came through: {served:#?}");
}

#[tokio::test]
async fn an_upstream_that_forgot_the_session_ends_it_here_too() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = reverse(upstream.url()).await;
    let session = initialize(&proxy.url(), "2025-06-18").await;
    let direct = http().delete(upstream.url()).header("mcp-session-id", &session).send().await.expect("an answer");
    assert_eq!(direct.status(), 204, "a UUID is kept, so both sides call the session the same");
    assert_eq!(post(&proxy.url(), PING, &[("mcp-session-id", &session)]).await.status(), 404);
    assert_eq!(post(&proxy.url(), PING, &[("mcp-session-id", &session)]).await.status(), 404);
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "upstream answered status=404"), 1, "{proxied:#?}");
    assert_eq!(count(&proxied, &format!("unknown session {session} → 404")), 1, "{proxied:#?}");
}

#[tokio::test]
async fn session_ids_of_another_form_are_replaced() {
    let odd = odd_upstream().await;
    let proxy = reverse(odd).await;
    let session = initialize(&proxy.url(), "2025-06-18").await;
    assert_eq!(session.len(), 36, "{session}");
    let response = post(&proxy.url(), PING, &[("mcp-session-id", &session)]).await;
    assert_eq!(response.headers().get("mcp-session-id").and_then(|id| id.to_str().ok()), Some(session.as_str()));
    assert_eq!(response.text().await.expect("text"), "session odd/1", "the upstream sees its own id");
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, &format!("upstream's session id \"odd/1\" is no UUID, the client gets {session}")), 1, "{proxied:#?}");
}

/// A server whose session ids are no UUIDs, and whose answers repeat the id that came.
async fn odd_upstream() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/mcp", listener.local_addr().expect("an address"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            let mut buffer = [0; 4096];
            while !head.ends_with(b"}") {
                match stream.read(&mut buffer).await {
                    Ok(0) | Err(_) => break,
                    Ok(n) => head.extend_from_slice(&buffer[..n]),
                }
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let id = head.lines().find_map(|line| line.strip_prefix("mcp-session-id: ")).unwrap_or("none");
            let body = format!("session {id}");
            let answer =
                format!("HTTP/1.1 200 OK\r\nmcp-session-id: odd/1\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn idle_sessions_and_too_many_of_them_go() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let sessions = SessionLimits { most: 1, idle: Duration::from_mins(1) };
    let mode = ProxyMode::Reverse { listen: anywhere(), upstream: Target::Url(upstream.url()), upstream_token: None, sessions };
    let proxy = proxy(ProxyConfig::new(mode)).await;
    let first = initialize(&proxy.url(), "2025-06-18").await;
    let second = initialize(&proxy.url(), "2025-06-18").await;
    assert_eq!(post(&proxy.url(), PING, &[("mcp-session-id", &first)]).await.status(), 404);
    assert_eq!(post(&proxy.url(), PING, &[("mcp-session-id", &second)]).await.status(), 200);
}
