//! `e2e-tui --scenario FILE`.

use std::{io, path::Path, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use e2e_tui::{
    explain::{Closing, closing_block, explain, replay_command},
    model::{Actor, Command, Outcome, Signal},
    process::{GuardianError, GuardianProcess, TakenTerminal},
    record::{Keep, LiveRun, PreparedRun, RunDir, RunRequest, archive::export_watched},
    scenario::{Lease, Located, Resolved, locate},
    supervisor::{IgnoredHangup, RunHandle, ScriptOptions, Signals, obey_signals},
    tap::SETTLED,
    tui::{self, Ended, Export, Front, Options, Refused},
};

use super::{
    args::{Common, Target},
    picker, scenario,
};

/// A terminal that vanished without a hang-up leaves nobody to wait for: after this long the rest is killed.
const ALONE: Duration = Duration::from_millis(500);

/// Runs the scenario under the dashboard and leaves the closing block on the normal screen.
pub(super) fn main(target: &Target) -> anyhow::Result<u8> {
    let Some(name) = &target.scenario else { return picker::main(target) };
    if !tui::is_possible() {
        bail!("the dashboard needs a terminal on stdin and stdout; without one: e2e-tui run {name}");
    }
    tui::wait_for_front()?;
    // It becomes a process while files are read.
    let guardian = GuardianProcess::start();
    let options = target.common.looks.options(target.common.no_color)?;
    open_under(guardian, &locate(name)?, &target.common, options)
}

/// Runs a scenario that was found under the dashboard.
pub(super) fn open(located: &Located, common: &Common, options: Options) -> anyhow::Result<u8> {
    open_under(GuardianProcess::start(), located, common, options)
}

fn open_under(
    guardian: Result<GuardianProcess, GuardianError>,
    located: &Located,
    common: &Common,
    options: Options,
) -> anyhow::Result<u8> {
    let resolved = scenario::understand(located, common).and_then(|file| scenario::resolve(&file, common))?;
    tui::collect_own_log();
    super::panic::remember_terminal(tui::restore_for_good);
    let runtime = super::run_time()?;
    let (shown, front) = {
        // What it starts is spawned here.
        let _inside = runtime.enter();
        Shown::start(resolved, guardian?, scenario::keep(common), options, runtime.handle())?
    };
    // Here and not on a thread of its own: that would have to be waited for first.
    let ended = tui::run(front).context("the terminal cannot be used");
    let outcome = runtime.block_on(shown.finish(ended));
    // What still runs on the runtime (a probe, an export) is not waited for.
    runtime.shutdown_background();
    Ok(outcome?.exit_code)
}

/// A run under the dashboard.
struct Shown {
    live: LiveRun,
    signals: Signals,
    replay: Option<String>,
    /// Held to the end: two runs never share a port…
    leases: Vec<Lease>,
    /// …and `${run.dir}` outlives every process.
    run_dir: Option<tempfile::TempDir>,
}

impl Shown {
    fn start(
        resolved: Resolved,
        guardian: GuardianProcess,
        keep: Keep,
        options: Options,
        runtime: &tokio::runtime::Handle,
    ) -> anyhow::Result<(Self, Front)> {
        let Resolved { spec, secrets, leases, run_dir } = resolved;
        let timeout = spec.timeout;
        let recordings = if let Keep::In(dir) = &keep { Some(dir.clone()) } else { None };
        let screen = tui::child_screen(&options, &spec);
        let script = ScriptOptions::default();
        let request =
            RunRequest { spec: Arc::new(spec), secrets, keep, end_when_done: false, timeout, screen, script, replace_archives: false };
        let run = PreparedRun::new(request, guardian)?;
        let handle = run.handle().clone();
        let dir = run.dir().cloned();
        if let Some(dir) = &dir {
            super::panic::remember_recording(dir.path.clone());
        }
        handle.observe(true);
        let keeper = run.terminal_keeper();
        tui::watch_terminal(Box::new(move |leave| {
            keeper(leave.and_then(|leave| TakenTerminal::before_it_is_taken(io::stdout(), leave.as_bytes())));
        }));
        let signals = obey_signals(handle.clone(), IgnoredHangup::IsObeyed);
        // The first frame is drawn while the first processes start.
        let live = run.start();
        let front = front(&handle, dir.as_ref(), options, runtime.clone());
        let replay = dir.map(|dir| replay_command(&dir.id, recordings.as_deref()));
        Ok((Self { live, signals, replay, leases, run_dir }, front))
    }

    /// Sees to the run's end, once the dashboard's has come.
    async fn finish(self, ended: anyhow::Result<Ended>) -> anyhow::Result<Outcome> {
        let Self { live, signals, replay, leases, run_dir } = self;
        let handle = live.handle().clone();
        match &ended {
            Ok(Ended::Over) => {}
            Ok(Ended::Forced) => drop(handle.send(Command::Shutdown { now: true }, Actor::You)),
            Ok(Ended::TerminalGone) => {
                signals.terminal_gone();
                let goes_on = tokio::time::timeout(ALONE, handle.ended()).await.is_err();
                // With a hang-up it is an end in order, each process with its grace.
                if goes_on && !signals.hung_up() {
                    drop(handle.send(Command::Shutdown { now: true }, Actor::Signal(Signal::HUP)));
                }
            }
            // No dashboard, no run: nobody could see or stop it.
            Err(_) => drop(handle.send(Command::Shutdown { now: true }, Actor::Supervisor)),
        }
        let outcome = live.finish().await;
        drop((leases, run_dir));
        if !matches!(ended, Ok(Ended::TerminalGone)) {
            tui::last_words(&epilogue(&handle, replay));
        }
        ended?;
        Ok(outcome)
    }
}

fn front(handle: &RunHandle, dir: Option<&RunDir>, options: Options, runtime: tokio::runtime::Handle) -> Front {
    let (asked, answers) = (handle.clone(), runtime.clone());
    let commands = move |command: Command, refused: Refused| {
        let ticket = asked.send(command, Actor::You);
        answers.spawn(async move {
            if let Err(why) = ticket.done().await {
                refused(why);
            }
        });
    };
    let screens = handle.clone();
    let (suspended, suspending) = (handle.clone(), runtime.clone());
    let archive = dir.map(|dir| {
        let (path, id, traffic) = (dir.path.clone(), dir.id.clone(), handle.traffic());
        let export = move |watch: &dyn Fn(f64) -> bool| {
            traffic.settle(SETTLED);
            write_archive(&path, &id, watch)
        };
        Arc::new(export) as Export
    });
    Front {
        snapshot: handle.watch(),
        journal: handle.journal(),
        logs: handle.logs(),
        traffic: handle.traffic(),
        clock: handle.clock(),
        commands: Some(Box::new(commands)),
        suspend: Some(Box::new(move || suspending.block_on(suspended.suspend()))),
        resize_terminals: Some(Box::new(move |screen| screens.resize_terminals(screen))),
        export: archive,
        recording: dir.is_some(),
        runtime,
        options,
    }
}

/// Packs the run, as far as it is, into the folder that the program was started in; a second one gets a number.
fn write_archive(recording: &Path, id: &str, watch: &dyn Fn(f64) -> bool) -> String {
    let names = std::iter::once(format!("{id}.tar.zst")).chain((2..100).map(|n| format!("{id}-{n}.tar.zst")));
    let Some(target) = names.map(std::path::PathBuf::from).find(|path| std::fs::symlink_metadata(path).is_err()) else {
        return "not exported: there are a hundred archives of this run here already".into();
    };
    match export_watched(recording, &target, false, None, watch) {
        Ok(done) => format!("exported {}   {:.1} KiB, {} lines, secrets masked", target.display(), done.size as f64 / 1024.0, done.lines),
        Err(e) => format!("not exported: {e}"),
    }
}

/// What stays in the terminal.
fn epilogue(handle: &RunHandle, replay: Option<String>) -> String {
    let events = handle.journal().from(0);
    let explanation = explain(&events, &handle.logs());
    let logs = handle.logs();
    let late = handle.said_late().iter().fold(String::new(), |told, text| told + "warning: " + text + "\n");
    late + &closing_block(&Closing { events: &events, logs: &logs, explanation: explanation.as_ref(), replay, archives: &[], full: false })
}
