//! Signals sent to the program that runs a scenario. Never used inside somebody else's test process.
//!
//! Each is a request: the first takes the run down in order, a second kills at once and gives up whatever else would be
//! waited for, a third leaves. A hang-up is only ever a first request: one vanished terminal sends several of them (from the
//! kernel, from the shell) and fails reads and writes besides, and nobody is there any more to ask twice.

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, watch},
    task::AbortHandle,
};

use super::RunHandle;
use crate::{
    model::{Actor, Command, Signal},
    process::is_ignored,
};

/// Obeys INT, TERM, HUP and QUIT until it is dropped.
#[derive(Debug)]
pub struct Signals {
    heard: watch::Receiver<Heard>,
    requests: mpsc::UnboundedSender<Said>,
    tasks: Vec<AbortHandle>,
}

/// What was asked from outside so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Heard {
    requests: u32,
    hangup: bool,
}

/// What somebody outside said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Signal(Signal),
    /// Not by a signal: the terminal refuses to be read or written.
    TerminalGone,
}

impl Heard {
    /// Takes `said` in; true if it is a new request.
    fn take(&mut self, said: Said) -> bool {
        let hangup = said == Said::Signal(Signal::HUP);
        self.hangup |= hangup;
        let new = self.requests == 0 || !hangup && said != Said::TerminalGone;
        self.requests += u32::from(new);
        new
    }
}

/// What a hang-up means that this program was started to ignore, as `nohup` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoredHangup {
    /// Nothing: the run is meant to outlive its terminal.
    StaysIgnored,
    /// An end like any other: without a terminal there is no dashboard.
    IsObeyed,
}

/// Passes signals on to `run` from now on. Must be called within a tokio runtime.
pub fn obey_signals(run: RunHandle, ignored: IgnoredHangup) -> Signals {
    let kinds = [
        (SignalKind::interrupt(), Signal::INT),
        (SignalKind::terminate(), Signal::TERM),
        (SignalKind::hangup(), Signal::HUP),
        (SignalKind::quit(), Signal::QUIT),
    ];
    let (requests, caught) = mpsc::unbounded_channel();
    let mut tasks = Vec::new();
    for (kind, name) in kinds {
        // An ignored INT or QUIT means nothing: every `&` in a script sets that.
        if name == Signal::HUP && ignored == IgnoredHangup::StaysIgnored && is_ignored(name) {
            continue;
        }
        let Ok(mut stream) = signal(kind) else { continue };
        let sender = requests.clone();
        let task = tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(Said::Signal(name)).is_ok() {} });
        tasks.push(task.abort_handle());
    }
    let (tell, heard) = watch::channel(Heard::default());
    tasks.push(tokio::spawn(obey(run, caught, tell)).abort_handle());
    Signals { heard, requests, tasks }
}

async fn obey(run: RunHandle, mut caught: mpsc::UnboundedReceiver<Said>, tell: watch::Sender<Heard>) {
    let mut heard = Heard::default();
    while let Some(said) = caught.recv().await {
        let new = heard.take(said);
        tell.send_replace(heard);
        let name = if let Said::Signal(name) = said { name } else { Signal::HUP };
        match heard.requests {
            _ if !new => {}
            1 | 2 => drop(run.send(Command::Shutdown { now: heard.requests == 2 }, Actor::Signal(name))),
            // The guardian kills everything as soon as this process is gone.
            _ => std::process::exit(128 + name.0),
        }
    }
}

impl Signals {
    /// The terminal is gone: the same request as a hang-up, which may come besides, before or never.
    pub fn terminal_gone(&self) {
        let _ = self.requests.send(Said::TerminalGone);
    }

    /// The same, from another thread.
    pub fn on_terminal_gone(&self) -> impl Fn() + Send + Sync + use<> {
        let requests = self.requests.clone();
        move || _ = requests.send(Said::TerminalGone)
    }

    /// Whether a hang-up signal came.
    pub fn hung_up(&self) -> bool {
        self.heard.borrow().hangup
    }

    /// Whether anything was asked.
    pub fn came(&self) -> bool {
        self.heard.borrow().requests > 0
    }

    /// Waits until nothing is to be waited for any more: the second request.
    pub async fn no_more_patience(&self) {
        let mut heard = self.heard.clone();
        if heard.wait_for(|heard| heard.requests >= 2).await.is_err() {
            // Nobody listens to signals any more: there will be no second one.
            std::future::pending::<()>().await;
        }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(said: &[Said]) -> u32 {
        let mut heard = Heard::default();
        for said in said {
            heard.take(*said);
        }
        heard.requests
    }

    #[test]
    fn one_vanished_terminal_is_one_request() {
        let hup = Said::Signal(Signal::HUP);
        assert_eq!(requests(&[hup, Said::TerminalGone, hup]), 1);
        assert_eq!(requests(&[Said::TerminalGone, hup, hup, Said::TerminalGone]), 1);
    }

    #[test]
    fn a_session_that_ends_with_term_and_hup_asks_once() {
        let (term, hup) = (Said::Signal(Signal::TERM), Said::Signal(Signal::HUP));
        assert_eq!(requests(&[term, hup, Said::TerminalGone]), 1);
        assert_eq!(requests(&[term, hup, term]), 2, "asked twice is asked twice");
    }

    #[test]
    fn other_signals_count_each() {
        let (int, quit) = (Said::Signal(Signal::INT), Said::Signal(Signal::QUIT));
        assert_eq!(requests(&[int, int, quit]), 3);
        assert_eq!(requests(&[Said::Signal(Signal::HUP), int]), 2);
    }
}
