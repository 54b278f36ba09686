//! The parts against the conformance suite of the protocol's authors, as it comes from npm: our server and proxies
//! as what it tests, and our client against its servers.

use std::{
    ffi::OsString,
    process::{Command, Stdio},
};

use e2e_tui::mcp::{
    protocol::Revision,
    upstream::{AnswerForm, UpstreamConfig},
};

use crate::{
    real,
    support::{forward, reverse, upstream},
};

/// Scenarios for servers that need nothing but what the mock upstream has: the protocol and tools.
const SERVER: [&str; 14] = [
    "server-initialize",
    "ping",
    "logging-set-level",
    "tools-list",
    "tools-call-simple-text",
    "tools-call-image",
    "tools-call-audio",
    "tools-call-embedded-resource",
    "tools-call-mixed-content",
    "tools-call-with-logging",
    "tools-call-with-progress",
    "tools-call-error",
    "server-sse-multiple-streams",
    "dns-rebinding-protection",
];

/// Of these, the ones in which the form of the answers matters.
const STREAMED: [&str; 5] =
    ["server-initialize", "tools-list", "tools-call-with-logging", "tools-call-with-progress", "server-sse-multiple-streams"];

/// Its servers listen on all interfaces, and a test has no business there. They look at their address at once, so
/// there is no time for the look-up that comes with the host as an argument of `listen`.
const LOOPBACK: &str = r#"
const { Server } = require("node:net");
const bind = Server.prototype._listen2;
Server.prototype._listen2 = function (address, port, family, ...rest) {
  return address === null && port >= 0 ? bind.call(this, "127.0.0.1", port, 4, ...rest) : bind.call(this, address, port, family, ...rest);
};
"#;

/// Runs the suite; whether it was content, and all it said.
async fn suite(path: OsString, words: Vec<String>) -> (bool, String) {
    let run = move || {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let preload = folder.path().join("loopback.cjs");
        std::fs::write(&preload, LOOPBACK).expect("the folder can be written");
        let out = Command::new("conformance")
            .args(words)
            .current_dir(folder.path())
            .env("PATH", path)
            .env("NODE_OPTIONS", format!("--require \"{}\"", preload.display()))
            .stdin(Stdio::null())
            .output()
            .expect("it was found in this PATH");
        let said = [out.stdout, out.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        (out.status.success(), said)
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

async fn server_passes(path: &OsString, url: &str, scenarios: &[&str]) {
    for scenario in scenarios {
        let words = ["server", "--url", url, "--scenario", scenario].map(str::to_owned).to_vec();
        let (passed, said) = suite(path.clone(), words).await;
        assert!(passed, "{scenario} at {url}: {said}");
        assert!(said.contains(", 0 failed, 0 warnings") && !said.contains("Passed: 0/0"), "{scenario} at {url}: {said}");
    }
}

#[tokio::test]
async fn the_suite_passes_the_mock_upstream() {
    let Some(path) = real::path_with("conformance of the server", &["node", "conformance"]) else { return };
    let json = (Revision::V2025_06_18, AnswerForm::Json, &SERVER[..]);
    for (revision, answers, scenarios) in [json, (Revision::V2025_11_25, AnswerForm::Sse, &STREAMED)] {
        let upstream = upstream(UpstreamConfig { revision, answers, ..UpstreamConfig::default() }).await;
        server_passes(&path, &upstream.url(), scenarios).await;
        upstream.end().await;
    }
}

#[tokio::test]
async fn the_suite_passes_both_proxies_in_a_row() {
    let Some(path) = real::path_with("conformance of the proxies", &["node", "conformance"]) else { return };
    let upstream = upstream(UpstreamConfig::default()).await;
    let forward = forward(upstream.url()).await;
    server_passes(&path, &forward.url(), &STREAMED).await;
    let reverse = reverse(forward.url()).await;
    // The one with several streams speaks an older revision than it negotiated, which the reverse proxy prevents.
    let scenarios: Vec<&str> = SERVER.into_iter().filter(|name| *name != "server-sse-multiple-streams").collect();
    server_passes(&path, &reverse.url(), &scenarios).await;
    for part in [reverse, forward, upstream] {
        part.end().await;
    }
}

#[tokio::test]
async fn the_suite_passes_the_test_client() {
    let Some(path) = real::path_with("conformance of the client", &["node", "conformance"]) else { return };
    let part = format!("{} part test-client", env!("CARGO_BIN_EXE_e2e-tui"));
    // The suite adds the URL of its server and gives the whole to a shell.
    for (scenario, command) in [
        ("initialize", format!("{part} --scenario ping --calls 1 --target")),
        ("tools_call", format!("{part} --tool add_numbers --arguments '{{\"a\":2,\"b\":40}}' --calls 1 --target")),
    ] {
        let words = ["client", "--command", &command, "--scenario", scenario].map(str::to_owned).to_vec();
        let (passed, said) = suite(path.clone(), words).await;
        assert!(passed && said.contains("Passed: 1/1, 0 failed, 0 warnings"), "{scenario}: {said}");
    }
}
