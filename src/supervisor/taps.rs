//! The taps of a run, as the supervisor knows them: when they open, and whose a connection is.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::{mpsc, watch};

use super::{machine::Input, runtime::News};
use crate::{
    model::{At, FaultSpec, Generation, ProcessId, RunClock, RunSpec, Snapshot},
    process::sockets::{connected_from, is_listened_on, same_tree},
    redact::Redactor,
    tap::{Note, Observer, PipeEnds, TapError, TapSpec, Taps, TrafficStore},
};

/// The taps of a run that has any.
pub struct RunTaps {
    taps: Taps,
    watched: Arc<Watched>,
    /// The newest generation of each process.
    current: Mutex<HashMap<ProcessId, Generation>>,
}

/// What taps tell is written down, and what they ask is answered from how the run stands.
#[derive(Debug)]
struct Watched {
    traffic: Arc<TrafficStore>,
    clock: RunClock,
    run: OnceLock<(watch::Receiver<Arc<Snapshot>>, mpsc::UnboundedSender<News>)>,
}

impl RunTaps {
    /// Keeps the ports of all taps, closed until their processes listen; none where no process has a tap.
    pub fn start(spec: &RunSpec, redactor: &Redactor, clock: RunClock, traffic: &Arc<TrafficStore>) -> Result<Option<Self>, TapError> {
        let taps: Vec<_> = spec
            .processes
            .values()
            .flat_map(|process| process.listens.iter().map(move |listen| (process, listen)))
            .filter_map(|(process, listen)| Some(TapSpec { process: process.id.clone(), front: listen.front?, real: listen.port }))
            .collect();
        let pipes: Vec<_> = spec.processes.values().filter(|process| process.taps_pipes()).map(|process| process.id.clone()).collect();
        if taps.is_empty() && pipes.is_empty() {
            return Ok(None);
        }
        let watched = Arc::new(Watched { traffic: traffic.clone(), clock, run: OnceLock::new() });
        let observer: Arc<dyn Observer> = watched.clone();
        Ok(Some(Self { taps: Taps::start(&taps, &pipes, redactor, &observer)?, watched, current: Mutex::default() }))
    }

    /// From now on they can be told whose a connection is, and tell of a disk that refuses what they record.
    pub(super) fn attach(&self, snapshot: watch::Receiver<Arc<Snapshot>>, news: mpsc::UnboundedSender<News>) {
        let trouble = news.clone();
        self.watched.traffic.tell(move |text| drop(trouble.send(News::Notice(text))));
        let _ = self.watched.run.set((snapshot, news));
    }

    /// A generation of a process has begun to live, or lives no longer.
    pub(super) fn lives(&self, process: &ProcessId, generation: Generation, lives: bool) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // An older one may end after a newer one began.
        if lives || current.get(process) == Some(&generation) {
            current.insert(process.clone(), generation);
            self.taps.runs(process, lives.then_some(generation));
        }
    }

    /// The pipes of a process that has just been started, if they are tapped.
    pub(super) fn pipes_of(&self, process: &ProcessId) -> Option<Arc<PipeEnds>> {
        self.taps.pipes_of(process).map(Arc::new)
    }

    /// Disturbs what goes to a process.
    pub(super) fn disturb(&self, fault: FaultSpec) {
        self.taps.disturb(fault);
    }
}

impl Observer for Watched {
    fn now(&self) -> At {
        self.clock.now()
    }

    fn note(&self, note: Note) {
        self.traffic.note(note);
    }

    fn fault_over(&self, tap: &ProcessId) {
        if let Some((_, news)) = self.run.get() {
            let _ = news.send(News::Input(Input::FaultOver { process: tap.clone() }));
        }
    }

    fn client(&self, port: u16) -> Option<ProcessId> {
        let (snapshot, _) = self.run.get()?;
        let pid = connected_from(port)?;
        let leaders: Vec<_> = snapshot.borrow().rows.iter().filter_map(|row| Some((row.id().clone(), row.pid?))).collect();
        let own = leaders.iter().find(|(_, leader)| *leader == pid);
        own.or_else(|| leaders.iter().find(|(_, leader)| same_tree(pid, *leader))).map(|(id, _)| id.clone())
    }

    fn listens(&self, port: u16) -> bool {
        is_listened_on(port)
    }

    fn lost(&self) {
        self.traffic.lose();
    }
}
