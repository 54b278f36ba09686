//! Processes on loan.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use e2e_tui::harness::{ProcessPool, ProcessType, Signal};

use crate::{
    support::Bench,
    yard::{self, Held, MARK, SOON},
};

async fn pool(bench: &Bench) -> ProcessPool {
    let manager = yard::builder(bench, Held::ByGuardian).process_manager().await.expect("a manager");
    let mark = bench.mark.clone();
    let make = move |port| ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config().env(MARK, &mark);
    ProcessPool::new(manager, make).expect("ports")
}

#[tokio::test]
async fn without_a_reset_each_test_gets_a_fresh_one() {
    let bench = Bench::new("fresh");
    let pool = pool(&bench).await;
    let first = pool.lend().await.expect("a server");
    let pid = first.info().expect("it is there").pid();
    drop(first);
    assert_eq!(pool.idle(), 0);
    bench.assert_nothing_left(Duration::from_millis(200));
    let second = pool.lend().await.expect("a server");
    assert_ne!(second.info().expect("it is there").pid(), pid);
    drop(second);
}

#[tokio::test]
async fn a_reset_that_succeeds_saves_a_start_and_one_that_fails_does_not() {
    let bench = Bench::new("reset");
    let well = Arc::new(AtomicBool::new(true));
    let asked = well.clone();
    let pool = pool(&bench).await.reset_with(move |_| {
        let well = asked.load(Ordering::SeqCst);
        Box::pin(async move { if well { Ok(()) } else { Err("it cannot".into()) } })
    });
    let pid_of = |server: &e2e_tui::harness::PooledProcess| server.info().expect("it is there").pid();
    let first = pool.lend().await.expect("a server");
    let other = pool.lend().await.expect("a server");
    let pid = pid_of(&first);
    assert_ne!(pid_of(&other), pid, "two tests at once never share one");
    drop((first, other));
    assert_eq!(pool.idle(), 2);
    let again = pool.lend().await.expect("a server");
    let pid = pid_of(&again);
    drop(again);
    well.store(false, Ordering::SeqCst);
    let fresh = pool.lend().await.expect("a server");
    assert_ne!(pid_of(&fresh), pid);
    assert_eq!(pool.idle(), 0, "those that could not be reset are gone");

    // One that died on loan is not lent again.
    well.store(true, Ordering::SeqCst);
    let pid = pid_of(&fresh);
    fresh.signal(Signal::KILL).await.expect("it lives");
    fresh.exited().await.expect("it ends");
    drop(fresh);
    assert_ne!(pid_of(&pool.lend().await.expect("a server")), pid);
    drop(pool);
    bench.assert_nothing_left(SOON);
}

#[tokio::test(start_paused = true)]
async fn a_reset_takes_its_time_though_the_tests_clock_is_paused() {
    let bench = Bench::new("paused-pool");
    let pool = pool(&bench).await.reset_with(|_| {
        // Somebody else's time: the test's own clock would jump to its next timer meanwhile.
        let (done, reset) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(100));
            let _ = done.send(());
        });
        Box::pin(async move { reset.await.map_err(|error| error.to_string()) })
    });
    let first = pool.lend().await.expect("a server");
    let pid = first.info().expect("it is there").pid();
    drop(first);
    let again = pool.lend().await.expect("a server");
    assert_eq!(again.info().expect("it is there").pid(), pid, "it was reset");
}

#[tokio::test]
async fn the_port_of_a_server_that_is_gone_is_nobodys() {
    let bench = Bench::new("ports-of-pool");
    let (fails, well) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
    let (failing, resets, mark) = (fails.clone(), well.clone(), bench.mark.clone());
    let manager = yard::builder(&bench, Held::ByGuardian).process_manager().await.expect("a manager");
    let make = move |port| {
        if failing.load(Ordering::SeqCst) {
            return e2e_tui::harness::ProcessConfig::shell("fails", "exit 3");
        }
        ProcessType::MockUpstream { port, response_delay: Duration::ZERO }.to_process_config().env(MARK, &mark)
    };
    let pool = ProcessPool::new(manager, make).expect("ports").reset_with(move |_| {
        let well = resets.load(Ordering::SeqCst);
        Box::pin(async move { if well { Ok(()) } else { Err("it cannot".into()) } })
    });
    let leased = || pool.port_allocator().leased();

    pool.lend().await.expect_err("it exits with 3");
    assert_eq!(leased(), 0, "one that never became ready");
    fails.store(false, Ordering::SeqCst);
    assert!(crate::cancelled::within(1, pool.lend()).await.is_none());
    assert_eq!(leased(), 0, "one whose start nobody waited for");
    drop(pool.lend().await.expect("a server"));
    assert_eq!(leased(), 1, "it may be lent again");
    let server = pool.lend().await.expect("another server");
    assert_eq!(leased(), 1, "the first could not be reset");
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _server = server;
        std::panic::resume_unwind(Box::new("the test fails"));
    }));
    assert!(panicked.is_err());
    assert_eq!(leased(), 0, "one that a failing test had");
    well.store(true, Ordering::SeqCst);
    drop((pool.lend().await.expect("a server"), pool.lend().await.expect("another")));
    assert_eq!((pool.idle(), leased()), (2, 2));
    drop(pool);
    bench.assert_nothing_left(SOON);
}

#[tokio::test]
async fn what_a_pool_is_told_holds_for_all_who_share_it() {
    let bench = Bench::new("shared");
    let pool = pool(&bench).await;
    let other = pool.clone();
    let pool = pool.reset_with(|_| Box::pin(async { Ok(()) })).most_idle(1);
    let (first, second) = (other.lend().await.expect("a server"), other.lend().await.expect("a server"));
    drop((first, second));
    assert_eq!((pool.idle(), other.idle()), (1, 1));
    drop((pool, other));
    bench.assert_nothing_left(Duration::ZERO);
}
