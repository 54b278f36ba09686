//! The MCP parts against each other, on real sockets.

use std::{future::Future, net::SocketAddr, time::Duration};

use e2e_tui::mcp::{
    PartLog, Stop, StopHandle,
    client::{self, ClientConfig},
    proxy::{Proxy, ProxyConfig, ProxyMode},
    stop_pair,
    upstream::{Upstream, UpstreamConfig},
};
use tokio::task::JoinHandle;

/// No test of this file may take longer.
const DEADLINE: Duration = Duration::from_secs(20);

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it ends before the deadline")
}

struct Served {
    addr: SocketAddr,
    log: PartLog,
    stop: StopHandle,
    task: JoinHandle<()>,
}

impl Served {
    fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }

    async fn end(self) -> Vec<String> {
        self.stop.stop();
        in_time(self.task).await.expect("no panic");
        self.log.lines()
    }
}

async fn upstream(config: UpstreamConfig) -> Served {
    let log = PartLog::memory();
    let upstream = Upstream::bind(config, log.clone()).await.expect("a free port");
    let (addr, (stop, heard)) = (upstream.addr(), stop_pair());
    Served { addr, log, stop, task: tokio::spawn(upstream.serve(heard)) }
}

async fn forward(target: String) -> Served {
    let log = PartLog::memory();
    let mode = ProxyMode::Forward { host: "127.0.0.1".to_owned(), port: 0, target };
    let proxy = Proxy::bind(ProxyConfig { mode, timeout: Duration::from_secs(5) }, log.clone()).await.expect("a free port");
    let (addr, (stop, heard)) = (proxy.addr(), stop_pair());
    Served { addr, log, stop, task: tokio::spawn(proxy.serve(heard)) }
}

fn never() -> (StopHandle, Stop) {
    stop_pair()
}

async fn test(config: ClientConfig) -> (bool, Vec<String>) {
    let log = PartLog::memory();
    let (_handle, stop) = never();
    let passed = in_time(client::run(config, &log, stop)).await;
    (passed, log.lines())
}

#[tokio::test]
async fn calls_go_through_the_proxy_and_back() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    let (passed, lines) = test(ClientConfig { target: proxy.url(), calls: 5, ..ClientConfig::default() }).await;
    assert!(passed, "{lines:#?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("INFO 5 of 5 calls passed, p50 ")), "{lines:#?}");
    assert!(lines.contains(&"##e2e progress 5 of 5 calls".to_owned()), "{lines:#?}");
    let (proxied, served) = (proxy.end().await, upstream.end().await);
    let calls = |lines: &[String], what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(calls(&proxied, "Processing tools/call for "), 5, "{proxied:#?}");
    assert_eq!(calls(&proxied, "upstream answered status=200"), 7, "initialize, tools/list and five calls: {proxied:#?}");
    assert_eq!(calls(&served, "tools/call echo"), 5, "{served:#?}");
    assert_eq!(calls(&served, "id=7 → 200 in "), 1, "the fifth call has id 7: {served:#?}");
}

#[tokio::test]
async fn a_dead_upstream_is_502_and_the_client_says_so() {
    let upstream = upstream(UpstreamConfig::default()).await;
    let proxy = forward(upstream.url()).await;
    upstream.end().await;
    let (passed, lines) = test(ClientConfig { target: proxy.url(), retries: 1, ..ClientConfig::default() }).await;
    assert!(!passed);
    assert_eq!(lines, ["WARN initialize → 502, retry 1 of 1", "##e2e progress retry 1 of 1", "ERROR initialize: HTTP 502, wanted 200"]);
    let proxied = proxy.end().await;
    assert!(proxied.iter().any(|line| line == "WARN handle: upstream failed error=\"Connection refused\" status=502"), "{proxied:#?}");
}

#[tokio::test]
async fn nobody_listening_is_named_with_its_address() {
    let gone = upstream(UpstreamConfig::default()).await;
    let (addr, target) = (gone.addr, gone.url());
    gone.end().await;
    let (passed, lines) = test(ClientConfig { target, ..ClientConfig::default() }).await;
    assert!(!passed);
    assert_eq!(lines, [format!("ERROR initialize: connection to {addr} refused")]);
}

#[tokio::test]
async fn a_taken_port_is_an_error_and_no_listening_line() {
    let first = upstream(UpstreamConfig::default()).await;
    let log = PartLog::memory();
    let second = Upstream::bind(UpstreamConfig { port: first.addr.port(), ..UpstreamConfig::default() }, log.clone()).await;
    let message = second.err().expect("the port is taken").to_string();
    assert!(message.starts_with(&format!("cannot listen on {}: Address already in use", first.addr)), "{message}");
    assert!(log.lines().is_empty());
    first.end().await;
}
