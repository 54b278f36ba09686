//! Is anybody listening? Every address of the name is tried, since `localhost` may mean `::1` where the server listens
//! on 127.0.0.1 only.

use std::io;

use tokio::net::TcpStream;

use super::{names::resolve, question::failed};
use crate::model::ProbeOutcome;

pub(super) async fn ask(addr: &str) -> ProbeOutcome {
    let addresses = match resolve(addr).await {
        Ok(addresses) => addresses,
        Err(e) => return failed("no such host", format!("{addr} cannot be resolved: {e}")),
    };
    let mut tried = Vec::new();
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(_) => return ProbeOutcome::Ok,
            Err(e) => tried.push((address, e)),
        }
    }
    let why: Vec<_> = tried.iter().map(|(address, e)| format!("connect {address}: {}", in_words(e))).collect();
    let short = tried.first().map_or("no address", |(_, e)| short(e));
    failed(short, if why.is_empty() { format!("{addr} has no address") } else { why.join("; ") })
}

/// A word for the health column.
pub(super) fn short(e: &io::Error) -> &'static str {
    match e.kind() {
        io::ErrorKind::ConnectionRefused => "refused",
        io::ErrorKind::ConnectionReset => "reset",
        io::ErrorKind::TimedOut => "timeout",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        _ => "error",
    }
}

/// The system's words without its number.
pub(super) fn in_words(e: &io::Error) -> String {
    let text = e.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Question, ask};
    use super::*;

    #[tokio::test]
    async fn h1_refused_is_said_with_its_address() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("it is bound").to_string();
        let question = Question::Tcp { addr: addr.clone() };
        assert_eq!(ask(&question, Duration::from_secs(5), None).await.outcome, ProbeOutcome::Ok);
        drop(listener);
        let why = format!("connect {addr}: Connection refused");
        assert_eq!(ask(&question, Duration::from_secs(5), None).await.outcome, ProbeOutcome::Failed { short: "refused".into(), why });
    }

    #[tokio::test]
    async fn h9_a_name_with_several_addresses_is_tried_at_all_of_them() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let answer = ask(&Question::Tcp { addr: format!("localhost:{port}") }, Duration::from_secs(5), None).await;
        assert_eq!(answer.outcome, ProbeOutcome::Ok);
        let answer = ask(&Question::Tcp { addr: "no-such-host.invalid:80".into() }, Duration::from_secs(10), None).await;
        assert!(matches!(answer.outcome, ProbeOutcome::Failed { .. }), "{answer:?}");
    }
}
