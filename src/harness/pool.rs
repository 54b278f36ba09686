//! Processes that are lent to one test after the other.

use std::{
    ops::Deref,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    BoxFuture, HarnessError, PortAllocator, ProcessConfig, ProcessManager, ServerHandle, handles::ProcessHandle, ports::PortLease,
    timer::Timer,
};

/// How long the reset of a process may take before another is started in its place.
const RESET: Duration = Duration::from_secs(5);

type Make = dyn Fn(u16) -> ProcessConfig + Send + Sync;
type Reset = dyn for<'a> Fn(&'a ServerHandle) -> BoxFuture<'a, Result<(), String>> + Send + Sync;

/// Lends servers to tests. Each test gets a fresh one, unless the pool knows how to [reset](Self::reset_with) them: then one
/// that was given back is lent again, once its reset has succeeded.
///
/// ```no_run
/// use e2e_tui::harness::{HarnessError, ProcessManager, ProcessPool, ProcessType, TestClient};
///
/// # async fn example() -> Result<(), HarnessError> {
/// let pool = ProcessPool::new(ProcessManager::new().await?, |port| {
///     ProcessType::MockUpstream { port, response_delay: std::time::Duration::ZERO }.to_process_config()
/// })?
/// .reset_with(|server| {
///     Box::pin(async move {
///         let reset = TestClient::new(&server.url).call_tool("reset", serde_json::json!({})).await;
///         reset.map(|_| ()).map_err(|error| error.to_string())
///     })
/// });
/// let server = pool.lend().await?;
/// println!("{}", server.url);
/// drop(server); // back in the pool
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ProcessPool {
    shared: Arc<Shared>,
}

struct Shared {
    manager: ProcessManager,
    ports: PortAllocator,
    make: Box<Make>,
    reset: OnceLock<Box<Reset>>,
    idle: Mutex<Vec<Pooled>>,
    most_idle: AtomicUsize,
}

/// A server, and the lease of its port: given back once the server is gone, whatever becomes of it.
struct Pooled {
    server: ServerHandle,
    _lease: PortLease,
}

impl std::fmt::Debug for ProcessPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessPool").field("idle", &self.idle()).finish_non_exhaustive()
    }
}

impl ProcessPool {
    /// A pool whose processes `manager` starts; `make` says how one is started that listens on a given port. The pool's end is the
    /// end of the manager, unless it was given a clone.
    ///
    /// ```no_run
    /// use std::time::Duration;
    ///
    /// use e2e_tui::harness::{HarnessError, ProcessManager, ProcessPool, ProcessType};
    ///
    /// # async fn example() -> Result<(), HarnessError> {
    /// let manager = ProcessManager::new().await?;
    /// let upstream = |port| ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config();
    /// let pool = ProcessPool::new(manager, upstream)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(manager: ProcessManager, make: impl Fn(u16) -> ProcessConfig + Send + Sync + 'static) -> Result<Self, HarnessError> {
        let ports = PortAllocator::new()?;
        let shared = Shared { manager, ports, make: Box::new(make), reset: OnceLock::new(), idle: Mutex::default(), most_idle: 4.into() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How a process that was used is made as good as new. One for which that fails is ended, and another started in its place.
    /// Of several resets the first counts. One that takes longer than five seconds has failed.
    ///
    /// ```no_run
    /// # async fn example(pool: e2e_tui::harness::ProcessPool) {
    /// let pool = pool.reset_with(|server| {
    ///     Box::pin(async move {
    ///         let reset = e2e_tui::TestClient::new(&server.url).call_tool("reset", serde_json::json!({})).await;
    ///         reset.map(|_| ()).map_err(|error| error.to_string())
    ///     })
    /// });
    /// # }
    /// ```
    #[must_use]
    pub fn reset_with(self, reset: impl for<'a> Fn(&'a ServerHandle) -> BoxFuture<'a, Result<(), String>> + Send + Sync + 'static) -> Self {
        let _ = self.shared.reset.set(Box::new(reset));
        self
    }

    /// How many wait to be lent again at most; 4 unless set.
    ///
    /// ```no_run
    /// # async fn example(pool: e2e_tui::harness::ProcessPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = pool.most_idle(2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn most_idle(self, most: usize) -> Self {
        self.shared.most_idle.store(most, Ordering::Relaxed);
        self
    }

    /// How many wait to be lent again.
    ///
    /// ```no_run
    /// # async fn example(pool: &e2e_tui::harness::ProcessPool) -> Result<(), Box<dyn std::error::Error>> {
    /// assert_eq!(pool.idle(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn idle(&self) -> usize {
        self.shared.lock().len()
    }

    /// Where its ports come from. One is leased for as long as its server lives.
    ///
    /// ```no_run
    /// # async fn example(pool: &e2e_tui::harness::ProcessPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let server = pool.lend().await?;
    /// assert_eq!(pool.port_allocator().leased(), pool.idle() + 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn port_allocator(&self) -> &PortAllocator {
        &self.shared.ports
    }

    /// Lends a server that is ready and as good as new.
    ///
    /// ```no_run
    /// # async fn example(pool: &e2e_tui::harness::ProcessPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let server = pool.lend().await?;
    /// let client = e2e_tui::TestClient::new(&server.url);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn lend(&self) -> Result<PooledProcess, HarnessError> {
        while let Some(pooled) = self.shared.take() {
            if self.shared.is_as_new(&pooled.server).await {
                return Ok(PooledProcess { pooled: Some(pooled), shared: self.shared.clone() });
            }
        }
        let pooled = self.shared.start().await?;
        Ok(PooledProcess { pooled: Some(pooled), shared: self.shared.clone() })
    }
}

impl Shared {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Pooled>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Pooled> {
        self.lock().pop()
    }

    async fn is_as_new(&self, server: &ServerHandle) -> bool {
        let Some(reset) = self.reset.get() else { return false };
        if !server.info().is_ok_and(|process| process.state().is_alive()) {
            return false;
        }
        // On the caller's runtime: what a reset needs of one (a client's connection) lives there. Its time does not: it may be paused.
        tokio::select! {
            done = reset(server) => done.is_ok(),
            () = Timer::start(&self.manager.inner.engine.runtime, RESET) => false,
        }
    }

    async fn start(&self) -> Result<Pooled, HarnessError> {
        let lease = self.manager.noted(self.ports.lease())?;
        let config = (self.make)(lease.port).port(lease.port);
        let patience = config.ready_timeout + RESET;
        let begun = self.manager.begin(config)?;
        let guard = self.manager.alive(begun).await?;
        self.manager.wait_for_ready(guard.process_id(), patience).await?;
        Ok(Pooled { server: ServerHandle::new(ProcessHandle::new(&self.manager, guard), lease.port), _lease: lease })
    }

    fn give_back(&self, pooled: Pooled) {
        let mut idle = self.lock();
        if self.reset.get().is_some() && idle.len() < self.most_idle.load(Ordering::Relaxed) {
            idle.push(pooled);
        } else {
            drop(idle);
            drop(pooled);
        }
    }
}

/// A server on loan. Dropping it gives it back.
///
/// ```no_run
/// # async fn example(pool: &e2e_tui::harness::ProcessPool) -> Result<(), Box<dyn std::error::Error>> {
/// let server = pool.lend().await?;
/// let client = e2e_tui::TestClient::new(&server.url);
/// drop(server);
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping it gives it back"]
pub struct PooledProcess {
    /// There until it is given back.
    pooled: Option<Pooled>,
    shared: Arc<Shared>,
}

impl std::fmt::Debug for PooledProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PooledProcess").field(&self.pooled.as_ref().map(|pooled| &pooled.server.process_id)).finish()
    }
}

impl Deref for PooledProcess {
    type Target = ServerHandle;
    fn deref(&self) -> &ServerHandle {
        &self.pooled.as_ref().expect("it is there until it is given back").server
    }
}

impl Drop for PooledProcess {
    fn drop(&mut self) {
        if let Some(pooled) = self.pooled.take() {
            // What a test that fails has done to it, no reset may undo.
            if std::thread::panicking() {
                drop(pooled);
            } else {
                self.shared.give_back(pooled);
            }
        }
    }
}
