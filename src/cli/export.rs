//! `e2e-tui export RECORDING -o FILE`.

use std::{
    cell::Cell,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use e2e_tui::{
    model::exit_code,
    record::{
        Part, Recording,
        archive::{ExportError, export_watched},
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
    let interrupted = Arc::new(AtomicBool::new(false));
    let runtime = super::run_time()?;
    runtime.spawn(wait_for_a_signal(interrupted.clone()));
    let progress = Progress::default();
    let watch = |share| {
        progress.tell(share);
        !interrupted.load(Ordering::Relaxed)
    };
    let exported = export_watched(&dir, &target, args.force, part, &watch);
    progress.clear();
    let exported = match exported {
        Err(given_up @ ExportError::GivenUp(_)) => {
            tell!("{given_up}");
            return Ok(INTERRUPTED);
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

/// The code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// Sets `flag` when somebody wants this to end.
async fn wait_for_a_signal(flag: Arc<AtomicBool>) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else { return };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    flag.store(true, Ordering::Relaxed);
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
