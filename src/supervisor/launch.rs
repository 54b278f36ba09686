//! From a process's specification to what the spawner needs: resolved texts, environment, program, pipes.
//!
//! Files are rendered and folders looked through for that, so it happens on a thread of its own, see [`Launcher`](super::launcher::Launcher).

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use indexmap::IndexMap;
use nix::{errno::Errno, fcntl::OFlag};

use super::stdin::End;
use crate::{
    logs::{self, Stream},
    model::{Failure, ProcessId, ProcessSpec, StdinMode, Text},
    process::{Launch, Screen, ShortCommand, Terminal, lookup},
    scenario::render_files,
};

/// The variable that names the run to everything it started.
const RUN_VARIABLE: &str = "E2E_TUI_RUN";

/// What a terminal is called where nothing says otherwise.
const TERM: &str = "xterm-256color";

/// Where the system is out of descriptors for a moment there are so many attempts…
const ATTEMPTS: u32 = 10;
/// …this far apart, as with a fork that is refused.
const PAUSE: Duration = Duration::from_millis(50);

/// The ports that processes have told, by process.
pub(super) type Ports = HashMap<ProcessId, u16>;

/// What came of preparing a start.
#[derive(Debug)]
pub(super) enum Preparation {
    /// It can be started.
    Start(Box<Prepared>),
    /// It need not be: this is there.
    Done(PathBuf),
}

/// A process about to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) launch: Launch,
    pub(super) ends: Ends,
}

/// Our ends of its pipes, or of its terminal.
#[derive(Debug)]
pub(super) struct Ends {
    /// Where its output is read.
    pub(super) output: Vec<(Stream, OwnedFd)>,
    /// Where its stdin is written, if it has one.
    pub(super) input: Option<(OwnedFd, End)>,
}

/// Prepares a start of `spec` in run `run`; a terminal of its own is as big as `screen`.
pub(super) fn prepare(spec: &ProcessSpec, run: &str, ports: &Ports, screen: Screen) -> Result<Prepared, Failure> {
    let port_of = |process: &ProcessId| ports.get(process).copied();
    render_files(spec, port_of).map_err(|e| refused("no files", &e))?;
    let argv = spec.argv.iter().map(|text| resolve(text, ports)).collect::<Result<Vec<_>, _>>()?;
    let env = environment(spec, run, ports)?;
    let path = env.get(&OsString::from("PATH")).map(OsString::as_os_str);
    let program = lookup(argv.first().map_or("", String::as_str), path, &spec.cwd).map_err(|e| refused(e.short(), &e))?;
    let ends = patiently(PAUSE, || if spec.tty { terminal(screen) } else { pipes(spec.stdin) });
    let (Theirs { stdin, stdout, stderr }, ends) = ends.map_err(|e| no_ends(&e))?;
    let env = env.into_iter().collect();
    let launch = Launch { argv, program, env, cwd: spec.cwd.clone(), stdin, stdout, stderr, limits: spec.limits.clone(), tty: spec.tty };
    Ok(Prepared { launch, ends })
}

/// What a process gets as its standard descriptors.
struct Theirs {
    stdin: Option<OwnedFd>,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Tries again, for as long as the system is only out of something.
fn patiently<T>(pause: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    for _ in 1..ATTEMPTS {
        match attempt() {
            Err(e) if is_transient(&e) => thread::sleep(pause),
            done => return done,
        }
    }
    attempt()
}

fn is_transient(error: &io::Error) -> bool {
    matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE | Errno::EAGAIN | Errno::ENOMEM))
}

/// Why there is nothing to read its output from, and what to do.
fn no_ends(error: &io::Error) -> Failure {
    let hint = match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE) => "; raise the limit of open files (`ulimit -n`) of the shell that starts this",
        Some(Errno::ENFILE) => {
            "; the whole system has too many files open: raise `sysctl fs.file-max` (each program's own limit is `ulimit -n`)"
        }
        _ => "",
    };
    let tried = if is_transient(error) { format!(", tried {ATTEMPTS} times") } else { String::new() };
    let short = if is_transient(error) { "no resources" } else { "no pipe" };
    refused(short, &format!("nothing to read its output from: {error}{tried}{hint}"))
}

fn pipes(stdin: StdinMode) -> io::Result<(Theirs, Ends)> {
    let (out, stdout) = logs::pipe()?;
    let (err, stderr) = logs::pipe()?;
    let (stdin, input) = match stdin {
        StdinMode::Null => (None, None),
        StdinMode::Pipe => {
            let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
            // A child that does not read must not hold up the supervisor.
            rustix::io::ioctl_fionbio(&write, true)?;
            (Some(read), Some((write, End::Pipe)))
        }
    };
    Ok((Theirs { stdin, stdout, stderr }, Ends { output: vec![(Stream::Out, out), (Stream::Err, err)], input }))
}

/// A terminal for all three: its output is one stream, in the order it was written.
fn terminal(screen: Screen) -> io::Result<(Theirs, Ends)> {
    let Terminal { our_end, process_end } = Terminal::open(screen)?;
    let theirs = Theirs { stdin: Some(process_end.try_clone()?), stderr: process_end.try_clone()?, stdout: process_end };
    let input = Some((our_end.try_clone()?, End::Terminal));
    Ok((theirs, Ends { output: vec![(Stream::Out, our_end)], input }))
}

/// `argv` as a short command in the environment and folder of `spec`: a stop command, a clean-up, a probe. Its files are not
/// rendered for that, and its limits are its own.
pub(super) fn command_like(spec: &ProcessSpec, argv: &[Text], run: &str, ports: &Ports) -> Result<ShortCommand, Failure> {
    let argv = argv.iter().map(|text| resolve(text, ports)).collect::<Result<Vec<_>, _>>()?;
    Ok(ShortCommand { argv, env: environment(spec, run, ports)?.into_iter().collect(), cwd: spec.cwd.clone() })
}

/// `argv` as a short command of the run itself.
pub(super) fn command_in(dir: &Path, argv: Vec<String>, run: &str) -> ShortCommand {
    let mut env = inherited(false);
    env.insert(RUN_VARIABLE.into(), run.into());
    ShortCommand { argv, env: env.into_iter().collect(), cwd: dir.to_owned() }
}

fn environment(spec: &ProcessSpec, run: &str, ports: &Ports) -> Result<IndexMap<OsString, OsString>, Failure> {
    let mut env = inherited(spec.env_clear);
    for (name, value) in &spec.env {
        env.insert(name.into(), resolve(value, ports)?.into());
    }
    env.insert(RUN_VARIABLE.into(), run.into());
    // What starts the run may have no terminal itself; the process has one all the same.
    let unnamed = env.get(OsStr::new("TERM")).is_none_or(|term| term.is_empty() || term == "dumb");
    if spec.tty && unnamed && !spec.env.contains_key("TERM") {
        env.insert("TERM".into(), TERM.into());
    }
    Ok(env)
}

fn resolve(text: &Text, ports: &Ports) -> Result<String, Failure> {
    text.resolve(|process| ports.get(process).copied()).map_err(|e| refused("port unknown", &e))
}

fn inherited(clear: bool) -> IndexMap<OsString, OsString> {
    if clear { IndexMap::new() } else { std::env::vars_os().collect() }
}

fn refused(short: &str, error: &impl ToString) -> Failure {
    Failure::NotStarted { error: error.to_string(), short: short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusing(errno: Errno, mut times: u32) -> impl FnMut() -> io::Result<()> {
        move || {
            times = times.saturating_sub(1);
            if times > 0 { Err(io::Error::from_raw_os_error(errno as i32)) } else { Ok(()) }
        }
    }

    #[test]
    fn p30_without_descriptors_it_is_tried_again_and_then_told_with_what_to_do() {
        for errno in [Errno::EMFILE, Errno::ENFILE] {
            assert!(patiently(Duration::ZERO, refusing(errno, ATTEMPTS)).is_ok());
            let error = patiently(Duration::ZERO, refusing(errno, ATTEMPTS + 1)).expect_err("there is an end to patience");
            let Failure::NotStarted { error, short } = no_ends(&error) else { panic!("it was not started") };
            assert!(error.contains("files") && error.contains("tried 10 times") && error.contains("`ulimit -n`"), "{error}");
            assert_eq!(short, "no resources");
        }
        assert!(patiently(Duration::ZERO, refusing(Errno::EACCES, 2)).is_err(), "another reason does not pass");
    }
}
