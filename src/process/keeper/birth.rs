//! Starting programs: fork and exec, what came of it, and another attempt where something was only busy.

use std::{
    ffi::{CString, OsStr},
    io::ErrorKind,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    time::{Duration, Instant},
};

use nix::{errno::Errno, sys::wait::waitpid, unistd::Pid};
use rustix::process::{PidfdFlags, pidfd_open};

use super::{
    Household, Keeper, Post,
    run_loop::Token,
    tree::{Stage, Tree},
};
use crate::{
    model::Signal,
    process::{
        Launch, SpawnError, TreeEvent, TreeId,
        cgroup::TreeGroup,
        exec::{self, Birthplace, Program, Step},
        limits,
        lookup::explain_exec,
        mark,
        namespace::Namespace,
        procfs, signal,
        tree::Identity,
        watcher::Slot,
    },
};

/// A program that is still being written, or a machine that is out of something for a moment, gets this many attempts…
const ATTEMPTS: u32 = 10;
/// …this far apart (as Buck2 does it).
const PAUSE: Duration = Duration::from_millis(50);

impl<P: Post> Keeper<P> {
    pub(super) fn spawn(&mut self, tree: TreeId, launch: Box<Launch>) {
        if self.trees.contains_key(&tree) {
            let error = SpawnError::System { program: launch.program, step: format!("{tree} is in use"), errno: Errno::EEXIST as i32 };
            return self.post.send(TreeEvent::SpawnFailed { tree, error });
        }
        let tag = self.tags.take(tree);
        let slot = match &self.household {
            Household::Guest(board) => board.claim(tag.unwrap_or(0)),
            Household::Own => None,
        };
        let mut young = Tree::new(Stage::Ended, tag, slot);
        let refused = self.group_for(tree, &launch).map(|group| young.group = group).err();
        self.trees.insert(tree, young);
        match refused {
            None => self.attempt(tree, launch, 1),
            Some(error) => self.give_up(tree, error),
        }
    }

    /// The control group of a new tree, if trees have such, with its limits.
    fn group_for(&self, tree: TreeId, launch: &Launch) -> Result<Option<TreeGroup>, SpawnError> {
        let refused = |step: &str, errno| SpawnError::System { program: launch.program.clone(), step: step.to_owned(), errno };
        let no_cpu = || refused("limits.cpu takes a cgroup with the `cpu` controller", Errno::ENOTSUP as i32);
        let Some(run) = &self.group else {
            return if launch.limits.cpu.is_some() { Err(no_cpu()) } else { Ok(None) };
        };
        run.tree(tree, &launch.limits).map(Some).map_err(|error| match error.kind() {
            ErrorKind::Unsupported => no_cpu(),
            _ => refused("making its control group", error.raw_os_error().unwrap_or(Errno::EIO as i32)),
        })
    }

    /// Starts again what has waited long enough. What is to be killed is not started any more.
    pub(super) fn start_due(&mut self, now: Instant) {
        let due: Vec<TreeId> = self
            .trees
            .iter()
            .filter(|(_, tree)| matches!(tree.stage, Stage::Due { at, .. } if at <= now || tree.kill.is_some()))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let Some(tree) = self.trees.get_mut(&id) else { continue };
            if let Stage::Due { launch, attempts, .. } = std::mem::replace(&mut tree.stage, Stage::Ended) {
                if tree.kill.is_some() {
                    self.give_up(id, SpawnError::Busy { path: launch.program, attempts });
                } else {
                    self.attempt(id, launch, attempts + 1);
                }
            }
        }
    }

    fn attempt(&mut self, id: TreeId, launch: Box<Launch>, attempts: u32) {
        let Some(tree) = self.trees.get(&id) else { return };
        let program = match self.prepare(id, &launch, tree) {
            Ok(program) => program,
            Err(error) => return self.give_up(id, error),
        };
        let stdin = launch.stdin.as_ref().unwrap_or(&self.null);
        let place = Birthplace { group: tree.group.as_ref().map(AsFd::as_fd), mounts: self.namespace.as_ref().map(Namespace::mounts) };
        match exec::start(&program, [stdin.as_fd(), launch.stdout.as_fd(), launch.stderr.as_fd()], place) {
            Ok((pid, verdict)) => self.forked(id, pid, verdict, launch, attempts),
            Err(errno) => self.system_refused(id, launch, attempts, "fork", errno),
        }
    }

    fn forked(&mut self, id: TreeId, pid: u32, verdict: OwnedFd, launch: Box<Launch>, attempts: u32) {
        // Until it is reaped the pid is its own, so its start time cannot be another's.
        let leader = Identity { pid, start: procfs::stat(pid).map_or(0, |stat| stat.id.start) };
        self.leaders.insert(pid, id);
        self.known.insert(leader, id);
        let watched = self.watch(&verdict, Token::Verdict(pid));
        if let Some(tree) = self.trees.get_mut(&id) {
            tree.leader = Some(leader);
            tree.stage = Stage::Starting { launch, attempts, verdict, said: Vec::new() };
        }
        if watched.is_err() {
            self.hear_verdict(pid);
        }
    }

    /// Reads what the child has to say about its `exec`. Silence until the pipe ends means that all went well.
    pub(super) fn hear_verdict(&mut self, pid: u32) {
        let Some(id) = self.leaders.get(&pid).copied() else { return };
        if self.has_spoken(id) {
            self.judge(id, pid, false);
        }
    }

    /// Whether the verdict is complete.
    pub(super) fn has_spoken(&mut self, id: TreeId) -> bool {
        let Some(Stage::Starting { verdict, said, .. }) = self.trees.get_mut(&id).map(|tree| &mut tree.stage) else { return false };
        let mut buffer = [0; 16];
        loop {
            match rustix::io::read(&*verdict, &mut buffer) {
                Ok(0) => return true,
                Ok(n) => said.extend_from_slice(&buffer[..n]),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return false,
                Err(_) => return true,
            }
        }
    }

    /// Acts on the verdict of a starting tree; false if its program was not started. `reaped`: the child is gone already.
    pub(super) fn judge(&mut self, id: TreeId, pid: u32, reaped: bool) -> bool {
        let Some(tree) = self.trees.get_mut(&id) else { return false };
        let (launch, attempts, verdict, said) = match std::mem::replace(&mut tree.stage, Stage::Ended) {
            Stage::Starting { launch, attempts, verdict, said } => (launch, attempts, verdict, said),
            other => {
                tree.stage = other;
                return true;
            }
        };
        _ = self.epoll.delete(&verdict);
        let Err((step, errno)) = exec::verdict(&said) else {
            // Dropping the launch closes our ends of its pipes: from here on their end is the tree's to bring about.
            drop(launch);
            self.runs(id, pid);
            return true;
        };
        if let Some(leader) = tree.leader.filter(|_| !reaped) {
            end_and_reap(leader);
        }
        self.drop_leader(id, pid);
        match (step, Errno::from_raw(errno)) {
            (Step::Exec, Errno::ETXTBSY) if attempts < ATTEMPTS => self.try_later(id, launch, attempts),
            (Step::Exec, Errno::ETXTBSY) => self.give_up(id, SpawnError::Busy { path: launch.program, attempts }),
            // Only `execve` fails so for want of processes: the limit is checked there, too.
            (Step::Exec, Errno::EAGAIN | Errno::ENOMEM) => self.system_refused(id, launch, attempts, "execve", Errno::from_raw(errno)),
            (Step::Exec, _) => self.give_up(id, explain_exec(&launch.program, errno)),
            (Step::Cwd, _) => self.give_up(id, SpawnError::WorkingDirectory { cwd: launch.cwd, errno }),
            (step, errno) => self.system_refused(id, launch, attempts, step.call(), errno),
        }
        false
    }

    fn runs(&mut self, id: TreeId, pid: u32) {
        let pidfd = match self.household {
            Household::Own => None,
            Household::Guest(_) => {
                let pid = rustix::process::Pid::from_raw(pid.cast_signed());
                pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
            }
        };
        if let Some(pidfd) = &pidfd {
            _ = self.watch(pidfd, Token::Ended(pid));
        }
        if let Some(tree) = self.trees.get_mut(&id) {
            tree.stage = Stage::Running { pidfd };
        }
        self.post.send(TreeEvent::Spawned { tree: id, pid });
    }

    fn system_refused(&mut self, id: TreeId, launch: Box<Launch>, attempts: u32, step: &str, errno: Errno) {
        let error = SpawnError::System { program: launch.program.clone(), step: step.to_owned(), errno: errno as i32 };
        if error.is_transient() && attempts < ATTEMPTS { self.try_later(id, launch, attempts) } else { self.give_up(id, error) }
    }

    fn try_later(&mut self, id: TreeId, launch: Box<Launch>, attempts: u32) {
        if let Some(tree) = self.trees.get_mut(&id) {
            tree.stage = Stage::Due { at: Instant::now() + PAUSE, launch, attempts };
        }
    }

    /// It will not be started: nothing of it is left, and whoever waits for that hears so.
    fn give_up(&mut self, id: TreeId, error: SpawnError) {
        let tree = self.remove(id);
        self.post.send(TreeEvent::SpawnFailed { tree: id, error });
        if tree.is_some_and(|tree| tree.awaited || tree.kill.is_some()) {
            self.post.send(TreeEvent::Empty { tree: id });
        }
    }

    fn prepare(&self, id: TreeId, launch: &Launch, tree: &Tree) -> Result<Program, SpawnError> {
        let text =
            |what: &dyn Fn() -> String, bytes: &OsStr| CString::new(bytes.as_bytes()).map_err(|_| SpawnError::NulByte { what: what() });
        let mut argv = Vec::with_capacity(launch.argv.len());
        for (n, argument) in launch.argv.iter().enumerate() {
            argv.push(text(&|| format!("argument {n}"), OsStr::new(argument))?);
        }
        let mut env = vec![text(&String::new, OsStr::new(&format!("{}{}", self.marker, id.0)))?];
        for (name, value) in &launch.env {
            if name.as_bytes() != mark::VARIABLE.as_bytes() {
                let pair = [name.as_bytes(), b"=", value.as_bytes()].concat();
                env.push(text(&|| format!("the variable {}", name.display()), OsStr::from_bytes(&pair))?);
            }
        }
        Ok(Program {
            path: text(&|| "the program's path".to_owned(), launch.program.as_os_str())?,
            argv,
            env,
            cwd: text(&|| "the working directory".to_owned(), launch.cwd.as_os_str())?,
            limits: limits::in_child(&launch.limits, tree.tag, self.open_files),
            tty: launch.tty,
            pid_cell: tree.slot.map(Slot::leader),
        })
    }
}

/// Reaps a child that has said its last word and only has to exit. With a KILL, lest this waits for ever for one that
/// somebody has stopped between the two.
fn end_and_reap(child: Identity) {
    _ = signal::send(child, Signal::KILL);
    while waitpid(Pid::from_raw(child.pid.cast_signed()), None) == Err(Errno::EINTR) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::freeze::have_stopped;

    #[test]
    fn a_child_that_was_stopped_on_its_way_out_is_not_waited_for() {
        #[expect(clippy::zombie_processes, reason = "it is reaped by what is tested")]
        let child = std::process::Command::new("sleep").arg("3600").spawn().expect("sleep exists");
        let child = procfs::stat(child.id()).expect("it lives").id;
        signal::send(child, Signal(nix::libc::SIGSTOP)).expect("it is ours");
        assert!(have_stopped(vec![child], Duration::from_secs(20)));
        let (done, is_done) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            end_and_reap(child);
            done.send(()).expect("the test waits");
        });
        let reaped = is_done.recv_timeout(Duration::from_secs(20));
        // Nobody is to be left, whatever comes of it.
        _ = signal::send(child, Signal::KILL);
        assert_eq!(reaped, Ok(()));
        assert_eq!(procfs::stat(child.pid).filter(|stat| stat.id == child), None);
    }
}
