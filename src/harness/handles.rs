//! What a test holds of a process that it has started.

use std::{ops::Deref, time::Duration};

use super::{LogCapture, ManagedProcess, ProcessError, ProcessGuard, ProcessManager};
use crate::model::{Exit, ProcessId, Signal, StopRecord};

/// A process that a test has started. Dropping it ends the process with everything it has started; see
/// [`keep`](Self::keep).
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// use e2e_tui::harness::{E2ETestHarness, ProcessConfig};
///
/// let harness = E2ETestHarness::new().await?;
/// let job = harness.start_process(ProcessConfig::shell("job", "echo done").role(e2e_tui::model::Role::Task)).await?;
/// assert!(job.exited().await?.success());
/// job.logs().assert_seen("done");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a handle ends its process"]
pub struct ProcessHandle {
    /// Its name.
    pub process_id: ProcessId,
    manager: ProcessManager,
    guard: ProcessGuard,
}

impl ProcessHandle {
    pub(super) fn new(manager: &ProcessManager, guard: ProcessGuard) -> Self {
        Self { process_id: guard.process_id().clone(), manager: manager.clone(), guard }
    }

    /// How it stands.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{:?} since {:?}", process.info()?.state(), process.info()?.start_time());
    /// # Ok(())
    /// # }
    /// ```
    pub fn info(&self) -> Result<ManagedProcess, ProcessError> {
        self.manager.process(&self.process_id)
    }

    /// What it says.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.logs().assert_seen("listening");
    /// # Ok(())
    /// # }
    /// ```
    pub fn logs(&self) -> LogCapture {
        self.manager.logs().of(&self.process_id)
    }

    /// Waits until it is ready (again).
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.wait_for_ready(std::time::Duration::from_secs(10)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn wait_for_ready(&self, timeout: Duration) -> Result<(), ProcessError> {
        self.manager.wait_for_ready(&self.process_id, timeout).await
    }

    /// Waits until it has ended for good, and says how. Restarts by its policy are waited out.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// assert!(process.exited().await?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exited(&self) -> Result<Exit, ProcessError> {
        let settled = self.manager.watch(&self.process_id, |row| row.state.is_settled().then(|| row.exits.last().map(|exit| exit.exit)));
        let exit = settled.await.and_then(|exit| exit.ok_or_else(|| self.manager.why_not(&self.process_id)));
        self.manager.noted(exit)
    }

    /// Stops it with all it has started: its stop signal, then KILL when its grace or `timeout` is over. It stays down.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.stop(std::time::Duration::from_secs(5)).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(&self, timeout: Duration) -> Result<Option<StopRecord>, ProcessError> {
        self.manager.shutdown_process(&self.process_id, timeout).await
    }

    /// Stops it and starts it anew. Returns when it runs again.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.restart().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn restart(&self) -> Result<(), ProcessError> {
        self.manager.restart_process(&self.process_id).await
    }

    /// Sends a signal to its tree, as if from outside: its restart policy reacts to what follows.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.signal(e2e_tui::harness::Signal::HUP).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        self.manager.signal_process(&self.process_id, signal).await
    }

    /// Writes a line to its stdin, which must be a pipe.
    ///
    /// ```no_run
    /// # async fn example(process: &e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// process.send_line("reload").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_line(&self, text: impl Into<String>) -> Result<(), ProcessError> {
        self.manager.send_line(&self.process_id, text).await
    }

    /// Gives up the handle; the process lives on until its harness ends.
    ///
    /// ```no_run
    /// # async fn example(process: e2e_tui::harness::ProcessHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = process.keep();     // it lives as long as the harness
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(self) -> ProcessId {
        self.guard.disarm();
        self.process_id
    }
}

/// A server that a test has started, with its address. Dropping it ends the process; it has everything that a
/// [`ProcessHandle`] has.
///
/// ```no_run
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// # let harness = e2e_tui::harness::E2ETestHarness::new().await?;
/// let upstream = harness.start_mcp_validator().await?;
/// println!("{} serves {} on port {}", upstream.process_id, upstream.url, upstream.port);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "dropping a handle ends its process"]
pub struct ServerHandle {
    /// Its name.
    pub process_id: ProcessId,
    /// Where it listens.
    pub port: u16,
    /// `http://127.0.0.1:PORT`
    pub url: String,
    process: ProcessHandle,
}

/// A proxy that a test has started.
///
/// ```no_run
/// # async fn example(proxy: &e2e_tui::harness::ProxyHandle) -> Result<(), Box<dyn std::error::Error>> {
/// let client = e2e_tui::TestClient::new(&proxy.url);
/// println!("{} listens on {}", proxy.process_id, proxy.port);
/// # Ok(())
/// # }
/// ```
pub type ProxyHandle = ServerHandle;

impl ServerHandle {
    pub(super) fn new(process: ProcessHandle, port: u16) -> Self {
        Self { process_id: process.process_id.clone(), port, url: format!("http://127.0.0.1:{port}"), process }
    }

    /// Gives up the handle; the process lives on until its harness ends.
    ///
    /// ```no_run
    /// # async fn example(server: e2e_tui::harness::ServerHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// let id = server.keep();     // it lives as long as the harness
    /// # Ok(())
    /// # }
    /// ```
    pub fn keep(self) -> ProcessId {
        self.process.keep()
    }
}

impl Deref for ServerHandle {
    type Target = ProcessHandle;
    fn deref(&self) -> &ProcessHandle {
        &self.process
    }
}
