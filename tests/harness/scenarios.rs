//! Scenario files from a test.

use std::time::Duration;

use e2e_tui::harness::{HarnessError, TestClient};

use crate::{
    support::Bench,
    yard::{self, Held, SOON},
};

#[tokio::test]
async fn a_bundled_scenario_runs_to_its_verdict_and_its_services_can_be_used() {
    let bench = Bench::new("bundled");
    let harness = yard::builder(&bench, Held::ByGuardian).from_scenario("reverse").await.expect("it is bundled");
    harness.wait_for_ready("proxy", SOON).await.expect("it becomes ready");
    let client = TestClient::new(harness.url("proxy").expect("it listens"));
    assert_eq!(client.send_mcp_request("ping", None).await.expect("an answer").status(), 200);
    let verdict = harness.verdict().await.expect("it ends");
    assert_eq!((verdict.verdict.word(), verdict.exit_code), ("passed", 0), "{verdict:?}");
    harness.logs().assert_seen("calls passed");
    // And processes of the test's own beside it.
    let own = harness.start_process(yard::script(&bench, "own", "sleep 600")).await.expect("a shell");
    assert_eq!(harness.process_manager().names().last(), Some(&own.process_id));
    let recording = harness.recording().expect("it is recorded").to_owned();
    assert_eq!(harness.shutdown().await.expect("no leak").outcome.exit_code, 0);
    drop(own);
    let replayed = e2e_tui::record::Recording::open(&recording).expect("it can be read");
    assert!(replayed.snapshot.row("own").is_some(), "what was added is in the recording");
    bench.assert_nothing_left(Duration::ZERO);
}

#[tokio::test]
async fn variables_are_set_and_mistakes_are_told_with_their_places() {
    let bench = Bench::new("vars");
    let text = "name = \"v\"\n[vars]\nword = \"nothing\"\n[process.say]\nshell = \"echo it is ${vars.word}\"\nrole = \"task\"\n";
    let path = bench.write("v.toml", text).display().to_string();
    let harness = yard::builder(&bench, Held::InProcess).var("word", "said").from_scenario(&path).await.expect("it is well");
    harness.logs().wait_for("it is said", SOON).await.expect("as it was set");
    let path = bench.write("bad.toml", &text.replace("role", "roll")).display().to_string();
    let error = yard::builder(&bench, Held::InProcess).from_scenario(&path).await.expect_err("a mistake");
    let HarnessError::Scenario(mistakes) = &error else { panic!("{error}") };
    assert!(mistakes.contains("bad.toml:6") && mistakes.contains("role"), "{mistakes}");
    assert!(matches!(yard::builder(&bench, Held::InProcess).from_scenario("none").await, Err(HarnessError::NoScenario(_))));
}
