//! A proxy that listens: which handler it has, and what it says at its start and its end.

use std::{net::SocketAddr, sync::Arc};

use tokio::net::TcpListener;

use super::{
    super::{
        PartLog, ServeError, Stop,
        server::{self, Handler},
    },
    ProxyConfig, ProxyMode, SessionLimits, Target,
    bridge::{Bridge, Servers},
    forward::Forward,
    front::Counts,
    hop::{self, Hop},
    relay::Relay,
    reverse::Reverse,
    sessions::ProxySessions,
};

/// A proxy that has its address.
pub struct Proxy {
    listener: TcpListener,
    addr: SocketAddr,
    config: ProxyConfig,
    log: PartLog,
}

/// A bridge starts a process for each session, so it keeps fewer.
const MOST_SERVERS: usize = 64;

impl Proxy {
    /// Takes the address. Nothing is said of listening before that has worked.
    pub async fn bind(config: ProxyConfig, log: PartLog) -> Result<Self, ServeError> {
        let (listen, target) = match &config.mode {
            ProxyMode::Forward { listen, target } => (listen, target),
            ProxyMode::Reverse { listen, upstream, .. } => (listen, upstream),
            ProxyMode::Stdio { .. } => return Err(ServeError::Setup("a proxy on stdio has no address".to_owned())),
        };
        match target {
            Target::Url(url) => drop(hop::parse_url(url)?),
            Target::Stdio(argv) if argv.is_empty() => return Err(ServeError::Setup("no command: write it after `--`".to_owned())),
            Target::Stdio(_) => {}
        }
        let listener = server::bind(&listen.host, listen.port).await?;
        let addr = server::local_addr(&listener)?;
        Ok(Self { listener, addr, config, log })
    }

    /// The address it has.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Serves until the end is wanted.
    pub async fn serve(self, stop: Stop) -> Result<(), ServeError> {
        let relay = Relay { hop: Hop::new(self.config.timeout)?, log: self.log.clone(), stop: stop.clone() };
        match self.config.mode.clone() {
            ProxyMode::Forward { target, .. } => {
                self.log.info(format_args!("Forward proxy listening on {}, target {}", self.addr, shown(&target)));
                self.forward(target, relay, stop).await?;
                Ok(())
            }
            ProxyMode::Reverse { upstream, upstream_token, sessions, .. } => {
                self.log.info(format_args!("Starting reverse proxy with shutdown support on {}", self.addr));
                self.log.info(format_args!("Reverse proxy listening on {}, upstream {}", self.addr, shown(&upstream)));
                let counts = Counts::default();
                match upstream {
                    Target::Url(url) => {
                        let (upstream, sessions) = (hop::parse_url(&url)?, ProxySessions::new(sessions));
                        self.run(Reverse { upstream, upstream_token, sessions, relay, counts }, "Reverse", stop).await;
                    }
                    Target::Stdio(argv) => self.bridge(argv, sessions, true, relay, stop).await,
                }
                Ok(())
            }
            ProxyMode::Stdio { .. } => Ok(()),
        }
    }

    async fn forward(self, target: Target, relay: Relay, stop: Stop) -> Result<(), ServeError> {
        match target {
            Target::Url(url) => {
                let target = hop::parse_url(&url)?;
                self.run(Forward { target, relay }, "Forward", stop).await;
            }
            Target::Stdio(argv) => self.bridge(argv, SessionLimits::default(), false, relay, stop).await,
        }
        Ok(())
    }

    async fn bridge(self, argv: Vec<String>, limits: SessionLimits, reverse: bool, relay: Relay, stop: Stop) {
        let sessions = ProxySessions::new(SessionLimits { most: limits.most.min(MOST_SERVERS), ..limits });
        let (timeout, name) = (self.config.timeout, if reverse { "Reverse" } else { "Forward" });
        let (counts, servers) = (Counts::default(), Servers::default());
        let bridge = self.run(Bridge { argv, timeout, reverse, sessions, relay, counts, servers }, name, stop).await;
        bridge.servers.end_all().await;
    }

    async fn run<H: Handler>(self, handler: H, name: &str, stop: Stop) -> Arc<H> {
        let handler = Arc::new(handler);
        let announced = async {
            stop.clone().requested().await;
            self.log.info(format_args!("{name} proxy received shutdown signal"));
        };
        tokio::join!(server::serve(self.listener, Arc::clone(&handler), stop.clone(), &self.log), announced);
        self.log.info(format_args!("{name} proxy shutdown complete"));
        handler
    }
}

fn shown(target: &Target) -> String {
    match target {
        Target::Url(url) => url.clone(),
        Target::Stdio(argv) => format!("stdio -- {}", argv.join(" ")),
    }
}
