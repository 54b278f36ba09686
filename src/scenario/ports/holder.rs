//! Who has a port, for the message of a port that is taken.
//!
//! The process room can say more about listeners; this room lies below it, and needs one sentence.

use std::{collections::HashSet, fs};

/// `pid 4711 (nginx: master process)`, as much as this user may know.
pub(super) fn of(port: u16) -> String {
    let sockets = sockets_on(port);
    if sockets.is_empty() {
        return "a connection that has just ended; it is free again within a minute".into();
    }
    let inodes: HashSet<String> = sockets.iter().map(|(inode, _)| format!("socket:[{inode}]")).collect();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut holders = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| holds(*pid, &inodes));
    match holders.next() {
        Some(pid) => format!("pid {pid} ({})", command(pid)),
        None => format!("a process of the user {}", sockets[0].1),
    }
}

/// Inode and user of each socket that is bound to `port` and no mere rest of a connection.
fn sockets_on(port: u16) -> Vec<(u64, u32)> {
    /// `TCP_TIME_WAIT` in the kernel's tables.
    const TIME_WAIT: &str = "06";
    let wanted = format!("{port:04X}");
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        for line in text.lines().skip(1) {
            let columns: Vec<_> = line.split_whitespace().collect();
            let [_, local, _, state, _, _, _, uid, _, inode, ..] = columns.as_slice() else { continue };
            let on_port = local.rsplit_once(':').is_some_and(|(_, p)| p == wanted);
            if on_port
                && *state != TIME_WAIT
                && let (Ok(inode @ 1..), Ok(uid)) = (inode.parse(), uid.parse())
            {
                found.push((inode, uid));
            }
        }
    }
    found
}

fn holds(pid: u32, inodes: &HashSet<String>) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|target| target.to_str().is_some_and(|t| inodes.contains(t)))
}

fn command(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<_> = line.split(|b| *b == 0).filter(|w| !w.is_empty()).map(String::from_utf8_lossy).collect();
    super::super::suggest::shown(&words.join(" "))
}
