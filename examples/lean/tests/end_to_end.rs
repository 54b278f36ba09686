//! End-to-end tests as another project has them. `E2E_TUI_BIN` names the binary; without it, its guardian and parts are missed
//! and a thread of this program holds the processes together.

use std::time::Duration;

use e2e_tui::harness::{E2ETestHarness, HarnessError, LogHealthCheck, ProcessConfig, ProcessError, ProxyConfig, ProxyMode, TestClient};

type Result = std::result::Result<(), Box<dyn std::error::Error>>;

#[tokio::test]
async fn own_programs_need_no_binary() -> Result {
    let harness = E2ETestHarness::new().await?;
    let server = ProcessConfig::shell("server", "echo serving; sleep 600").ready_when(LogHealthCheck::new("serving"));
    let server = harness.start_process(server).await?;
    server.logs().assert_seen("^serving$");
    harness.logs().assert_no_errors();
    harness.shutdown().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_built_in_parts() -> Result {
    let harness = E2ETestHarness::new().await?;
    let upstream = match harness.start_mcp_validator().await {
        Err(HarnessError::Process(ProcessError::NoBinary { .. })) if std::env::var_os("E2E_TUI_BIN").is_none() => return Ok(()),
        started => started?,
    };
    let config = ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: Some("Bearer test-token".into()) };
    let proxy = harness.start_shadowcat_proxy(config).await?;
    let response = TestClient::new(&proxy.url).send_mcp_request("ping", None).await?;
    assert_eq!(response.status(), 200);
    proxy.logs().wait_for("ping", Duration::from_secs(5)).await?;
    Ok(())
}
