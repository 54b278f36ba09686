//! The last line of defence for a program that uses this as a library: a process that outlives it by a moment.
//!
//! A test program can be killed by `SIGKILL`. Its direct children then die by their death signal, but theirs do not. So the spawner
//! forks a watcher that does nothing but wait for the end of a pipe whose other end only the program holds, and then kills
//! whatever is in a session, or carries a tag and the marker, of a tree on the [`Board`], a page of memory both share.
//!
//! It is forked out of a program with threads, so it may neither allocate nor lock: everything here is plain system calls
//! on buffers of its own stack.

use std::{
    ffi::CStr,
    io::Write,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use nix::errno::Errno;
use rustix::{
    fs::{CWD, Mode, OFlags, RawDir, openat},
    io,
};

use crate::model::Signal;

use super::exec;

/// How many trees a board has room for. What finds no room still has its death signal.
const SLOTS: usize = 2048;
/// How often the watcher looks at most.
const ROUNDS: u32 = 1000;
/// So many looks in a row must find nobody: one may miss a process that is just being born.
const CALM: u32 = 5;
/// So many looks may find somebody who carries a tag and nothing else: in the middle of its `exec` a process has no
/// environment, and one that goes on having none cannot be told from a stranger's.
const DOUBTS: usize = 200;

/// Which trees live, in memory that a forked watcher shares.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    /// Two numbers a slot: the leader's pid and the tree's tag (0: none).
    slots: &'static [AtomicU64],
}

/// A tree's place on a [`Board`].
#[derive(Clone, Copy)]
pub(crate) struct Slot(&'static [AtomicU64; 2]);

/// In the place of a pid: nobody has this slot.
const FREE: u64 = 0;
/// In the place of a pid: the tree is about to be forked.
const CLAIMED: u64 = 1;

impl Board {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { slots: exec::shared_numbers(2 * SLOTS)? })
    }

    /// A slot for a tree with this tag; none if all are taken. Only the keeper's thread claims.
    pub(crate) fn claim(&self, tag: u64) -> Option<Slot> {
        let free = self.pairs().find(|[pid, _]| pid.load(Ordering::Relaxed) == FREE)?;
        free[1].store(tag, Ordering::Relaxed);
        free[0].store(CLAIMED, Ordering::Release);
        Some(Slot(free))
    }

    fn pairs(&self) -> impl Iterator<Item = &'static [AtomicU64; 2]> {
        self.slots.as_chunks::<2>().0.iter()
    }

    /// Whether a process of that session and tag is in a tree, and whether its session alone proves it.
    fn find(&self, session: u32, tag: Option<u64>) -> Option<bool> {
        let mut tagged = None;
        for [slot_pid, slot_tag] in self.pairs() {
            let pid = slot_pid.load(Ordering::Acquire);
            let slot_tag = slot_tag.load(Ordering::Relaxed);
            if pid != FREE && (slot_tag == 0 || tag == Some(slot_tag)) {
                if pid != CLAIMED && pid == u64::from(session) {
                    return Some(true);
                }
                if slot_tag != 0 {
                    tagged = Some(false);
                }
            }
        }
        tagged
    }
}

impl Slot {
    /// Where the leader writes its pid, by itself and before anything else: the host can be killed right after the fork.
    pub(crate) fn leader(self) -> &'static AtomicU64 {
        &self.0[0]
    }

    pub(crate) fn release(self) {
        self.0[0].store(FREE, Ordering::Release);
    }
}

/// Forks the watcher. It acts when the last copy of the returned descriptor is closed.
pub(crate) fn watch(board: Board, marker: &str) -> Result<(u32, OwnedFd), Errno> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let pid = exec::fork_only(reader.as_fd(), || {
        // SAFETY-relevant for `fork_only`: no allocation, no lock, no panic from here on.
        _ = rustix::thread::set_name(c"e2e-tui-watcher");
        await_end(rustix::stdio::stdin());
        let (mut calm, mut doubts) = (0, 0);
        for _ in 0..ROUNDS {
            let Found { killed, doubtful } = kill_all_on(board, marker.as_bytes());
            calm = if killed > 0 || doubtful > 0 { 0 } else { calm + 1 };
            doubts = if killed > 0 { 0 } else { doubts + usize::from(doubtful > 0) };
            if calm == CALM || doubts == DOUBTS {
                break;
            }
            _ = rustix::thread::nanosleep(&rustix::fs::Timespec { tv_sec: 0, tv_nsec: 2_000_000 });
        }
    })?;
    Ok((pid, writer))
}

fn await_end(pipe: BorrowedFd<'_>) {
    let mut byte = [0];
    while matches!(io::read(pipe, &mut byte), Ok(1..) | Err(io::Errno::INTR)) {}
}

/// What one look has met.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) killed: usize,
    /// Tagged, but with neither session nor marker.
    doubtful: usize,
}

/// Sends KILL to everybody who belongs to a tree on the board.
pub(crate) fn kill_all_on(board: Board, marker: &[u8]) -> Found {
    let mut found = Found::default();
    let Ok(proc_dir) = openat(CWD, c"/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { return found };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut dir = RawDir::new(proc_dir, &mut buffer);
    while let Some(Ok(entry)) = dir.next() {
        let Some(pid) = digits(entry.file_name().to_bytes()).filter(|pid| *pid > 1) else { continue };
        let Some((session, true)) = session_of(pid) else { continue };
        let Some(by_session) = board.find(session, tag_of(pid)) else { continue };
        if !by_session && !has_marker(pid, marker) {
            found.doubtful += 1;
        } else if exec::signal_pid(pid, false, Signal::KILL).is_ok() {
            found.killed += 1;
        }
    }
    found
}

fn digits(name: &[u8]) -> Option<u32> {
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn open(pid: u32, file: &str) -> Option<OwnedFd> {
    let mut name = [0; 48];
    write!(&mut name[..47], "/proc/{pid}/{file}").ok()?;
    openat(CWD, CStr::from_bytes_until_nul(&name).ok()?, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).ok()
}

/// The session of a process and whether it lives.
fn session_of(pid: u32) -> Option<(u32, bool)> {
    let mut buffer = [0; 1024];
    let length = io::read(open(pid, "stat")?, &mut buffer).ok()?;
    let stat = super::tree::Stat::parse(buffer.get(..length)?)?;
    Some((stat.session, stat.is_alive()))
}

fn tag_of(pid: u32) -> Option<u64> {
    let mut buffer = [0; 4096];
    let length = io::read(open(pid, "limits")?, &mut buffer).ok()?;
    super::procfs::soft_message_queue_limit(buffer.get(..length)?)
}

/// Searches the environment in pieces that overlap by the marker's length.
fn has_marker(pid: u32, marker: &[u8]) -> bool {
    let Some(file) = open(pid, "environ") else { return false };
    let mut buffer = [0; 4096];
    let mut kept = 0;
    while let Ok(read @ 1..) = io::read(&file, &mut buffer[kept..]) {
        let length = kept + read;
        if buffer[..length].windows(marker.len()).any(|window| window == marker) {
            return true;
        }
        kept = (marker.len() - 1).min(length);
        buffer.copy_within(length - kept..length, 0);
    }
    false
}

/// How long the spawner waits for its watcher to end when it is dropped.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_knows_trees_by_session_and_by_tag() {
        let board = Board::new().expect("memory");
        assert_eq!(board.find(20, Some(7)), None);
        let slot = board.claim(7).expect("room");
        assert_eq!(board.find(20, Some(7)), Some(false), "forked, and nobody has written its pid yet");
        slot.leader().store(20, Ordering::Relaxed);
        board.claim(0).expect("room").leader().store(30, Ordering::Relaxed);
        assert_eq!(board.find(20, Some(7)), Some(true));
        assert_eq!(board.find(99, Some(7)), Some(false), "in another session: the marker must prove it");
        assert_eq!(board.find(20, Some(8)), None, "a stranger's session of that number");
        assert_eq!(board.find(30, None), Some(true), "a tree without a tag");
        slot.release();
        assert_eq!(board.find(20, Some(7)), None);
        let again = board.claim(9).expect("room");
        assert!(std::ptr::eq(again.0, slot.0), "the slot is used again");
        assert_eq!(board.find(1, None), None);
    }

    #[test]
    fn markers_are_found_across_the_border_of_two_pieces() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .env_clear()
            .env("A", "x".repeat(4080))
            .env("B", "needle-in-a-haystack")
            .spawn()
            .expect("sleep exists");
        let found = has_marker(child.id(), b"needle-in-a-haystack");
        let absent = has_marker(child.id(), b"needle-in-another");
        child.kill().expect("it runs");
        child.wait().expect("it is ours");
        assert!(found && !absent);
    }
}
