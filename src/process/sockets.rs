//! Who listens on a port: from `/proc/net/tcp` to the socket's inode to the process that holds it open.

use std::{collections::HashSet, fmt, fs, os::unix::fs::MetadataExt};

use super::procfs;

/// Tables of the kernel, and the state in them that counts.
struct Tables {
    files: [&'static str; 2],
    state: &'static str,
}

/// Sockets in `TCP_LISTEN`.
const STREAMS: Tables = Tables { files: ["/proc/net/tcp", "/proc/net/tcp6"], state: "0A" };
/// Sockets in `TCP_ESTABLISHED`.
const CONNECTIONS: Tables = Tables { files: ["/proc/net/tcp", "/proc/net/tcp6"], state: "01" };
/// Bound and connected to nobody.
const DATAGRAMS: Tables = Tables { files: ["/proc/net/udp", "/proc/net/udp6"], state: "07" };

/// A process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// The process; none if it belongs to another user and cannot be looked into.
    pub pid: Option<u32>,
    /// Its command line, capped.
    pub command: String,
}

impl fmt::Display for Listener {
    /// `pid 4711 (nginx: master process)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "pid {pid} ({})", self.command),
            None => f.write_str("a process of another user"),
        }
    }
}

/// Whose a listening socket is, seen from the tree of a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The leader itself.
    Leader,
    /// Another process of its tree.
    Member {
        /// Which.
        pid: u32,
    },
    /// Somebody else.
    Foreign {
        /// Who.
        pid: u32,
    },
    /// Somebody who cannot be looked into: a process of another user, or one that does not let itself be watched.
    Hidden {
        /// Whether nobody in the tree runs as the socket's user: then it is a stranger's.
        other_user: bool,
    },
    /// Nobody listens.
    Nobody,
}

/// Everybody who listens on `port`, on any address of this network namespace.
pub fn listeners(port: u16) -> Vec<Listener> {
    let inodes = inodes(&entries(&STREAMS, port));
    if inodes.is_empty() {
        return Vec::new();
    }
    let holders: Vec<_> = procfs::table().iter().map(|stat| stat.id.pid).filter(|&pid| holds(pid, &inodes)).collect();
    if holders.is_empty() {
        return vec![Listener { port, pid: None, command: String::new() }];
    }
    holders.into_iter().map(|pid| Listener { port, pid: Some(pid), command: procfs::command(pid) }).collect()
}

/// Whether anybody listens on `port`, in this network namespace.
pub fn is_listened_on(port: u16) -> bool {
    !entries(&STREAMS, port).is_empty()
}

/// A process that holds the end of a connection whose port is `port`; none if it is gone, or of another user.
pub fn connected_from(port: u16) -> Option<u32> {
    let inodes = inodes(&entries(&CONNECTIONS, port));
    let holds_it = |&pid: &u32| !inodes.is_empty() && holds(pid, &inodes);
    procfs::table().iter().map(|stat| stat.id.pid).find(holds_it)
}

/// Whose the listener on `port` is. A member of the tree wins over a stranger: a socket may be shared. Where nobody listens
/// a datagram socket of the tree counts: not every port is one of TCP.
pub fn owner(port: u16, leader: u32) -> Owner {
    match owner_in(&entries(&STREAMS, port), leader) {
        Owner::Nobody => match owner_in(&entries(&DATAGRAMS, port), leader) {
            own @ (Owner::Leader | Owner::Member { .. }) => own,
            _ => Owner::Nobody,
        },
        owner => owner,
    }
}

fn owner_in(sockets: &[Entry], leader: u32) -> Owner {
    let inodes = inodes(sockets);
    if inodes.is_empty() {
        return Owner::Nobody;
    }
    if holds(leader, &inodes) {
        return Owner::Leader;
    }
    let holders: Vec<u32> = procfs::table().iter().map(|stat| stat.id.pid).filter(|&pid| holds(pid, &inodes)).collect();
    let own = holders.iter().find(|&&pid| same_tree(pid, leader));
    match (own, holders.first()) {
        (Some(&pid), _) => Owner::Member { pid },
        (None, Some(&pid)) => Owner::Foreign { pid },
        (None, None) => {
            // One of the tree that cannot be looked into (started through sudo, say) runs as the socket's user at least.
            let may_be =
                |pid: u32| user_of(pid).is_some_and(|uid| sockets.iter().any(|socket| socket.uid == uid)) && same_tree(pid, leader);
            Owner::Hidden { other_user: !may_be(leader) && !procfs::table().iter().any(|stat| may_be(stat.id.pid)) }
        }
    }
}

/// Whose the process is; none if it is gone.
fn user_of(pid: u32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|meta| meta.uid())
}

/// Whether `pid` is of the tree that `leader` leads: by its tag, which daemons keep too, else by session or ancestry.
pub fn same_tree(pid: u32, leader: u32) -> bool {
    let tag = procfs::message_queue_limit(leader);
    if tag.is_some() && tag != procfs::message_queue_limit(std::process::id()) {
        return procfs::message_queue_limit(pid) == tag;
    }
    let mut at = pid;
    for _ in 0..64 {
        match procfs::stat(at) {
            Some(stat) if stat.session == leader || stat.ppid == leader => return true,
            Some(stat) if stat.ppid > 1 => at = stat.ppid,
            _ => return false,
        }
    }
    false
}

/// A socket in one of the kernel's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    inode: u64,
    uid: u32,
}

fn inodes(sockets: &[Entry]) -> HashSet<u64> {
    sockets.iter().map(|socket| socket.inode).collect()
}

fn entries(tables: &Tables, port: u16) -> Vec<Entry> {
    let texts = tables.files.iter().filter_map(|table| fs::read_to_string(table).ok());
    texts.flat_map(|text| entries_in(&text, port, tables.state)).collect()
}

/// A table's sockets on `port` in `state`. See proc(5): `sl local_address rem_address st … uid timeout inode`.
fn entries_in(table: &str, port: u16, wanted: &str) -> Vec<Entry> {
    let row = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let local = fields.nth(1)?;
        let state = fields.nth(1)?;
        let uid = fields.nth(3)?.parse().ok()?;
        let inode = fields.nth(1)?.parse().ok()?;
        let here = u16::from_str_radix(local.rsplit(':').next()?, 16).ok()? == port;
        (here && state == wanted).then_some(Entry { inode, uid })
    };
    table.lines().skip(1).filter_map(row).collect()
}

/// Whether `pid` has one of these sockets open.
fn holds(pid: u32, inodes: &HashSet<u64>) -> bool {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fd")) else { return false };
    descriptors.flatten().any(|entry| {
        let Ok(target) = fs::read_link(entry.path()) else { return false };
        let inode = target.to_str().and_then(|t| t.strip_prefix("socket:[")).and_then(|t| t.strip_suffix(']'));
        inode.and_then(|n| n.parse().ok()).is_some_and(|inode| inodes.contains(&inode))
    })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_listener_is_found_with_its_process() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let own = std::process::id();
        assert!(listeners(port).iter().any(|l| l.pid == Some(own)));
        assert_eq!(owner(port, own), Owner::Leader);
        assert_eq!(owner(port, u32::MAX / 2), Owner::Foreign { pid: own }, "the tree of somebody who never was");
        drop(listener);
        assert_eq!(owner(port, own), Owner::Nobody);
    }

    #[test]
    fn the_end_of_a_connection_has_a_holder() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        assert!(is_listened_on(port));
        let client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        let from = client.local_addr().expect("it is connected").port();
        assert_eq!(connected_from(from), Some(std::process::id()));
        drop(listener);
        assert!(!is_listened_on(port));
    }

    #[test]
    fn a_datagram_socket_of_the_tree_counts_and_a_strangers_does_not() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let port = socket.local_addr().expect("it is bound").port();
        assert_eq!(owner(port, std::process::id()), Owner::Leader);
        assert_eq!(owner(port, u32::MAX / 2), Owner::Nobody);
    }

    #[test]
    fn only_listening_sockets_of_that_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:4E21 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1\n\
            1: 0100007F:4E21 0100007F:8000 01 00000000:00000000 00:00000000 00000000     0        0 888 1\n\
            2: 0100007F:4E22 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 999 1\n";
        assert_eq!(entries_in(table, 20_001, "0A"), [Entry { inode: 777, uid: 0 }]);
    }
}
