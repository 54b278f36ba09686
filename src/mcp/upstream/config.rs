//! What a mock upstream is told.

use super::super::protocol::Revision;

/// What a mock upstream is told. The default serves a free port of the loopback interface.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamConfig {
    /// The address or name to listen on.
    pub host: String,
    /// The port to listen on; 0 takes a free one, which the listening line names.
    pub port: u16,
    /// The newest revision it speaks; it speaks all before it too.
    pub revision: Revision,
}

impl Default for UpstreamConfig {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 0, revision: Revision::default() }
    }
}
