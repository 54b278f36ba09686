//! An upstream that is wrong at a moment a test can count on.

use std::time::{Duration, Instant};

use e2e_tui::mcp::{
    Token,
    client::Scenario,
    upstream::{After, AnswerForm, Faults, UpstreamConfig},
};

use crate::support::{
    PING, client, client_for, count, fails, forward, http, in_time, initialize, passes, post, test, upstream, upstream_with,
};

#[tokio::test]
async fn it_panics_at_its_third_call_and_the_proxy_says_502() {
    let upstream = upstream_with(Faults { crash_after: Some(After::Calls(3)), ..Faults::default() }).await;
    let proxy = forward(upstream.url()).await;
    let (passed, lines) = test(client(proxy.url())).await;
    assert!(!passed);
    assert_eq!(count(&lines, "→ 200 in "), 4, "initialize, tools/list and two calls: {lines:#?}");
    assert_eq!(lines.last().map(String::as_str), Some("ERROR tools/call #3: HTTP 502, wanted 200"), "{lines:#?}");
    assert_eq!(upstream.panics().await, "crash_after 3 calls");
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "upstream failed error="), 1, "{proxied:#?}");
}

#[tokio::test]
async fn it_panics_by_the_clock_without_any_call() {
    let after = After::Time(Duration::from_millis(50));
    let upstream = upstream_with(Faults { crash_after: Some(after), ..Faults::default() }).await;
    assert_eq!(upstream.panics().await, "crash_after 50ms");
}

#[tokio::test]
async fn it_fails_from_its_second_call_on_while_its_health_stays_well() {
    let upstream = upstream_with(Faults { fail_after: Some(After::Calls(2)), ..Faults::default() }).await;
    assert_eq!(fails(client(upstream.url())).await, "ERROR tools/call #2: HTTP 500, wanted 200");
    assert_eq!(fails(client(upstream.url())).await, "ERROR initialize: HTTP 500, wanted 200");
    let health = http().get(format!("http://{}/health", upstream.addr)).send().await.expect("an answer");
    assert_eq!(health.status(), 200);
    let served = upstream.end().await;
    assert_eq!(count(&served, "→ 500 fail_after 2 calls"), 2, "{served:#?}");
}

#[tokio::test]
async fn it_hangs_with_its_health_and_still_ends_when_asked() {
    let upstream = upstream_with(Faults { hang_after: Some(After::Calls(2)), ..Faults::default() }).await;
    let mut config = client(upstream.url());
    config.timeout = Duration::from_millis(200);
    assert_eq!(fails(config).await, "ERROR tools/call #2: no answer within 200ms");
    let health = http().get(format!("http://{}/health", upstream.addr)).timeout(Duration::from_millis(200)).send().await;
    assert!(health.expect_err("nobody answers").is_timeout());
    let started = Instant::now();
    let served = upstream.end().await;
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(count(&served, "id=4 tools/call echo"), 1, "the call was received: {served:#?}");
    assert_eq!(count(&served, "id=4 → "), 0, "and never answered: {served:#?}");
}

#[tokio::test]
async fn it_fails_and_hangs_by_the_clock_too() {
    let after = Some(After::Time(Duration::from_millis(300)));
    for (faults, wanted) in [
        (Faults { fail_after: after, ..Faults::default() }, "HTTP 500, wanted 200"),
        (Faults { hang_after: after, ..Faults::default() }, "no answer within 500ms"),
    ] {
        let upstream = upstream_with(faults).await;
        let mut config = client(upstream.url());
        (config.calls, config.rate, config.timeout) = (Some(100), Some(20.0), Duration::from_millis(500));
        let (passed, lines) = test(config).await;
        assert!(!passed);
        assert!(lines.last().is_some_and(|line| line.ends_with(wanted)), "{lines:#?}");
        assert!(count(&lines, "→ 200 in ") >= 3, "it was well at first: {lines:#?}");
        upstream.end().await;
    }
}

#[tokio::test]
async fn broken_frames_are_told_apart() {
    for answers in [AnswerForm::Json, AnswerForm::Sse] {
        let faults = Faults { bad_frames: 1, ..Faults::default() };
        let upstream = upstream(UpstreamConfig { answers, faults, ..UpstreamConfig::default() }).await;
        let mut said = Vec::new();
        for _ in 0..4 {
            said.push(fails(client(upstream.url())).await);
        }
        let starts = [
            "ERROR tools/call #1: malformed answer: not JSON: EOF while parsing",
            "ERROR tools/call #1: malformed answer: not JSON: expected value",
            "ERROR tools/call #1: malformed answer: it carries id 4294967295, wanted id 3",
            "ERROR tools/call #1: malformed answer: no JSON-RPC 2.0 message: `jsonrpc` is not \"2.0\"",
        ];
        for (line, start) in said.iter().zip(starts) {
            assert!(line.starts_with(start), "{line}");
        }
        let served = upstream.end().await;
        assert_eq!(count(&served, " bad frame: "), 4, "{served:#?}");
    }
}

#[tokio::test]
async fn answers_wait_for_their_delay_and_no_longer_than_its_jitter() {
    let (delay, jitter) = (Duration::from_millis(60), Duration::from_millis(40));
    let upstream = upstream_with(Faults { response_delay: delay, jitter, ..Faults::default() }).await;
    let started = Instant::now();
    passes(client(upstream.url())).await;
    let took = started.elapsed();
    assert!(took >= delay * 7, "initialize, tools/list and five calls: {took:?}");
}

#[tokio::test]
async fn it_listens_only_after_its_start_delay() {
    let delay = Duration::from_millis(80);
    let started = Instant::now();
    let upstream = upstream_with(Faults { start_delay: delay, ..Faults::default() }).await;
    assert!(started.elapsed() >= delay);
    let served = upstream.end().await;
    assert_eq!(served[0], "INFO starting, 80ms to go");
    assert!(served[1].starts_with("INFO MCP server listening on 127.0.0.1:"), "{served:#?}");
}

#[tokio::test]
async fn health_flaps_as_told() {
    let upstream = upstream_with(Faults { flap_health: Some(Duration::from_millis(50)), ..Faults::default() }).await;
    let health = format!("http://{}/health", upstream.addr);
    in_time(async {
        for wanted in [200, 503, 200, 503] {
            while http().get(&health).send().await.expect("an answer").status() != wanted {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_is_wanted_and_what_has_none_is_refused() {
    let config = UpstreamConfig { token: Some(Token::new("demo-token")), ..UpstreamConfig::default() };
    let upstream = upstream(config).await;
    assert_eq!(fails(client(upstream.url())).await, "ERROR initialize: HTTP 401, wanted 200");
    let mut config = client_for(upstream.url(), Scenario::Auth);
    config.token = Some(Token::new("demo-token"));
    let (passed, lines) = test(config).await;
    assert!(passed, "{lines:#?}");
    assert_eq!(count(&lines, "→ 401, as it must be"), 2, "{lines:#?}");
    assert!(lines.iter().all(|line| !line.contains("demo-token")), "{lines:#?}");
    let proxy = forward(upstream.url()).await;
    let mut config = client_for(proxy.url(), Scenario::Auth);
    config.token = Some(Token::new("demo-token"));
    passes(config).await;
    let proxied = proxy.end().await;
    assert_eq!(count(&proxied, "upstream answered status=401"), 2, "a token passes through: {proxied:#?}");
    assert!(proxied.iter().all(|line| !line.contains("demo-token")), "{proxied:#?}");
    let health = http().get(format!("http://{}/health", upstream.addr)).send().await.expect("an answer");
    assert_eq!(health.status(), 200, "health needs no token");
    let served = upstream.end().await;
    assert_eq!(count(&served, "WARN no bearer token → 401"), 3, "{served:#?}");
    assert_eq!(count(&served, "WARN wrong bearer token → 401"), 2, "{served:#?}");
    assert!(served.iter().all(|line| !line.contains("demo-token")), "{served:#?}");
}

#[tokio::test]
async fn the_stand_in_for_the_validators_server_has_its_routes_and_its_token() {
    let upstream = upstream(UpstreamConfig::validator("127.0.0.1".to_owned(), 0)).await;
    let get = async |path: &str| http().get(format!("http://{}{path}", upstream.addr)).send().await.expect("an answer").status();
    assert_eq!(get("/").await, 200);
    assert_eq!(get("/health").await, 404);
    assert_eq!(get("/mcp").await, 406, "a stream must be asked for");
    let session = initialize(&upstream.url(), "2025-06-18").await;
    assert_eq!(post(&upstream.url(), PING, &[("mcp-session-id", &session)]).await.status(), 401, "after the handshake");
    let token = ("authorization", "Bearer valid-test-token-123");
    assert_eq!(post(&upstream.url(), PING, &[("mcp-session-id", &session), token]).await.status(), 200);
    let by_query = format!("{}?session_id={session}", upstream.url());
    assert_eq!(post(&by_query, PING, &[token]).await.status(), 200);
    let mut config = client(upstream.url());
    config.token = Some(Token::new("valid-test-token-123"));
    passes(config).await;
}
