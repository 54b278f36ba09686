//! S8: every public async function is dropped after its first poll, its second, … until it is done. Nothing may be left that has no
//! owner.

use std::{
    pin::{Pin, pin},
    task::{Context, Poll},
    time::Duration,
};

use e2e_tui::harness::{E2ETestHarness, ProcessManager, ProcessPool, ProxyConfig, ProxyMode, TestClient};

use crate::{
    support::Bench,
    yard::{self, Held, MARK, SOON},
};

/// Polls a future at most so often.
struct Polls<F> {
    future: F,
    left: usize,
}

impl<F: Future + Unpin> Future for Polls<F> {
    type Output = Option<F::Output>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.left -= 1;
        match Pin::new(&mut self.future).poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What `future` gives if `polls` polls are enough; else none, and it was dropped.
pub(crate) async fn within<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = Box::pin(future);
    Polls { future: future.as_mut(), left: polls }.await
}

/// Tries with one poll, then two, … until it is done; `check` is asked after each.
pub(crate) async fn at_every_await<T>(what: &str, mut start: impl AsyncFnMut(usize) -> Option<T>, mut check: impl AsyncFnMut(usize)) -> T {
    for polls in 1..500 {
        let done = start(polls).await;
        if let Some(done) = done {
            return done;
        }
        check(polls).await;
    }
    panic!("{what} is not done after 500 polls")
}

#[tokio::test]
async fn s8_starting_a_harness() {
    for held in Held::BOTH {
        let bench = Bench::new("cancel-new");
        let start = async |polls| within(polls, yard::builder(&bench, held).start()).await;
        let harness = at_every_await("start", start, async |_| {}).await.expect("a harness");
        drop(harness);
    }
}

#[tokio::test]
async fn s8_starting_a_scenario() {
    let bench = Bench::new("cancel-scenario");
    let text = format!(
        "name = \"s\"\n[process.tree]\nshell = \"{}\"\nenv = {{ {MARK} = \"{}\" }}\nready = {{ log = \"planted\" }}\n",
        yard::TREE,
        bench.mark
    );
    let path = bench.write("s.toml", &text).display().to_string();
    let start = async |polls| within(polls, yard::builder(&bench, Held::ByGuardian).from_scenario(&path)).await;
    let harness = at_every_await("from_scenario", start, async |_| bench.assert_nothing_left(SOON)).await.expect("a harness");
    harness.wait_for_ready("tree", SOON).await.expect("it stands");
    drop(harness);
    bench.assert_nothing_left(Duration::ZERO);
}

#[tokio::test]
async fn s8_starting_processes() {
    for held in Held::BOTH {
        let bench = Bench::new("cancel-start");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        // A dropped start has ended what it had begun before the drop returned.
        let nothing = async |_: usize| bench.assert_nothing_left(Duration::from_millis(200));

        let one = async |polls| within(polls, harness.start_process(yard::tree(&bench))).await;
        drop(at_every_await("start_process", one, nothing).await.expect("a shell"));
        bench.assert_nothing_left(Duration::from_millis(200));

        let all = async |polls| within(polls, harness.start_all((0..3).map(|_| yard::tree(&bench)))).await;
        drop(at_every_await("start_all", all, nothing).await.expect("shells"));
        bench.assert_nothing_left(Duration::from_millis(200));

        let manager = harness.process_manager();
        let spawn = async |polls| within(polls, manager.spawn_process(yard::tree(&bench))).await;
        let id = at_every_await("spawn_process", spawn, nothing).await.expect("a shell");
        let wait = async |polls| within(polls, manager.wait_for_ready(&id, SOON)).await;
        at_every_await("wait_for_ready", wait, async |_| assert!(manager.process(&id).is_ok())).await.expect("it stands");
        drop(manager.guard(&id));
        bench.assert_nothing_left(Duration::from_millis(200));
    }
}

#[tokio::test]
async fn s8_starting_a_chain() {
    let bench = Bench::new("cancel-chain");
    let harness = yard::harness(&bench).await;
    let names = || harness.process_manager().processes().iter().filter(|p| p.state().is_alive()).count();
    let upstream = async |polls| within(polls, harness.start_mcp_validator()).await;
    let upstream = at_every_await("start_mcp_validator", upstream, async |_| assert_eq!(names(), 0)).await.expect("a server");
    let config = || ProxyConfig { mode: ProxyMode::Reverse, upstream: upstream.url.clone(), auth: None };
    let proxy = async |polls| within(polls, harness.start_shadowcat_proxy(config())).await;
    let proxy = at_every_await("start_shadowcat_proxy", proxy, async |_| assert_eq!(names(), 1)).await.expect("a proxy");
    let client = TestClient::new(&proxy.url);
    let ping = async |polls| within(polls, client.send_mcp_request("ping", None)).await;
    assert_eq!(at_every_await("send_mcp_request", ping, async |_| {}).await.expect("an answer").status(), 200);
    let tester = async |polls| within(polls, harness.start_test_client(&proxy.url, "ping")).await;
    let tester = at_every_await("start_test_client", tester, async |_| assert_eq!(names(), 2)).await.expect("a client");
    let exited = async |polls| within(polls, tester.exited()).await;
    assert!(at_every_await("exited", exited, async |_| {}).await.expect("it ends").success());
}

#[tokio::test]
async fn s8_stopping_goes_on_when_nobody_waits_for_it() {
    for held in Held::BOTH {
        let bench = Bench::new("cancel-stop");
        let harness = yard::builder(&bench, held).start().await.expect("a harness");
        let handle = harness.start_process(yard::tree(&bench)).await.expect("a shell");

        let restart = async |polls| within(polls, harness.process_manager().restart_process("tree")).await;
        // The tree ignores TERM: each attempt asks again for the same.
        handle.signal(e2e_tui::harness::Signal::KILL).await.expect("it lives");
        handle.exited().await.expect("it ends");
        at_every_await("restart_process", restart, async |_| {}).await.expect("it runs again");
        handle.wait_for_ready(SOON).await.expect("it stands");

        let stop = async |polls| within(polls, handle.stop(Duration::from_millis(50))).await;
        at_every_await("stop", stop, async |_| {}).await.expect("it ends");
        bench.assert_nothing_left(Duration::from_millis(200));
        drop((handle, harness));
    }
}

#[tokio::test]
async fn s8_ending_everything() {
    let bench = Bench::new("cancel-end");
    let mut polls = 1;
    loop {
        let harness = yard::harness(&bench).await;
        let _kept = harness.start_process(yard::tree(&bench).stop_grace(Duration::from_millis(20))).await.expect("a shell").keep();
        let done = within(polls, harness.shutdown()).await;
        // Done or dropped on the way: nothing is left when the drop has returned.
        bench.assert_nothing_left(Duration::ZERO);
        match done {
            Some(report) => break assert_eq!(report.expect("no leak").outcome.exit_code, 0),
            None => polls += 1,
        }
    }
    let mut polls = 1;
    loop {
        let harness = yard::harness(&bench).await;
        let test = async |harness: &E2ETestHarness| {
            let _kept = harness.start_process(yard::tree(&bench).stop_grace(Duration::from_millis(20))).await?.keep();
            Ok::<(), e2e_tui::harness::HarnessError>(())
        };
        let done = within(polls, harness.run(test)).await;
        bench.assert_nothing_left(Duration::ZERO);
        match done {
            Some(passed) => break passed.expect("no leak"),
            None => polls += 1,
        }
    }
    let mut polls = 1;
    loop {
        let manager: ProcessManager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
        manager.spawn_process(yard::tree(&bench)).await.expect("a shell");
        let done = within(polls, manager.shutdown_all(Duration::from_millis(50))).await;
        drop(manager);
        bench.assert_nothing_left(Duration::ZERO);
        if let Some(done) = done {
            break done.expect("it ends");
        }
        polls += 1;
    }
}

#[tokio::test]
async fn s8_lending_and_waiting_for_lines() {
    let bench = Bench::new("cancel-lend");
    let manager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
    let mark = bench.mark.clone();
    let pool = ProcessPool::new(manager, move |port| {
        e2e_tui::harness::ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config().env(MARK, &mark)
    });
    let pool = pool.expect("ports").reset_with(|_| Box::pin(async { Ok(()) }));
    let lend = async |polls| within(polls, pool.lend()).await;
    let lent = at_every_await("lend", lend, async |_| bench.assert_nothing_left(Duration::from_millis(200))).await.expect("a server");
    let logs = lent.logs();
    let wait = async |polls| within(polls, logs.wait_for("listening", SOON)).await;
    at_every_await("wait_for", wait, async |_| {}).await.expect("it says so");
    drop(lent);
    assert_eq!(pool.idle(), 1);
    let lend = async |polls| within(polls, pool.lend()).await;
    drop(at_every_await("lend again", lend, async |_| {}).await.expect("a server"));
    drop(pool);
    bench.assert_nothing_left(Duration::ZERO);
}

#[test]
fn futures_of_a_harness_can_be_polled_without_any_runtime() {
    let bench = Bench::new("no-runtime");
    let mut start = pin!(async {
        let harness: E2ETestHarness = yard::harness(&bench).await;
        let tree = harness.start_process(yard::tree(&bench)).await.expect("a shell");
        tree.logs().wait_for("planted", SOON).await.expect("it says so");
        tree.stop(Duration::from_millis(20)).await.expect("it ends");
        harness.shutdown().await.expect("no leak")
    });
    let this = std::thread::current();
    let waker = std::task::Waker::from(std::sync::Arc::new(Unparks(this)));
    let mut cx = Context::from_waker(&waker);
    let report = loop {
        match start.as_mut().poll(&mut cx) {
            Poll::Ready(report) => break report,
            Poll::Pending => std::thread::park(),
        }
    };
    assert_eq!(report.outcome.exit_code, 0);
    bench.assert_nothing_left(Duration::ZERO);
}

struct Unparks(std::thread::Thread);

impl std::task::Wake for Unparks {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.unpark();
    }
}

#[tokio::test(start_paused = true)]
async fn a_paused_clock_of_the_test_pauses_nothing_here() {
    let bench = Bench::new("paused");
    let harness = yard::harness(&bench).await;
    let slow = yard::script(&bench, "slow", "sleep 0.3; echo ready; sleep 600");
    let slow = slow.ready_when(e2e_tui::harness::LogHealthCheck::new("^ready")).ready_timeout(Duration::from_secs(10));
    let slow = harness.start_process(slow).await.expect("three tenths of a second are not ten seconds");
    slow.logs().wait_for("^ready", Duration::from_secs(10)).await.expect("it was said");
}
