//! Each part as a program: a runtime of one thread, signals, an exit code.

use std::{io, panic::AssertUnwindSafe};

use tokio::{
    io::BufReader,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{
    PartLog, ServeError, Stop, StopHandle,
    client::{self, ClientConfig},
    proxy::{Proxy, ProxyConfig, ProxyMode, forward_stdio},
    stop_pair,
    upstream::{Upstream, UpstreamConfig, UpstreamTransport, serve_stdio},
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
        Part::MockUpstream(_) => PartLog::stderr(),
        Part::Proxy(config) => PartLog::stderr().at_least(config.log_level),
        Part::TestClient(_) => PartLog::stdout(),
    };
    if matches!(part, Part::MockUpstream(_)) {
        panic_on_one_line();
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            log.error(format_args!("cannot start the runtime: {error}"));
            return 1;
        }
    };
    // A part that was told to crash does so by a real panic; its code must not depend on who called us.
    let running = AssertUnwindSafe(|| runtime.block_on(run_until_signalled(part, &log)));
    let code = std::panic::catch_unwind(running).unwrap_or(PANICKED);
    // Whatever still blocks on stdin or a name look-up must not keep an ended part alive.
    runtime.shutdown_background();
    code
}

/// What a Rust program exits with after a panic.
const PANICKED: u8 = 101;

/// The message on the line of its place, so that whoever lists the errors of a run has both.
fn panic_on_one_line() {
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let place = info.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let message = info.payload_as_str().unwrap_or("no message");
        let line =
            format!("thread '{}' panicked{place}: {message}\nnote: this is the built-in mock upstream\n", thread.name().unwrap_or("?"));
        PartLog::stderr().raw(line.trim_end());
    }));
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

async fn serve_upstream(config: UpstreamConfig, log: &PartLog, mut stop: Stop) -> Result<(), ServeError> {
    if config.transport == UpstreamTransport::Stdio {
        serve_stdio(config, BufReader::new(tokio::io::stdin()), tokio::io::stdout(), stop, log.clone()).await;
        return Ok(());
    }
    let upstream = tokio::select! {
        bound = Upstream::bind(config, log.clone()) => bound?,
        () = stop.requested() => return Ok(()),
    };
    upstream.serve(stop).await;
    Ok(())
}

async fn serve_proxy(config: ProxyConfig, log: &PartLog, stop: Stop) -> Result<(), ServeError> {
    if let ProxyMode::Stdio { argv } = &config.mode {
        return Ok(forward_stdio(argv, BufReader::new(tokio::io::stdin()), tokio::io::stdout(), stop, log.clone()).await?);
    }
    Proxy::bind(config, log.clone()).await?.serve(stop).await
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
