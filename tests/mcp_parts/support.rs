//! Parts in this process, each with its log in memory.

use std::{future::Future, net::SocketAddr, time::Duration};

use e2e_tui::mcp::{
    PartLog, StopHandle,
    client::{self, ClientConfig, ClientTarget, Scenario},
    proxy::{Listen, Proxy, ProxyConfig, ProxyMode, SessionLimits, Target},
    stop_pair,
    upstream::{Faults, Upstream, UpstreamConfig},
};
use tokio::task::JoinHandle;

/// No single step of a test may take longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) async fn in_time<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, what).await.expect("it ends before the deadline")
}

/// A part that serves.
pub(crate) struct Served {
    pub(crate) addr: SocketAddr,
    pub(crate) log: PartLog,
    stop: StopHandle,
    task: JoinHandle<()>,
}

impl Served {
    pub(crate) fn url(&self) -> String {
        format!("http://{}/mcp", self.addr)
    }

    /// Ends it in order and gives its log.
    pub(crate) async fn end(self) -> Vec<String> {
        self.stop.stop();
        in_time(self.task).await.expect("no panic");
        self.log.lines()
    }

    /// Waits for it to panic.
    pub(crate) async fn panics(self) -> String {
        let error = in_time(self.task).await.expect_err("it panics");
        *error.into_panic().downcast::<String>().expect("a formatted message")
    }
}

pub(crate) async fn upstream(config: UpstreamConfig) -> Served {
    let log = PartLog::memory();
    let upstream = Upstream::bind(config, log.clone()).await.expect("a free port");
    let (addr, (stop, heard)) = (upstream.addr(), stop_pair());
    Served { addr, log, stop, task: tokio::spawn(upstream.serve(heard)) }
}

pub(crate) async fn upstream_with(faults: Faults) -> Served {
    upstream(UpstreamConfig { faults, ..UpstreamConfig::default() }).await
}

pub(crate) async fn proxy(config: ProxyConfig) -> Served {
    let log = PartLog::memory();
    let proxy = Proxy::bind(config, log.clone()).await.expect("a free port");
    let (addr, (stop, heard)) = (proxy.addr(), stop_pair());
    let task = tokio::spawn(async move { proxy.serve(heard).await.expect("a good URL") });
    Served { addr, log, stop, task }
}

pub(crate) fn anywhere() -> Listen {
    Listen { host: "127.0.0.1".to_owned(), port: 0 }
}

pub(crate) async fn forward(target: String) -> Served {
    proxy(ProxyConfig::new(ProxyMode::Forward { listen: anywhere(), target: Target::Url(target) })).await
}

pub(crate) fn reverse_mode(upstream: Target) -> ProxyMode {
    ProxyMode::Reverse { listen: anywhere(), upstream, upstream_token: None, sessions: SessionLimits::default() }
}

pub(crate) async fn reverse(upstream: String) -> Served {
    proxy(ProxyConfig::new(reverse_mode(Target::Url(upstream)))).await
}

pub(crate) fn client(target: String) -> ClientConfig {
    ClientConfig::new(ClientTarget::Url(target))
}

pub(crate) fn client_for(target: String, scenario: Scenario) -> ClientConfig {
    ClientConfig { scenario, ..client(target) }
}

/// Runs a test client; whether it passed, and its log.
pub(crate) async fn test(config: ClientConfig) -> (bool, Vec<String>) {
    let log = PartLog::memory();
    let (_handle, stop) = stop_pair();
    let passed = in_time(client::run(config, &log, stop)).await;
    (passed, log.lines())
}

/// Runs a test client that must pass; gives its last line.
pub(crate) async fn passes(config: ClientConfig) -> String {
    let (passed, lines) = test(config).await;
    assert!(passed, "{lines:#?}");
    lines.last().cloned().expect("a last line")
}

/// Runs a test client that must fail; gives its last line.
pub(crate) async fn fails(config: ClientConfig) -> String {
    let (passed, lines) = test(config).await;
    assert!(!passed, "{lines:#?}");
    lines.last().cloned().expect("a last line")
}

pub(crate) fn count(lines: &[String], what: &str) -> usize {
    lines.iter().filter(|line| line.contains(what)).count()
}

/// A plain HTTP client, for what the test client never does.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().expect("no TLS to set up")
}

/// Posts a body as an MCP client does, with more headers.
pub(crate) async fn post(url: &str, body: &str, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = http().post(url).header("content-type", "application/json").header("accept", "application/json, text/event-stream");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.to_owned()).send().await.expect("an answer")
}

/// Opens a session; gives its id.
pub(crate) async fn initialize(url: &str, revision: &str) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"initialize","params":{{"protocolVersion":"{revision}","capabilities":{{}},"clientInfo":{{"name":"t","version":"1"}}}}}}"#
    );
    let response = post(url, &body, &[]).await;
    assert_eq!(response.status(), 200);
    response.headers().get("mcp-session-id").expect("a session").to_str().expect("ascii").to_owned()
}

pub(crate) const PING: &str = r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#;
