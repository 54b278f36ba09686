//! Each part as a program: a runtime of one thread, signals, an exit code.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    PartLog, ServeError, Stop, StopHandle,
    client::{self, ClientConfig},
    proxy::{Proxy, ProxyConfig},
    stop_pair,
    upstream::{Upstream, UpstreamConfig},
};

/// Which part to be.
#[derive(Debug, Clone)]
pub enum Part {
    /// An MCP server.
    MockUpstream(UpstreamConfig),
    /// Shadowcat's stand-in.
    Proxy(ProxyConfig),
    /// An MCP client that judges what it gets.
    TestClient(ClientConfig),
}

/// Is that part until it ends by itself or by SIGTERM or SIGINT. Returns the exit code: 0, or 1 after a last
/// line that says why.
///
/// It makes a tokio runtime of its own and takes over those signals, so it must run on the main thread of a
/// process that does nothing else.
pub fn run(part: Part) -> u8 {
    let log = match &part {
        Part::MockUpstream(_) => PartLog::stderr(Some("upstream")),
        Part::Proxy(_) => PartLog::stderr(None),
        Part::TestClient(_) => PartLog::stdout(None),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log.error(format_args!("cannot start the runtime: {error}"));
            return 1;
        }
    };
    let code = runtime.block_on(run_until_signalled(part, &log));
    // Whatever still blocks on stdin or a name look-up must not keep an ended part alive.
    runtime.shutdown_background();
    code
}

async fn run_until_signalled(part: Part, log: &PartLog) -> u8 {
    let (handle, stop) = stop_pair();
    // Before anything else: a signal that comes during the start must not find the default action.
    match Signals::new() {
        Ok(signals) => drop(tokio::spawn(signals.watch(handle, log.clone()))),
        Err(error) => {
            log.error(format_args!("cannot watch for SIGTERM and SIGINT: {error}"));
            return 1;
        }
    }
    let served = match part {
        Part::MockUpstream(config) => serve_upstream(config, log, stop).await,
        Part::Proxy(config) => serve_proxy(config, log, stop).await,
        Part::TestClient(config) => return u8::from(!client::run(config, log, stop).await),
    };
    exit_code(served, log)
}

async fn serve_upstream(config: UpstreamConfig, log: &PartLog, stop: Stop) -> Result<(), ServeError> {
    Upstream::bind(config, log.clone()).await?.serve(stop).await;
    Ok(())
}

async fn serve_proxy(config: ProxyConfig, log: &PartLog, stop: Stop) -> Result<(), ServeError> {
    Proxy::bind(config, log.clone()).await?.serve(stop).await;
    Ok(())
}

fn exit_code(served: Result<(), ServeError>, log: &PartLog) -> u8 {
    match served {
        Ok(()) => 0,
        Err(error) => {
            log.error(error);
            1
        }
    }
}

struct Signals {
    term: Signal,
    int: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { term: signal(SignalKind::terminate())?, int: signal(SignalKind::interrupt())? })
    }

    async fn watch(mut self, handle: StopHandle, log: PartLog) {
        let name = tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        };
        log.info(format_args!("received {name}, shutting down"));
        handle.stop();
    }
}
