//! The manager's own words: health, hooks, restarts, stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use e2e_tui::harness::{
    BoxFuture, ExecHealthCheck, HealthCheck, HealthError, HealthStatus, HttpHealthCheck, LogHealthCheck, ProcessError, ProcessManager,
    ResourceLimits, Role, StdioHealthCheck, TcpHealthCheck,
};

use crate::{
    support::{Bench, wait_for},
    yard::{self, Held, MARK, SOON},
};

/// Unhealthy from the third question on; counts them.
struct Tires(Arc<AtomicU32>);

impl HealthCheck for Tires {
    fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
        Box::pin(async {
            match self.0.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Ok(HealthStatus::Healthy),
                2 => Ok(HealthStatus::Unhealthy { why: "tired".into() }),
                _ => Err(HealthError("asleep".into())),
            }
        })
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(10)
    }
}

#[tokio::test]
async fn a_check_of_the_suites_own_decides_readiness_and_health() {
    let bench = Bench::new("own-check");
    let harness = yard::harness(&bench).await;
    let asked = Arc::new(AtomicU32::new(0));
    let config = yard::script(&bench, "worker", "sleep 600").health_check(Tires(asked.clone()));
    let worker = harness.start_process(config).await.expect("it was well at first");
    wait_for("it to be unhealthy", SOON, || worker.info().is_ok_and(|process| process.state().word() == "unhealthy"));
    assert!(asked.load(Ordering::SeqCst) >= 5, "three failures in a row");
    assert_eq!(worker.info().expect("it is there").health(), e2e_tui::model::Health::Unhealthy);
}

#[tokio::test]
async fn lazy_health_is_asked_only_when_the_test_asks() {
    let bench = Bench::new("lazy");
    let harness = yard::harness(&bench).await;
    let asked = Arc::new(AtomicU32::new(0));
    let config = yard::script(&bench, "worker", "sleep 600").health_check(Tires(asked.clone())).lazy_health();
    let worker = harness.start_process(config).await.expect("it was well at first");
    let before = asked.load(Ordering::SeqCst);
    assert_eq!(before, 1, "for readiness");
    let manager = harness.process_manager();
    assert_eq!(manager.check_health("worker").await, Ok(HealthStatus::Healthy));
    assert_eq!(manager.check_health("worker").await, Ok(HealthStatus::Unhealthy { why: "tired".into() }));
    assert_eq!(asked.load(Ordering::SeqCst), before + 2);
    assert!(worker.info().expect("it is there").state().is_alive());
}

#[tokio::test]
async fn built_in_checks_can_be_asked_by_themselves() {
    let bench = Bench::new("alone");
    let harness = yard::harness(&bench).await;
    let upstream = harness.start_mock_upstream(Duration::ZERO).await.expect("a server");
    assert_eq!(HttpHealthCheck::new(format!("{}/health", upstream.url)).check().await, Ok(HealthStatus::Healthy));
    assert_eq!(TcpHealthCheck::new(format!("127.0.0.1:{}", upstream.port)).check().await, Ok(HealthStatus::Healthy));
    upstream.stop(SOON).await.expect("it ends");
    let gone = TcpHealthCheck::new(format!("127.0.0.1:{}", upstream.port)).check().await;
    assert!(matches!(gone, Ok(HealthStatus::Unhealthy { .. })), "{gone:?}");
}

#[tokio::test]
async fn hooks_run_when_everything_is_down_however_that_came_about() {
    for end in 0..4 {
        let bench = Bench::new("hooks");
        let manager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
        let tree = yard::tree(&bench).stop_grace(Duration::from_millis(20));
        manager.spawn_process(tree).await.expect("a shell");
        let (called, mark) = (Arc::new(AtomicU32::new(0)), bench.mark.clone());
        let count = called.clone();
        manager.on_shutdown(move || {
            let alive = std::process::Command::new("pgrep").args(["-f", &format!("{mark}-nothing-is-called-so")]).output();
            drop(alive);
            count.fetch_add(1, Ordering::SeqCst);
        });
        manager.on_shutdown(|| std::panic::resume_unwind(Box::new("a hook that fails")));
        match end {
            0 => manager.shutdown_all(SOON).await.expect("it ends"),
            1 => manager.force_kill_all(),
            2 => drop(manager.clone()),
            _ => {}
        }
        if end == 2 {
            assert_eq!(called.load(Ordering::SeqCst), 0, "a copy is not the manager");
        }
        drop(manager);
        assert_eq!(called.load(Ordering::SeqCst), 1, "end {end}");
        bench.assert_nothing_left(Duration::ZERO);
    }
}

#[tokio::test]
async fn a_stop_says_how_it_went_and_what_was_stopped_can_start_again() {
    let bench = Bench::new("stop");
    let harness = yard::harness(&bench).await;
    let manager: &ProcessManager = harness.process_manager();
    let polite = yard::script(&bench, "polite", "trap 'exit 0' TERM; echo up; while :; do sleep 0.01; done");
    let polite = harness.start_process(polite).await.expect("a shell");
    polite.logs().wait_for("^up", SOON).await.expect("it says so");
    let stop = polite.stop(SOON).await.expect("it ends").expect("it was stopped");
    assert!(!stop.escalated_to_kill, "{stop:?}");
    assert_eq!(polite.info().expect("it is there").state().word(), "stopped");
    manager.start_process_again("polite").await.expect("it can");
    manager.restart_process("polite").await.expect("it can");
    assert_eq!(polite.info().expect("it is there").generation(), 3);

    let stubborn = harness.start_process(yard::tree(&bench)).await.expect("a shell");
    let asked = std::time::Instant::now();
    let stop = stubborn.stop(Duration::from_millis(60)).await.expect("it ends").expect("it was stopped");
    assert!(stop.escalated_to_kill && asked.elapsed() < Duration::from_secs(5), "{stop:?} in {:?}", asked.elapsed());
}

#[tokio::test]
async fn limits_are_the_childs_and_not_the_tests() {
    let bench = Bench::new("limits");
    let harness = yard::harness(&bench).await;
    let limits = ResourceLimits { open_files: Some(64), ..ResourceLimits::default() };
    let own = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("Linux");
    let job = harness.start_process(yard::script(&bench, "job", "ulimit -n").limits(limits).role(Role::Task)).await.expect("a shell");
    assert!(job.exited().await.expect("it ends").success());
    job.logs().assert_seen("^64$");
    assert_eq!(nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("Linux"), own);
}

#[tokio::test]
async fn many_start_at_once_and_one_that_fails_takes_the_others_along() {
    let bench = Bench::new("at-once");
    let harness = yard::harness(&bench).await;
    let slow = |n: u32| {
        let ready = e2e_tui::harness::LogHealthCheck::new("^ready");
        yard::script(&bench, &format!("slow-{n}"), "sleep 0.4; echo ready; sleep 600").ready_when(ready)
    };
    let asked = std::time::Instant::now();
    let all = harness.start_all((0..6).map(slow)).await.expect("shells");
    assert!(asked.elapsed() < Duration::from_millis(2400), "one after the other takes that long: {:?}", asked.elapsed());
    assert_eq!(all.len(), 6);
    drop(all);
    bench.assert_nothing_left(Duration::from_millis(200));
    let failing = (0..3).map(slow).chain([yard::script(&bench, "fails", "exit 4").port(9)]);
    let error = harness.start_all(failing).await.expect_err("one fails");
    assert!(error.to_string().starts_with("fails exited with 4"), "{error}");
    bench.assert_nothing_left(Duration::from_millis(200));
}

#[tokio::test]
async fn a_hook_that_holds_the_manager_keeps_nothing_alive() {
    let bench = Bench::new("held-by-hook");
    let saved = bench.dir.path().join("saved");
    let manager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
    manager.spawn_process(yard::tree(&bench)).await.expect("a shell");
    manager.wait_for_ready("tree", SOON).await.expect("it stands");
    let (own, folder) = (manager.clone(), saved.clone());
    manager.on_shutdown(move || drop(own.save_process_logs("tree", folder).expect("a disk")));
    let face = manager.clone();
    drop(manager);
    bench.assert_nothing_left(Duration::ZERO);
    assert_eq!(std::fs::read_to_string(saved.join("tree.out")).expect("the hook has run"), "planted\n");
    let error = face.spawn_process(yard::tree(&bench)).await.expect_err("its manager is gone");
    assert!(matches!(error, ProcessError::RunEnded { .. }), "{error}");
    // What is added when everything is down is called at once.
    let (called, call) = std::sync::mpsc::channel();
    face.on_shutdown(move || called.send(()).expect("it is waited for"));
    call.recv_timeout(SOON).expect("nothing is up that it would have to wait for");
}

#[tokio::test]
async fn checks_that_need_their_process_can_be_asked_for_too() {
    let bench = Bench::new("asked");
    let harness = yard::harness(&bench).await;
    let manager = harness.process_manager();
    let flag = bench.dir.path().join("well").display().to_string();
    std::fs::write(&flag, "").expect("a disk");

    let exec = yard::script(&bench, "exec", "sleep 600").health_check(ExecHealthCheck::new(["test", "-e", &flag]));
    let exec = harness.start_process(exec.lazy_health()).await.expect("a shell");
    assert_eq!(manager.check_health("exec").await, Ok(HealthStatus::Healthy));
    std::fs::remove_file(&flag).expect("it is there");
    let answer = manager.check_health("exec").await.expect("it can be asked");
    assert!(matches!(&answer, HealthStatus::Unhealthy { why } if why.contains("exited with 1")), "{answer:?}");

    let echo = "while read line; do test -e $0.silent || echo \"pong $line\"; done";
    let stdio = yard::script(&bench, "stdio", echo).arg(&flag).health_check(StdioHealthCheck::new("ping", "^pong ping$")).lazy_health();
    let stdio = harness.start_process(stdio).await.expect("a shell");
    assert_eq!(manager.check_health("stdio").await, Ok(HealthStatus::Healthy));
    std::fs::write(format!("{flag}.silent"), "").expect("a disk");
    let answer = manager.check_health("stdio").await.expect("it can be asked");
    assert!(matches!(&answer, HealthStatus::Unhealthy { why } if why.contains("no answer within 2 s")), "{answer:?}");

    let log = yard::script(&bench, "log", "test -e $0.again || echo well; sleep 600").arg(&flag);
    let log = harness.start_process(log.health_check(LogHealthCheck::new("^well$")).ready_when(ExecHealthCheck::new(["true"]))).await;
    let log = log.expect("a shell");
    log.logs().wait_for("well", SOON).await.expect("it says so");
    assert_eq!(manager.check_health("log").await, Ok(HealthStatus::Healthy));
    std::fs::write(format!("{flag}.again"), "").expect("a disk");
    log.restart().await.expect("it can");
    let answer = manager.check_health("log").await.expect("it can be asked");
    assert_eq!(answer, HealthStatus::Unhealthy { why: "it has not said `^well$`".into() }, "only its newest start counts");
    drop((exec, stdio, log));

    // A process of a scenario has its check there.
    let text = format!(
        "name = \"s\"\n[process.own]\nshell = \"sleep 600\"\nenv = {{ {MARK} = \"{}\" }}\nhealth = {{ exec = [\"true\"], interval = \"1h\" }}\n",
        bench.mark
    );
    let path = bench.write("s.toml", &text).display().to_string();
    let harness = yard::builder(&bench, Held::ByGuardian).from_scenario(&path).await.expect("a scenario");
    harness.wait_for_ready("own", SOON).await.expect("it runs");
    assert_eq!(harness.process_manager().check_health("own").await, Ok(HealthStatus::Healthy));
}

/// Panics at each question after the first.
struct Panics(Arc<AtomicU32>);

impl HealthCheck for Panics {
    fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
        Box::pin(async {
            let asked = self.0.fetch_add(1, Ordering::SeqCst);
            // Without the host's panic hook, which prints.
            if asked > 0 {
                std::panic::resume_unwind(Box::new("no such table".to_owned()));
            }
            Ok(HealthStatus::Healthy)
        })
    }

    fn interval(&self) -> Duration {
        Duration::from_millis(10)
    }

    fn name(&self) -> String {
        "the check of the table".to_owned()
    }
}

#[tokio::test]
async fn a_check_that_panics_is_a_bad_answer_and_not_the_last_question() {
    let bench = Bench::new("panics");
    let harness = yard::harness(&bench).await;
    let asked = Arc::new(AtomicU32::new(0));
    let config = yard::script(&bench, "worker", "sleep 600").health_check(Panics(asked.clone()));
    let worker = harness.start_process(config).await.expect("it was well at first");
    wait_for("it to be unhealthy", SOON, || worker.info().is_ok_and(|process| process.state().word() == "unhealthy"));
    assert!(asked.load(Ordering::SeqCst) >= 4, "it is asked again after a panic");
    let failed = harness.process_manager().check_health("worker").await.expect_err("it panics");
    assert_eq!(failed.0, "the check of the table panicked: no such table");

    let never = yard::script(&bench, "never", "sleep 600").ready_when(Panics(Arc::new(AtomicU32::new(1))));
    let error = harness.start_process(never.ready_timeout(Duration::from_millis(200))).await.expect_err("it is never ready");
    assert!(error.to_string().contains("the check of the table panicked: no such table"), "{error}");
}

#[tokio::test]
async fn an_end_that_its_guardian_does_not_carry_out_is_carried_out_all_the_same() {
    let bench = Bench::new("frozen");
    let manager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
    let tree = manager.spawn_process(yard::tree(&bench)).await.expect("a shell");
    manager.wait_for_ready(&tree, SOON).await.expect("it stands");
    let leader = manager.process(&tree).expect("it is there").pid().expect("it lives");
    let stat = std::fs::read_to_string(format!("/proc/{leader}/stat")).expect("it lives");
    let guardian =
        stat.rsplit(") ").next().and_then(|rest| rest.split(' ').nth(1)).and_then(|pid| pid.parse().ok()).expect("it has a parent");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), nix::sys::signal::Signal::SIGSTOP).expect("it is ours");
    let ended = manager.shutdown_all(Duration::from_millis(50)).await;
    // Whatever it says, it must be true.
    assert!(ended.is_err() || bench.alive().is_empty(), "{ended:?}, and alive: {:?}", bench.alive());
    bench.assert_nothing_left(Duration::ZERO);
}

/// Blocks the thread that asks it.
struct Blocks;

impl HealthCheck for Blocks {
    fn check(&self) -> BoxFuture<'_, Result<HealthStatus, HealthError>> {
        Box::pin(async {
            std::thread::sleep(Duration::from_secs(30));
            Ok(HealthStatus::Healthy)
        })
    }
}

#[tokio::test]
async fn a_check_that_blocks_its_thread_holds_up_nobody() {
    let bench = Bench::new("blocks");
    let harness = yard::harness(&bench).await;
    let config = yard::script(&bench, "dies", "echo up; read go; exit 3").ready_when(Blocks).stdin_pipe();
    let manager = harness.process_manager();
    let dies = manager.spawn_process(config).await.expect("a shell");
    let asked = std::time::Instant::now();
    manager.send_line(&dies, "go").await.expect("it reads");
    let error = manager.wait_for_ready(&dies, SOON).await.expect_err("it dies");
    assert!(matches!(error, ProcessError::UnexpectedExit { .. }), "{error}");
    harness.shutdown().await.expect("nothing leaked");
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}
