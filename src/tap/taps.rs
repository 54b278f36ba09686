//! The taps of a run, on a thread of their own: a flood of traffic must not hold up the supervisor, nor the other way round.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, atomic::AtomicUsize},
    thread,
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    conversation::{Counter, Setting},
    gate::Gate,
    hop::{Hop, Observer},
    pipe::{PipeEnds, PipeTap},
    pipes::PipeReader,
};
use crate::{
    model::{FaultSpec, ProcessId},
    redact::Redactor,
};

/// How often is looked whether a process that runs listens yet.
const LOOK: Duration = Duration::from_millis(10);

/// A tap to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TapSpec {
    /// In front of whom.
    pub process: ProcessId,
    /// The port that everybody else is told.
    pub front: u16,
    /// The port that the process is told.
    pub real: u16,
}

/// Why there are no taps.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TapError {
    /// The port of one cannot be had.
    #[error("port {port} of the tap in front of {process} cannot be bound: {source}")]
    Port {
        /// In front of whom.
        process: ProcessId,
        /// Which.
        port: u16,
        /// The system's words.
        source: io::Error,
    },
    /// They have nowhere to run.
    #[error("the thread of the taps could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// All taps of a run. Dropped, they are gone, with the connections that go through them.
#[derive(Debug)]
pub struct Taps {
    /// None once it is told to end.
    commands: Option<mpsc::UnboundedSender<Command>>,
    pipes: HashMap<ProcessId, Arc<PipeTap>>,
    thread: Option<thread::JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    /// The process has a generation that runs, or none.
    Runs(ProcessId, Option<u32>),
    Disturb(FaultSpec),
}

/// What the thread knows of a tap.
struct Tended {
    hop: Arc<Hop>,
    runs: watch::Sender<Option<u32>>,
}

impl Taps {
    /// Keeps the ports, all closed at first. `pipes` are those whose pipes are tapped.
    pub fn start(specs: &[TapSpec], pipes: &[ProcessId], redactor: &Redactor, observer: &Arc<dyn Observer>) -> Result<Self, TapError> {
        let (exchanges, connections) = (Counter::default(), Counter::default());
        let mut taps = Vec::new();
        for TapSpec { process, front, real } in specs {
            let gate = Gate::keep(*front).map_err(|source| TapError::Port { process: process.clone(), port: *front, source })?;
            let setting = Setting { tap: process.clone(), redactor: redactor.clone(), exchanges: exchanges.clone() };
            taps.push((gate, Arc::new(Hop::new(setting, *real, connections.clone(), Arc::clone(observer)))));
        }
        let ((copies, copied), waiting) = (mpsc::unbounded_channel(), Arc::new(AtomicUsize::new(0)));
        let pipe = |process: &ProcessId| {
            let tap = PipeTap::new(process.clone(), connections.clone(), copies.clone(), waiting.clone(), observer.clone());
            (process.clone(), Arc::new(tap))
        };
        let pipes = pipes.iter().map(pipe).collect();
        let reader = PipeReader::new(copied, waiting, redactor.clone(), exchanges, Arc::clone(observer));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, orders) = mpsc::unbounded_channel();
        let thread = thread::Builder::new().name("taps".into()).spawn(move || runtime.block_on(run(taps, orders, reader)))?;
        Ok(Self { commands: Some(commands), pipes, thread: Some(thread) })
    }

    /// Says which generation of a process runs, if any does.
    pub fn runs(&self, process: &ProcessId, generation: Option<u32>) {
        self.command(Command::Runs(process.clone(), generation));
    }

    /// The pipes of a process that has just been started; none if they are not tapped.
    pub fn pipes_of(&self, process: &ProcessId) -> Option<PipeEnds> {
        self.pipes.get(process).cloned().map(PipeEnds::new)
    }

    /// Disturbs the traffic of a tap, or lets it be again.
    pub fn disturb(&self, fault: FaultSpec) {
        if let Some(pipe) = self.pipes.get(&fault.at) {
            return pipe.disturb(fault);
        }
        self.command(Command::Disturb(fault));
    }

    fn command(&self, command: Command) {
        // Without the thread there is no traffic either.
        let _ = self.commands.as_ref().map(|commands| commands.send(command));
    }
}

impl Drop for Taps {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn run(taps: Vec<(Gate, Arc<Hop>)>, mut orders: mpsc::UnboundedReceiver<Command>, mut pipes: PipeReader) {
    let mut tended: HashMap<ProcessId, Vec<Tended>> = HashMap::new();
    for (gate, hop) in taps {
        let (runs, generation) = watch::channel(None);
        tended.entry(hop.tap().clone()).or_default().push(Tended { hop: Arc::clone(&hop), runs });
        tokio::spawn(tend(hop, gate, generation));
    }
    let mut copies = true;
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            read = pipes.read(), if copies => {
                copies = read;
                continue;
            }
        };
        let Some(order) = order else { break };
        match order {
            Command::Runs(process, generation) => {
                for tap in tended.get(&process).into_iter().flatten() {
                    tap.runs.send_replace(generation);
                }
            }
            Command::Disturb(fault) => {
                for tap in tended.get(&fault.at).into_iter().flatten() {
                    tap.hop.disturb(fault.clone());
                }
            }
        }
    }
    pipes.finish();
}

/// Opens the gate of a tap when the process behind it listens, and closes it when it does not any more.
async fn tend(hop: Arc<Hop>, gate: Gate, mut generation: watch::Receiver<Option<u32>>) {
    loop {
        let runs = generation.borrow_and_update().is_some();
        if runs && hop.listens() {
            // No descriptor is free, say: there will be one.
            let Ok(open) = gate.open() else {
                sleep(LOOK).await;
                continue;
            };
            hop.note_gate(true);
            let ended = tokio::select! {
                () = hop.serve(open) => Ok(()),
                changed = generation.changed() => changed,
            };
            hop.note_gate(false);
            if ended.is_err() {
                return;
            }
        } else {
            let ended = tokio::select! {
                () = sleep(LOOK), if runs => Ok(()),
                changed = generation.changed() => changed,
            };
            if ended.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, TcpListener, TcpStream},
        sync::Mutex,
        time::Instant,
    };

    use super::*;
    use crate::{model::At, tap::note::Note};

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<bool>>);

    impl Observer for Told {
        fn now(&self) -> At {
            At(0)
        }
        fn note(&self, note: Note) {
            if let Note::Gate { open, .. } = note {
                self.0.lock().expect("whole").push(open);
            }
        }
        fn fault_over(&self, _tap: &ProcessId) {}
        fn client(&self, _port: u16) -> Option<ProcessId> {
            None
        }
        fn listens(&self, port: u16) -> bool {
            // Whoever can bind it finds nobody there.
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_err()
        }
    }

    fn until(what: &str, mut holds: impl FnMut() -> bool) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < Duration::from_secs(20), "{what}");
            thread::yield_now();
        }
    }

    #[test]
    fn a_gate_is_open_while_its_process_listens() {
        let process = ProcessId::new("upstream").expect("a name");
        let real = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let (front, behind) = {
            let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            (other.local_addr().expect("bound").port(), real.local_addr().expect("bound").port())
        };
        let told = Arc::new(Told::default());
        let observer: Arc<dyn Observer> = Arc::clone(&told) as _;
        let taps = Taps::start(&[TapSpec { process: process.clone(), front, real: behind }], &[], &Redactor::default(), &observer)
            .expect("started");
        let connects = || TcpStream::connect((Ipv4Addr::LOCALHOST, front)).is_ok();
        assert!(!connects(), "no generation runs");
        taps.runs(&process, Some(1));
        until("it opens", connects);
        taps.runs(&process, None);
        until("it closes with its process", || !connects());
        taps.runs(&process, Some(2));
        until("it opens again", connects);
        drop(real);
        until("it closes when nobody listens", || !connects());
        drop(taps);
        let gates = told.0.lock().expect("whole").clone();
        assert_eq!(gates[..4], [true, false, true, false]);
        drop(TcpListener::bind((Ipv4Addr::LOCALHOST, front)).expect("the port is free again"));
    }
}
