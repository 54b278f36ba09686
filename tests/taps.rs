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
