//! Servers and proxies on pipes.

use std::time::Duration;

use e2e_tui::mcp::{
    ChildError, PartLog,
    client::{ClientConfig, ClientTarget, Scenario},
    proxy::{ProxyConfig, ProxyMode, SessionLimits, Target, forward_stdio},
    stop_pair,
    upstream::{After, Faults, UpstreamConfig, UpstreamTransport, serve_stdio},
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};

use crate::support::{PING, anywhere, client, client_for, count, fails, in_time, initialize, passes, post, proxy, reverse_mode, test};

/// The built-in server on stdio, as a command. Its log would only bury that of the tests.
pub(crate) fn server(more: &[&str]) -> Vec<String> {
    let quiet = ["/bin/sh", "-c", "exec \"$0\" \"$@\" 2>/dev/null", env!("CARGO_BIN_EXE_e2e-tui")];
    quiet.iter().chain(&["part", "mock-upstream", "--stdio"]).chain(more).map(|word| (*word).to_owned()).collect()
}

struct Talk {
    to: tokio::io::DuplexStream,
    from: Lines<BufReader<tokio::io::DuplexStream>>,
}

impl Talk {
    async fn say(&mut self, line: &str) {
        self.to.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
    }

    async fn hear(&mut self) -> serde_json::Value {
        let line = in_time(self.from.next_line()).await.expect("it writes").expect("a line");
        serde_json::from_str(&line).expect("JSON")
    }

    async fn initialize(&mut self) {
        self.say(r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}"#).await;
        assert_eq!(self.hear().await["result"]["protocolVersion"], "2025-06-18");
    }
}

/// A server on stdio in this process.
fn start(faults: Faults) -> (Talk, PartLog, tokio::task::JoinHandle<()>) {
    let ((to, from_client), (to_client, from)) = (tokio::io::duplex(1 << 16), tokio::io::duplex(1 << 16));
    let config = UpstreamConfig { transport: UpstreamTransport::Stdio, faults, ..UpstreamConfig::default() };
    let log = PartLog::memory();
    let task = tokio::spawn({
        let log = log.clone();
        async move {
            let (_handle, stop) = stop_pair();
            serve_stdio(config, BufReader::new(from_client), to_client, stop, log).await;
        }
    });
    (Talk { to, from: BufReader::new(from).lines() }, log, task)
}

#[tokio::test]
async fn a_server_on_pipes_answers_by_id_and_ends_with_its_client() {
    let (mut talk, log, task) = start(Faults::default());
    talk.say(PING).await;
    assert_eq!(talk.hear().await["id"], 7, "a ping before the handshake is fine");
    talk.say(r#"{"jsonrpc":"2.0","id":8,"method":"tools/list"}"#).await;
    assert_eq!(talk.hear().await["error"]["code"], -32600, "anything else is not");
    talk.say("no JSON").await;
    assert_eq!(talk.hear().await["error"]["code"], -32700);
    talk.initialize().await;
    talk.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"sleep","arguments":{"ms":200}}}"#).await;
    talk.say(PING).await;
    assert_eq!(talk.hear().await["id"], 7, "a slow tool does not hold up a ping");
    assert_eq!(talk.hear().await["id"], 2);
    talk.say(
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"count","arguments":{"to":2},"_meta":{"progressToken":"t"}}}"#,
    )
    .await;
    assert_eq!(talk.hear().await["params"]["progress"], 1);
    assert_eq!(talk.hear().await["params"]["progress"], 2);
    assert_eq!(talk.hear().await["result"]["isError"], false);
    drop(talk);
    in_time(task).await.expect("no panic");
    let lines = log.lines();
    assert_eq!(count(&lines, "id=3 tools/call count"), 1, "{lines:#?}");
    assert_eq!(count(&lines, "id=3 → ok in "), 1, "{lines:#?}");
}

#[tokio::test]
async fn a_server_on_pipes_has_the_same_faults() {
    let (mut talk, _, task) = start(Faults { crash_after: Some(After::Calls(1)), ..Faults::default() });
    talk.initialize().await;
    talk.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#).await;
    let panic = in_time(task).await.expect_err("it panics").into_panic();
    assert_eq!(*panic.downcast::<String>().expect("a message"), "crash_after 1 call");
    let (mut talk, _, _task) = start(Faults { fail_after: Some(After::Calls(1)), ..Faults::default() });
    talk.initialize().await;
    talk.say(r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#).await;
    assert_eq!(talk.hear().await["error"]["code"], -32603);
}

#[tokio::test]
async fn the_client_starts_its_server_and_ends_it() {
    let config = ClientConfig::new(ClientTarget::Stdio(server(&[])));
    let last = passes(config.clone()).await;
    assert!(last.starts_with("INFO 5 of 5 calls passed, p50 "), "{last}");
    passes(ClientConfig { scenario: Scenario::Stream, ..config.clone() }).await;
    passes(ClientConfig { scenario: Scenario::Ping, ..config }).await;
    let crashing = ClientConfig::new(ClientTarget::Stdio(server(&["--crash-after", "2 calls"])));
    assert_eq!(fails(crashing).await, "ERROR tools/call #2: connection to the stdio server failed: it has ended");
    let missing = ClientConfig::new(ClientTarget::Stdio(vec!["no-such-program-here".to_owned()]));
    assert_eq!(fails(missing).await, "ERROR start: cannot start no-such-program-here: No such file or directory");
}

#[tokio::test]
async fn lines_pass_the_stdio_proxy_as_they_are() {
    let ((mut to, from_client), (to_client, from)) = (tokio::io::duplex(1 << 16), tokio::io::duplex(1 << 16));
    let log = PartLog::memory();
    let proxying = tokio::spawn({
        let log = log.clone();
        async move {
            let (_handle, stop) = stop_pair();
            forward_stdio(&["cat".to_owned()], BufReader::new(from_client), to_client, stop, log).await
        }
    });
    let lines = [PING, "no JSON at all", r#"{"jsonrpc":"2.0","id":7,"result":{}}"#];
    let mut heard = BufReader::new(from).lines();
    for line in lines {
        to.write_all(format!("{line}\n").as_bytes()).await.expect("it reads");
        assert_eq!(in_time(heard.next_line()).await.expect("it writes").as_deref(), Some(line));
    }
    drop(to);
    assert_eq!(in_time(proxying).await.expect("no panic"), Ok(()));
    let logged = log.lines();
    assert_eq!(count(&logged, "handle: Processing ping id=7"), 1, "{logged:#?}");
    assert_eq!(count(&logged, "handle: upstream answered id=7 ok elapsed="), 1, "{logged:#?}");
    assert_eq!(logged.last().map(String::as_str), Some("INFO the server exited with 0 after its stdin was closed"), "{logged:#?}");
}

async fn proxied_until_it_ends(script: &str) -> Result<(), ChildError> {
    let argv = ["/bin/sh", "-c", script].map(str::to_owned);
    let (_to, from) = tokio::io::duplex(64);
    let (to_client, _heard) = tokio::io::duplex(64);
    let (_handle, stop) = stop_pair();
    in_time(forward_stdio(&argv, BufReader::new(from), to_client, stop, PartLog::memory())).await
}

#[tokio::test]
async fn a_server_that_ends_by_itself_is_an_error_of_the_stdio_proxy() {
    let error = proxied_until_it_ends("exit 3").await.expect_err("it ended");
    assert_eq!(error.to_string(), "/bin/sh exited with 3 by itself");
    let error = proxied_until_it_ends("kill -9 $$").await.expect_err("it ended");
    assert_eq!(error.to_string(), "/bin/sh was killed by SIGKILL by itself");
}

#[tokio::test]
async fn a_stdio_proxy_that_is_stopped_ends_its_server_in_order() {
    let (handle, stop) = stop_pair();
    let (_to, from) = tokio::io::duplex(64);
    let (to_client, heard) = tokio::io::duplex(1 << 12);
    let log = PartLog::memory();
    let script = "trap 'echo terminated; exit 0' TERM; echo started; while :; do sleep 0.05; done";
    let proxying = tokio::spawn({
        let log = log.clone();
        async move {
            let argv = ["/bin/sh", "-c", script].map(str::to_owned);
            forward_stdio(&argv, BufReader::new(from), to_client, stop, log).await
        }
    });
    let mut heard = BufReader::new(heard).lines();
    assert_eq!(in_time(heard.next_line()).await.expect("it writes").as_deref(), Some("started"));
    handle.stop();
    assert_eq!(in_time(heard.next_line()).await.expect("it writes").as_deref(), Some("terminated"), "its last words come through");
    assert_eq!(in_time(proxying).await.expect("no panic"), Ok(()));
    assert_eq!(log.lines().last().map(String::as_str), Some("INFO the server exited with 0 after SIGTERM"));
}

#[tokio::test]
async fn http_goes_to_a_server_on_pipes_for_each_session() {
    let limits = SessionLimits { most: 2, ..SessionLimits::default() };
    let mode = ProxyMode::Reverse { listen: anywhere(), upstream: Target::Stdio(server(&[])), upstream_token: None, sessions: limits };
    let bridge = proxy(ProxyConfig::new(mode)).await;
    passes(client(bridge.url())).await;
    let first = initialize(&bridge.url(), "2025-06-18").await;
    let second = initialize(&bridge.url(), "2025-06-18").await;
    assert_eq!(post(&bridge.url(), PING, &[("mcp-session-id", &first)]).await.status(), 200);
    assert_eq!(post(&bridge.url(), PING, &[("mcp-session-id", &second)]).await.status(), 200);
    let _third = initialize(&bridge.url(), "2025-06-18").await;
    assert_eq!(post(&bridge.url(), PING, &[("mcp-session-id", &first)]).await.status(), 404, "two are enough");
    let proxied = bridge.end().await;
    assert_eq!(count(&proxied, "DEBUG stdio server exited with 0 after its stdin was closed"), 4, "all four were ended: {proxied:#?}");
}

#[tokio::test]
async fn a_server_on_pipes_that_dies_is_502_and_then_404() {
    let target = Target::Stdio(server(&["--crash-after", "2 calls"]));
    let bridge = proxy(ProxyConfig::new(ProxyMode::Forward { listen: anywhere(), target })).await;
    let mut config = client(bridge.url());
    config.retries = 1;
    let (passed, lines) = test(config).await;
    assert!(!passed);
    assert_eq!(count(&lines, "WARN tools/call echo #2 → 502, retry 1 of 1"), 1, "{lines:#?}");
    assert_eq!(lines.last().map(String::as_str), Some("ERROR tools/call #2: HTTP 404, wanted 200"), "{lines:#?}");
    let mut config = client_for(bridge.url(), Scenario::SessionLoss);
    (config.calls, config.retries) = (Some(3), 1);
    passes(config).await;
    bridge.end().await;
}

#[tokio::test]
async fn a_server_on_pipes_that_says_nothing_is_504() {
    let mode = reverse_mode(Target::Stdio(vec!["sleep".to_owned(), "60".to_owned()]));
    let bridge = proxy(ProxyConfig { timeout: Duration::from_millis(100), ..ProxyConfig::new(mode) }).await;
    assert_eq!(fails(client(bridge.url())).await, "ERROR initialize: HTTP 504, wanted 200");
    let proxied = bridge.end().await;
    assert_eq!(count(&proxied, "DEBUG stdio server was killed by SIGTERM after SIGTERM"), 1, "{proxied:#?}");
}
