//! Processes on a terminal of their own.

use std::{
    fs::File,
    io::{ErrorKind, Read, Write},
    os::fd::OwnedFd,
    time::Instant,
};

use e2e_tui::{
    model::{Exit, Signal},
    process::{Launch, Screen, Terminal, TreeId, resize},
};

use crate::support::{SOON, Yard, under_all, wait_for};

/// Starts `argv` on a terminal and gives our end of it.
fn start(yard: &mut Yard, argv: &[&str]) -> (TreeId, u32, File) {
    let Terminal { our_end, process_end } = Terminal::open(Screen { rows: 24, columns: 80 }).expect("a pseudo terminal");
    let copy = || process_end.try_clone().expect("descriptors");
    let launch = Launch { stdin: Some(copy()), tty: true, ..yard.with_output(argv, copy(), copy()) };
    let tree = yard.launch(launch);
    let pid = yard.spawned(tree);
    drop(process_end);
    (tree, pid, File::from(our_end))
}

/// Reads until `wanted` holds of all that was read; at the terminal's end that must be so.
fn read_until(our_end: &mut File, wanted: impl Fn(&str) -> bool) -> String {
    let deadline = Instant::now() + SOON;
    let mut text = String::new();
    let mut buffer = [0; 4096];
    while !wanted(&text) {
        assert!(Instant::now() < deadline, "{text:?}");
        match our_end.read(&mut buffer) {
            Ok(n) => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
            Err(e) if e.kind() == ErrorKind::WouldBlock => std::thread::sleep(std::time::Duration::from_millis(1)),
            // Its end.
            Err(e) if e.raw_os_error() == Some(5) => {
                assert!(wanted(&text), "{text:?}");
                break;
            }
            Err(e) => panic!("{e}"),
        }
    }
    text
}

#[test]
fn it_has_a_controlling_terminal_of_the_size_asked_for() {
    under_all(|yard, _| {
        let (tree, _, mut our_end) =
            start(yard, &["sh", "-c", "test -t 0 && test -t 1 && test -t 2 && stty size </dev/tty; ps -o tty= -p $$; exit 4"]);
        let text = read_until(&mut our_end, |text| text.contains("pts/"));
        assert!(text.starts_with("24 80\n"), "{text:?}");
        assert_eq!(yard.exited(tree), Exit::Code(4));
    });
}

#[test]
fn all_that_it_said_is_there_before_the_end() {
    under_all(|yard, _| {
        let (tree, _, mut our_end) = start(yard, &["sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"]);
        let text = read_until(&mut our_end, |text| text.contains("line 1999\n"));
        assert_eq!(text.lines().count(), 2000);
        assert_eq!(yard.exited(tree), Exit::Code(0));
    });
}

#[test]
fn what_is_typed_arrives_and_ctrl_c_interrupts() {
    under_all(|yard, _| {
        let (tree, _, mut our_end) = start(yard, &["sh", "-c", "read line; echo got $line; exec sleep 3600"]);
        our_end.write_all(b"hello\n").expect("room");
        read_until(&mut our_end, |text| text.contains("got hello"));
        our_end.write_all(b"\x03").expect("room");
        assert_eq!(yard.exited(tree), Exit::Signal(Signal::INT));
    });
}

#[test]
fn a_new_size_is_told_to_it() {
    under_all(|yard, _| {
        let script = "trap 'stty size; exit' WINCH; echo set; while :; do sleep 0.01; done";
        let (tree, _, mut our_end) = start(yard, &["sh", "-c", script]);
        read_until(&mut our_end, |text| text.contains("set"));
        let end = OwnedFd::from(our_end.try_clone().expect("descriptors"));
        resize(&end, Screen { rows: 0, columns: 132 }).expect("a terminal");
        read_until(&mut our_end, |text| text.contains("1 132"));
        yard.exited(tree);
    });
}

#[test]
fn a_terminal_closed_by_us_hangs_up_and_its_tree_can_still_be_ended() {
    under_all(|yard, _| {
        let (tree, _, our_end) = start(yard, &["sh", "-c", "trap '' HUP; setsid sleep 3600 & sleep 3600; sleep 3601"]);
        yard.count_to(tree, 3);
        drop(our_end);
        wait_for("the hang-up has passed", || yard.members(tree).len() >= 2);
        yard.kill(tree);
    });
}

#[test]
fn what_is_no_terminal_is_refused_with_the_call_that_failed() {
    under_all(|yard, _| {
        let launch = Launch { tty: true, ..yard.quiet(&["true"]) };
        let tree = yard.launch(launch);
        let error = yard.until("it fails to start", |event| match event {
            e2e_tui::process::TreeEvent::SpawnFailed { tree: t, error } if *t == tree => Some(error.to_string()),
            _ => None,
        });
        assert!(error.contains("ioctl TIOCSCTTY"), "{error}");
    });
}
