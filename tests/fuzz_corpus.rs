//! What the fuzzers found, and what they begin with, holds on every compiler.

use std::{fs, path::Path};

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is the fuzzers' library")]
mod targets;

fn replay(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("the corpus is part of the sources");
    let mut count = 0;
    for file in files {
        let path = file.expect("a readable folder").path();
        let data = fs::read(&path).expect("a readable file");
        // Every beginning of it too: that is where readers stumble.
        for end in (0..=data.len()).rev().step_by(1 + data.len() / 50) {
            let caught = std::panic::catch_unwind(|| run(&data[..end]));
            assert!(caught.is_ok(), "{}, its first {end} bytes", path.display());
        }
        count += 1;
    }
    assert!(count > 0, "{} is empty", folder.display());
}

#[test]
fn the_sanitiser_lets_nothing_through() {
    replay("ansi", targets::ansi);
}

#[test]
fn the_line_splitter_loses_nothing() {
    replay("line", targets::line);
}

#[test]
fn the_format_readers_stay_within_their_line() {
    replay("format", targets::format);
}

#[test]
fn the_index_reader_reads_what_makes_sense() {
    replay("index", targets::index);
}

#[test]
fn the_scenario_reader_understands_or_says_where() {
    replay("scenario", targets::scenario);
}

#[test]
fn what_is_imported_has_the_form_of_a_scenario() {
    replay("foreign", targets::foreign);
}

#[test]
fn r1_r2_r3_the_archive_reader_has_an_answer_to_anything() {
    replay("archive", targets::archive);
}
