//! From a process's specification to what the spawner needs: resolved texts, environment, program, pipes.
//!
//! Files are rendered and folders looked through for that, so it happens on a thread of its own, one start after the other
//! in the order they were asked for.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::File,
    os::fd::OwnedFd,
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use indexmap::IndexMap;
use nix::fcntl::OFlag;
use tokio::sync::mpsc::UnboundedSender;

use super::runtime::News;
use crate::{
    logs::{self, Stream},
    model::{Failure, Generation, ProcessId, ProcessSpec, StdinMode, Text},
    process::{Launch, ShortCommand, lookup},
    scenario::render_files,
};

/// The variable that names the run to everything it started.
const RUN_VARIABLE: &str = "E2E_TUI_RUN";

/// The ports that processes have told, by process.
pub(super) type Ports = HashMap<ProcessId, u16>;

/// A process about to be started.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) launch: Launch,
    pub(super) ends: Ends,
}

/// Our ends of its pipes.
#[derive(Debug)]
pub(super) struct Ends {
    /// Where its output is read.
    pub(super) output: Vec<(Stream, OwnedFd)>,
    /// Where its stdin is written, if that is a pipe.
    pub(super) input: Option<File>,
}

/// A start to prepare.
pub(super) struct Job {
    pub(super) process: ProcessId,
    pub(super) generation: Generation,
    pub(super) spec: Arc<ProcessSpec>,
    pub(super) run: String,
    pub(super) ports: Ports,
}

/// Prepares starts on a thread that ends with it, and reports each as [`News::Prepared`].
#[derive(Debug)]
pub(super) struct Launcher {
    jobs: mpsc::Sender<Job>,
    news: UnboundedSender<News>,
}

impl Launcher {
    pub(super) fn start(news: UnboundedSender<News>) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let told = news.clone();
        let thread = thread::Builder::new().name("launcher".into()).spawn(move || queue.into_iter().for_each(|job| job.carry_out(&told)));
        if let Err(e) = thread {
            tracing::warn!("no thread to prepare starts on, so the runtime does it: {e}");
        }
        Self { jobs, news }
    }

    pub(super) fn prepare(&self, job: Job) {
        // Without its thread nobody holds the queue any more.
        if let Err(mpsc::SendError(job)) = self.jobs.send(job) {
            job.carry_out(&self.news);
        }
    }
}

impl Job {
    fn carry_out(self, news: &UnboundedSender<News>) {
        let Job { process, generation, spec, run, ports } = self;
        let prepared = prepare(&spec, &run, &ports).map(Box::new);
        // Nobody listens any more once the run is over.
        let _ = news.send(News::Prepared { process, generation, prepared });
    }
}

/// Prepares a start of `spec` in run `run`.
fn prepare(spec: &ProcessSpec, run: &str, ports: &Ports) -> Result<Prepared, Failure> {
    let port_of = |process: &ProcessId| ports.get(process).copied();
    render_files(spec, port_of).map_err(|e| refused("no files", &e))?;
    let argv = spec.argv.iter().map(|text| resolve(text, ports)).collect::<Result<Vec<_>, _>>()?;
    let env = environment(spec, run, ports)?;
    let path = env.get(&OsString::from("PATH")).map(OsString::as_os_str);
    let program = lookup(argv.first().map_or("", String::as_str), path, &spec.cwd).map_err(|e| refused(e.short(), &e))?;
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
    Ok(Prepared { launch, ends: Ends { output: vec![(Stream::Out, out), (Stream::Err, err)], input } })
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
