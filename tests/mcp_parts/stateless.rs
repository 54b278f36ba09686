//! Revision 2026-07-28: neither handshake nor sessions.

use e2e_tui::mcp::{
    client::{ClientConfig, ClientTarget, Scenario},
    protocol::Revision,
    upstream::{AnswerForm, UpstreamConfig},
};

use crate::support::{Served, client, client_for, count, fails, forward, initialize, passes, post, reverse, upstream};

const NEWEST: Revision = Revision::V2026_07_28;

async fn newest(answers: AnswerForm) -> Served {
    upstream(UpstreamConfig { revision: NEWEST, answers, ..UpstreamConfig::default() }).await
}

fn stateless(config: ClientConfig) -> ClientConfig {
    ClientConfig { revision: NEWEST, ..config }
}

#[tokio::test]
async fn calls_pass_both_proxies_without_a_session() {
    for answers in [AnswerForm::Json, AnswerForm::Sse] {
        let upstream = newest(answers).await;
        let forward = forward(upstream.url()).await;
        let reverse = reverse(forward.url()).await;
        passes(stateless(client(reverse.url()))).await;
        passes(stateless(client_for(reverse.url(), Scenario::Stream))).await;
        passes(stateless(client_for(reverse.url(), Scenario::Concurrency))).await;
        for scenario in [Scenario::Ping, Scenario::SessionLoss] {
            let last = fails(stateless(client_for(reverse.url(), scenario))).await;
            assert!(last.contains("revision 2026-07-28 has no "), "{last}");
        }
        let (reversed, served) = (reverse.end().await, upstream.end().await);
        assert_eq!(count(&reversed, "Creating new session"), 0, "{reversed:#?}");
        assert_eq!(count(&served, "session="), 0, "{served:#?}");
        assert_eq!(count(&served, " server/discover"), 6, "one for each client: {served:#?}");
        forward.end().await;
    }
}

#[tokio::test]
async fn it_serves_both_eras_at_once() {
    let upstream = newest(AnswerForm::Json).await;
    for revision in Revision::ALL {
        passes(ClientConfig { revision, ..client(upstream.url()) }).await;
    }
}

#[tokio::test]
async fn a_server_of_the_handshake_era_is_found_out() {
    let upstream = upstream(UpstreamConfig::default()).await;
    assert_eq!(fails(stateless(client(upstream.url()))).await, "ERROR server/discover: HTTP 400, wanted 200");
}

fn call(version: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{{"name":"echo","arguments":{{"message":"hi"}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"{version}"}}}}}}"#
    )
}

#[tokio::test]
async fn headers_must_say_what_the_body_says() {
    let upstream = newest(AnswerForm::Json).await;
    let url = upstream.url();
    let asked = async |body: &str, headers: &[(&str, &str)]| {
        let response = post(&url, body, headers).await;
        let status = response.status().as_u16();
        let body: serde_json::Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
        (status, body["error"]["code"].as_i64(), body)
    };
    let version = ("mcp-protocol-version", "2026-07-28");
    let (method, name) = (("mcp-method", "tools/call"), ("mcp-name", "echo"));
    let good = call("2026-07-28");
    let (status, code, body) = asked(&good, &[version, method, name]).await;
    assert_eq!((status, code), (200, None));
    assert_eq!(body["result"]["resultType"], "complete");
    assert_eq!(body["id"], 5);
    assert_eq!(asked(&good, &[version, method, ("mcp-name", "=?base64?ZWNobw==?=")]).await.0, 200, "the same name, encoded");
    for headers in [vec![version, method], vec![version, name], vec![method, name], vec![version, method, ("mcp-name", "add")]] {
        let (status, code, body) = asked(&good, &headers).await;
        assert_eq!((status, code), (400, Some(-32020)), "{headers:?}: {body}");
        assert_eq!(body["id"], 5);
    }
    let (status, code, body) = asked(&call("2027-01-01"), &[("mcp-protocol-version", "2027-01-01"), method, name]).await;
    assert_eq!((status, code), (400, Some(-32022)), "{body}");
    assert_eq!(body["error"]["data"]["supported"][0], "2026-07-28");
    let ping = good.replace("tools/call", "ping");
    assert_eq!(asked(&ping, &[version, ("mcp-method", "ping")]).await.1, Some(-32601));
    assert_eq!(asked(&ping, &[version, ("mcp-method", "ping")]).await.0, 404, "unknown methods are 404 here");
}

#[tokio::test]
async fn a_session_of_the_handshake_era_stays_one() {
    let upstream = newest(AnswerForm::Json).await;
    let session = initialize(&upstream.url(), "2026-07-28").await;
    let ping = r#"{"jsonrpc":"2.0","id":2,"method":"ping"}"#;
    let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", "2025-11-25")];
    assert_eq!(post(&upstream.url(), ping, &headers).await.status(), 200);
}

#[tokio::test]
async fn it_needs_no_handshake_on_pipes_either() {
    let target = ClientTarget::Stdio(crate::stdio::server(&["--revision", "2026-07-28"]));
    passes(stateless(ClientConfig::new(target.clone()))).await;
    passes(ClientConfig::new(target)).await;
}
