//! Probes by stdio on real processes: they know their own answers, and never speak first in a session of others.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::Bench;

/// A server that says on stderr what it hears, and answers each ping: first with a notification that nobody has asked for.
const SERVER: &str = r#"
name = "x"
timeout = "60s"
[process.server]
stdin = "pipe"
shell = '''
while read -r line; do
    echo "heard $line" >&2
    case $line in
        *initialize*) echo '{"jsonrpc":"2.0","id":1,"result":{}}' ;;
        *'"id":"probe"'*)
            echo '{"jsonrpc":"2.0","method":"notifications/tools/list_changed"}'
            echo '{"jsonrpc":"2.0","id":"probe","error":{"code":-32601,"message":"no such method"}}' ;;
    esac
done'''
"#;
const HEALTH: &str =
    r#"health = { stdio = { send = '{"jsonrpc":"2.0","id":"probe","method":"ping"}', expect = '"result"' }, interval = "50ms" }"#;
const READY: &str =
    r#"ready = { stdio = { send = '{"jsonrpc":"2.0","id":"probe","method":"ping"}', expect = '"result"' }, timeout = "20s" }"#;
/// Ends once the probes have been answered.
const TEST: &str = "\n[process.client]\nrole = \"test\"\ncommand = [\"true\"]\ndepends_on = { server = \"CONDITION\" }\n";
/// Begins the session after a while in which many probes would have been due.
const STEP: &str = r#"
[[step]]
when = { after = "600ms" }
do = { send = { process = "server", text = '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}' } }
"#;

/// What the server has heard, in order, and the report of a run that has passed.
fn heard(bench: &Bench, scenario: &str) -> (Vec<String>, Value) {
    let report = bench.dir.path().join("report.json");
    let run = bench.run(scenario, &["--report", &format!("json={}", report.display())]);
    run.assert_code(0);
    bench.assert_nothing_left(Duration::ZERO);
    let heard = run.stdout.lines().filter_map(|line| Some(line.split_once(" | heard ")?.1.to_owned())).collect();
    let report = std::fs::read_to_string(report).expect("a report is written");
    (heard, serde_json::from_str(&report).expect("it is JSON"))
}

#[test]
fn a_probe_of_health_or_readiness_is_never_the_first_message_of_a_session_that_a_step_begins() {
    for (probe, condition) in [(HEALTH, "healthy"), (READY, "ready")] {
        let bench = Bench::new("session");
        let (heard, report) = heard(&bench, &format!("{SERVER}{probe}\n{}{STEP}", TEST.replace("CONDITION", condition)));
        assert!(heard[0].contains("initialize"), "{condition}: {heard:?}");
        assert!(heard.iter().skip(1).any(|line| line.contains("\"id\":\"probe\"")), "{condition}: {heard:?}");
        assert_eq!(report["processes"][0]["state"], "ready", "{report:#}");
    }
}

#[test]
fn where_nobody_else_speaks_a_probe_need_not_wait() {
    let bench = Bench::new("alone");
    let (heard, report) = heard(&bench, &format!("{SERVER}{HEALTH}\n{}", TEST.replace("CONDITION", "healthy")));
    assert!(heard.iter().all(|line| line.contains("\"id\":\"probe\"")) && !heard.is_empty(), "{heard:?}");
    assert_eq!(report["processes"][0]["health"], "healthy", "an error with the probe's own id is an answer: {report:#}");
}

#[test]
fn what_is_not_ready_because_nobody_has_begun_its_session_says_so() {
    let bench = Bench::new("silence");
    let late = STEP.replace("600ms", "30s");
    let run = bench.run(&format!("{SERVER}{}\n{}{late}", READY.replace("20s", "500ms"), TEST.replace("CONDITION", "ready")), &[]);
    run.assert_code(3);
    assert!(run.stdout.contains("a probe must not speak first in it; awaited: "), "{}", run.stdout);
    bench.assert_nothing_left(Duration::ZERO);
}
