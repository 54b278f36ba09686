//! Whole screens, as the design draws them.

use super::stories::{all_well, crash_loop};

#[test]
fn all_well_at_120x40() {
    insta::assert_snapshot!(all_well(120, 40).picture());
}

#[test]
fn crash_loop_at_120x40() {
    insta::assert_snapshot!(crash_loop(120, 40).picture());
}

#[test]
fn all_well_at_80x24() {
    insta::assert_snapshot!(all_well(80, 24).picture());
}

#[test]
fn crash_loop_at_80x24() {
    insta::assert_snapshot!(crash_loop(80, 24).picture());
}

#[test]
fn all_well_at_200x60() {
    insta::assert_snapshot!(all_well(200, 60).picture());
}

#[test]
fn crash_loop_at_200x60() {
    insta::assert_snapshot!(crash_loop(200, 60).picture());
}

#[test]
fn all_well_at_160x48() {
    insta::assert_snapshot!(all_well(160, 48).picture());
}

#[test]
fn all_well_at_40x10() {
    insta::assert_snapshot!(all_well(40, 10).picture());
}

#[test]
fn crash_loop_at_40x10() {
    insta::assert_snapshot!(crash_loop(40, 10).picture());
}
