//! From a process's specification to what the spawner needs: resolved texts, environment, program, pipes.

use std::{ffi::OsString, fs::File, os::fd::OwnedFd};

use indexmap::IndexMap;
use nix::fcntl::OFlag;

use crate::{
    logs,
    model::{Failure, ProcessId, ProcessSpec, StdinMode, Text},
    process::{Launch, lookup},
    scenario::render_files,
};

/// The variable that names the run to everything it started.
const RUN_VARIABLE: &str = "E2E_TUI_RUN";

/// A process about to be started.
pub(super) struct Prepared {
    pub(super) launch: Launch,
    /// Read ends of its output.
    pub(super) out: OwnedFd,
    pub(super) err: OwnedFd,
    /// The write end of its stdin, if that is a pipe.
    pub(super) input: Option<File>,
}

/// Prepares a start of `spec` in run `run`, with the ports that `port_of` knows.
pub(super) fn prepare(spec: &ProcessSpec, run: &str, port_of: impl Fn(&ProcessId) -> Option<u16>) -> Result<Prepared, Failure> {
    let text = |text: &Text| text.resolve(&port_of).map_err(|e| refused("port unknown", &e));
    render_files(spec, &port_of).map_err(|e| refused("no files", &e))?;
    let argv = spec.argv.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mut env = inherited(spec.env_clear);
    for (name, value) in &spec.env {
        env.insert(name.into(), text(value)?.into());
    }
    env.insert(RUN_VARIABLE.into(), run.into());
    let program = argv.first().cloned().unwrap_or_default();
    let program =
        lookup(&program, env.get(&OsString::from("PATH")).map(OsString::as_os_str), &spec.cwd).map_err(|e| refused(e.short(), &e))?;
    let no_pipe = |e: std::io::Error| refused("no pipe", &format!("no pipe for its output: {e}"));
    let (out, stdout) = logs::pipe().map_err(no_pipe)?;
    let (err, stderr) = logs::pipe().map_err(no_pipe)?;
    let (stdin, input) = match spec.stdin {
        StdinMode::Null => (None, None),
        StdinMode::Pipe => {
            let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(|e| no_pipe(e.into()))?;
            // A child that does not read must not hold up the supervisor.
            rustix::io::ioctl_fionbio(&write, true).map_err(|e| no_pipe(e.into()))?;
            (Some(read), Some(File::from(write)))
        }
    };
    let env = env.into_iter().collect();
    let launch = Launch { argv, program, env, cwd: spec.cwd.clone(), stdin, stdout, stderr, limits: spec.limits.clone(), tty: spec.tty };
    Ok(Prepared { launch, out, err, input })
}

fn inherited(clear: bool) -> IndexMap<OsString, OsString> {
    if clear { IndexMap::new() } else { std::env::vars_os().collect() }
}

fn refused(short: &str, error: &impl ToString) -> Failure {
    Failure::NotStarted { error: error.to_string(), short: short.to_owned() }
}
