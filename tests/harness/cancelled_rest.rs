//! S8: the rest of the public async functions, dropped at every poll, and the proof that none was forgotten.

use std::{fs, path::Path, time::Duration};

use e2e_tui::harness::{ProcessType, Signal, TestClient};

use crate::{
    cancelled::{at_every_await, within},
    support::Bench,
    yard::{self, Held, MARK, SOON},
};

#[tokio::test]
async fn s8_requests() {
    let bench = Bench::new("cancel-requests");
    let harness = yard::harness(&bench).await;
    let server = harness.start_mcp_validator().await.expect("a server");
    let client = TestClient::new(&server.url).timeout(SOON);
    let nothing = async |_: usize| {};
    let notify = async |polls| within(polls, client.notify("notifications/roots/list_changed", None)).await;
    at_every_await("notify", notify, nothing).await.expect("it is taken");
    let call = async |polls| within(polls, client.call_tool("echo", serde_json::json!({ "message": "hello" }))).await;
    assert!(at_every_await("call_tool", call, nothing).await.expect("an answer").text.contains("hello"));
    let tools = async |polls| within(polls, client.list_tools()).await;
    assert!(!at_every_await("list_tools", tools, nothing).await.expect("an answer").is_empty());
    let listen = async |polls| within(polls, client.listen()).await;
    drop(at_every_await("listen", listen, nothing).await.expect("a stream"));
    let raw = async |polls| within(polls, client.raw_request("POST", &[], "no JSON")).await;
    assert!(at_every_await("raw_request", raw, nothing).await.expect("an answer").status() >= 400);
    let end = async |polls| within(polls, client.end_session()).await;
    at_every_await("end_session", end, nothing).await.expect("an answer");
    drop((server, harness));
    bench.assert_nothing_left(Duration::ZERO);
}

#[tokio::test]
async fn s8_servers_of_every_kind() {
    let bench = Bench::new("cancel-servers");
    let harness = yard::harness(&bench).await;
    let alive = || harness.process_manager().processes().iter().filter(|p| p.state().is_alive()).count();
    let none_more = async |_: usize| assert_eq!(alive(), 0);
    let token = async |polls| within(polls, harness.start_mcp_validator_with_token("s3cret-token")).await;
    drop(at_every_await("start_mcp_validator_with_token", token, none_more).await.expect("a server"));
    let mock = async |polls| within(polls, harness.start_mock_upstream(Duration::ZERO)).await;
    drop(at_every_await("start_mock_upstream", mock, none_more).await.expect("a server"));
    let port = async |polls| within(polls, harness.port_allocator().allocate()).await;
    let port = at_every_await("allocate", port, none_more).await.expect("a port");
    let config = || ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config().env(MARK, &bench.mark);
    let server = async |polls| within(polls, harness.start_server(port, config())).await;
    let server = at_every_await("start_server", server, none_more).await.expect("a server");
    let ready = async |polls| within(polls, harness.wait_for_ready(&server.process_id, SOON)).await;
    at_every_await("wait_for_ready", ready, async |_| assert_eq!(alive(), 1)).await.expect("it is ready");
    let health = async |polls| within(polls, harness.process_manager().check_health(&server.process_id)).await;
    at_every_await("check_health", health, async |_| assert_eq!(alive(), 1)).await.expect("it has a health check");
    drop((server, harness));
    bench.assert_nothing_left(Duration::ZERO);
}

#[tokio::test]
async fn s8_what_is_asked_of_a_process() {
    for held in Held::BOTH {
        let bench = Bench::new("cancel-asked");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        let manager = harness.process_manager();
        let one = async |_: usize| assert_eq!(manager.processes().len(), 1);
        let cat = yard::script(&bench, "cat", "echo up; exec cat").stdin_pipe();
        let cat = harness.start_process(cat).await.expect("a shell");
        let line = async |polls| within(polls, cat.send_line("by the handle")).await;
        at_every_await("send_line", line, one).await.expect("it reads");
        let line = async |polls| within(polls, manager.send_line("cat", "by the manager")).await;
        at_every_await("send_line of the manager", line, one).await.expect("it reads");
        cat.logs().wait_for("by the manager", SOON).await.expect("it says what it reads");
        let signal = async |polls| within(polls, cat.signal(Signal::CONT)).await;
        at_every_await("signal", signal, one).await.expect("it lives");
        let signal = async |polls| within(polls, manager.signal_process("cat", Signal::CONT)).await;
        at_every_await("signal_process", signal, one).await.expect("it lives");
        let restart = async |polls| within(polls, cat.restart()).await;
        at_every_await("restart", restart, one).await.expect("it runs again");
        let stop = async |polls| within(polls, manager.shutdown_process("cat", SOON)).await;
        at_every_await("shutdown_process", stop, one).await.expect("it ends");
        bench.assert_nothing_left(Duration::from_millis(200));
        let again = async |polls| within(polls, manager.start_process_again("cat")).await;
        at_every_await("start_process_again", again, one).await.expect("it runs again");
        drop((cat, harness));
        bench.assert_nothing_left(Duration::ZERO);
    }
}

#[tokio::test]
async fn s8_a_manager_alone_and_a_verdict() {
    let bench = Bench::new("cancel-alone");
    let manager = async |polls| within(polls, yard::builder(&bench, Held::ByGuardian).process_manager()).await;
    drop(at_every_await("process_manager", manager, async |_| {}).await.expect("a manager"));
    let text = format!("name = \"v\"\n[process.test]\nrole = \"test\"\nshell = \"sleep 0.1\"\nenv = {{ {MARK} = \"{}\" }}\n", bench.mark);
    let path = bench.write("v.toml", &text).display().to_string();
    let harness = yard::builder(&bench, Held::ByGuardian).from_scenario(&path).await.expect("a scenario");
    let verdict = async |polls| within(polls, harness.verdict()).await;
    assert_eq!(at_every_await("verdict", verdict, async |_| {}).await.expect("it ends").exit_code, 0);
    drop(harness);
    bench.assert_nothing_left(Duration::ZERO);
}

/// Every public async function of the library stands in one of the two files. `new` and `from_scenario` of the harness are `start` and
/// `from_scenario` of its builder without anything set, and would record into the user's own folder here.
#[test]
fn s8_no_public_async_function_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join("tests/harness").join(name)).expect("it is beside this");
    let tried = [read("cancelled.rs"), read("cancelled_rest.rs")].concat();
    let mut folders = vec![root.join("src/harness")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("the library's folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            for name in text.lines().filter_map(|line| line.trim().strip_prefix("pub async fn ")) {
                let name = name.split(['(', '<']).next().expect("a function has a name");
                found += 1;
                let is_tried = tried.lines().any(|line| line.contains("within(polls") && line.contains(&format!("{name}(")));
                assert!(is_tried || name == "new", "{}: `{name}` is never dropped half done", path.display());
            }
        }
    }
    assert!(found > 30, "{found}");
}
