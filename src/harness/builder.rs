//! How a harness is set up.

use std::{fmt, path::PathBuf, time::Duration};

use indexmap::IndexMap;

use super::{
    E2ETestHarness, HarnessError, PortAllocator, ProcessError, ProcessManager,
    binary::{self, Binary},
    engine::{Engine, Plan},
    harness::{Kept, Options},
};
use crate::{
    model::{Containment, RunSpec},
    record::Keep,
    scenario::{Leases, Overrides, Parts, load, locate},
    supervisor::Driver,
};

/// The fewest bytes that can be masked without hiding half of every line.
const SHORTEST_SECRET: usize = 4;

/// Stands where the binary's path would, in scenarios that are read without one.
const NO_BINARY: &str = "/nonexistent/e2e-tui";

/// How a harness is set up.
///
/// ```no_run
/// use std::time::Duration;
///
/// use e2e_tui::harness::E2ETestHarness;
///
/// # async fn example() -> Result<(), e2e_tui::harness::HarnessError> {
/// let harness = E2ETestHarness::builder()
///     .timeout(Duration::from_secs(60))
///     .archive_on_failure("target/e2e-archives")
///     .secret("s3cret-token")
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
#[must_use = "a builder does nothing before `start` or `from_scenario`"]
pub struct HarnessBuilder {
    name: Option<String>,
    timeout: Option<Duration>,
    archive_on_failure: Option<PathBuf>,
    vars: IndexMap<String, String>,
    only: Vec<String>,
    containment: Option<Containment>,
    binary: Option<PathBuf>,
    recordings: Option<PathBuf>,
    secrets: Vec<String>,
    deny_leaks: bool,
}

impl fmt::Debug for HarnessBuilder {
    /// Without the values of secrets and variables.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HarnessBuilder")
            .field("name", &self.name)
            .field("timeout", &self.timeout)
            .field("archive_on_failure", &self.archive_on_failure)
            .field("vars", &self.vars.keys().collect::<Vec<_>>())
            .field("only", &self.only)
            .field("containment", &self.containment)
            .field("binary", &self.binary)
            .field("recordings", &self.recordings)
            .field("secrets", &self.secrets.len())
            .field("deny_leaks", &self.deny_leaks)
            .finish()
    }
}

impl HarnessBuilder {
    /// What the run is called in its recording; unless set, the test's name.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().name("checkout").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How long the test may take. Past it everything is stopped, whatever the test waits for fails with
    /// [`ProcessError::RunEnded`], and so does its end: [`shutdown`](E2ETestHarness::shutdown) gives an error, a drop panics. A
    /// scenario's own timeout counts where none is set here.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().timeout(std::time::Duration::from_secs(60)).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// A folder for an archive of the run, should the test fail; it is made if it is not there. Unless set, `E2E_TUI_ARCHIVES`
    /// names it, and without either none is written: the recording is kept anyway.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().archive_on_failure("target/e2e-archives").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn archive_on_failure(mut self, dir: impl Into<PathBuf>) -> Self {
        self.archive_on_failure = Some(dir.into());
        self
    }

    /// Sets a variable of the scenario, as `--set NAME=VALUE` does.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().var("calls", "20").from_scenario("scenarios/chain.toml").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn var(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.vars.insert(name.into(), value.into());
        self
    }

    /// Of the scenario, only this process (and others named so) with what it depends on, as `--only` does.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().only("proxy").from_scenario("scenarios/chain.toml").await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn only(mut self, process: impl Into<String>) -> Self {
        self.only.push(process.into());
        self
    }

    /// How trees are held together: [`Containment::Group`] is a thread of this program and a watcher, everything else takes the
    /// guardian process of the `e2e-tui` binary. Unless set, the guardian where there is a binary.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().containment(e2e_tui::harness::Containment::Group).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn containment(mut self, containment: Containment) -> Self {
        self.containment = Some(containment);
        self
    }

    /// The `e2e-tui` binary, of exactly this library's version. Unless set, `E2E_TUI_BIN` names it; else one that cargo has built
    /// beside this test is taken.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().binary("target/release/e2e-tui").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn binary(mut self, path: impl Into<PathBuf>) -> Self {
        self.binary = Some(path.into());
        self
    }

    /// Where the recording goes; unless set, where all recordings are kept.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().recordings_dir("target/recordings").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn recordings_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.recordings = Some(dir.into());
        self
    }

    /// A value that is masked wherever it turns up in logs, recording and archive. One of fewer than four bytes is an error of
    /// [`start`](Self::start).
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().secret("s3cret-token").start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn secret(mut self, value: impl Into<String>) -> Self {
        self.secrets.push(value.into());
        self
    }

    /// Panics in the test when something it had started outlived its stop or held a port, even where the harness is just dropped.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().deny_leaks().start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn deny_leaks(mut self) -> Self {
        self.deny_leaks = true;
        self
    }

    /// Starts an empty harness, to which the test adds processes.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn start(self) -> Result<E2ETestHarness, HarnessError> {
        let ports = PortAllocator::new()?;
        let options = self.options();
        let spec = self.spec();
        let manager = self.engine(spec, Driver::Test, Vec::new()).await?;
        Ok(E2ETestHarness::of(manager, ports, options, Kept::default()))
    }

    /// A manager without a harness around it.
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let manager = E2ETestHarness::builder().name("by hand").process_manager().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn process_manager(self) -> Result<ProcessManager, HarnessError> {
        let spec = self.spec();
        self.engine(spec, Driver::Test, Vec::new()).await
    }

    /// Runs a scenario, which is found as the command line finds it: by its path, in `scenarios/`, or among the bundled ones. All
    /// that starts by itself is started; see [`wait_for_ready`](E2ETestHarness::wait_for_ready).
    ///
    /// ```no_run
    /// use e2e_tui::E2ETestHarness;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let harness = E2ETestHarness::builder().from_scenario("scenarios/chain.toml").await?;
    /// assert_eq!(harness.verdict().await?.exit_code, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn from_scenario(self, name: &str) -> Result<E2ETestHarness, HarnessError> {
        let ports = PortAllocator::new()?;
        let overrides = Overrides { set: self.vars.clone(), only: self.only.clone(), ..Overrides::default() };
        let mistakes = |mistakes: crate::scenario::Diagnostics| HarnessError::Scenario(mistakes.render(false));
        let scenario = load(&locate(name)?, &overrides).map_err(mistakes)?;
        let binary = Binary::find(self.binary.clone());
        let parts = Parts { exe: binary::path(binary.as_ref()).unwrap_or(NO_BINARY.as_ref()).to_owned() };
        let mut resolved = scenario.resolve(&mut Leases::new()?, &parts).map_err(mistakes)?;
        let needs_binary =
            |p: &&std::sync::Arc<crate::model::ProcessSpec>| p.argv.first().is_some_and(|word| word.to_string() == NO_BINARY);
        if let Some(process) = resolved.spec.processes.values().find(needs_binary) {
            return Err(ProcessError::NoBinary { process: process.id.to_string() }.into());
        }
        if let Some(containment) = self.containment {
            resolved.spec.containment = containment;
        }
        let options = self.options();
        let kept = Kept { leases: resolved.leases, run_dir: resolved.run_dir };
        let manager = self.engine(resolved.spec, Driver::TestOfScenario, resolved.secrets).await?;
        Ok(E2ETestHarness::of(manager, ports, options, kept))
    }

    async fn engine(self, spec: RunSpec, driver: Driver, secrets: Vec<String>) -> Result<ProcessManager, HarnessError> {
        if let Some(short) = self.secrets.iter().find(|secret| secret.len() < SHORTEST_SECRET) {
            return Err(HarnessError::ShortSecret(short.len()));
        }
        let secrets = secrets.into_iter().chain(self.secrets).collect();
        let plan = Plan {
            timeout: self.timeout.or(spec.timeout),
            spec: spec.clone(),
            secrets,
            keep: self.recordings.map_or(Keep::Default, Keep::In),
            driver,
            binary: Binary::find(self.binary),
        };
        Ok(ProcessManager::of(Engine::start(plan).await?, &spec))
    }

    fn spec(&self) -> RunSpec {
        let name = self.name.clone().unwrap_or_else(name_of_test);
        RunSpec {
            description: "a test".to_owned(),
            origin: std::env::current_exe().map_or_else(|_| "a test".to_owned(), |path| path.display().to_string()),
            containment: self.containment.unwrap_or_default(),
            ..RunSpec::new(&as_name(&name))
        }
    }

    fn options(&self) -> Options {
        let variable = || std::env::var_os("E2E_TUI_ARCHIVES").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        // The test may change its working directory, and a person wants to read the whole path.
        let archives = self.archive_on_failure.clone().or_else(variable).map(|dir| std::path::absolute(&dir).unwrap_or(dir));
        Options { archives, deny_leaks: self.deny_leaks }
    }
}

/// The name of the running test: libtest gives it to the thread, nextest to the environment.
fn name_of_test() -> String {
    let thread = std::thread::current().name().filter(|name| !name.starts_with("tokio-") && *name != "main").map(str::to_owned);
    thread.or_else(|| std::env::var("NEXTEST_TEST_NAME").ok()).unwrap_or_else(|| "test".to_owned())
}

/// `name` as a name: what is not allowed in one becomes `-`, of a long one the end counts.
fn as_name(name: &str) -> String {
    let mut clean = String::new();
    for c in name.chars() {
        let c = if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        if c != '-' || !clean.ends_with('-') {
            clean.push(c);
        }
    }
    let clean = clean.trim_matches('-');
    let tail = clean[clean.len().saturating_sub(48)..].trim_start_matches(['-', '_']);
    if tail.is_empty() { "test".to_owned() } else { tail.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_test_name_makes_a_name() {
        assert_eq!(as_name("proxy::tests::it_works"), "proxy-tests-it_works");
        assert_eq!(as_name("::ä::"), "test");
        let long = as_name(&"x::".repeat(100));
        assert!(crate::model::ProcessId::is_valid(&long) && long.len() <= 48, "{long}");
    }
}
