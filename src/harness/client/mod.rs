//! An MCP client for assertions: it gives back whatever came.
//!
//! - [`TestClient`] sends; its session opens with the first request. [`McpResponse`] is what came, judged by nobody;
//!   [`ToolResult`] what a tool said. [`ClientError`] is left for when nothing came that could be looked at.

mod error;
mod response;
mod test_client;

pub use error::ClientError;
pub use response::{McpResponse, ToolResult};
pub use test_client::TestClient;
