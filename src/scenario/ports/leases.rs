//! Leases, and which port is given.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    ops::RangeInclusive,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{super::names::PortWish, holder, lockfile::LockFiles};

/// Where automatic ports come from, if the system's ephemeral range leaves it alone.
const PREFERRED: RangeInclusive<u16> = 20_001..=29_999;
/// Without a word of the kernel, its default.
const EPHEMERAL: RangeInclusive<u16> = 32_768..=60_999;

/// Which port is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortRequest {
    /// Any free one.
    Any,
    /// A free one of these.
    Within(RangeInclusive<u16>),
    /// This one.
    Exactly(u16),
}

impl From<&PortWish> for PortRequest {
    fn from(wish: &PortWish) -> Self {
        match wish {
            PortWish::Auto => Self::Any,
            PortWish::Within(range) => Self::Within(range.clone()),
            PortWish::Fixed(port) => Self::Exactly(*port),
        }
    }
}

/// Why a port could not be leased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    /// The lock file cannot be used.
    #[error("{path}: {why}")]
    LockFile {
        /// The file or its folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Somebody listens there.
    #[error("port {port} is taken by {who}")]
    Taken {
        /// The port.
        port: u16,
        /// `pid 4711 (nginx)`.
        who: String,
    },
    /// Another run has it.
    #[error("port {port} is leased by another run{}", pid.map_or_else(String::new, |pid| format!(" (pid {pid})")))]
    Leased {
        /// The port.
        port: u16,
        /// The other run's process.
        pid: Option<u32>,
    },
    /// The system does not allow it.
    #[error("port {port} cannot be bound: {why}")]
    Refused {
        /// The port.
        port: u16,
        /// The system's words.
        why: io::Error,
    },
    /// All are taken.
    #[error("no port from {} to {} is free", range.start(), range.end())]
    NoneFree {
        /// Where was looked.
        range: RangeInclusive<u16>,
    },
}

impl LeaseError {
    /// What to do.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::LockFile { .. } => Some("it must be a folder of yours that nobody else can write to".into()),
            Self::Taken { .. } => Some("end that program, or write \"auto\" for a port that is free".into()),
            Self::Leased { .. } => Some("wait for that run to end, or write \"auto\" for a port that is free".into()),
            Self::Refused { port: 1..=1023, .. } => Some("ports below 1024 belong to root".into()),
            Self::Refused { .. } => None,
            Self::NoneFree { .. } => Some("widen the range, or write \"auto\"".into()),
        }
    }
}

/// A source of leases. Each run has its own.
#[derive(Debug)]
pub struct Leases {
    files: Arc<LockFiles>,
    ephemeral: RangeInclusive<u16>,
    /// Where the next automatic port is looked for.
    next: u16,
}

/// A port that nobody else gets for as long as this lives.
#[derive(Debug)]
pub struct Lease {
    port: u16,
    files: Arc<LockFiles>,
}

impl Lease {
    /// Its number.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.files.release(self.port);
    }
}

impl Leases {
    /// With the lock files of this user: in `$XDG_RUNTIME_DIR/e2e-tui/` and in `/tmp/e2e-tui-UID/`.
    pub fn new() -> Result<Self, LeaseError> {
        Ok(Self::with(LockFiles::of_user()?))
    }

    /// With a lock file in another folder, which is made if it is not there.
    pub fn in_dir(dir: &Path) -> Result<Self, LeaseError> {
        Ok(Self::with(LockFiles::in_dir(dir)?))
    }

    fn with(files: LockFiles) -> Self {
        Self { files: Arc::new(files), ephemeral: ephemeral_range(), next: *PREFERRED.start() }
    }

    /// Leases a port.
    pub fn lease(&mut self, request: PortRequest) -> Result<Lease, LeaseError> {
        match request {
            PortRequest::Exactly(port) => self.exactly(port),
            PortRequest::Within(range) => {
                range.clone().find_map(|port| self.try_lease(port).transpose()).unwrap_or(Err(LeaseError::NoneFree { range }))
            }
            PortRequest::Any => self.any(),
        }
    }

    fn any(&mut self) -> Result<Lease, LeaseError> {
        // From the last one on, so that the ports of a run stand together; then from the start; then wherever there is one.
        let wide = 10_000..=65_535_u16;
        let first = (self.next..=*PREFERRED.end()).chain(PREFERRED).filter(|p| !self.ephemeral.contains(p));
        let second = wide.clone().filter(|p| !self.ephemeral.contains(p));
        // Where the whole machine is ephemeral, the lock and the trial bind are all there is.
        for port in first.chain(second).chain(wide.clone()) {
            if let Some(lease) = self.try_lease(port)? {
                self.next = port.saturating_add(1);
                return Ok(lease);
            }
        }
        Err(LeaseError::NoneFree { range: wide })
    }

    /// A lease, if the port is free.
    fn try_lease(&self, port: u16) -> Result<Option<Lease>, LeaseError> {
        if !self.files.acquire(port)? {
            return Ok(None);
        }
        let lease = Lease { port, files: Arc::clone(&self.files) };
        Ok(if is_free(port) { Some(lease) } else { None })
    }

    fn exactly(&self, port: u16) -> Result<Lease, LeaseError> {
        if !self.files.acquire(port)? {
            return Err(LeaseError::Leased { port, pid: self.files.holder(port) });
        }
        let lease = Lease { port, files: Arc::clone(&self.files) };
        // A connection that ended a moment ago does not count here, as it does not for servers.
        match trial(SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Lingering::IsNobody) {
            Ok(_) => Ok(lease),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(LeaseError::Taken { port, who: holder::of(port) }),
            Err(why) => Err(LeaseError::Refused { port, why }),
        }
    }
}

/// Whether nobody has the port, on either loopback. Stricter than a server's own `bind`: connections that linger count.
fn is_free(port: u16) -> bool {
    let counts = |addr| trial(addr, Lingering::Counts);
    counts(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).is_ok()
        && !counts(SocketAddr::from((Ipv6Addr::LOCALHOST, port))).is_err_and(|e| e.kind() == io::ErrorKind::AddrInUse)
}

/// What a connection is on a port whose owner has gone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lingering {
    Counts,
    IsNobody,
}

/// Binds a socket, to let go of it.
fn trial(addr: SocketAddr, lingering: Lingering) -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with, sockopt::set_socket_reuseaddr};
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_reuseaddr(&socket, lingering == Lingering::IsNobody)?;
    bind(&socket, &addr)?;
    // Another thread may fork now, and its child holds this socket until it has become another program. Bound like this, and
    // never listening, it is in no server's way until then.
    set_socket_reuseaddr(&socket, true)?;
    Ok(socket)
}

/// The ports that the system gives out by itself.
fn ephemeral_range() -> RangeInclusive<u16> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().map_while(|n| n.parse::<u16>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(from), Some(to)) if from <= to => from..=to,
        _ => EPHEMERAL,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_trial_is_in_no_servers_way_however_long_a_forked_child_holds_it() {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).expect("a free port").port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let held = trial(address, Lingering::Counts).expect("nobody has it");
        let server = TcpListener::bind(address).expect("a server binds beside it");
        assert_eq!(
            trial(address, Lingering::IsNobody).map_err(|e| e.kind()).err(),
            Some(io::ErrorKind::AddrInUse),
            "but not beside a server"
        );
        drop((held, server));
    }
}
