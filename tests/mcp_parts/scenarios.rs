//! What the test client can do, and that it cannot be fooled.

use std::time::Duration;

use e2e_tui::mcp::{
    PartLog, Token,
    client::{self, ClientConfig, Scenario},
    stop_pair,
    upstream::{After, AnswerForm, Faults, UpstreamConfig, UpstreamTransport},
};

use crate::support::{Served, client_for, count, fails, forward, in_time, passes, test, upstream, upstream_with};

#[tokio::test]
async fn pings_are_answered() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let last = passes(client_for(upstream.url(), Scenario::Ping)).await;
    assert!(last.starts_with("INFO 5 of 5 calls passed, p50 "), "{last}");
    assert_eq!(count(&upstream.end().await, " ping"), 5);
}

#[tokio::test]
async fn streams_arrive_as_they_are_sent_also_through_the_proxy() {
    for answers in [AnswerForm::Json, AnswerForm::Sse] {
        let upstream = upstream(UpstreamConfig { answers, ..UpstreamConfig::default() }).await;
        let proxy = forward(upstream.url()).await;
        let (passed, lines) = test(client_for(proxy.url(), Scenario::Stream)).await;
        assert!(passed, "{lines:#?}");
        assert_eq!(count(&lines, "INFO message #"), 5, "{lines:#?}");
        assert_eq!(count(&lines, "tools/call count → progress 1 to 5, then the answer"), 1, "{lines:#?}");
        proxy.end().await;
        let served = upstream.end().await;
        assert_eq!(count(&served, "stream opened → 200"), 1, "{served:#?}");
        assert_eq!(count(&served, "stream closed"), 1, "{served:#?}");
    }
}

#[tokio::test]
async fn a_lost_session_fails_a_test_that_is_not_about_it() {
    let first = upstream(UpstreamConfig::default()).await;
    let addr = first.addr;
    let mut config = client_for(first.url(), Scenario::Tools);
    (config.calls, config.rate, config.retries) = (Some(50), Some(20.0), 5);
    let last = restarted_under(config, first).await;
    assert!(last.ends_with(": HTTP 404, wanted 200"), "{last} at {addr}");
}

#[tokio::test]
async fn a_lost_session_is_followed_by_a_new_one_in_a_test_about_it() {
    let first = upstream(UpstreamConfig::default()).await;
    let mut config = client_for(first.url(), Scenario::SessionLoss);
    (config.calls, config.rate, config.retries) = (Some(20), Some(20.0), 5);
    let last = restarted_under(config, first).await;
    assert!(last.starts_with("INFO 20 of 20 calls passed, p50 ") && last.ends_with(" sessions"), "{last}");
}

/// Runs a test while its upstream ends and another one takes its place; gives the test's last line.
async fn restarted_under(config: ClientConfig, first: Served) -> String {
    let running = tokio::spawn(test(config));
    let port = first.addr.port();
    in_time(async {
        while count(&first.log.lines(), "tools/call echo") < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    first.end().await;
    let transport = UpstreamTransport::Http { host: "127.0.0.1".to_owned(), port };
    let second = upstream(UpstreamConfig { transport, ..UpstreamConfig::default() }).await;
    let (_, lines) = in_time(running).await.expect("no panic");
    second.end().await;
    lines.last().cloned().expect("a last line")
}

#[tokio::test]
async fn a_client_ends_its_session_itself_half_way() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let mut config = client_for(upstream.url(), Scenario::SessionLoss);
    config.calls = Some(4);
    let (passed, lines) = test(config).await;
    assert!(passed, "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.ends_with(", 2 sessions")), "{lines:#?}");
    assert_eq!(count(&lines, "tools/call in the ended session → 404, as it must be"), 1, "{lines:#?}");
}

#[tokio::test]
async fn an_open_server_fails_the_test_of_its_door() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let mut config = client_for(upstream.url(), Scenario::Auth);
    assert_eq!(fails(config.clone()).await, "ERROR auth: it needs a token to be served with: give one");
    config.token = Some(Token::new("any"));
    assert_eq!(fails(config).await, "ERROR initialize without a token: HTTP 200, wanted 401");
}

#[tokio::test]
async fn sessions_at_once_share_the_calls() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let mut config = client_for(upstream.url(), Scenario::Concurrency);
    (config.calls, config.concurrency) = (Some(40), Some(8));
    let last = passes(config).await;
    assert!(last.starts_with("INFO 40 of 40 calls passed in 8 sessions, p50 "), "{last}");
    let served = upstream.end().await;
    assert_eq!(count(&served, " initialize "), 8);
    assert_eq!(count(&served, "tools/call echo"), 40);
}

#[tokio::test]
async fn the_first_failure_ends_all_sessions() {
    let upstream = upstream_with(Faults { fail_after: Some(After::Calls(10)), ..Faults::default() }).await;
    let mut config = client_for(upstream.url(), Scenario::Concurrency);
    config.calls = Some(100_000);
    let last = fails(config).await;
    assert!(last.ends_with(": HTTP 500, wanted 200"), "{last}");
}

#[tokio::test]
async fn a_soak_counts_failures_and_goes_on_to_its_end() {
    let upstream = upstream_with(Faults { bad_frames: 5, ..Faults::default() }).await;
    let mut config = client_for(upstream.url(), Scenario::Soak);
    config.calls = Some(10);
    let last = fails(config).await;
    assert!(last.starts_with("ERROR soak: 2 of 10 calls failed: malformed answer: not JSON: "), "{last}");
    let mut config = client_for(upstream.url(), Scenario::Soak);
    (config.duration, config.rate) = (Some(Duration::from_millis(300)), Some(10.0));
    let last = passes(config).await;
    assert!(last.starts_with("INFO 3 calls passed, p50 "), "{last}");
}

#[tokio::test]
async fn retries_outlive_a_gap_in_the_chain() {
    let gone = upstream(UpstreamConfig::default()).await;
    let (port, url) = (gone.addr.port(), gone.url());
    gone.end().await;
    let mut config = client_for(url, Scenario::Tools);
    config.retries = 10;
    let log = PartLog::memory();
    let running = tokio::spawn({
        let log = log.clone();
        async move {
            let (_handle, stop) = stop_pair();
            client::run(config, &log, stop).await
        }
    });
    in_time(async {
        while log.lines().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let transport = UpstreamTransport::Http { host: "127.0.0.1".to_owned(), port };
    let late = upstream(UpstreamConfig { transport, ..UpstreamConfig::default() }).await;
    let passed = in_time(running).await.expect("no panic");
    let lines = log.lines();
    assert!(passed, "{lines:#?}");
    assert_eq!(lines[0], "WARN initialize → refused, retry 1 of 10", "{lines:#?}");
    late.end().await;
}
