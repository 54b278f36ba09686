//! `--events`: what happens, as lines of JSON on stdout, as it happens.

use std::{
    io::{self, Write},
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::Duration,
};

use crate::supervisor::Journal;

/// Prints a run's events until there are no more.
#[derive(Debug)]
pub(super) struct EventPrinter(JoinHandle<io::Result<()>>);

impl EventPrinter {
    /// Starts printing to `out`. `on_trouble` is called once if `out` does not take any more; nothing is printed after that.
    pub(super) fn start(
        journal: Arc<Journal>,
        mut out: impl Write + Send + 'static,
        on_trouble: impl FnOnce(&io::Error) + Send + 'static,
    ) -> io::Result<Self> {
        let thread = Builder::new().name("events".into()).spawn(move || {
            let result = print(&journal, &mut out);
            if let Err(error) = &result {
                on_trouble(error);
            }
            result
        })?;
        Ok(Self(thread))
    }

    /// Waits until all is printed; the journal must be closed.
    pub(super) fn finish(self) -> io::Result<()> {
        self.0.join().unwrap_or_else(|_| Err(io::Error::other("the printing thread panicked")))
    }
}

fn print(journal: &Journal, out: &mut impl Write) -> io::Result<()> {
    let mut printed = 0;
    loop {
        let (events, closed) = journal.wait_from(printed, Duration::from_hours(1));
        let mut batch = String::new();
        for event in &events {
            if let Ok(line) = serde_json::to_string(event.as_ref()) {
                // `##` stands within texts only. Spelled out, no CI system takes what follows for a command.
                batch.push_str(&line.replace("##", r"#\u0023"));
                batch.push('\n');
            }
        }
        out.write_all(batch.as_bytes())?;
        out.flush()?;
        printed += events.len();
        if closed && events.is_empty() {
            return Ok(());
        }
    }
}
