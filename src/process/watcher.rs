//! The last line of defence for a program that uses this as a library: a process that outlives it by a moment.
//!
//! A test program can be SIGKILLed. Its direct children then die by their death signal, but theirs do not. So the spawner
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
/// How long the watcher goes on killing.
const ROUNDS: u32 = 1000;

/// Which trees live, in memory that a forked watcher shares.
#[derive(Clone, Copy)]
pub(crate) struct Board {
    /// Two numbers a slot: the leader's pid (0: free) and the tree's tag (0: none).
    slots: &'static [AtomicU64],
}

impl Board {
    pub(crate) fn new() -> Result<Self, Errno> {
        Ok(Self { slots: exec::shared_numbers(2 * SLOTS)? })
    }

    pub(crate) fn enter(&self, pid: u32, tag: u64) {
        // Only the keeper's thread writes, so a free slot stays free until it is taken here.
        if let Some([slot_pid, slot_tag]) = self.pairs().find(|[slot_pid, _]| slot_pid.load(Ordering::Relaxed) == 0) {
            slot_tag.store(tag, Ordering::Relaxed);
            slot_pid.store(u64::from(pid), Ordering::Release);
        }
    }

    pub(crate) fn leave(&self, pid: u32) {
        if let Some([slot_pid, _]) = self.pairs().find(|[slot_pid, _]| slot_pid.load(Ordering::Relaxed) == u64::from(pid)) {
            slot_pid.store(0, Ordering::Release);
        }
    }

    fn pairs(&self) -> impl Iterator<Item = [&AtomicU64; 2]> {
        self.slots.as_chunks::<2>().0.iter().map(|[pid, tag]| [pid, tag])
    }

    /// Whether a process of that session and tag is in a tree, and whether its session alone proves it.
    fn find(&self, session: u32, tag: Option<u64>) -> Option<bool> {
        let mut tagged = None;
        for [slot_pid, slot_tag] in self.pairs() {
            let pid = slot_pid.load(Ordering::Acquire);
            let slot_tag = slot_tag.load(Ordering::Relaxed);
            if pid != 0 && (slot_tag == 0 || tag == Some(slot_tag)) {
                if pid == u64::from(session) {
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

/// Forks the watcher. It acts when the last copy of the returned descriptor is closed.
pub(crate) fn watch(board: Board, marker: &str) -> Result<(u32, OwnedFd), Errno> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    let pid = exec::fork_only(reader.as_fd(), || {
        // SAFETY-relevant for `fork_only`: no allocation, no lock, no panic from here on.
        _ = rustix::thread::set_name(c"e2e-tui-watcher");
        await_end(rustix::stdio::stdin());
        for _ in 0..ROUNDS {
            if kill_all_on(board, marker.as_bytes()) == 0 {
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

/// Sends KILL to everybody who belongs to a tree on the board, and counts them.
pub(crate) fn kill_all_on(board: Board, marker: &[u8]) -> usize {
    let Ok(proc_dir) = openat(CWD, c"/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) else { return 0 };
    let mut buffer = [MaybeUninit::uninit(); 8192];
    let mut dir = RawDir::new(proc_dir, &mut buffer);
    let mut killed = 0;
    while let Some(Ok(entry)) = dir.next() {
        let Some(pid) = digits(entry.file_name().to_bytes()).filter(|pid| *pid > 1) else { continue };
        let Some((session, alive)) = session_of(pid) else { continue };
        let proven = match board.find(session, tag_of(pid)) {
            Some(by_session) => by_session || has_marker(pid, marker),
            None => false,
        };
        if alive && proven && exec::signal_pid(pid, false, Signal::KILL).is_ok() {
            killed += 1;
        }
    }
    killed
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
        board.enter(20, 7);
        board.enter(30, 0);
        assert_eq!(board.find(20, Some(7)), Some(true));
        assert_eq!(board.find(99, Some(7)), Some(false), "in another session: the marker must prove it");
        assert_eq!(board.find(20, Some(8)), None, "a stranger's session of that number");
        assert_eq!(board.find(30, None), Some(true), "a tree without a tag");
        board.leave(20);
        assert_eq!(board.find(20, Some(7)), None);
        board.enter(40, 9);
        assert_eq!(board.find(40, Some(9)), Some(true), "the slot is used again");
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
