//! The manager's own words: health, hooks, restarts, stops.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use e2e_tui::harness::{
    BoxFuture, HealthCheck, HealthError, HealthStatus, HttpHealthCheck, ProcessManager, ResourceLimits, Role, TcpHealthCheck,
};

use crate::{
    support::{Bench, wait_for},
    yard::{self, Held, SOON},
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
