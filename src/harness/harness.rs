//! The harness: a run that a test drives, and what is left of it when the test ends.

use std::{
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
    time::Duration,
};

use super::{
    HarnessBuilder, HarnessError, LogAggregator, PortAllocator, ProcessConfig, ProcessError, ProcessHandle, ProcessManager, ProcessType,
    ProxyConfig, ProxyHandle, ProxyMode, RestartPolicy, ServerHandle,
};
use crate::{
    model::{Actor, Command, Outcome, ProcessId},
    scenario::Lease,
};

/// How much longer than a process's own time for becoming ready is waited: the supervisor's reason is the better one.
const READY_SLACK: Duration = Duration::from_secs(2);

/// What becomes of a test's run.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    pub(super) archives: Option<PathBuf>,
    pub(super) deny_leaks: bool,
}

/// What must outlive every process of a scenario.
#[derive(Debug, Default)]
#[expect(dead_code, reason = "held, not read")]
pub(super) struct Kept {
    pub(super) leases: Vec<Lease>,
    pub(super) run_dir: Option<tempfile::TempDir>,
}

/// Processes for one test: started, watched, logged, recorded, and gone when the test is over, whatever way it ends.
///
/// It needs no runtime of a certain kind, changes nothing of the program it lives in (no panic hook, signal handler, tracing
/// subscriber, limit or subreaper), and any number of them live side by side, in threads or in processes.
///
/// ```no_run
/// use e2e_tui::harness::{E2ETestHarness, ProxyConfig, ProxyMode, TestClient};
///
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// let harness = E2ETestHarness::new().await?;
/// let upstream = harness.start_mcp_validator().await?;
/// let proxy = harness
///     .start_shadowcat_proxy(ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None })
///     .await?;
/// let response = TestClient::new(&proxy.url).send_mcp_request("ping", None).await?;
/// assert_eq!(response.status(), 200);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a harness ends all that it has started"]
pub struct E2ETestHarness {
    pub(super) manager: ProcessManager,
    ports: PortAllocator,
    pub(super) options: Options,
    /// Whether the end was carried out, or is being.
    pub(super) ended: AtomicBool,
    _kept: Kept,
}

impl E2ETestHarness {
    /// An empty harness, named after the test, with everything as it is unless set. See [`builder`](Self::builder).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = e2e_tui::E2ETestHarness::new().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn new() -> Result<Self, HarnessError> {
        HarnessBuilder::default().start().await
    }

    /// A harness with a time limit, an archive of failures, another binary, …
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = e2e_tui::E2ETestHarness::builder().name("checkout").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> HarnessBuilder {
        HarnessBuilder::default()
    }

    /// Runs a scenario: a path, a name in `scenarios/`, or a bundled one. See [`HarnessBuilder::from_scenario`].
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
    /// use std::time::Duration;
    ///
    /// use e2e_tui::harness::E2ETestHarness;
    ///
    /// let harness = E2ETestHarness::from_scenario("reverse").await?;
    /// harness.wait_for_ready("proxy", Duration::from_secs(10)).await?;
    /// println!("{}", harness.url("proxy")?);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn from_scenario(name: &str) -> Result<Self, HarnessError> {
        HarnessBuilder::default().from_scenario(name).await
    }

    pub(super) fn of(manager: ProcessManager, ports: PortAllocator, options: Options, kept: Kept) -> Self {
        Self { manager, ports, options, ended: AtomicBool::new(false), _kept: kept }
    }

    /// Who starts and ends the processes.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(harness.process_manager().names().len(), 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn process_manager(&self) -> &ProcessManager {
        &self.manager
    }

    /// Ports for the test. They are given back when the harness has ended.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = harness.port_allocator().allocate().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn port_allocator(&self) -> &PortAllocator {
        &self.ports
    }

    /// What all processes say, and assertions on it.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.logs().assert_sequence(&["accepted", "forwarded", "answered"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> LogAggregator {
        self.manager.logs()
    }

    /// Starts a proxy in front of `config.upstream` and waits until it is ready. Unlike
    /// [`to_process_config`](ProcessType::to_process_config) it is not restarted when it ends: in a test that is a finding.
    ///
    /// ```no_run
    /// use e2e_tui::{ProxyConfig, ProxyMode};
    ///
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let upstream = harness.start_mcp_validator().await?;
    /// let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None };
    /// let proxy = harness.start_shadowcat_proxy(config).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_shadowcat_proxy(&self, config: ProxyConfig) -> Result<ProxyHandle, HarnessError> {
        let ProxyConfig { mode, upstream, auth } = config;
        if let ProxyMode::Stdio { .. } = mode {
            return self.manager.noted(Err(HarnessError::NoPort {
                process: ProcessId::new("shadowcat").map_err(|error| ProcessError::InvalidName(error.0))?,
                hint: "a proxy on stdio is started with `start_process(ProcessType::ShadowcatProxy { … }.to_process_config())`",
            }));
        }
        let port = self.manager.noted(self.ports.allocate().await)?;
        let bind_address = format!("127.0.0.1:{port}");
        let config = ProcessType::ShadowcatProxy { mode, bind_address, upstream, auth }.to_process_config();
        self.start_server(port, config.restart_policy(RestartPolicy::Never)).await
    }

    /// Starts an MCP server that wants no token: the reference server of mcp-validator where `MCP_VALIDATOR_DIR` names a checkout
    /// (which wants its own token), else a built-in one. Waits until it is ready.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let upstream = harness.start_mcp_validator().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_mcp_validator(&self) -> Result<ServerHandle, HarnessError> {
        let port = self.manager.noted(self.ports.allocate().await)?;
        self.start_server(port, ProcessType::McpValidator { port, auth_token: None }.to_process_config()).await
    }

    /// The same, but every request after the handshake must carry `token`.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let upstream = harness.start_mcp_validator_with_token("demo-token").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_mcp_validator_with_token(&self, token: impl Into<String>) -> Result<ServerHandle, HarnessError> {
        let port = self.manager.noted(self.ports.allocate().await)?;
        self.start_server(port, ProcessType::McpValidator { port, auth_token: Some(token.into()) }.to_process_config()).await
    }

    /// Starts the built-in MCP server, whose answers wait for `response_delay`. Waits until it is ready.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let slow = harness.start_mock_upstream(std::time::Duration::from_millis(200)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_mock_upstream(&self, response_delay: Duration) -> Result<ServerHandle, HarnessError> {
        let port = self.manager.noted(self.ports.allocate().await)?;
        self.start_server(port, ProcessType::MockUpstream { port, response_delay }.to_process_config()).await
    }

    /// Starts the built-in MCP client against `target`. Its scenario is `ping`, `tools`, `stream`, `auth`, `session-loss`,
    /// `concurrency` or `soak`; [`exited`](ProcessHandle::exited) says how it went.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let upstream = harness.start_mcp_validator().await?;
    /// let calls = harness.start_test_client(&upstream.url, "tools").await?;
    /// assert!(calls.exited().await?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_test_client(&self, target: impl Into<String>, scenario: impl Into<String>) -> Result<ProcessHandle, HarnessError> {
        let config = ProcessType::TestClient { target: target.into(), scenario: scenario.into() }.to_process_config();
        self.start_process(config).await
    }

    /// Starts a server that listens on `port` (see [`port_allocator`](Self::port_allocator)) and waits until it is ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = harness.port_allocator().allocate().await?;
    /// let api = ProcessConfig::new("api", "./api").args(["--port", &port.to_string()]);
    /// let api = harness.start_server(port, api).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_server(&self, port: u16, config: ProcessConfig) -> Result<ServerHandle, HarnessError> {
        Ok(ServerHandle::new(self.start_process(config.port(port)).await?, port))
    }

    /// Starts a process and waits until it is ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let worker = harness.start_process(ProcessConfig::shell("worker", "exec ./worker")).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_process(&self, config: ProcessConfig) -> Result<ProcessHandle, HarnessError> {
        let patience = config.ready_timeout + READY_SLACK;
        let begun = self.manager.begin(config)?;
        // From here on the guard is its owner, whatever becomes of this future.
        let guard = self.manager.alive(begun).await?;
        self.manager.wait_for_ready(guard.process_id(), patience).await?;
        Ok(ProcessHandle::new(&self.manager, guard))
    }

    /// Starts processes at once and waits until all are ready. If one fails, none of them is left.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
    /// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// let all = harness.start_all((0..4).map(|n| ProcessConfig::new(format!("worker-{n}"), "./worker"))).await?;
    /// assert_eq!(all.len(), 4);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start_all(&self, configs: impl IntoIterator<Item = ProcessConfig>) -> Result<Vec<ProcessHandle>, HarnessError> {
        let mut begun = Vec::new();
        for config in configs {
            let patience = config.ready_timeout + READY_SLACK;
            begun.push((self.manager.begin(config)?, patience));
        }
        let all = begun.into_iter().map(async |(begun, patience)| {
            let guard = self.manager.alive(begun).await?;
            self.manager.wait_for_ready(guard.process_id(), patience).await?;
            Ok::<_, ProcessError>(ProcessHandle::new(&self.manager, guard))
        });
        Ok(futures_util::future::try_join_all(all).await?)
    }

    /// Waits until a process is ready, at most `timeout`; fails as soon as it has ended, with how it ended and its last lines.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.wait_for_ready("proxy", std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_ready(&self, process: impl AsRef<str>, timeout: Duration) -> Result<(), HarnessError> {
        Ok(self.manager.wait_for_ready(process, timeout).await?)
    }

    /// The port that a process listens on.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = harness.port("proxy")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn port(&self, process: impl AsRef<str>) -> Result<u16, HarnessError> {
        let process = self.manager.process(process)?;
        let hint = if self.manager.is_own(process.id()) {
            "give it `.port(..)`, start it with `start_server`, or let `LogHealthCheck` capture `(?<port>…)` and wait until it is ready"
        } else {
            "give it `listens`, or a `ready.log` that captures `(?<port>…)` and wait until it is ready"
        };
        process.port().ok_or_else(|| HarnessError::NoPort { process: process.id().clone(), hint })
    }

    /// `http://127.0.0.1:PORT` of a process.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let client = e2e_tui::TestClient::new(harness.url("proxy")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn url(&self, process: impl AsRef<str>) -> Result<String, HarnessError> {
        Ok(format!("http://127.0.0.1:{}", self.port(process)?))
    }

    /// Puts a mark on the run's timeline.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// harness.mark("now the upstream goes away");
    /// # Ok(())
    /// # }
    /// ```
    pub fn mark(&self, text: impl Into<String>) {
        drop(self.manager.run().send(Command::Mark { text: text.into() }, Actor::Library));
    }

    /// Waits for a scenario's verdict: until its tests have ended, or one can never start. Services stay up.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(harness.verdict().await?.exit_code, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verdict(&self) -> Result<Outcome, HarnessError> {
        let mut snapshots = self.manager.run().watch();
        let reached = snapshots.wait_for(|snapshot| snapshot.outcome.is_some()).await;
        let outcome = reached.ok().and_then(|snapshot| snapshot.outcome.clone());
        self.manager.noted(outcome.ok_or_else(|| ProcessError::RunEnded { reason: "before there was a verdict".to_owned() }.into()))
    }

    /// The folder of the recording, if it could be made.
    ///
    /// ```no_run
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("e2e-tui replay {}", harness.recording().map_or(".".into(), |folder| folder.display().to_string()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn recording(&self) -> Option<&Path> {
        self.manager.recording()
    }
}
