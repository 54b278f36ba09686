//! The design's own test, nearly as it stands there.

use std::time::Duration;

use e2e_tui::harness::{E2ETestHarness, HarnessError, ProxyConfig, ProxyMode, TestClient};

/// A harness with the binary of this checkout and recordings of its own.
pub(crate) async fn harness() -> (E2ETestHarness, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a folder");
    let harness = E2ETestHarness::builder().binary(env!("CARGO_BIN_EXE_e2e-tui")).recordings_dir(dir.path()).start().await;
    (harness.expect("a harness"), dir)
}

#[tokio::test]
async fn test_basic_proxy_flow() -> Result<(), Box<dyn std::error::Error>> {
    let (harness, _dir) = harness().await;

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
async fn a_process_that_dies_fails_the_wait_at_once_with_its_exit_and_last_lines() {
    let (harness, _dir) = harness().await;
    let config = e2e_tui::harness::ProcessConfig::shell("dies", "echo going down >&2; exit 7").port(1);
    let asked = std::time::Instant::now();
    let error = harness.start_process(config).await.expect_err("it dies");
    let took = asked.elapsed();
    let HarnessError::Process(error) = error else { panic!("{error}") };
    assert!(error.to_string().contains("exited with 7"), "{error}");
    assert_eq!(error.evidence().expect("evidence").last_lines, ["going down"], "{error}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}
