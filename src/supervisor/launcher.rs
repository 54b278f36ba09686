//! Starts are prepared one after the other, in the order they were asked for, on a thread of their own: that takes disks, and
//! a disk may hang (a network share whose server is gone). Such a start waits for it, and no other: another thread takes over
//! the rest.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::UnboundedSender;

use super::{
    launch::{Ports, Preparation, prepare},
    runtime::News,
};
use crate::{
    model::{Generation, ProcessId, ProcessSpec},
    process::Screen,
};

/// How long a start may be prepared before others stop waiting for it…
const PATIENCE: Duration = Duration::from_millis(200);
/// …and before it has failed.
pub(super) const LONGEST: Duration = Duration::from_secs(10);

/// A start to prepare.
pub(super) struct Job {
    pub(super) process: ProcessId,
    pub(super) generation: Generation,
    pub(super) spec: Arc<ProcessSpec>,
    /// Whether it need not be started where its `skip_if_exists` is.
    pub(super) unless_done: bool,
    pub(super) run: String,
    pub(super) ports: Ports,
    pub(super) screen: Screen,
}

/// What is done with a job.
type Work = Arc<dyn Fn(Job) + Send + Sync>;

/// Prepares starts on a thread that ends with it, and reports each as [`News::Prepared`].
pub(super) struct Launcher {
    jobs: mpsc::Sender<Job>,
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    work: Work,
    /// None: no thread was to be had yet.
    worker: Mutex<Option<Arc<Worker>>>,
    /// Those that hang, while there may yet come something of what they are at.
    hanging: Mutex<Vec<Arc<Worker>>>,
}

/// A thread that prepares.
#[derive(Debug, Default)]
struct Worker {
    /// What it is at, since when.
    busy: Mutex<Option<(Instant, ProcessId, Generation)>>,
    /// Another one has taken over: it ends when it is done with what it is at.
    relieved: AtomicBool,
}

impl fmt::Debug for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Launcher").field("worker", &self.worker).finish_non_exhaustive()
    }
}

impl Launcher {
    pub(super) fn start(news: UnboundedSender<News>) -> Self {
        Self::doing(Arc::new(move |job: Job| job.carry_out(&news)))
    }

    fn doing(work: Work) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let launcher = Self { jobs, queue: Arc::new(Mutex::new(queue)), work, worker: Mutex::default(), hanging: Mutex::default() };
        launcher.relieve();
        launcher
    }

    pub(super) fn prepare(&self, job: Job) {
        // The queue lives as long as this does.
        let _ = self.jobs.send(job);
        self.relieve();
    }

    /// Has another thread go on where the one at work hangs. To be called now and then.
    pub(super) fn relieve(&self) {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.as_ref().is_some_and(|worker| worker.at_it_for(PATIENCE).is_none()) {
            return;
        }
        match self.employ() {
            Ok(another) => {
                if let Some(hanging) = worker.replace(another) {
                    hanging.relieved.store(true, Ordering::SeqCst);
                    self.hanging.lock().unwrap_or_else(PoisonError::into_inner).push(hanging);
                }
            }
            // Who is at work goes on with the rest as soon as it can.
            Err(e) if worker.is_some() => tracing::warn!("no other thread to prepare starts on, so they wait for a disk: {e}"),
            Err(e) => {
                tracing::warn!("no thread to prepare starts on, so the runtime does it: {e}");
                let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                queue.try_iter().for_each(|job| (self.work)(job));
            }
        }
    }

    /// The starts that have been prepared for `longest` and are not, each told once.
    pub(super) fn hopeless(&self, longest: Duration) -> Vec<(ProcessId, Generation)> {
        let mut told = Vec::new();
        self.hanging.lock().unwrap_or_else(PoisonError::into_inner).retain(|worker| {
            let hopeless = worker.at_it_for(longest);
            let keep = hopeless.is_none() && worker.at_it_for(Duration::ZERO).is_some();
            told.extend(hopeless);
            keep
        });
        told
    }

    fn employ(&self) -> io::Result<Arc<Worker>> {
        let worker = Arc::new(Worker::default());
        let (queue, work, me) = (self.queue.clone(), self.work.clone(), worker.clone());
        thread::Builder::new().name("launcher".into()).spawn(move || me.run(&queue, &*work))?;
        Ok(worker)
    }
}

impl Worker {
    /// What it has been at for so long.
    fn at_it_for(&self, span: Duration) -> Option<(ProcessId, Generation)> {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        busy.as_ref().filter(|(since, ..)| since.elapsed() >= span).map(|(_, process, generation)| (process.clone(), *generation))
    }

    /// Works until nobody has any more jobs, or somebody else does them.
    fn run(&self, queue: &Mutex<mpsc::Receiver<Job>>, work: &(dyn Fn(Job) + Send + Sync)) {
        let now_at = |what| *self.busy.lock().unwrap_or_else(PoisonError::into_inner) = what;
        while !self.relieved.load(Ordering::SeqCst) {
            // Who waits holds the queue: only one does, since one is employed only when another is at work.
            let Ok(job) = queue.lock().unwrap_or_else(PoisonError::into_inner).recv() else { return };
            now_at(Some((Instant::now(), job.process.clone(), job.generation)));
            work(job);
            now_at(None);
        }
    }
}

impl Job {
    fn carry_out(self, news: &UnboundedSender<News>) {
        let Job { process, generation, spec, unless_done, run, ports, screen } = self;
        let prepared = match &spec.skip_if_exists {
            Some(path) if unless_done && path.exists() => Ok(Preparation::Done(path.clone())),
            _ => prepare(&spec, &run, &ports, screen).map(|prepared| Preparation::Start(Box::new(prepared))),
        };
        // Nobody listens any more once the run is over.
        let _ = news.send(News::Prepared { process, generation, prepared });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(name: &str) -> Job {
        let id = ProcessId::new(name).expect("a name");
        Job {
            process: id.clone(),
            generation: 1,
            spec: Arc::new(ProcessSpec::new(id)),
            unless_done: false,
            run: "run".into(),
            ports: Ports::new(),
            screen: Screen::default(),
        }
    }

    /// A launcher whose `hangs` takes until it is let go on, and who was prepared, in order.
    fn launcher() -> (Launcher, mpsc::Sender<()>, mpsc::Receiver<String>) {
        let (go_on, held) = mpsc::channel::<()>();
        let (held, (done, prepared)) = (Mutex::new(held), mpsc::channel());
        let work = move |job: Job| {
            if job.process.as_str() == "hangs" {
                _ = held.lock().expect("one at a time").recv();
            }
            done.send(job.process.to_string()).expect("the test listens");
        };
        (Launcher::doing(Arc::new(work)), go_on, prepared)
    }

    #[test]
    fn starts_are_prepared_in_the_order_they_were_asked_for() {
        let (launcher, _go_on, prepared) = launcher();
        let names: Vec<String> = (0..50).map(|n| format!("p{n}")).collect();
        for name in &names {
            launcher.prepare(job(name));
        }
        assert_eq!(prepared.iter().take(50).collect::<Vec<_>>(), names);
    }

    #[test]
    fn one_whose_disk_hangs_holds_up_no_other() {
        let (launcher, go_on, prepared) = launcher();
        for name in ["a", "hangs", "b", "c"] {
            launcher.prepare(job(name));
        }
        let soon = Instant::now() + Duration::from_secs(20);
        let mut told = Vec::new();
        while told.len() < 3 {
            assert!(Instant::now() < soon, "only {told:?}");
            launcher.relieve();
            told.extend(prepared.recv_timeout(Duration::from_millis(10)));
        }
        assert_eq!(told, ["a", "b", "c"]);
        assert_eq!(launcher.hopeless(Duration::from_hours(1)), []);
        assert_eq!(launcher.hopeless(Duration::ZERO), [(ProcessId::new("hangs").expect("a name"), 1)]);
        assert_eq!(launcher.hopeless(Duration::ZERO), [], "told once");
        go_on.send(()).expect("it waits");
        assert_eq!(prepared.recv_timeout(Duration::from_secs(20)), Ok("hangs".to_owned()), "and it is prepared when its disk answers");
        launcher.prepare(job("d"));
        assert_eq!(prepared.recv_timeout(Duration::from_secs(20)), Ok("d".to_owned()));
    }
}
