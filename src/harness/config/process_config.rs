//! The type, and how it is filled in.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{Program, RestartPolicy};
use crate::{
    harness::{HealthCheck, LogPattern, ResourceLimits},
    model::{ProcessId, Role, Signal},
};

/// A process to start. Fields may be set directly or through the methods of the same names.
///
/// ```
/// use e2e_tui::harness::{HttpHealthCheck, ProcessConfig, RestartPolicy};
///
/// let config = ProcessConfig::new("api", "./target/debug/api")
///     .args(["--port", "20100"])
///     .env("RUST_LOG", "debug")
///     .health_check(HttpHealthCheck::new("http://127.0.0.1:20100/health"))
///     .restart_policy(RestartPolicy::Never);
/// assert_eq!(config.name, "api");
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct ProcessConfig {
    /// Its name in logs, reports and errors: 1 to 64 of `A-Z a-z 0-9 _ -`. A second process of that name becomes `name-2`.
    pub name: String,
    /// What to run.
    pub program: Program,
    /// Its arguments, passed verbatim, never through a shell.
    pub args: Vec<String>,
    /// Variables on top of the inherited environment.
    pub env_vars: Vec<(String, String)>,
    /// Start from an empty environment instead of the inherited one.
    pub env_clear: bool,
    /// Its working directory; none: the test's own.
    pub working_dir: Option<PathBuf>,
    /// The port it owns. It is ready only once that port answers and the listener is its own, and the port must be free when
    /// the run is over.
    pub port: Option<u16>,
    /// Shows that it is ready; none: its health check; without one, its port; without that, that it runs.
    pub ready: Option<Arc<dyn HealthCheck>>,
    /// How long it may take to become ready; 30 s unless set.
    pub ready_timeout: Duration,
    /// Shows that it is well.
    pub health_check: Option<Arc<dyn HealthCheck>>,
    /// Ask for its health only when the test does, not all the time.
    pub lazy_health: bool,
    /// Which exits lead to a restart.
    pub restart_policy: RestartPolicy,
    /// What is sent first to stop it.
    pub stop_signal: Signal,
    /// How long its tree has to end before KILL; 10 s unless set.
    pub stop_grace: Duration,
    /// What it may use.
    pub limits: ResourceLimits,
    /// Whether its stdin is a pipe that lines can be sent to; else reads end at once.
    pub stdin_pipe: bool,
    /// Whether it runs on a terminal of its own.
    pub tty: bool,
    /// What its end means: a service runs as long as it is needed, a task or test to its end.
    pub role: Role,
    /// The longest it may live.
    pub timeout: Option<Duration>,
    /// Processes that must be ready before it starts.
    pub depends_on: Vec<ProcessId>,
    /// Lines that matter, besides those that look like errors.
    pub alerts: Vec<LogPattern>,
    pub(in crate::harness) kind: Option<&'static str>,
    pub(in crate::harness) stand_in: bool,
}

impl fmt::Debug for ProcessConfig {
    /// Without the environment's values: secrets live there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.env_vars.iter().map(|(name, _)| name).collect();
        f.debug_struct("ProcessConfig")
            .field("name", &self.name)
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env_vars", &names)
            .field("working_dir", &self.working_dir)
            .field("port", &self.port)
            .field("restart_policy", &self.restart_policy)
            .finish_non_exhaustive()
    }
}

impl ProcessConfig {
    /// A service that runs `program` in the test's own working directory and environment.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./target/debug/api");
    /// ```
    pub fn new(name: impl Into<String>, program: impl Into<Program>) -> Self {
        Self {
            name: name.into(),
            program: program.into(),
            args: Vec::new(),
            env_vars: Vec::new(),
            env_clear: false,
            working_dir: None,
            port: None,
            ready: None,
            ready_timeout: Duration::from_secs(30),
            health_check: None,
            lazy_health: false,
            restart_policy: RestartPolicy::Never,
            stop_signal: Signal::TERM,
            stop_grace: Duration::from_secs(10),
            limits: ResourceLimits::default(),
            stdin_pipe: false,
            tty: false,
            role: Role::Service,
            timeout: None,
            depends_on: Vec::new(),
            alerts: Vec::new(),
            kind: None,
            stand_in: false,
        }
    }

    /// A text for `/bin/sh -c`.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::shell("api", "exec ./api --port $PORT");
    /// ```
    pub fn shell(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self::new(name, "/bin/sh").args(["-c".to_owned(), text.into()])
    }

    /// Adds an argument.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").arg("--verbose");
    /// ```
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").args(["--port", "8080"]);
    /// ```
    #[must_use]
    pub fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").env("RUST_LOG", "debug");
    /// ```
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env_vars.push((name.into(), value.into()));
        self
    }

    /// Starts from an empty environment instead of the inherited one.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").env_clear().env("PATH", "/usr/bin:/bin");
    /// ```
    #[must_use]
    pub fn env_clear(mut self) -> Self {
        self.env_clear = true;
        self
    }

    /// Where it runs.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").working_dir("services/api");
    /// ```
    #[must_use]
    pub fn working_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.working_dir = Some(dir.into());
        self
    }

    /// The port it owns.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").port(8080);
    /// ```
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// What shows that it is ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{LogHealthCheck, ProcessConfig};
    /// let api = ProcessConfig::new("api", "./api").ready_when(LogHealthCheck::new("listening"));
    /// ```
    #[must_use]
    pub fn ready_when(mut self, check: impl HealthCheck + 'static) -> Self {
        self.ready = Some(Arc::new(check));
        self
    }

    /// How long it may take to become ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").ready_timeout(std::time::Duration::from_secs(60));
    /// ```
    #[must_use]
    pub fn ready_timeout(mut self, timeout: Duration) -> Self {
        self.ready_timeout = timeout;
        self
    }

    /// What shows that it is well, and, where nothing else is set, that it is ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{HttpHealthCheck, ProcessConfig};
    /// let api = ProcessConfig::new("api", "./api").health_check(HttpHealthCheck::new("http://127.0.0.1:8080/health"));
    /// ```
    #[must_use]
    pub fn health_check(mut self, check: impl HealthCheck + 'static) -> Self {
        self.health_check = Some(Arc::new(check));
        self
    }

    /// Asks for its health only when the test does.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{ProcessConfig, TcpHealthCheck};
    /// let api = ProcessConfig::new("api", "./api").health_check(TcpHealthCheck::new("127.0.0.1:8080")).lazy_health();
    /// ```
    #[must_use]
    pub fn lazy_health(mut self) -> Self {
        self.lazy_health = true;
        self
    }

    /// Which exits lead to a restart.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{ProcessConfig, RestartPolicy};
    /// let api = ProcessConfig::new("api", "./api").restart_policy(RestartPolicy::OnFailure { max_attempts: 3, backoff: std::time::Duration::from_millis(500) });
    /// ```
    #[must_use]
    pub fn restart_policy(mut self, policy: RestartPolicy) -> Self {
        self.restart_policy = policy;
        self
    }

    /// What is sent first to stop it; TERM unless set.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{ProcessConfig, Signal};
    /// let api = ProcessConfig::new("api", "./api").stop_signal(Signal::INT);
    /// ```
    #[must_use]
    pub fn stop_signal(mut self, signal: Signal) -> Self {
        self.stop_signal = signal;
        self
    }

    /// How long its tree has to end before KILL; 10 s unless set.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").stop_grace(std::time::Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// What it may use.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{ProcessConfig, ResourceLimits};
    /// let api = ProcessConfig::new("api", "./api").limits(ResourceLimits { open_files: Some(256), ..ResourceLimits::default() });
    /// ```
    #[must_use]
    pub fn limits(mut self, limits: ResourceLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Makes its stdin a pipe that lines can be sent to.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let shell = ProcessConfig::new("cat", "cat").stdin_pipe();
    /// ```
    #[must_use]
    pub fn stdin_pipe(mut self) -> Self {
        self.stdin_pipe = true;
        self
    }

    /// Runs it on a terminal of its own: it colours its output and writes it line by line. Lines can be sent to it, too.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let shell = ProcessConfig::new("shell", "bash").tty();
    /// ```
    #[must_use]
    pub fn tty(mut self) -> Self {
        self.tty = true;
        self
    }

    /// What its end means.
    ///
    /// ```no_run
    /// use e2e_tui::harness::{ProcessConfig, Role};
    /// let seed = ProcessConfig::new("seed", "./seed").role(Role::Task);
    /// ```
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = role;
        self
    }

    /// The longest it may live.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let seed = ProcessConfig::new("seed", "./seed").timeout(std::time::Duration::from_secs(120));
    /// ```
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Starts it only once `process` is ready.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    ///
    /// # async fn example(harness: &e2e_tui::E2ETestHarness) -> Result<(), Box<dyn std::error::Error>> {
    /// let db = harness.start_process(ProcessConfig::new("db", "./db")).await?;
    /// let api = ProcessConfig::new("api", "./api").depends_on(&db.process_id);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn depends_on(mut self, process: &ProcessId) -> Self {
        self.depends_on.push(process.clone());
        self
    }

    /// Lines that matter, besides those that look like errors.
    ///
    /// ```no_run
    /// use e2e_tui::harness::ProcessConfig;
    /// let api = ProcessConfig::new("api", "./api").alert("slow query");
    /// ```
    #[must_use]
    pub fn alert(mut self, pattern: impl Into<LogPattern>) -> Self {
        self.alerts.push(pattern.into());
        self
    }
}
