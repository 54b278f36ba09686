//! The addresses of a name, looked up without tokio: that panics where the system has no thread left.

use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::aside::aside;

/// The addresses of `host:port`.
///
/// # Errors
/// Nobody knows the name, or there is no thread to be had to ask on.
pub(super) async fn resolve(addr: &str) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = addr.parse() {
        return Ok(vec![address]);
    }
    let addr = addr.to_owned();
    aside(move || addr.to_socket_addrs().map(Iterator::collect)).await.flatten()
}

/// The same for the HTTP client.
pub(super) struct Names;

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The client puts the port in itself.
            let found = resolve(&format!("{}:0", name.as_str())).await?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
