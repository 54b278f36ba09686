//! Frames that only time asks for: what is drawn anew is what a whole frame would differ in.

use super::{
    stories::{all_well, crash_loop},
    theatre::Theatre,
};

/// Lets so many seconds pass and lays what changes with time over the frame of before. False if a whole frame is needed.
fn passes(theatre: &mut Theatre, seconds: u64) -> bool {
    let (mut laid, _) = theatre.frame();
    theatre.now = theatre.now + std::time::Duration::from_secs(seconds);
    let Some(parts) = theatre.stage.timed(theatre.now) else { return false };
    for part in parts {
        for at in part.area().positions() {
            laid[at] = part[at].clone();
        }
    }
    assert_eq!(laid, theatre.frame().0);
    true
}

/// Long after the last line, so that no rate is on its way to zero.
fn quiet(mut theatre: Theatre) -> Theatre {
    for _ in 0..70 {
        theatre.now = theatre.now + std::time::Duration::from_secs(1);
        theatre.frame();
    }
    theatre
}

#[test]
fn what_changes_with_time_alone_is_drawn_alone() {
    for (width, height) in [(160, 48), (80, 24), (40, 10)] {
        for make in [all_well, crash_loop] {
            let mut theatre = quiet(make(width, height));
            let mut drawn = 0;
            for keys in ["", "a", "a Tab j", "z", "z L", "L", "L", "w t S", "Esc", "m"] {
                theatre.keys(keys);
                drawn += usize::from(passes(&mut theatre, 1)) + usize::from(passes(&mut theatre, 3600));
            }
            assert!(drawn >= 8, "{drawn} at {width}x{height}");
        }
    }
}

#[test]
fn a_notice_goes_when_its_time_has_come() {
    let mut theatre = quiet(crash_loop(120, 40));
    assert!(passes(&mut theatre, 14) && passes(&mut theatre, 1) && passes(&mut theatre, 1));
}

#[test]
fn where_more_than_that_may_change_all_of_it_is_drawn() {
    for keys in ["?", "i", "V", "/"] {
        let mut theatre = quiet(all_well(120, 40));
        theatre.keys(keys);
        assert!(!passes(&mut theatre, 1), "{keys}");
    }
}
