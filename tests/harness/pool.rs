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
