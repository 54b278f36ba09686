//! Taps on real processes: what is recorded, what a fault does, and that nothing else changes.

mod support;

use std::{path::PathBuf, time::Duration};

use serde_json::Value;
use support::{Bench, Finished};

/// Two clients, a proxy and an upstream, with taps where `TAPPED` stands.
const CHAIN: &str = r#"
name = "tapped"
timeout = "60s"
[ports]
upstream = "auto"
proxy = "auto"
[process.upstream]
kind = "mock-upstream"
listens = "upstream"
tap = TAPPED
[process.proxy]
kind = "shadowcat"
mode = "forward"
listens = "proxy"
upstream = "${process.upstream.url}/mcp"
depends_on = ["upstream"]
tap = TAPPED
[process.client]
kind = "test-client"
target = "${process.proxy.url}/mcp"
calls = CALLS
retries = 5
depends_on = ["proxy"]
"#;

fn chain(tapped: bool, calls: u32, more: &str) -> String {
    CHAIN.replace("TAPPED", &tapped.to_string()).replace("CALLS", &calls.to_string()) + more
}

fn run(name: &str, scenario: &str) -> (Finished, Bench, Option<PathBuf>) {
    let bench = Bench::new(name);
    let kept = bench.dir.path().join("kept");
    let run = bench.run(scenario, &["--recordings-dir", &kept.display().to_string()]);
    bench.assert_nothing_left(Duration::from_millis(500));
    let dir = std::fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path()).find(|path| path.is_dir());
    (run, bench, dir)
}

/// The notes of a kind, in their order.
fn notes(dir: &std::path::Path, kind: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(dir.join("traffic.jsonl")).expect("a run with taps keeps what went through them");
    text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")).filter(|note| note["note"] == kind).collect()
}

#[test]
fn both_sides_of_a_proxy_are_recorded_and_the_test_sees_no_difference() {
    let (run, _bench, dir) = run("taps", &chain(true, 4, ""));
    run.assert_code(0);
    let dir = dir.expect("a recording");
    let asked = notes(&dir, "asked");
    for tap in ["proxy", "upstream"] {
        let methods: Vec<_> =
            asked.iter().filter(|asked| asked["tap"] == tap).filter_map(|asked| asked["calls"][0]["label"].as_str()).collect();
        let calls = ["tools/call echo"; 4];
        assert_eq!(methods, [&["initialize", "notifications/initialized", "tools/list"][..], &calls].concat(), "{tap}");
    }
    assert!(notes(&dir, "ended").iter().all(|ended| ended["how"] == "answered"), "every call was answered");
    let clients: Vec<_> = notes(&dir, "client").iter().filter_map(|note| Some(note["client"].as_str()?.to_owned())).collect();
    assert!(clients.iter().any(|name| name == "client") && clients.iter().any(|name| name == "proxy"), "{clients:?}");
}

#[test]
fn without_a_tap_there_is_no_hop() {
    let (run, _bench, dir) = run("no-taps", &chain(false, 1, ""));
    run.assert_code(0);
    assert!(!dir.expect("a recording").join("traffic.jsonl").exists());
}

#[test]
fn a_fault_is_done_to_the_requests_that_are_meant_and_is_recorded() {
    let steps = r#"
[[step]]
when = { process = "upstream", is = "ready" }
do = { fault = { at = "upstream", kind = "status", status = 503, method = "tools/call", count = 2 } }
"#;
    let (run, _bench, dir) = run("taps-fault", &chain(true, 3, steps));
    run.assert_code(0);
    for told in ["disturbed by step 1   status 503 for tools/call, 2 times", "undisturbed again, by e2e-tui"] {
        assert!(run.stdout.contains(told), "{told} is missing in\n{}", run.stdout);
    }
    let dir = dir.expect("a recording");
    let disturbed: Vec<_> = notes(&dir, "asked").into_iter().filter(|asked| asked["fault"] == "status").collect();
    assert_eq!(disturbed.len(), 2, "{disturbed:#?}");
    assert!(disturbed.iter().all(|asked| asked["tap"] == "upstream" && asked["calls"][0]["method"] == "tools/call"));
}

/// A server on pipes, which the steps talk to; one `ping` never arrives.
const PIPES: &str = r#"
name = "pipes"
timeout = "60s"
[process.server]
kind = "mock-upstream"
tap = true
[[step]]
when = { process = "server", is = "ready" }
do = [
    { send = { process = "server", text = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}' } },
    { send = { process = "server", text = '{"jsonrpc":"2.0","method":"notifications/initialized"}' } },
    { send = { process = "server", text = 'no message' } },
    { fault = { at = "server", kind = "drop", method = "ping", count = 1 } },
    { send = { process = "server", text = '{"jsonrpc":"2.0","id":"p","method":"ping"}' } },
    { fault = { at = "server", kind = "delay", delay = "300ms", count = 1 } },
    { send = { process = "server", text = '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hi"}}}' } },
    { send = { process = "server", text = '{"jsonrpc":"2.0","id":3,"method":"nope"}' } },
]
[[step]]
when = { log = "server", matches = '"id":3' }
do = { stop = "server" }
"#;

#[test]
fn what_goes_over_pipes_is_recorded_and_can_be_disturbed() {
    let (run, _bench, dir) = run("taps-pipes", PIPES);
    run.assert_code(0);
    let dir = dir.expect("a recording");
    let asked = notes(&dir, "asked");
    let ended = notes(&dir, "ended");
    // What the server says unasked comes whenever it does.
    let (own, unasked): (Vec<_>, Vec<_>) = asked.iter().partition(|asked| asked["pipe"] == "server");
    let rows: Vec<_> = own
        .iter()
        .chain(&unasked)
        .map(|asked| {
            let end = ended.iter().find(|ended| ended["exchange"] == asked["exchange"]).expect("each ends");
            let kind = |end: &Value| end["calls"][0]["kind"].as_str().unwrap_or("-").to_owned();
            let label = asked["calls"][0]["label"].as_str().or(asked["body"]["text"].as_str()).unwrap_or_default();
            let fault = asked["fault"].as_str().unwrap_or("-");
            format!("{} {label} {fault} {} {}", asked["pipe"].as_str().unwrap_or("-"), end["how"].as_str().unwrap_or("-"), kind(end))
        })
        .collect();
    assert_eq!(
        rows,
        [
            "server initialize - answered result",
            "server notifications/initialized - sent -",
            "server no message - sent -",
            "server ping drop unanswered -",
            "server tools/call echo delay answered result",
            "server nope - answered error",
            "client JSON-RPC error -32700: not JSON: expected ident at line 1 column 2 - sent -",
        ],
        "{}",
        run.stdout
    );
    let delayed = own.iter().find(|asked| asked["fault"] == "delay").expect("it is above");
    let end = ended.iter().find(|ended| ended["exchange"] == delayed["exchange"]).and_then(|ended| ended["at"].as_u64());
    let took = end.zip(delayed["at"].as_u64()).map(|(end, start)| end - start);
    assert!(took >= Some(300_000), "it waited: {took:?}");
    for told in ["disturbed by step 1   drop for ping, once", "undisturbed again, by e2e-tui"] {
        assert!(run.stdout.contains(told), "{told} is missing in\n{}", run.stdout);
    }
}

#[test]
fn a_tap_on_pipes_changes_no_byte_and_loses_none_at_the_end() {
    // It echoes what it reads, asks something itself, and ends within a line.
    let scenario = r#"
name = "echo"
timeout = "60s"
[process.echo]
command = ["bash", "-c", "read -r a; read -r b; echo \"$a\"; echo 'log {'; printf '{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"roots/list\"}\\r\\n'; printf '%s' \"$b\""]
stdin = "pipe"
tap = TAPPED
[[step]]
when = { process = "echo", is = "ready" }
do = [
    { send = { process = "echo", text = '{"jsonrpc": "2.0",  "id": 1, "method": "ping"}' } },
    { send = { process = "echo", text = '{"jsonrpc":"2.0","id":7,"result":{"roots":[]}}' } },
]
"#;
    let said = |tapped: bool| {
        let (run, bench, dir) = run("taps-echo", &scenario.replace("TAPPED", &tapped.to_string()));
        run.assert_code(0);
        let dir = dir.expect("a recording");
        (std::fs::read(dir.join("logs/echo.out")).expect("its output"), dir, bench)
    };
    let (plain, dir, _first) = said(false);
    assert!(!dir.join("traffic.jsonl").exists(), "without a tap nothing is copied");
    let (tapped, dir, _second) = said(true);
    assert_eq!(String::from_utf8_lossy(&tapped), String::from_utf8_lossy(&plain));
    assert_eq!(tapped.split(|byte| *byte == b'\n').count(), 4, "the last of them without an end");
    let told: Vec<_> = notes(&dir, "asked")
        .iter()
        .map(|asked| {
            format!(
                "{} {} {}",
                asked["pipe"].as_str().unwrap_or("-"),
                asked["calls"][0]["kind"].as_str().unwrap_or("-"),
                asked["body"]["size"]
            )
        })
        .collect();
    // The answer was written before it was asked for, and the same text came back as an answer to nothing.
    assert_eq!(told, ["server request 46", "server result 46", "client request 46", "client request 47", "client result 46"]);
}

#[test]
fn a_client_of_a_dead_process_is_refused_as_without_a_tap() {
    let scenario = r#"
name = "refused"
timeout = "30s"
[ports]
up = "auto"
[process.up]
kind = "mock-upstream"
listens = "up"
tap = true
[process.probe]
role = "test"
stdin = "pipe"
command = ["bash", "-c", "read -r _; if (exec 3<>/dev/tcp/127.0.0.1/${ports.up}) 2>&1 | grep -q refused; then echo refused; else echo let in; fi"]
depends_on = ["up"]
[[expect]]
process = "probe"
must_see = "^refused$"
[[step]]
when = { process = "probe", is = "running" }
do = [{ kill = "up" }, { send = { process = "probe", text = "go" } }]
"#;
    let (run, _bench, dir) = run("taps-refused", scenario);
    assert!(run.stdout.lines().any(|line| line.starts_with("probe") && line.ends_with("| refused")), "{}", run.stdout);
    let gates: Vec<_> = notes(&dir.expect("a recording"), "gate").iter().map(|gate| gate["open"] == true).collect();
    assert_eq!(gates, [true, false]);
}
