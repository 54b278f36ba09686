//! What the tests here share: a harness with recordings of its own, and the proof that nothing of a test is left.

use std::time::Duration;

use e2e_tui::harness::{E2ETestHarness, HarnessBuilder, ProcessConfig};

use crate::support::Bench;

/// Generous: a loaded machine must not fail a test that only asks whether.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The variable by which a test's processes are found.
pub(crate) const MARK: &str = "E2E_TEST_MARK";

/// A tree that resists: it ignores TERM, has a child, and one in a session of its own.
pub(crate) const TREE: &str = "trap '' TERM INT HUP; setsid sleep 600 & sleep 600 & echo planted; wait";

/// Two ways to hold trees together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    ByGuardian,
    InProcess,
}

impl Held {
    pub(crate) const BOTH: [Self; 2] = [Self::ByGuardian, Self::InProcess];
}

pub(crate) fn builder(bench: &Bench, held: Held) -> HarnessBuilder {
    let builder = E2ETestHarness::builder().recordings_dir(bench.dir.path().join("recordings"));
    match held {
        Held::ByGuardian => builder.binary(env!("CARGO_BIN_EXE_e2e-tui")),
        Held::InProcess => builder.binary(env!("CARGO_BIN_EXE_e2e-tui")).containment(e2e_tui::harness::Containment::Group),
    }
}

pub(crate) async fn harness(bench: &Bench) -> E2ETestHarness {
    builder(bench, Held::ByGuardian).start().await.expect("a harness")
}

/// A shell script that is found by the bench's mark.
pub(crate) fn script(bench: &Bench, name: &str, text: &str) -> ProcessConfig {
    ProcessConfig::shell(name, text).env(MARK, &bench.mark)
}

/// A tree that says when it stands.
pub(crate) fn tree(bench: &Bench) -> ProcessConfig {
    script(bench, "tree", TREE).ready_when(e2e_tui::harness::LogHealthCheck::new("planted"))
}
