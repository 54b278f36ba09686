//! How big the terminals of processes are where what they say is printed: as big as ours, less the names in front.

use std::{io, os::fd::AsFd};

use rustix::termios::tcgetwinsize;
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};

use crate::{model::ProcessId, process::Screen, supervisor::RunHandle};

/// Fewer columns are no use to any program.
const NARROWEST: u16 = 20;

/// How big a terminal of one of these processes is to be. Where stdout is no terminal nobody looks at it.
pub fn child_screen<'p>(processes: impl IntoIterator<Item = &'p ProcessId>) -> Screen {
    let Ok(ours) = tcgetwinsize(io::stdout().as_fd()) else { return Screen::default() };
    let longest = processes.into_iter().map(|id| id.as_str().len()).max().unwrap_or(0);
    fit(ours.ws_row, ours.ws_col, longest)
}

fn fit(rows: u16, columns: u16, longest: usize) -> Screen {
    if rows == 0 || columns == 0 {
        return Screen::default();
    }
    // `NAME | `
    let names = u16::try_from(longest + 3).unwrap_or(u16::MAX);
    Screen { rows, columns: columns.saturating_sub(names).max(NARROWEST) }
}

/// Tells the processes of `run` whenever our own terminal has another size, until it is aborted. Must be called within a tokio
/// runtime.
pub(super) fn follow_our_screen(run: RunHandle) -> io::Result<JoinHandle<()>> {
    let mut changes = signal(SignalKind::window_change())?;
    Ok(tokio::spawn(async move {
        while changes.recv().await.is_some() {
            let snapshot = run.snapshot();
            run.resize_terminals(child_screen(snapshot.rows.iter().map(|row| row.id())));
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_prints_fits_behind_its_name() {
        assert_eq!(fit(24, 80, 8), Screen { rows: 24, columns: 69 });
        assert_eq!(fit(24, 10, 8), Screen { rows: 24, columns: NARROWEST });
        assert_eq!(fit(0, 0, 8), Screen::default(), "a window that is not there yet");
    }
}
