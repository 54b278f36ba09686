//! What tests on the real binary share: a scenario in a folder of its own, a marker in every process's environment, and
//! the proof that nothing is left.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod planted;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

/// The variable that marks everything a test started.
const MARK: &str = "E2E_TEST_MARK";

/// A folder, a marker and the binary.
pub(crate) struct Bench {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) mark: String,
}

impl Bench {
    pub(crate) fn new(name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix(&format!("e2e-{name}-")).tempdir().expect("a temporary folder");
        let mark = format!("{name}-{}-{}", std::process::id(), dir.path().file_name().expect("it has a name").to_string_lossy());
        Self { dir, mark }
    }

    /// Writes a file into the folder, or into one below it.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().expect("it is in the folder")).expect("folders can be made");
        fs::write(&path, text).expect("the folder can be written");
        path
    }

    /// The binary with recordings and port leases in places of the tests.
    pub(crate) fn command(&self) -> Command {
        // Another build can be put to the same tests.
        self.command_of(std::env::var_os("E2E_TUI_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_e2e-tui").into()))
    }

    /// Another program in the same surroundings.
    pub(crate) fn command_of(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.dir.path())
            .env(MARK, &self.mark)
            .env("XDG_STATE_HOME", self.dir.path().join("state"))
            .env("XDG_CONFIG_HOME", self.dir.path().join("config"))
            .env("XDG_RUNTIME_DIR", runtime_dir())
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// `e2e-tui run` on a scenario text, to its end.
    pub(crate) fn run(&self, scenario: &str, args: &[&str]) -> Finished {
        let file = self.write("scenario.toml", scenario);
        self.run_file(&file, args)
    }

    pub(crate) fn run_file(&self, file: &Path, args: &[&str]) -> Finished {
        Finished::of(&self.command().arg("run").arg(file).args(args).output().expect("the binary runs"))
    }

    /// The folder of the newest recording.
    pub(crate) fn recording(&self) -> PathBuf {
        let base = self.dir.path().join("state/e2e-tui/recordings");
        let mut all: Vec<_> = fs::read_dir(&base).expect("a run was recorded").flatten().map(|e| e.path()).collect();
        all.sort();
        all.pop().expect("there is one")
    }

    /// Everything alive that this test started, by its marker.
    pub(crate) fn alive(&self) -> Vec<(u32, String)> {
        let marker = format!("{MARK}={}", self.mark);
        let own = std::process::id();
        let pids = fs::read_dir("/proc").expect("/proc is there").flatten().filter_map(|e| e.file_name().to_str()?.parse::<u32>().ok());
        pids.filter(|&pid| pid != own)
            .filter(|pid| fs::read(format!("/proc/{pid}/environ")).is_ok_and(|env| env.split(|b| *b == 0).any(|v| v == marker.as_bytes())))
            .filter(|pid| {
                !fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.rsplit(") ").next().is_some_and(|s| s.starts_with('Z')))
            })
            .map(|pid| (pid, fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")))
            .collect()
    }

    /// Nothing of this test is alive, now or within `patience`.
    pub(crate) fn assert_nothing_left(&self, patience: Duration) {
        let deadline = Instant::now() + patience;
        loop {
            let alive = self.alive();
            if alive.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still alive: {alive:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Even a test that fails leaves nothing behind.
        for (pid, _) in self.alive() {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), nix::sys::signal::Signal::SIGKILL);
        }
    }
}

/// One folder of leases for all tests: runs of different tests must not share ports.
pub(crate) fn runtime_dir() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("run");
    fs::create_dir_all(&dir).expect("cargo's folder for tests can be written");
    dir
}

/// A run that is over.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The code, with everything said if it is another one.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn wait_for(what: &str, patience: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + patience;
    while !condition() {
        assert!(Instant::now() < deadline, "waited {patience:?} for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
