//! A real terminal for the real binary: a pty, a terminal emulator that reads it, and keys.

use std::{
    fs::File,
    io::{Read, Write},
    os::fd::{AsFd, OwnedFd},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use nix::{
    fcntl::{FcntlArg, FdFlag, fcntl},
    pty::{Winsize, openpty},
};

/// Long enough for a busy machine; nothing waits so long where all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal of its own.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    /// The terminal's settings before anything ran in it.
    pub(crate) before: String,
    master: Option<File>,
    /// Keeps the terminal's settings readable when the program is gone.
    slave: Option<OwnedFd>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// All bytes that came, for what an emulator does not keep.
    bytes: Arc<Mutex<Vec<u8>>>,
    stalled: Arc<AtomicBool>,
    /// The reader lets go of its descriptor: a vanished terminal is one whose every descriptor is closed.
    vanished: Arc<AtomicBool>,
}

/// Terminals are started one after another.
static SPAWN: Mutex<()> = Mutex::new(());

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Terminal {
    /// Starts `command` as the leader of a session whose controlling terminal this is.
    pub(crate) fn start(command: &Command, width: u16, height: u16) -> Self {
        // Descriptors of one test must not reach the children of another: a terminal that others hold never vanishes.
        let _turn = lock(&SPAWN);
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pty");
        for fd in [&pty.master, &pty.slave] {
            fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).expect("a flag");
        }
        let side = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        let mut session = Command::new("setsid");
        // A test runner may ignore signals that a terminal's programs rely on.
        session.args(["--ctty", "env", "--default-signal"]).arg(command.get_program()).args(command.get_args());
        session.env("TERM", "xterm-256color").env("LANG", "C.UTF-8").env_remove("NO_COLOR").env_remove("COLORTERM");
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => session.env(name, value),
                None => session.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            session.current_dir(dir);
        }
        let before = stty(&pty.slave, &["-a"]);
        let child = session.stdin(side()).stdout(side()).stderr(side()).spawn().expect("setsid of util-linux starts it");
        let master = File::from(pty.master);
        let screen = Arc::new(Mutex::new(vt100::Parser::new(height.try_into().expect("not zero"), width.try_into().expect("not zero"), 0)));
        let (bytes, stalled, vanished) = (Arc::default(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let copy = master.try_clone().expect("a descriptor");
        read_along(copy, screen.clone(), Arc::clone(&bytes), stalled.clone(), vanished.clone());
        Self { child, before, master: Some(master), slave: Some(pty.slave), screen, bytes, stalled, vanished }
    }

    /// Sends bytes as a keyboard would.
    pub(crate) fn send(&mut self, keys: &str) {
        // A program that has ended takes no keys; whoever waits for it will see that.
        let _ = self.master.as_mut().expect("the terminal is there").write_all(keys.as_bytes());
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        lock(&self.screen).screen().contents()
    }

    /// Looks at the emulator's picture.
    pub(crate) fn screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(lock(&self.screen).screen())
    }

    /// Everything that was written so far.
    pub(crate) fn written(&self) -> Vec<u8> {
        lock(&self.bytes).clone()
    }

    /// Whether the alternate screen was left since it was last taken.
    pub(crate) fn is_given_back(&self) -> bool {
        let written = self.written();
        let last = |what: &[u8]| written.windows(8).rposition(|bytes| bytes == what);
        last(b"\x1b[?1049l") > last(b"\x1b[?1049h")
    }

    /// How often the alternate screen was taken so far.
    pub(crate) fn taken(&self) -> usize {
        self.written().windows(8).filter(|bytes| bytes == b"\x1b[?1049h").count()
    }

    /// Waits until the screen holds `wanted`.
    pub(crate) fn wait_for(&self, wanted: &str) -> String {
        self.wait(&format!("{wanted:?}"), |text| text.contains(wanted))
    }

    /// Waits until something holds of the screen.
    pub(crate) fn wait(&self, what: &str, mut holds: impl FnMut(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if holds(&text) {
                return text;
            }
            assert!(Instant::now() < deadline, "{what} never came:\n{text}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for the program's end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("it can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.text());
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Gives the terminal another size; the program gets its signal.
    pub(crate) fn resize(&self, width: u16, height: u16) {
        if width > 0 && height > 0 {
            lock(&self.screen).screen_mut().set_size(height.try_into().expect("not zero"), width.try_into().expect("not zero"));
        }
        self.stty(&["rows", &height.to_string(), "cols", &width.to_string()]);
    }

    /// The same without waiting for anything, for storms. The emulator's own size stays as it is.
    pub(crate) fn resize_at_once(&self, width: u16, height: u16) {
        let size = rustix::termios::Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        rustix::termios::tcsetwinsize(self.slave.as_ref().expect("the terminal is there"), size).expect("a size");
    }

    /// The terminal's settings, as `stty` tells them.
    pub(crate) fn settings(&self) -> String {
        self.stty(&["-a"])
    }

    /// Sets the modes as a shell does when a program was stopped.
    pub(crate) fn cook(&self) {
        self.stty(&["sane"]);
    }

    fn stty(&self, args: &[&str]) -> String {
        stty(self.slave.as_ref().expect("the terminal is there"), args)
    }

    /// Nobody reads what the program writes, as when a window is frozen; or somebody does again.
    pub(crate) fn stall(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::SeqCst);
    }

    /// Whether it has room for what a program writes.
    pub(crate) fn takes_more(&self) -> bool {
        use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
        let slave = self.slave.as_ref().expect("the terminal is there");
        poll(&mut [PollFd::new(slave.as_fd(), PollFlags::POLLOUT)], PollTimeout::ZERO).expect("poll") > 0
    }

    /// The terminal vanishes.
    pub(crate) fn vanish(&mut self) {
        self.slave = None;
        self.vanished.store(true, Ordering::SeqCst);
        self.master = None;
    }

    /// CPU time that the program has used.
    pub(crate) fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        let ticks: u64 = [11, 12].iter().filter_map(|i| fields.get(*i)?.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    /// Resident memory of the program, in KiB.
    pub(crate) fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stalled.store(false, Ordering::SeqCst);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks `stty` about a terminal, or tells it to set something.
fn stty(terminal: &OwnedFd, args: &[&str]) -> String {
    let stdin = Stdio::from(terminal.try_clone().expect("a descriptor"));
    let output = Command::new("stty").args(args).stdin(stdin).output().expect("stty is there");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Reads what the program writes, unless the terminal is stalled; frames become visible whole, as in a terminal.
fn read_along(
    mut master: File,
    screen: Arc<Mutex<vt100::Parser>>,
    bytes: Arc<Mutex<Vec<u8>>>,
    stalled: Arc<AtomicBool>,
    vanished: Arc<AtomicBool>,
) {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    thread::spawn(move || {
        let mut buffer = vec![0; 65_536];
        let mut held = Vec::new();
        while !vanished.load(Ordering::SeqCst) {
            if stalled.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
                continue;
            }
            let mut fds = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, PollTimeout::from(20u16)).is_ok_and(|n| n == 0) {
                continue;
            }
            match master.read(&mut buffer) {
                Ok(0) | Err(_) => break,
                Ok(n) => {
                    lock(&bytes).extend_from_slice(&buffer[..n]);
                    held.extend_from_slice(&buffer[..n]);
                    let whole = whole_frames(&held);
                    lock(&screen).process(&held[..whole]);
                    held.drain(..whole);
                }
            }
        }
        lock(&screen).process(&held);
    });
}

/// How many of `bytes` a terminal that knows synchronized updates shows: nothing of a frame whose end has not come.
fn whole_frames(bytes: &[u8]) -> usize {
    let last = |mark: &[u8]| memchr::memmem::rfind(bytes, mark);
    match (last(b"\x1b[?2026h"), last(b"\x1b[?2026l")) {
        (Some(begun), ended) if ended.is_none_or(|ended| ended < begun) => begun,
        _ => bytes.len(),
    }
}
