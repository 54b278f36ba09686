//! Client, forward proxy and upstream.

use std::time::{Duration, Instant};

use e2e_tui::mcp::{
    PartLog, client as mcp_client,
    protocol::Revision,
    proxy::{ProxyConfig, ProxyMode, Target},
    stop_pair,
    upstream::{AnswerForm, Faults, Upstream, UpstreamConfig, UpstreamTransport},
};

use crate::support::{
    PING, anywhere, client, count, fails, forward, http, in_time, initialize, passes, post, proxy, test, upstream, upstream_with,
};

#[tokio::test]
async fn calls_go_through_the_proxy_and_back() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    let (passed, lines) = test(client(proxy.url())).await;
    assert!(passed, "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("INFO 5 of 5 calls passed, p50 ")), "{lines:#?}");
    assert!(lines.contains(&"##e2e progress 5 of 5 calls".to_owned()), "{lines:#?}");
    assert!(lines.contains(&"INFO tools/call echo #5".to_owned()), "{lines:#?}");
    assert_eq!(count(&lines, "INFO tools/call echo #5 → 200 in "), 1, "{lines:#?}");
    let (proxied, served) = (proxy.end().await, upstream.end().await);
    assert_eq!(count(&proxied, "Processing tools/call for "), 5, "{proxied:#?}");
    assert_eq!(count(&proxied, "upstream answered status=200"), 7, "initialize, tools/list and five calls: {proxied:#?}");
    assert_eq!(count(&proxied, "Creating new session: "), 1, "{proxied:#?}");
    assert_eq!(count(&served, "tools/call echo"), 5, "{served:#?}");
    assert_eq!(count(&served, "id=7 → 200 in "), 1, "the fifth call has id 7: {served:#?}");
    assert_eq!(count(&served, "ended by the client → 204"), 1, "{served:#?}");
}

#[tokio::test]
async fn every_revision_and_both_forms_of_answers_pass() {
    for revision in Revision::WITH_HANDSHAKE {
        for answers in [AnswerForm::Json, AnswerForm::Sse] {
            let upstream = upstream(UpstreamConfig { revision, answers, ..UpstreamConfig::default() }).await;
            let proxy = forward(upstream.url()).await;
            let mut config = client(proxy.url());
            config.revision = revision;
            passes(config).await;
            let served = upstream.end().await;
            assert_eq!(count(&served, &format!("id=1 initialize {revision}")), 1, "{served:#?}");
            proxy.end().await;
        }
    }
}

#[tokio::test]
async fn a_dead_upstream_is_502_and_the_client_says_so() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    upstream.end().await;
    let mut config = client(proxy.url());
    config.retries = 1;
    let (passed, lines) = test(config).await;
    assert!(!passed);
    assert_eq!(lines, ["WARN initialize → 502, retry 1 of 1", "##e2e progress retry 1 of 1", "ERROR initialize: HTTP 502, wanted 200"]);
    let proxied = proxy.end().await;
    assert!(proxied.iter().any(|line| line == "WARN handle: upstream failed error=\"Connection refused\" status=502"), "{proxied:#?}");
}

#[tokio::test]
async fn a_silent_upstream_is_504() {
    let upstream = upstream_with(Faults { response_delay: Duration::from_mins(1), ..Faults::default() }).await;
    let mode = ProxyMode::Forward { listen: anywhere(), target: Target::Url(upstream.url()) };
    let proxy = proxy(ProxyConfig { timeout: Duration::from_millis(100), ..ProxyConfig::new(mode) }).await;
    assert_eq!(fails(client(proxy.url())).await, "ERROR initialize: HTTP 504, wanted 200");
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "upstream failed error=\"no answer within 100ms\" status=504"), 1, "{proxied:#?}");
}

#[tokio::test]
async fn nobody_listening_is_named_with_its_address() {
    let gone = upstream(UpstreamConfig::default()).await;
    let (addr, target) = (gone.addr, gone.url());
    gone.end().await;
    assert_eq!(fails(client(target)).await, format!("ERROR initialize: connection to {addr} refused"));
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_no_listening_line() {
    let first = upstream(UpstreamConfig::default()).await;
    let log = PartLog::memory();
    let transport = UpstreamTransport::Http { host: "127.0.0.1".to_owned(), port: first.addr.port() };
    let second = Upstream::bind(UpstreamConfig { transport, ..UpstreamConfig::default() }, log.clone()).await;
    let message = second.err().expect("the port is taken").to_string();
    assert!(message.starts_with(&format!("cannot listen on {}: Address already in use", first.addr)), "{message}");
    assert!(log.lines().is_empty());
}

#[tokio::test]
async fn the_upstream_refuses_what_the_specification_refuses() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let url = upstream.url();
    let status = async |body: &str, headers: &[(&str, &str)]| post(&url, body, headers).await.status().as_u16();
    assert_eq!(status(PING, &[]).await, 400, "no session");
    assert_eq!(status(PING, &[("mcp-session-id", "4711")]).await, 404, "an unknown session");
    let session = initialize(&url, "2025-06-18").await;
    let mine = ("mcp-session-id", session.as_str());
    assert_eq!(status(PING, &[mine]).await, 200);
    assert_eq!(status(r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, &[mine]).await, 202);
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "2025-06-18")]).await, 200);
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "2025-03-26")]).await, 200, "an older one it speaks too");
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "2025-11-25")]).await, 400, "one it does not speak");
    assert_eq!(status(PING, &[mine, ("mcp-protocol-version", "1999-01-01")]).await, 400, "none at all");
    assert_eq!(status("{", &[mine]).await, 400, "no JSON");
    assert_eq!(status(&format!("[{PING}]"), &[mine]).await, 400, "a batch");
    assert_eq!(status(PING, &[mine, ("origin", "http://evil.example")]).await, 403);
    assert_eq!(status(PING, &[mine, ("origin", "http://localhost:5173")]).await, 200);
    let plain = http().post(&url).header("content-type", "text/plain").body(PING).send().await.expect("an answer");
    assert_eq!(plain.status(), 415);
    let html = http().post(&url).header("content-type", "application/json").header("accept", "text/html").body(PING).send();
    assert_eq!(html.await.expect("an answer").status(), 406);
    assert_eq!(http().put(&url).send().await.expect("an answer").status(), 405);
    assert_eq!(http().delete(&url).header("mcp-session-id", &session).send().await.expect("an answer").status(), 204);
    assert_eq!(status(PING, &[mine]).await, 404, "an ended session");
}

#[tokio::test]
async fn the_oldest_revision_has_batches() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let session = initialize(&upstream.url(), "2025-03-26").await;
    let batch = format!(r#"[{PING},{{"jsonrpc":"2.0","method":"notifications/initialized"}},{{"jsonrpc":"2.0","id":8,"method":"nope"}}]"#);
    let response = post(&upstream.url(), &batch, &[("mcp-session-id", &session)]).await;
    let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(body[0]["id"], 7);
    assert_eq!(body[1]["error"]["code"], -32601);
    assert_eq!(body.as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn a_large_request_streams_through() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    let session = initialize(&proxy.url(), "2025-06-18").await;
    let text = "x".repeat(1 << 20);
    let call = format!(r#"{{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"{text}"}}}}}}"#);
    let response = post(&proxy.url(), &call, &[("mcp-session-id", &session)]).await;
    assert_eq!(response.status(), 200);
    let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    assert_eq!(body["result"]["content"][0]["text"], text.as_str());
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "Processing large message for "), 1, "{proxied:#?}");
}

#[tokio::test]
async fn open_streams_do_not_hold_up_the_end() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    let session = initialize(&proxy.url(), "2025-06-18").await;
    let open = async |url: &str| {
        let request = http().get(url).header("accept", "text/event-stream").header("mcp-session-id", &session);
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        response
    };
    let (through, direct) = (open(&proxy.url()).await, open(&upstream.url()).await);
    let started = Instant::now();
    proxy.end().await;
    upstream.end().await;
    assert!(started.elapsed() < Duration::from_secs(2), "no stream is waited for: {:?}", started.elapsed());
    assert_eq!(direct.bytes().await.expect("a clean end").len(), 0);
    drop(through);
}

#[tokio::test]
async fn a_test_that_is_stopped_has_not_passed() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let mut config = client(upstream.url());
    (config.calls, config.rate) = (Some(100), Some(10.0));
    let log = PartLog::memory();
    let (handle, stop) = stop_pair();
    let running = tokio::spawn({
        let log = log.clone();
        async move { mcp_client::run(config, &log, stop).await }
    });
    in_time(async {
        while count(&log.lines(), "→ 200") < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    handle.stop();
    assert!(!in_time(running).await.expect("no panic"));
    let last = log.lines().pop().expect("a last line");
    assert!(last.ends_with(" of 100 calls: interrupted"), "{last}");
}
