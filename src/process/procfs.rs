//! Readings of `/proc`, with as few calls and allocations as it takes: a sweep reads hundreds of these files.

use std::{ffi::CStr, mem::MaybeUninit, os::fd::AsFd};

use rustix::{
    fs::{CWD, Mode, OFlags, RawDir, openat},
    io,
};

use super::tree::{Identity, Stat, Table};
use crate::model::Signal;

/// How much of a command line is kept.
const COMMAND_CAP: usize = 200;
/// How often a listing is repeated at most: on a machine where everybody forks all the time somebody is always new.
const RELISTINGS: u32 = 10;

/// `/proc/PID/FILE` as a C string, without allocating.
struct Name([u8; 48]);

impl Name {
    fn new(pid: u32, file: &str) -> Self {
        use std::io::Write;
        let mut name = [0; 48];
        // Too long a name is cut and then simply not found.
        _ = write!(&mut name[..47], "/proc/{pid}/{file}");
        Self(name)
    }

    fn as_cstr(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.0).unwrap_or(c"")
    }
}

/// Reads at most `buffer.len()` bytes of `/proc/PID/FILE`. One read: the kernel makes these texts whole, and asking again
/// whether that was all costs as much as the answer.
fn read<'b>(pid: u32, file: &str, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
    let fd = openat(CWD, Name::new(pid, file).as_cstr(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = io::read(fd.as_fd(), &mut *buffer)?;
    Ok(&buffer[..length])
}

/// What `/proc/PID/stat` tells; none if there is no such process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    Stat::parse(read(pid, "stat", &mut [0; 1024]).ok()?)
}

/// The whole process table.
///
/// A process that lives for a millisecond and leaves a successor could hop over a single reading for ever: listed, and gone
/// when its file is opened. So the listing is repeated until it shows nobody new.
pub(crate) fn table() -> Table {
    let mut all = Vec::new();
    newcomers(&mut Vec::new(), RELISTINGS, |stat| all.push(stat));
    Table::new(all)
}

/// Tells of everybody who is not in `listed`, as soon as they are found, until a listing shows nobody new, at most `most`
/// times. `listed` is the last listing then.
pub(crate) fn newcomers(listed: &mut Vec<u32>, most: u32, mut found: impl FnMut(Stat)) {
    for _ in 0..most {
        let Ok(again) = list() else { return };
        let mut news = again.iter().filter(|pid| listed.binary_search(pid).is_err()).peekable();
        if news.peek().is_none() {
            return;
        }
        news.filter_map(|pid| stat(*pid)).for_each(&mut found);
        *listed = again;
    }
}

/// All pids, ascending.
pub(crate) fn list() -> io::Result<Vec<u32>> {
    let fd = openat(CWD, c"/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let mut buffer = [MaybeUninit::uninit(); 16 * 1024];
    let mut dir = RawDir::new(fd, &mut buffer);
    let mut pids = Vec::with_capacity(256);
    while let Some(entry) = dir.next() {
        pids.extend(entry?.file_name().to_str().ok().and_then(|name| name.parse::<u32>().ok()));
    }
    pids.sort_unstable();
    Ok(pids)
}

/// The processes whose parent is the calling thread; none if the kernel does not tell
/// (`CONFIG_PROC_CHILDREN` is off) or the list is so long that it was cut.
pub(crate) fn children_of_this_thread() -> Option<Vec<u32>> {
    let tid = rustix::thread::gettid().as_raw_nonzero().get();
    let text = std::fs::read_to_string(format!("/proc/self/task/{tid}/children")).ok()?;
    text.split_ascii_whitespace().map(|pid| pid.parse().ok()).collect()
}

/// The processes whose parent is the first thread of `pid`; none where they cannot be told, as above.
pub(crate) fn children_of(pid: u32) -> Option<Vec<u32>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_ascii_whitespace().map(|pid| pid.parse().ok()).collect()
}

/// The soft limit on POSIX message queues, in bytes: where trees carry their tag. None if there is no such process, or no limit.
pub(crate) fn message_queue_limit(pid: u32) -> Option<u64> {
    soft_message_queue_limit(read(pid, "limits", &mut [0; 4096]).ok()?)
}

/// The same, in the text of `/proc/PID/limits`.
pub(crate) fn soft_message_queue_limit(limits: &[u8]) -> Option<u64> {
    let line = limits.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"Max msgqueue size"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Whether the environment that the process was started with contains `marker`.
pub(crate) fn environment_contains(pid: u32, marker: &[u8]) -> bool {
    memchr::memmem::find(&environment(pid), marker).is_some()
}

/// The environment that the process was started with, as the kernel has it: empty in the middle of an `exec`, and cut short
/// where one comes in between two reads, of which only environments beyond 64 KiB take more than one.
pub(crate) fn environment(pid: u32) -> Vec<u8> {
    let mut environment = Vec::new();
    let Ok(fd) = openat(CWD, Name::new(pid, "environ").as_cstr(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return environment;
    };
    let mut piece = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = io::read(&fd, &mut *piece) {
        environment.extend_from_slice(&piece[..length]);
    }
    environment
}

/// Whether a process has its environment yet: in the midst of an `exec` it has none, and nobody can say what it will be. One
/// that may not be looked into (it runs as somebody else) never seems to have any.
pub(crate) fn has_environment(pid: u32) -> bool {
    let mut buffer = [0; 1024];
    let line = String::from_utf8_lossy(read(pid, "stat", &mut buffer).unwrap_or_default()).into_owned();
    // `proc_pid_stat(5)`: the first field after the name is number 3, the end of the environment 51.
    let end = line.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(48)?.parse::<u64>().ok());
    end.is_some_and(|end| end != 0)
}

/// The command line as people read it, capped; `[name]` if it has none; `?` if there is no such process.
pub(crate) fn command(pid: u32) -> String {
    let mut buffer = [0; 4096];
    let line = read(pid, "cmdline", &mut buffer).unwrap_or_default();
    let words = line.strip_suffix(b"\0").unwrap_or(line);
    if words.is_empty() {
        let name = name(pid);
        return if name == "?" { name } else { format!("[{name}]") };
    }
    let text: String = String::from_utf8_lossy(words).chars().map(|c| if c == '\0' { ' ' } else { c }).collect();
    match text.char_indices().nth(COMMAND_CAP) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Whether a process is on its way out: it has begun to let go of what it holds, and will not run again.
pub(crate) fn is_exiting(pid: u32) -> bool {
    /// `PF_EXITING` of the kernel.
    const EXITING: u32 = 4;
    let mut buffer = [0; 1024];
    let line = String::from_utf8_lossy(read(pid, "stat", &mut buffer).unwrap_or_default()).into_owned();
    // `proc_pid_stat(5)`: the first field after the name is number 3, this one 9.
    let flags = line.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(6)?.parse::<u32>().ok());
    flags.is_none_or(|flags| flags & EXITING != 0)
}

/// The process group that has the terminal of `pid`'s session in front; none if there is no such process, or no terminal.
pub(crate) fn foreground_group(pid: u32) -> Option<u32> {
    let mut buffer = [0; 1024];
    let line = String::from_utf8_lossy(read(pid, "stat", &mut buffer).ok()?).into_owned();
    // `proc_pid_stat(5)`: the first field after the name is number 3, this one 8.
    line.rsplit_once(')')?.1.split_ascii_whitespace().nth(5)?.parse().ok().filter(|group| *group > 0)
}

/// Whether this process was started with `signal` ignored, or ignores it by now. Nobody has made it handle the signal then.
pub(crate) fn is_ignored(signal: Signal) -> bool {
    let mut buffer = [0; 4096];
    let status = String::from_utf8_lossy(read(std::process::id(), "status", &mut buffer).unwrap_or_default()).into_owned();
    let ignored = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    let bit = u32::try_from(signal.0 - 1).ok().and_then(|n| 1_u64.checked_shl(n)).unwrap_or(0);
    ignored.unwrap_or(0) & bit != 0
}

/// The name of the program it runs, for messages that must not show its arguments; `?` if there is no such process.
pub(crate) fn name(pid: u32) -> String {
    let mut buffer = [0; 64];
    let name = read(pid, "comm", &mut buffer).unwrap_or_default();
    if name.is_empty() { "?".to_owned() } else { String::from_utf8_lossy(name.trim_ascii_end()).into_owned() }
}

/// Who this process is.
pub(crate) fn myself() -> Identity {
    let pid = std::process::id();
    Identity { pid, start: stat(pid).map_or(0, |stat| stat.id.start) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_finds_itself() {
        let me = myself();
        let table = table();
        let found = table.iter().find(|stat| stat.id == me).expect("it runs");
        assert!(found.is_alive() && found.rss > 0);
        assert!(command(me.pid).contains("e2e_tui"), "{}", command(me.pid));
        assert!(has_environment(me.pid) && !has_environment(2) && !has_environment(u32::MAX), "2 is the kernel's, with nothing of its own");
        assert_eq!(stat(0), None);
        assert_eq!(command(u32::MAX), "?");
    }

    #[test]
    fn what_is_ignored_is_told_from_what_is_not() {
        // The runtime of Rust ignores SIGPIPE in every program.
        assert!(is_ignored(Signal(nix::libc::SIGPIPE)) && !is_ignored(Signal::KILL) && !is_ignored(Signal(0)));
    }

    #[test]
    fn children_and_limits_are_read() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().expect("sleep exists");
        let children = children_of_this_thread();
        let limit = message_queue_limit(child.id());
        child.kill().expect("it runs");
        child.wait().expect("it is ours");
        assert!(children.is_none_or(|all| all.contains(&child.id())));
        assert_eq!(limit, message_queue_limit(std::process::id()), "inherited");
        assert_eq!(message_queue_limit(child.id()), None, "gone");
    }
}
