//! What a proxy is told.

use std::time::Duration;

/// What a proxy is told.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyConfig {
    /// What it does.
    pub mode: ProxyMode,
    /// How long the upstream may take until its answer starts; past it, the client gets 504.
    pub timeout: Duration,
}

/// What a proxy does.
#[derive(Debug, Clone, PartialEq)]
pub enum ProxyMode {
    /// `forward http --bind HOST --port PORT --target URL`: what comes in goes to the target.
    Forward {
        /// The address or name to listen on.
        host: String,
        /// The port to listen on; 0 takes a free one, which the listening line names.
        port: u16,
        /// Where requests go.
        target: String,
    },
}

impl ProxyConfig {
    /// How long the upstream may take, unless told otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(30);
}
