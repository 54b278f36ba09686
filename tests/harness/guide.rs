//! What docs/testing.md and the README show, as it stands there: it compiles. Their flows are run by `examples/proxy_flow.rs`,
//! and tests/docs.rs holds that each of their blocks is here.

#![expect(dead_code, unnameable_test_items, unused_variables, reason = "they are here to be compiled")]

use std::time::Duration;

use e2e_tui::harness::{E2ETestHarness, ProxyConfig, ProxyMode, TestClient};

type Done = Result<(), Box<dyn std::error::Error>>;

#[rustfmt::skip]
fn the_first_test() {
use e2e_tui::{E2ETestHarness, ProxyConfig, ProxyMode, TestClient};

#[tokio::test]
async fn test_basic_proxy_flow() -> Result<(), Box<dyn std::error::Error>> {
    let harness = E2ETestHarness::new().await?;

    let upstream = harness.start_mcp_validator().await?;
    let proxy = harness
        .start_shadowcat_proxy(ProxyConfig {
            mode: ProxyMode::Reverse,
            upstream: upstream.url.clone(),
            auth: Some("Bearer test-token".to_string()),
        })
        .await?;

    let client = TestClient::new(&proxy.url);
    let response = client.send_mcp_request("ping", None).await?;
    assert_eq!(response.status(), 200);
    Ok(())
}
}

#[rustfmt::skip]
async fn in_the_readme() -> Done {
let harness = E2ETestHarness::new().await?;
let upstream = harness.start_mcp_validator().await?;
let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None };
let proxy = harness.start_shadowcat_proxy(config).await?;
assert_eq!(TestClient::new(&proxy.url).send_mcp_request("ping", None).await?.status(), 200);
Ok(())
}

#[rustfmt::skip]
async fn a_program_of_ones_own(harness: &E2ETestHarness) -> Done {
use std::time::Duration;
use e2e_tui::harness::{HttpHealthCheck, ProcessConfig};

let port = harness.port_allocator().allocate().await?;
let config = ProcessConfig::new("api", "./target/debug/api")
    .args(["--port", &port.to_string()])
    .env("RUST_LOG", "debug")
    .health_check(HttpHealthCheck::new(format!("http://127.0.0.1:{port}/health")))
    .ready_timeout(Duration::from_secs(10));
let api = harness.start_server(port, config).await?;      // ready, or an error that says why not
drop(api);
Ok(())
}

#[rustfmt::skip]
async fn a_scenario() -> Done {
let harness = E2ETestHarness::builder().var("calls", "20").from_scenario("scenarios/chain.toml").await?;
harness.wait_for_ready("proxy", Duration::from_secs(10)).await?;
let client = TestClient::new(harness.url("proxy")?);
let verdict = harness.verdict().await?;                   // its own tests and expectations
Ok(())
}

#[rustfmt::skip]
fn a_test_whose_errors_are_archived() {
#[tokio::test]
async fn checkout() -> Result<(), Box<dyn std::error::Error>> {
    let harness = E2ETestHarness::builder().archive_on_failure("target/e2e-archives").start().await?;
    harness
        .run(async |harness| {
            let upstream = harness.start_mcp_validator().await?;
            let tools = TestClient::new(&upstream.url).list_tools().await?;     // its error is archived, too
            assert!(tools.contains(&"echo".to_owned()));
            Ok(())
        })
        .await
}
}
