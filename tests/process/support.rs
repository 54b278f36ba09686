//! A yard of trees for a test: a spawner, its events, and the proof that nothing is left.

use std::{
    fs,
    io::Read,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use e2e_tui::{
    model::{Containment, Exit, Limits, Signal},
    process::{Guardian, GuardianError, Hold, Launch, LocalSpawner, Member, Order, Orphans, PidFile, Spawner, TreeEvent, TreeId, lookup},
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, error::TryRecvError, unbounded_channel};

/// Generous: a loaded machine must not fail a test that only asks whether.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The variable that marks all that a test starts.
const MARK: &str = "E2E_TEST_MARK";

/// Who starts the trees of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    /// The guardian of a program that is nothing but a supervisor.
    Adopting(Containment),
    /// The guardian of a host with other things to do.
    Guardian(Containment),
    /// No guardian.
    Local,
}

/// What a guardian may hold trees together with, and what each test of trees is run for.
const TIERS: [Containment; 4] = [Containment::Pidns, Containment::Cgroup, Containment::Subreaper, Containment::Group];

impl Under {
    /// Everybody that this machine has; says who is left out, and why.
    pub(crate) fn all() -> Vec<Under> {
        tiers().into_iter().map(Under::Guardian).chain([Under::Local]).collect()
    }

    /// As tests hand it to a program of theirs: `adopt-cgroup`.
    pub(crate) fn word(self) -> String {
        match self {
            Under::Adopting(by) => format!("adopt-{}", by.word()),
            Under::Guardian(by) => format!("guardian-{}", by.word()),
            Under::Local => "local".to_owned(),
        }
    }

    /// Without a tier the default one.
    pub(crate) fn named(word: &str) -> Self {
        let (who, tier) = word.split_once('-').unwrap_or((word, "subreaper"));
        let by = Containment::named(tier).expect("a containment");
        match who {
            "adopt" => Under::Adopting(by),
            "guardian" => Under::Guardian(by),
            "local" => Under::Local,
            other => panic!("{other}"),
        }
    }

    /// The guardian; none without one.
    pub(crate) fn guardian(self, events: UnboundedSender<TreeEvent>) -> Option<Guardian> {
        let (orphans, by) = match self {
            Under::Adopting(by) => (Orphans::Adopt, by),
            Under::Guardian(by) => (Orphans::Leave, by),
            Under::Local => return None,
        };
        let guardian = Guardian::launch_from(binary(), orphans, by, events).expect("the binary was built for this test");
        assert_eq!(guardian.containment(), by);
        Some(guardian)
    }

    /// Why it cannot be had.
    pub(crate) fn refused(self) -> String {
        let Under::Guardian(by) = self else { panic!("a guardian") };
        Guardian::launch_from(binary(), Orphans::Leave, by, unbounded_channel().0).err().expect("it is refused").to_string()
    }
}

/// The tiers that this machine has, for a test that is run for each; says which it is not run for, and why.
pub(crate) fn tiers() -> Vec<Containment> {
    static TRIED: OnceLock<Vec<(Containment, Option<String>)>> = OnceLock::new();
    let try_it = |by: Containment| {
        let (events, _keep) = unbounded_channel();
        (by, Guardian::launch_from(binary(), Orphans::Leave, by, events).err().map(|e| e.to_string()))
    };
    let test = thread::current().name().unwrap_or("a test").to_owned();
    let tried = TRIED.get_or_init(|| TIERS.into_iter().map(try_it).collect());
    for (by, why) in tried {
        if let Some(why) = why {
            skipped(&format!("{test}: under {}: {why}", by.word()));
        }
    }
    tried.iter().filter(|(_, why)| why.is_none()).map(|(by, _)| *by).collect()
}

pub(crate) struct Yard {
    /// Word of this run for later ones, if `E2E_RUNS` names a folder.
    _pid_file: Option<PidFile>,
    pub(crate) spawner: Box<dyn Spawner>,
    events: UnboundedReceiver<TreeEvent>,
    /// Read and not yet asked for.
    seen: Vec<TreeEvent>,
    next: u64,
    /// In the environment of all that is started here; scripts may also put it on command lines.
    pub(crate) mark: String,
}

/// Says that this machine cannot show something, past the capture of the test runner: `.ci/run` counts these lines.
pub(crate) fn skipped(why: &str) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("SKIPPED {why}\n").as_bytes());
}

/// A unique word that neither a pid nor a run has had before.
pub(crate) fn fresh_mark() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = fs::read_to_string("/proc/uptime").expect("Linux").replace(['.', ' ', '\n'], "");
    format!("m{}x{now}x{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The binary that has a guardian in it.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_e2e-tui"))
}

impl Yard {
    pub(crate) fn new(under: Under) -> Self {
        Self::marked(under, fresh_mark())
    }

    pub(crate) fn marked(under: Under, mark: String) -> Self {
        let (sender, events) = unbounded_channel();
        let mut pid_file = None;
        let spawner: Box<dyn Spawner> = match under.guardian(sender.clone()) {
            None => Box::new(LocalSpawner::start(sender).expect("a thread and a fork")),
            Some(guardian) => {
                if let Some(dir) = std::env::var_os("E2E_RUNS") {
                    pid_file = Some(PidFile::create(Path::new(&dir), &mark, &guardian).expect("the folder is writable"));
                }
                Box::new(guardian)
            }
        };
        Self { _pid_file: pid_file, spawner, events, seen: Vec::new(), next: 1, mark }
    }

    /// A host's whose guardian holds limits, too; or why it cannot.
    pub(crate) fn holding(hold: Hold) -> Result<Self, GuardianError> {
        let (sender, events) = unbounded_channel();
        let guardian = Guardian::launch_from(binary(), Orphans::Leave, hold, sender)?;
        Ok(Self { _pid_file: None, spawner: Box::new(guardian), events, seen: Vec::new(), next: 1, mark: fresh_mark() })
    }

    pub(crate) fn order(&self, order: Order) {
        self.spawner.send(order).expect("the spawner lives");
    }

    /// Orders a start and returns at once.
    pub(crate) fn launch(&mut self, launch: Launch) -> TreeId {
        let tree = TreeId(self.next);
        self.next += 1;
        self.order(Order::Spawn { tree, launch: Box::new(launch) });
        tree
    }

    /// A launch of `argv` whose output goes to `/dev/null`.
    pub(crate) fn quiet(&self, argv: &[&str]) -> Launch {
        let null = || OwnedFd::from(fs::OpenOptions::new().write(true).open("/dev/null").expect("exists"));
        self.with_output(argv, null(), null())
    }

    pub(crate) fn with_output(&self, argv: &[&str], stdout: OwnedFd, stderr: OwnedFd) -> Launch {
        let path = std::env::var_os("PATH");
        Launch {
            argv: argv.iter().map(|&a| a.to_owned()).collect(),
            program: lookup(argv[0], path.as_deref(), Path::new("/")).expect("the test names programs that exist"),
            env: std::env::vars_os().chain([(MARK.into(), self.mark.clone().into())]).collect(),
            cwd: PathBuf::from("/"),
            stdin: None,
            stdout,
            stderr,
            limits: Limits::default(),
            tty: false,
        }
    }

    /// Starts `argv` and waits until it runs.
    pub(crate) fn start(&mut self, argv: &[&str]) -> (TreeId, u32) {
        let launch = self.quiet(argv);
        let tree = self.launch(launch);
        (tree, self.spawned(tree))
    }

    /// Starts a shell script. `$MARK` in it is this yard's mark. Returns when the script has closed descriptor 1 or printed
    /// a line, so that it has done what precedes that.
    pub(crate) fn script(&mut self, script: &str) -> (TreeId, u32) {
        let (mut reader, writer) = std::io::pipe().expect("a pipe");
        let null = fs::OpenOptions::new().write(true).open("/dev/null").expect("exists");
        let launch = self.with_output(&["/bin/sh", "-c", &script.replace("$MARK", &self.mark)], writer.into(), null.into());
        let tree = self.launch(launch);
        let pid = self.spawned(tree);
        let mut byte = [0];
        while !matches!(reader.read(&mut byte), Ok(0 | 1)) {}
        // Whoever goes on printing must not be hurt by us.
        thread::spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        (tree, pid)
    }

    pub(crate) fn spawned(&mut self, tree: TreeId) -> u32 {
        self.until("it runs", |event| match event {
            TreeEvent::Spawned { tree: t, pid } if *t == tree => Some(*pid),
            TreeEvent::SpawnFailed { tree: t, error } if *t == tree => panic!("{error}"),
            _ => None,
        })
    }

    pub(crate) fn exited(&mut self, tree: TreeId) -> Exit {
        self.until("it exits", |event| match event {
            TreeEvent::Exited { tree: t, exit, .. } if *t == tree => Some(*exit),
            _ => None,
        })
    }

    pub(crate) fn empty(&mut self, tree: TreeId) {
        self.until("it is empty", |event| matches!(event, TreeEvent::Empty { tree: t } if *t == tree).then_some(()));
    }

    pub(crate) fn members(&mut self, tree: TreeId) -> Vec<Member> {
        self.order(Order::Census { tree });
        self.until("its members", |event| match event {
            TreeEvent::Members { tree: t, members } if *t == tree => Some(members.clone()),
            _ => None,
        })
    }

    /// Waits until a tree has exactly this many members.
    pub(crate) fn count_to(&mut self, tree: TreeId, count: usize) -> Vec<Member> {
        self.await_members(tree, |members| members.len() == count)
    }

    /// Waits until exactly these commands run in a tree, in that order. A process fresh from `fork` still has its parent's.
    pub(crate) fn grown_to(&mut self, tree: TreeId, commands: &[&str]) -> Vec<Member> {
        self.await_members(tree, |members| members.iter().map(|member| &member.command).eq(commands.iter()))
    }

    fn await_members(&mut self, tree: TreeId, wanted: impl Fn(&[Member]) -> bool) -> Vec<Member> {
        let deadline = Instant::now() + SOON;
        loop {
            let members = self.members(tree);
            if wanted(&members) {
                return members;
            }
            assert!(Instant::now() < deadline, "these are not the members: {members:?}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn signal(&self, tree: TreeId, signal: Signal) {
        self.order(Order::Signal { tree, signal });
    }

    /// Kills a tree and says how long that took.
    pub(crate) fn kill(&mut self, tree: TreeId) -> Duration {
        let started = Instant::now();
        self.order(Order::Kill { tree });
        self.empty(tree);
        started.elapsed()
    }

    /// Waits for an event that `wanted` recognises, and takes it out of the row.
    pub(crate) fn until<T>(&mut self, what: &str, wanted: impl Fn(&TreeEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some((at, found)) = self.seen.iter().enumerate().find_map(|(at, event)| Some((at, wanted(event)?))) {
                self.seen.remove(at);
                return found;
            }
            assert!(Instant::now() < deadline, "waited for {SOON:?} until {what}; seen: {:?}", self.seen);
            match self.events.try_recv() {
                Ok(event) => self.seen.push(event),
                Err(TryRecvError::Empty) => thread::sleep(Duration::from_millis(1)),
                Err(TryRecvError::Disconnected) => panic!("the spawner is gone; waited until {what}; seen: {:?}", self.seen),
            }
        }
    }

    /// Waits until the spawner is lost, however long that takes.
    pub(crate) fn until_lost(&mut self) -> String {
        loop {
            match self.events.blocking_recv().expect("the spawner tells of its end") {
                TreeEvent::Lost { why, .. } => return why,
                event => self.seen.push(event),
            }
        }
    }

    /// Whether a notice about this tree, or a word of somebody who cannot be proven to be in it, has come unasked.
    pub(crate) fn has_notice(&self, tree: TreeId) -> bool {
        self.seen
            .iter()
            .any(|event| matches!(event, TreeEvent::Notice { tree: Some(t), .. } | TreeEvent::Unproven { tree: t, .. } if *t == tree))
    }

    /// All events that have come and nobody has asked for.
    pub(crate) fn rest(&mut self) -> Vec<TreeEvent> {
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        std::mem::take(&mut self.seen)
    }

    /// Ends the spawner and proves that nothing is left.
    pub(crate) fn close(self) {
        let mark = self.mark.clone();
        drop(self);
        assert_eq!(living(&mark), Vec::<String>::new(), "left behind");
    }
}

/// Everybody alive, but for this process, who has the mark in the environment or on the command line.
pub(crate) fn living(mark: &str) -> Vec<String> {
    let me = std::process::id();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("Linux").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        let zombie = stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X']));
        let contains =
            |file: &str| fs::read(entry.path().join(file)).is_ok_and(|text| memchr::memmem::find(&text, mark.as_bytes()).is_some());
        if pid != me && !zombie && (contains("environ") || contains("cmdline")) {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            found.push(format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// Waits until nobody with the mark lives, and says how long that took.
pub(crate) fn until_none_lives(mark: &str, within: Duration) -> Duration {
    let started = Instant::now();
    loop {
        let left = living(mark);
        if left.is_empty() {
            return started.elapsed();
        }
        assert!(started.elapsed() < within, "still alive after {within:?}: {left:?}");
        thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < deadline, "waited for {SOON:?} until {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Runs a test under everybody.
pub(crate) fn under_all(test: impl Fn(&mut Yard, Under)) {
    for under in Under::all() {
        let mut yard = Yard::new(under);
        test(&mut yard, under);
        yard.close();
    }
}
