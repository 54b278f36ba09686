//! Any earlier instant of a run: the fold of its events, stopped there.
//!
//! Every so many events the fold is kept as it stands. A snapshot shares its rows until they change, so that costs little,
//! and an instant is never further from a checkpoint than that many events.

use std::{mem::size_of, sync::Arc, time::Duration};

use super::Journal;
use crate::model::{EventKind, ExitRecord, Leak, ProbeRecord, ProcessSnapshot, Snapshot, narrate};

/// Events between two checkpoints.
const EVERY: usize = 2000;
/// Bytes that all checkpoints together may hold, about. Beyond that every second checkpoint goes: memory stays flat in a run
/// of days and in whatever a stranger's archive says, and a jump costs twice as many events.
const BYTES: usize = 64 << 20;
/// A state that follows so soon belongs to the event before it: it follows the fact that changed it.
const AT_ONCE: Duration = Duration::from_millis(5);

/// The fold of a journal, with checkpoints on the way.
#[derive(Debug)]
pub struct History {
    /// As it stands behind all events taken in.
    newest: Snapshot,
    read: usize,
    checkpoints: Vec<Checkpoint>,
    every: usize,
    most: usize,
}

/// The fold behind so many events.
#[derive(Debug)]
struct Checkpoint {
    events: usize,
    snapshot: Snapshot,
    /// What it holds beyond what it shares with the checkpoint before.
    bytes: usize,
}

impl Default for History {
    fn default() -> Self {
        Self { newest: Snapshot::default(), read: 0, checkpoints: Vec::new(), every: EVERY, most: BYTES }
    }
}

impl History {
    /// Takes in what `journal` has got since. To be called before the journal forgets samples.
    pub fn refresh(&mut self, journal: &Journal) {
        while self.read < journal.len() {
            let next = (self.read / self.every + 1) * self.every;
            for event in journal.between(self.read, next) {
                self.newest.fold(&event);
                self.read += 1;
            }
            if self.read == next {
                let bytes = own_bytes(&self.newest, self.checkpoints.last().map(|before| &before.snapshot));
                self.checkpoints.push(Checkpoint { events: next, snapshot: self.newest.clone(), bytes });
                self.thin_out();
            }
        }
    }

    /// The run as it stood behind event `seq`, with what that event led to at once.
    pub fn at(&self, journal: &Journal, seq: u64) -> Snapshot {
        self.fold_to(journal, seq).0
    }

    /// Also says how many events had to be looked at.
    fn fold_to(&self, journal: &Journal, seq: u64) -> (Snapshot, usize) {
        let after = self.checkpoints.partition_point(|checkpoint| checkpoint.snapshot.seq <= seq);
        let checkpoint = after.checked_sub(1).map(|at| &self.checkpoints[at]);
        let (start, mut snapshot) = checkpoint.map_or((0, Snapshot::default()), |found| (found.events, found.snapshot.clone()));
        let (mut next, mut moment, mut waiting) = (start, snapshot.at, Vec::new());
        loop {
            let events = journal.between(next, next + EVERY);
            if events.is_empty() {
                return (snapshot, next - start);
            }
            for event in events {
                next += 1;
                if event.seq <= seq {
                    // Events that memory does not hold any more have no time.
                    moment = moment.max(event.at);
                    snapshot.fold(&event);
                    continue;
                }
                if event.at > moment + AT_ONCE || narrate(&event).is_some() {
                    return (snapshot, next - start);
                }
                let state = matches!(event.kind, EventKind::StateChanged { .. } | EventKind::Checks { .. });
                waiting.push(event);
                if state {
                    waiting.drain(..).for_each(|event| snapshot.fold(&event));
                }
            }
        }
    }

    fn thin_out(&mut self) {
        while self.bytes() > self.most && !self.checkpoints.is_empty() {
            self.every *= 2;
            self.checkpoints.retain(|checkpoint| checkpoint.events.is_multiple_of(self.every));
            // Who shared with one that is gone has that for itself.
            for at in 0..self.checkpoints.len() {
                let before = at.checked_sub(1).map(|before| &self.checkpoints[before].snapshot);
                self.checkpoints[at].bytes = own_bytes(&self.checkpoints[at].snapshot, before);
            }
        }
    }

    /// What all checkpoints hold, about.
    pub(crate) fn bytes(&self) -> usize {
        self.checkpoints.iter().map(|checkpoint| checkpoint.bytes).sum()
    }
}

/// What `snapshot` holds, about, beyond what it shares with `before`.
fn own_bytes(snapshot: &Snapshot, before: Option<&Snapshot>) -> usize {
    let none = Snapshot::default();
    let before = before.unwrap_or(&none);
    unshared(&snapshot.rows, &before.rows, row_bytes)
        + unshared(&snapshot.steps, &before.steps, |step| size_of_val(step) + step.detail.len())
        + unshared(&snapshot.expectations, &before.expectations, size_of_val)
}

fn unshared<T>(all: &[Arc<T>], before: &[Arc<T>], bytes: impl Fn(&T) -> usize) -> usize {
    let shared = |at: usize, one| before.get(at).is_some_and(|other| Arc::ptr_eq(one, other));
    let own = all.iter().enumerate().filter(|(at, one)| !shared(*at, one)).map(|(_, one)| bytes(one)).sum::<usize>();
    own + size_of_val(all)
}

/// A row with what grows in it.
fn row_bytes(row: &ProcessSnapshot) -> usize {
    let exits =
        row.exits.iter().map(|exit| size_of::<ExitRecord>() + exit.tail.iter().map(|line| size_of::<String>() + line.len()).sum::<usize>());
    let leaks = row.leaks.iter().chain(row.ended_leaks.iter().map(|ended| &ended.leak)).map(|leak| size_of::<Leak>() + leak.command.len());
    size_of_val(row) + row.probes.len() * size_of::<ProbeRecord>() + exits.chain(leaks).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{At, Containment, Event, Exit, ProcessId, ProcessInfo, ProcessState, Role, RunInfo, Sample, StartCause, Then};

    const NAMES: [&str; 5] = ["up", "proxy", "a", "b", "c"];

    fn id(n: usize) -> ProcessId {
        ProcessId::new(NAMES[n % NAMES.len()]).expect("a name")
    }

    fn info(name: ProcessId) -> ProcessInfo {
        ProcessInfo {
            name,
            role: Role::Service,
            kind: None,
            stand_in: false,
            listens: Vec::new(),
            has_health: true,
            waits_for: Vec::new(),
            max_restarts: None,
            argv: Vec::new(),
            cwd: String::new(),
            reads: crate::model::Reads::Nothing,
            taps_pipes: false,
            awaits: String::new(),
            settings: Vec::new(),
        }
    }

    /// A run of so many events: five processes that are sampled, die and come back.
    fn journal(count: usize) -> Journal {
        let begin = EventKind::RunStarted(RunInfo {
            steps: Vec::new(),
            run: "x".into(),
            scenario: "x".into(),
            description: String::new(),
            origin: "x".into(),
            started: "2026-11-23T06:25:57.881890Z".into(),
            containment: Containment::Subreaper,
            timeout_ms: None,
            processes: (0..NAMES.len()).map(|n| info(id(n))).collect(),
            expectations: Vec::new(),
        });
        let later = |n: usize| {
            let (process, generation) = (id(n / 6), (n / 30) as u32 + 1);
            match n % 6 {
                0 => EventKind::Spawned { process, generation, pid: n as u32, cause: StartCause::Run, awaits_ready: false },
                1 => EventKind::StateChanged { process, generation, state: ProcessState::Running },
                4 => EventKind::Exited {
                    process,
                    generation,
                    exit: Exit::Code(1),
                    asked: true,
                    by: None,
                    up: std::time::Duration::ZERO,
                    then: Then::Stopped,
                    same_cause: false,
                    tail: Vec::new(),
                    progress: None,
                    role: None,
                },
                5 => EventKind::StateChanged { process, generation, state: ProcessState::Completed },
                _ => {
                    let sample = Sample { process, cpu_percent: n as f32, memory: n as u64, processes: 1 };
                    EventKind::Sampled { samples: vec![sample] }
                }
            }
        };
        let kinds = std::iter::once(begin).chain((0..count - 1).map(later));
        // A state follows its fact a little later; numbers have gaps, where something was said.
        let at = |n: u64| At(n.div_ceil(2) * 10_000 + (1 - n % 2) * 50);
        Journal::of(kinds.enumerate().map(|(n, kind)| Event { seq: n as u64 * 3 + 1, at: at(n as u64), kind }).collect())
    }

    #[test]
    fn any_instant_is_that_of_a_fold_from_the_beginning_and_costs_at_most_one_interval() {
        let journal = journal(20_000);
        let mut history = History::default();
        history.refresh(&journal);
        let all = journal.from(0);
        for seq in (1..60_000).step_by(971).chain([1, 2, 4, 5999 * 3 + 1, 59_998, u64::MAX]) {
            let (found, looked_at) = history.fold_to(&journal, seq);
            let place = all.iter().rposition(|event| event.seq <= seq).expect("the first has number 1");
            let at_once = all[place + 1..].iter().take_while(|event| event.at <= all[place].at + AT_ONCE && narrate(event).is_none());
            let state = |event: &&std::sync::Arc<Event>| matches!(event.kind, EventKind::StateChanged { .. });
            let states = at_once.clone().filter(state).count();
            let at_once = at_once.take_while(|_| states > 0);
            assert_eq!(found, Snapshot::of(all[..=place].iter().chain(at_once).map(AsRef::as_ref)), "behind event {seq}");
            assert!(looked_at <= EVERY + 10, "{looked_at} events were looked at for {seq}");
        }
    }

    #[test]
    fn a_fact_stands_with_the_state_it_led_to() {
        let journal = journal(200);
        let mut history = History::default();
        history.refresh(&journal);
        let exit = journal.from(0).iter().find(|event| matches!(event.kind, EventKind::Exited { .. })).expect("one exits").clone();
        let row = history.at(&journal, exit.seq).rows.first().cloned().expect("there are rows");
        assert_eq!((row.state.word(), row.exits.len()), ("completed", 1));
    }

    #[test]
    fn a_run_of_days_keeps_no_more_checkpoints_than_one_of_hours() {
        let journal = journal(30_000);
        let most = 8 << 20;
        let mut history = History { every: 2, most, ..History::default() };
        history.refresh(&journal);
        assert!(history.every > 2 && history.bytes() <= most, "{} bytes every {}", history.bytes(), history.every);
        assert!(history.checkpoints.len() > 2 && history.bytes() > most / 8, "{} bytes every {}", history.bytes(), history.every);
        assert!(history.checkpoints.windows(2).all(|pair| pair[1].events - pair[0].events == history.every));
        let seq = journal.from(17_000)[0].seq;
        assert_eq!(history.fold_to(&journal, seq).0.seq.max(seq), history.at(&journal, seq).seq);
    }
}
