//! Questions asked with real children: commands that must end with their question, and whose a listening socket is.

use std::{
    net::TcpListener,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use e2e_tui::{
    health::{ExecQuestion, Question, ask},
    model::{Containment, Exit, ProbeOutcome},
    process::{Commands, Ended, LocalSpawner, ShortCommand, Spawner, sockets},
    redact::Redactor,
};
use tokio::sync::mpsc::unbounded_channel;

/// What the commands of these tests must not show.
const SECRET: &str = "tok-0123456789-abcdef";

use crate::support::{Under, fresh_mark, living, under_all, until_none_lives, wait_for};

const LONG: Duration = Duration::from_secs(20);

/// A spawner whose events all go to the commands.
fn commands(under: Under) -> (Arc<Commands>, Arc<dyn Spawner>) {
    let (sender, mut events) = unbounded_channel();
    let spawner: Arc<dyn Spawner> = match under.guardian(sender.clone()) {
        None => Arc::new(LocalSpawner::start(sender).expect("a thread and a fork")),
        Some(guardian) => Arc::new(guardian),
    };
    let commands = Commands::new(spawner.clone(), Redactor::new([SECRET.to_owned()]));
    let claimer = commands.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            assert_eq!(claimer.claim(event), None, "every event here is about a command");
        }
    });
    (commands, spawner)
}

fn shell(script: &str, mark: &str) -> ShortCommand {
    let env = std::env::vars_os().chain([("E2E_TEST_MARK".into(), mark.into())]).collect();
    ShortCommand { argv: vec!["sh".into(), "-c".into(), script.into()], env, cwd: "/".into() }
}

#[tokio::test]
async fn a_command_is_judged_by_its_exit_code_and_quoted() {
    for under in Under::all() {
        let (commands, _spawner) = commands(under);
        let mark = fresh_mark();
        let probe = |script: &str| {
            let question = Question::Exec(ExecQuestion { commands: commands.clone(), command: shell(script, &mark) });
            async move { ask(&question, LONG, None).await.outcome }
        };
        assert_eq!(probe("exit 0").await, ProbeOutcome::Ok);
        let why = "`sh -c echo not yet >&2; exit 3` exited with 3: not yet".to_owned();
        assert_eq!(probe("echo not yet >&2; exit 3").await, ProbeOutcome::Failed { short: "exit 3".into(), why });
        assert!(matches!(probe("kill -KILL $$").await, ProbeOutcome::Failed { short, .. } if short == "SIGKILL"));
        let question = Question::Exec(ExecQuestion {
            commands: commands.clone(),
            command: ShortCommand { argv: vec!["no-such-program".into()], ..shell("", &mark) },
        });
        assert!(matches!(ask(&question, LONG, None).await.outcome, ProbeOutcome::Failed { short, .. } if short == "not found"));
        until_none_lives(&mark, LONG);
    }
}

#[tokio::test]
async fn h11_a_command_that_forks_and_hangs_dies_with_all_it_forked() {
    for under in Under::all() {
        let (commands, _spawner) = commands(under);
        let mark = fresh_mark();
        let script = "echo waiting; setsid sleep 3600 & trap '' TERM; while :; do sleep 3600; done";
        let question = Question::Exec(ExecQuestion { commands: commands.clone(), command: shell(script, &mark) });
        let started = Instant::now();
        let outcome = ask(&question, Duration::from_millis(300), None).await.outcome;
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        let ProbeOutcome::Failed { short, why } = outcome else { panic!("it hangs") };
        assert_eq!(short, "timeout");
        assert!(why.ends_with("has not ended within 300 ms: waiting"), "{why}");
        until_none_lives(&mark, LONG);
    }
}

#[tokio::test]
async fn a_command_that_leaves_a_child_on_its_pipe_is_answered_at_once() {
    for under in Under::all() {
        let (commands, _spawner) = commands(under);
        let mark = fresh_mark();
        let started = Instant::now();
        let end = commands.run(&shell("sleep 3600 & echo done", &mark), LONG).await;
        assert_eq!((end.how, end.output.as_str()), (Ended::Exited(Exit::Code(0)), "done\n"));
        assert!(started.elapsed() < LONG / 4);
        until_none_lives(&mark, LONG);
    }
}

#[tokio::test]
async fn a_dropped_question_kills_its_command() {
    let (commands, _spawner) = commands(Under::Guardian(Containment::Subreaper));
    let mark = fresh_mark();
    let task = tokio::spawn({
        let (commands, command) = (commands.clone(), shell("setsid sleep 3600 & wait", &mark));
        async move { commands.run(&command, LONG).await }
    });
    while living(&mark).len() < 2 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    task.abort();
    assert!(task.await.is_err_and(|e| e.is_cancelled()));
    until_none_lives(&mark, LONG);
}

#[tokio::test]
async fn a_chatty_command_is_read_to_its_end_and_its_last_words_are_kept() {
    let (commands, _spawner) = commands(Under::Guardian(Containment::Subreaper));
    let end = commands.run(&shell("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end", &fresh_mark()), LONG).await;
    assert_eq!(end.how, Ended::Exited(Exit::Code(0)));
    assert!(end.output.len() <= 4096 && end.output.ends_with("x\nthe end\n"), "{} bytes", end.output.len());
}

#[tokio::test]
async fn c15_no_part_of_a_secret_is_left_where_the_output_of_a_command_is_cut() {
    let (commands, _spawner) = commands(Under::Guardian(Containment::Subreaper));
    // The last 4 KiB begin within the secret.
    let end = commands.run(&shell(&format!("printf %s%4090s {SECRET} x"), &fresh_mark()), LONG).await;
    assert!(end.output.len() == 4096 && end.output.starts_with("****** "), "{:?}", &end.output[..30]);
    // Its end never comes: a child holds the pipe.
    let (begin, _) = SECRET.split_at(8);
    let end = commands.run(&shell(&format!("printf 'said {begin}'; sleep 3600 &"), &fresh_mark()), LONG).await;
    assert_eq!((end.how, end.output.as_str()), (Ended::Exited(Exit::Code(0)), "said ********"));
}

#[tokio::test]
async fn a_lost_spawner_ends_the_questions_under_way() {
    let (commands, spawner) = commands(Under::Guardian(Containment::Subreaper));
    let task = tokio::spawn({
        let commands = commands.clone();
        async move { commands.run(&shell("sleep 3600", &fresh_mark()), LONG).await.how }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    // Its events end too, as after a loss.
    assert_eq!(spawner.kill_all(LONG), 0);
    let how = task.await.expect("it does not panic");
    assert!(matches!(how, Ended::Exited(Exit::Signal(_)) | Ended::Lost), "{how:?}");
    assert_eq!(commands.run(&shell("true", &fresh_mark()), LONG).await.how, Ended::Lost);
}

#[test]
fn h10_a_listener_is_told_to_be_of_the_tree_or_foreign() {
    under_all(|yard, _| {
        let (stranger, _) = yard.start(&["sleep", "3600"]);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let (tree, leader) = yard.start(&["sleep", "3600"]);
        let me = std::process::id();
        assert_eq!(sockets::owner(port, leader), sockets::Owner::Foreign { pid: me });
        assert!(sockets::listeners(port).iter().any(|l| l.pid == Some(me) && Path::new(&l.command).is_absolute()));

        // A grandchild in a session of its own that inherits the socket as its stdin, and nobody else has it.
        let mut launch = yard.quiet(&["sh", "-c", "exec 3<&0; setsid sleep 3600 <&3 3<&- & exec sleep 3601 </dev/null 3<&-"]);
        launch.stdin = Some(listener.into());
        let own = yard.launch(launch);
        let own_leader = yard.spawned(own);
        let members = yard.grown_to(own, &["sleep 3601", "sleep 3600"]);
        wait_for("the socket is the grandchild's alone", || {
            sockets::owner(port, own_leader) == sockets::Owner::Member { pid: members[1].pid }
        });
        assert_eq!(sockets::owner(port, leader), sockets::Owner::Foreign { pid: members[1].pid });
        for tree in [tree, own, stranger] {
            yard.kill(tree);
        }
        assert_eq!(sockets::owner(port, own_leader), sockets::Owner::Nobody);
        assert_eq!(sockets::listeners(port), []);
    });
}
