//! Whole screens from real runs: recordings in `tests/recordings/`, cut off in mid-run, so that their end is how the run
//! stood at that moment. The stories of the other tests are written to the design; these are what programs really do.

use std::{path::Path, sync::Arc};

use ratatui::layout::Rect;

use super::theatre::{options, text};
use crate::{
    explain::{Closing, closing_block, explain, replay_command},
    model::RunClock,
    record::Recording,
    tui::{
        app::{Abilities, Outcome},
        stage::{Sources, Stage},
    },
};

fn open(name: &str) -> Recording {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.tar.zst"));
    Recording::open_named(&archive.display().to_string(), Path::new("/nonexistent")).unwrap_or_else(|e| panic!("{e}"))
}

/// The screen of a run as it stood at the end of its recording; not live: as a replay shows it.
fn screen(recording: &Recording, live: bool, width: u16, height: u16) -> String {
    let wall = recording.manifest.started.parse().expect("a time");
    let clock = RunClock::standing(wall, recording.snapshot.at);
    let sources = Sources {
        journal: recording.journal.clone(),
        logs: recording.logs.clone(),
        traffic: recording.traffic.clone(),
        clock,
        family: |_| Vec::new(),
    };
    let abilities = Abilities { live, export: live };
    let mut stage = Stage::new(sources, options(), abilities, live, Arc::new(|| {}));
    let now = recording.snapshot.at;
    stage.update(recording.snapshot.clone(), now);
    stage.frame(Rect::new(0, 0, width, height), now);
    let explanation = explain(&recording.journal.from(0), &recording.logs).map(Arc::new);
    if explanation.is_some() {
        for outcome in stage.explain(explanation, now) {
            let Outcome::Seek(seek) = outcome else { panic!("{outcome:?}") };
            stage.seek(seek, now);
        }
    }
    text(&stage.frame(Rect::new(0, 0, width, height), now).0)
}

#[test]
fn forward_all_well_at_120x40() {
    insta::assert_snapshot!(screen(&open("forward"), true, 120, 40));
}

#[test]
fn forward_all_well_at_80x24() {
    insta::assert_snapshot!(screen(&open("forward"), true, 80, 24));
}

#[test]
fn crash_restart_at_120x40() {
    insta::assert_snapshot!(screen(&open("crash-restart"), true, 120, 40));
}

#[test]
fn crash_restart_at_80x24() {
    insta::assert_snapshot!(screen(&open("crash-restart"), true, 80, 24));
}

#[test]
fn crash_restart_replayed_at_120x40() {
    insta::assert_snapshot!(screen(&open("crash-restart"), false, 120, 40));
}

#[test]
fn each_kind_of_trouble_at_80x24() {
    insta::assert_snapshot!(screen(&open("trouble"), true, 80, 24));
}

#[test]
fn what_stays_in_the_terminal() {
    let recording = open("crash-restart");
    let events = recording.journal.from(0);
    let explanation = explain(&events, &recording.logs);
    let replay = Some(replay_command(&recording.manifest.id, None));
    let closing = Closing { events: &events, logs: &recording.logs, explanation: explanation.as_ref(), replay, archives: &[], full: false };
    insta::assert_snapshot!(closing_block(&closing));
}
