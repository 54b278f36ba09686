//! The port of a tap: held for the whole run, and open only while somebody listens behind it.
//!
//! A client of a process that is down must be refused by the kernel, as it would be without the tap; a hop that accepted
//! and then hung up would change what its client sees and does. So one socket keeps the port, and another listens or does
//! not.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    os::fd::OwnedFd,
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with, sockopt};
use tokio::net::{TcpListener, TcpStream};

/// What std's listeners use.
const BACKLOG: i32 = 4096;

/// A port of the loopback that is kept.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Bound, and never listens.
    keeper: OwnedFd,
}

/// A gate that is open. Dropped, it is closed: the kernel refuses, and connections that were not accepted yet are reset.
#[derive(Debug)]
pub(crate) struct OpenGate(TcpListener);

impl Gate {
    /// Keeps `port`; 0 for one that is free.
    pub(crate) fn keep(port: u16) -> io::Result<Self> {
        bound(port).map(|keeper| Self { keeper })
    }

    /// The port that is kept.
    pub(crate) fn port(&self) -> io::Result<u16> {
        let name = rustix::net::getsockname(&self.keeper)?;
        Ok(SocketAddr::try_from(name).map_err(|_| io::ErrorKind::AddrNotAvailable)?.port())
    }

    /// From now on connections come in. Must be called within a runtime.
    pub(crate) fn open(&self) -> io::Result<OpenGate> {
        let socket = bound(self.port()?)?;
        listen(&socket, BACKLOG)?;
        Ok(OpenGate(TcpListener::from_std(socket.into())?))
    }
}

/// A socket on the port, beside others of ours. Linux lets no other user share it.
fn bound(port: u16) -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
    sockopt::set_socket_reuseport(&socket, true)?;
    bind(&socket, &SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    Ok(socket)
}

impl OpenGate {
    /// The next connection, and the port it comes from.
    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, u16)> {
        let (stream, from) = self.0.accept().await?;
        Ok((stream, from.port()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_gate_refuses_accepts_and_refuses_again() {
        let gate = Gate::keep(0).expect("a port");
        let port = gate.port().expect("its number");
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        for _ in 0..3 {
            assert_eq!(connect().await.map_err(|e| e.kind()).err(), Some(io::ErrorKind::ConnectionRefused));
            let open = gate.open().expect("it listens");
            let (client, server) = tokio::join!(connect(), open.accept());
            let (client, (_server, from)) = (client.expect("connected"), server.expect("accepted"));
            assert_eq!(client.local_addr().expect("an address").port(), from);
            drop(open);
        }
        assert!(connect().await.is_err());
        let stranger = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        assert_eq!(stranger.map_err(|e| e.kind()).err(), Some(io::ErrorKind::AddrInUse), "the port stays ours");
    }
}
