//! The loop: waits, heeds, carries out.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    os::fd::{AsFd, OwnedFd},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        signal::{SigSet, Signal as Caught},
        signalfd::{SfdFlags, SignalFd},
    },
};

use super::{
    glance::Glances,
    post::{Household, Mail, Post},
    standstill::Standstill,
    tree::{Stage, Tree},
};
use crate::process::{
    Order, TreeEvent, TreeId,
    cgroup::RunGroup,
    custody::Custody,
    mark::Doubts,
    namespace::Namespace,
    procfs,
    tag::{self, Tags},
    tree::Identity,
};

/// How many orders are carried out before the keeper looks at its children again.
const BATCH: usize = 64;
/// The pause between two questions whether a child has ended, where nobody tells.
const ASK: Duration = Duration::from_millis(10);

/// What a keeper is made with.
pub(crate) struct Setup {
    pub(crate) household: Household,
    /// See [`marker`](crate::process::mark::marker).
    pub(crate) marker: String,
    pub(crate) tags: std::ops::Range<u64>,
    /// The soft limit on open descriptors for children.
    pub(crate) open_files: u64,
    /// The control group that the groups of trees are made in.
    pub(crate) group: Option<RunGroup>,
    /// The PID namespace that children of this process are born in.
    pub(crate) namespace: Option<Namespace>,
    /// Whether what a tree leaves behind becomes a child of this process, or of its namespace's first one.
    pub(crate) adopts: bool,
}

/// See the module's story.
pub(crate) struct Keeper<P> {
    pub(super) post: P,
    pub(super) household: Household,
    pub(super) open_files: u64,
    pub(super) group: Option<RunGroup>,
    pub(super) namespace: Option<Namespace>,
    /// The first process of the namespace has ended, and everybody in it.
    pub(super) lost_namespace: bool,
    pub(super) adopts: bool,
    pub(super) epoll: Epoll,
    /// SIGCHLD, in a household of its own.
    pub(super) child_signals: Option<SignalFd>,
    pub(super) me: Identity,
    /// How a variable in every child's environment begins.
    pub(super) marker: String,
    /// `/dev/null`, for whoever has no stdin.
    pub(super) null: OwnedFd,
    pub(super) tags: Tags,
    pub(super) trees: HashMap<TreeId, Tree>,
    /// Leaders not reaped yet: their pids cannot be used again.
    pub(super) leaders: HashMap<u32, TreeId>,
    /// Everybody who was ever seen in a tree and was there at the last look, leaders included.
    pub(super) known: HashMap<Identity, TreeId>,
    /// Processes that have become children of this one, and whose they are.
    pub(super) adopted: HashMap<u32, (Identity, Option<TreeId>)>,
    /// Processes looked at that belong to no tree.
    pub(super) strangers: HashSet<Identity>,
    /// Processes that carry a tree's tag and nothing else yet that proves them its own.
    pub(super) unsure: HashMap<Identity, TreeId>,
    pub(super) doubts: Doubts,
    /// The supervisor's terminal.
    pub(super) custody: Option<Custody>,
    /// All trees are stopped.
    pub(super) standstill: Option<Standstill>,
    /// Samples asked for, one an order: of whom, and whether newcomers count.
    pub(super) samples: Vec<(Vec<TreeId>, bool)>,
    pub(super) last_pass: Option<Instant>,
    pub(super) glances: Glances,
    /// When this process's children were last read, and how long that took.
    pub(super) looked: Option<(Instant, Duration)>,
    /// When they are to be read again, if somebody waits for that.
    pub(super) look_again: Option<Instant>,
}

/// What an epoll event is about: a kind, and a leader's pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Orders,
    Children,
    /// The first process of the namespace has reaped somebody.
    Inside,
    Verdict(u32),
    Ended(u32),
}

impl Token {
    fn pack(self) -> u64 {
        match self {
            Token::Orders => 0,
            Token::Children => 1,
            Token::Inside => 2,
            Token::Verdict(pid) => 2 << 32 | u64::from(pid),
            Token::Ended(pid) => 3 << 32 | u64::from(pid),
        }
    }

    fn unpack(data: u64) -> Self {
        match (data >> 32, data as u32) {
            (2, pid) => Token::Verdict(pid),
            (3, pid) => Token::Ended(pid),
            (_, 0) => Token::Orders,
            (_, 2) => Token::Inside,
            _ => Token::Children,
        }
    }
}

impl<P: Post> Keeper<P> {
    /// Makes one. It lives on the calling thread, all of whose signals get blocked.
    pub(crate) fn new(post: P, setup: Setup) -> Result<Self, Errno> {
        SigSet::all().thread_block()?;
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(post.ready(), EpollEvent::new(EpollFlags::EPOLLIN, Token::Orders.pack()))?;
        let child_signals = match setup.household {
            Household::Own => {
                let mut mask = SigSet::empty();
                mask.add(Caught::SIGCHLD);
                let fd = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
                epoll.add(&fd, EpollEvent::new(EpollFlags::EPOLLIN, Token::Children.pack()))?;
                Some(fd)
            }
            Household::Guest(_) => None,
        };
        if let Some(namespace) = &setup.namespace {
            epoll.add(namespace.bell(), EpollEvent::new(EpollFlags::EPOLLIN, Token::Inside.pack()))?;
        }
        let me = procfs::myself();
        Ok(Self {
            post,
            household: setup.household,
            open_files: setup.open_files,
            group: setup.group,
            namespace: setup.namespace,
            lost_namespace: false,
            adopts: setup.adopts,
            epoll,
            child_signals,
            me,
            marker: setup.marker,
            null: File::open("/dev/null").map_err(|e| Errno::from_raw(e.raw_os_error().unwrap_or(0)))?.into(),
            tags: Tags::new(setup.tags, tag::random()),
            trees: HashMap::new(),
            leaders: HashMap::new(),
            known: HashMap::new(),
            adopted: HashMap::new(),
            strangers: HashSet::new(),
            unsure: HashMap::new(),
            doubts: Doubts::default(),
            custody: None,
            standstill: None,
            samples: Vec::new(),
            last_pass: None,
            glances: Glances::default(),
            looked: None,
            look_again: None,
        })
    }

    pub(crate) fn post(&mut self) -> &mut P {
        &mut self.post
    }

    /// Why it has stopped of itself, if it has.
    pub(crate) fn trouble(&self) -> Option<String> {
        let init = self.namespace.as_ref().filter(|_| self.lost_namespace)?.init().pid;
        Some(format!("the first process of its PID namespace (pid {init}) has ended, and everybody in there with it"))
    }

    /// Who is given the orphans of trees.
    pub(super) fn reaper(&self) -> u32 {
        self.namespace.as_ref().map_or(self.me.pid, |namespace| namespace.init().pid)
    }

    /// Runs until the post closes, then ends everything that is left. Says who could not be killed.
    pub(crate) fn run(&mut self) -> Vec<u32> {
        let mut orders = Vec::new();
        let mut mail = Mail::Taken;
        while mail != Mail::Closed && !self.lost_namespace {
            let pause = if mail == Mail::More { Some(Duration::ZERO) } else { self.pause(Instant::now()) };
            let more = mail == Mail::More;
            mail = Mail::Taken;
            self.post.flush();
            let tokens = self.wait(pause);
            for token in &tokens {
                self.heed(*token);
            }
            self.ask_the_silent();
            if more || tokens.contains(&Token::Orders) {
                mail = self.post.take(BATCH, &mut orders);
            }
            for order in orders.drain(..) {
                if let Some(order) = self.hold(order) {
                    self.carry_out(order);
                }
            }
            if self.standstill.is_none() {
                self.start_due(Instant::now());
            }
            self.sweep(Instant::now());
            self.settle(Instant::now());
        }
        _ = self.epoll.delete(self.post.ready());
        // First, since a shell may be about to ask for its next command.
        if let Some(custody) = self.custody.take() {
            custody.give_back();
        }
        self.end_everything()
    }

    pub(super) fn carry_out(&mut self, order: Order) {
        let (tree, note): (TreeId, fn(&mut Tree)) = match order {
            Order::Spawn { tree, launch } => return self.spawn(tree, launch),
            Order::Terminal { taken } => {
                self.custody = taken.filter(|_| matches!(self.household, Household::Own)).map(Custody::of);
                return;
            }
            Order::StandStill => return self.stand_still(),
            Order::GoOn => return self.go_on(),
            Order::Sample { trees, whole } => return self.samples.push((trees, whole)),
            Order::Signal { tree, signal } => {
                if let Some(tree) = self.trees.get_mut(&tree) {
                    tree.signals.push(signal);
                }
                return;
            }
            Order::Kill { tree } => (tree, Tree::kill),
            Order::AwaitEmpty { tree } => (tree, |tree| tree.awaited = true),
            Order::Census { tree } => (tree, |tree| tree.censuses += 1),
            Order::Forget { tree } => (tree, |tree| tree.forgotten = true),
        };
        match self.trees.get_mut(&tree) {
            Some(tree) => note(tree),
            // It never came about, or is empty already.
            None => match order {
                Order::Kill { .. } | Order::AwaitEmpty { .. } => self.post.send(TreeEvent::Empty { tree }),
                Order::Census { .. } => self.post.send(TreeEvent::Members { tree, members: Vec::new() }),
                _ => {}
            },
        }
    }

    /// How long there is nothing to do but wait; none: until something happens.
    fn pause(&self, now: Instant) -> Option<Duration> {
        let wants = self.trees.values().filter_map(|tree| match (&tree.stage, &tree.kill) {
            (Stage::Due { at, .. }, _) => Some(*at).filter(|_| self.standstill.is_none()),
            (Stage::Running { pidfd: None }, _) if self.child_signals.is_none() => Some(now + ASK),
            (_, Some(kill)) => Some(kill.round_at),
            (Stage::Ended, None) if !self.adopts && tree.wants_end() => Some(tree.look.0),
            _ => None,
        });
        wants.chain(self.look_again).min().map(|at| at.saturating_duration_since(now))
    }

    /// Waits for something to happen, at most that long.
    pub(super) fn wait(&self, pause: Option<Duration>) -> Vec<Token> {
        let mut events = [EpollEvent::empty(); 64];
        let timeout = match pause {
            None => EpollTimeout::NONE,
            // Rounded up: waking a little early would spin until the moment has come.
            Some(pause) => EpollTimeout::try_from(pause.as_micros().div_ceil(1000).min(60_000) as i32).unwrap_or(EpollTimeout::ZERO),
        };
        let count = self.epoll.wait(&mut events, timeout).unwrap_or(0);
        let mut tokens: Vec<Token> = events[..count].iter().map(|event| Token::unpack(event.data())).collect();
        // A verdict is heard before the end it may have led to.
        tokens.sort_by_key(|token| matches!(token, Token::Children | Token::Ended(_)));
        tokens
    }

    pub(super) fn heed(&mut self, token: Token) {
        match token {
            Token::Orders => {}
            Token::Inside => self.namespace.iter().for_each(Namespace::silence),
            Token::Verdict(pid) => self.hear_verdict(pid),
            Token::Children => self.reap_all(),
            Token::Ended(pid) => self.reap_leader(pid),
        }
    }

    pub(super) fn watch(&self, fd: impl AsFd, token: Token) -> Result<(), Errno> {
        self.epoll.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token.pack()))
    }
}
