//! `e2e-tui export RECORDING -o FILE`.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use e2e_tui::{
    model::exit_code,
    record::{
        Part, Recording,
        archive::{ExportError, export_watched, sweep_unfinished},
        default_dir, find,
    },
};

use super::{
    args::ExportArgs,
    logs::span,
    say::{say, tell},
};

/// Packs a recording and says what is in the archive.
pub(super) fn main(args: &ExportArgs) -> anyhow::Result<u8> {
    let base = args.recordings_dir.clone().unwrap_or_else(default_dir);
    let dir = find(&args.recording, &base)?;
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let target = args.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.zst")));
    let part = if args.part.is_all() {
        None
    } else {
        let (from, until) = span(&Recording::open(&dir)?, &args.part)?;
        Some(Part { from, until })
    };
    let stopped_by = Arc::new(AtomicU8::new(0));
    let runtime = super::run_time()?;
    runtime.spawn(stop_on_a_signal(stopped_by.clone(), target.clone()));
    let progress = Progress::default();
    let watch = |share| {
        progress.tell(share);
        stopped_by.load(Ordering::Relaxed) == 0
    };
    let exported = export_watched(&dir, &target, args.force, part, &watch);
    progress.clear();
    let exported = match exported {
        Err(given_up @ ExportError::GivenUp(_)) => {
            tell!("{given_up}");
            return Ok(stopped_by.load(Ordering::Relaxed));
        }
        exported => exported?,
    };
    let lines = if part.is_some() { format!("a part of {} lines", exported.lines) } else { format!("{} lines", exported.lines) };
    let told = format!(
        "{}: {:.1} KiB, {lines}; secrets of the scenario and the environment are masked, other output is as it was said",
        exported.path.display(),
        exported.size as f64 / 1024.0,
    );
    // Where the archive itself goes to stdout, nothing else does.
    if ["-", "/dev/stdout"].iter().any(|out| target == Path::new(out)) {
        tell!("{told}");
    } else {
        say!("{told}");
    }
    Ok(exit_code::PASSED)
}

/// So long a signal waits for the export to notice: as long as a piece of it takes to be written.
const PATIENCE: Duration = Duration::from_millis(500);

/// Puts the exit code of a signal into `code`, so that the export gives up. One that does not, since it writes into a pipe that
/// nobody reads, ends with the program; what it has written beside its target goes.
async fn stop_on_a_signal(code: Arc<AtomicU8>, target: PathBuf) {
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup(), SignalKind::quit()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hang_up), Ok(mut quit)] = kinds.map(signal) else { return };
    let kind = tokio::select! {
        _ = interrupt.recv() => kinds[0],
        _ = terminate.recv() => kinds[1],
        _ = hang_up.recv() => kinds[2],
        _ = quit.recv() => kinds[3],
    };
    // As a shell would tell it.
    let ended_by = u8::try_from(128 + kind.as_raw_value()).unwrap_or(exit_code::TEST_FAILED);
    code.store(ended_by, Ordering::Relaxed);
    tokio::time::sleep(PATIENCE).await;
    let _ = sweep_unfinished(&target);
    tell!("{}", ExportError::GivenUp(target));
    std::process::exit(ended_by.into());
}

/// `packing 34 %` on a terminal, in a row of its own.
#[derive(Debug, Default)]
struct Progress {
    percent: Cell<Option<u32>>,
}

impl Progress {
    fn tell(&self, share: f64) {
        let percent = (share * 100.0) as u32;
        if self.percent.get() != Some(percent) && io::stderr().is_terminal() {
            self.percent.set(Some(percent));
            let _ = write!(io::stderr(), "\r\x1b[Kpacking {percent} %");
        }
    }

    fn clear(&self) {
        if self.percent.take().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
