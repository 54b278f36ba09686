//! An end-to-end test of a proxy chain, as it stands in a test suite: an MCP server, a proxy in front of it, a client.
//!
//! `cargo test --example proxy_flow` runs the tests; `cargo run --example proxy_flow` runs the same flow and tells how it went.
//! Both need the `e2e-tui` binary, whose parts they start: `cargo build` puts it where it is found.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use e2e_tui::{E2ETestHarness, ProxyConfig, ProxyMode, TestClient};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[tokio::main]
async fn main() -> Result<()> {
    let harness = E2ETestHarness::builder().name("proxy_flow").start().await?;
    let upstream = harness.start_mcp_validator().await?;
    let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None };
    let proxy = harness.start_shadowcat_proxy(config).await?;
    let client = TestClient::new(&proxy.url);
    let response = client.send_mcp_request("ping", None).await?;
    println!("ping: HTTP {} in {:?}", response.status(), response.latency());
    println!("tools: {}", client.list_tools().await?.join(", "));
    let report = harness.shutdown().await?;
    println!("{}: {}", report.outcome.verdict.badge(), report.outcome.reason);
    if let Some(recording) = report.recording {
        println!("e2e-tui replay {}", recording.display());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn test_basic_proxy_flow() -> Result<()> {
        let harness = E2ETestHarness::new().await?;

        // Start upstream server
        let upstream = harness.start_mcp_validator().await?;

        // Start proxy
        let proxy = harness
            .start_shadowcat_proxy(ProxyConfig {
                mode: ProxyMode::Reverse,
                upstream: upstream.url.clone(),
                auth: Some("Bearer test-token".to_string()),
            })
            .await?;

        // Run test scenario
        let client = TestClient::new(&proxy.url);
        let response = client.send_mcp_request("ping", None).await?;

        assert_eq!(response.status(), 200);

        // Logs are automatically captured and saved
        // Processes are automatically cleaned up
        Ok(())
    }

    #[tokio::test]
    async fn the_clients_error_names_an_effect_and_the_logs_the_cause() -> Result<()> {
        let harness = E2ETestHarness::new().await?;
        let upstream = harness.start_mcp_validator().await?;
        let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None };
        let proxy = harness.start_shadowcat_proxy(config).await?;
        let client = TestClient::new(&proxy.url);
        client.send_mcp_request("ping", None).await?;

        upstream.stop(Duration::from_secs(5)).await?;
        assert_eq!(client.send_mcp_request("ping", None).await?.status(), 502);
        proxy.logs().wait_for("refused", Duration::from_secs(5)).await?;

        // What failed was meant to: the test says itself that it passed.
        harness.shutdown().await?;
        Ok(())
    }
}
