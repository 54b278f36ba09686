//! Lifecycle lines in the log: what happened to a process, where it happened.

use crate::{
    model::{Narration, Tone},
    tui::{glyph::Glyph, look::Look, text::Pen},
};

/// Draws one across the whole row; `here`: the cursor is on it.
pub(crate) fn draw(pen: &mut Pen<'_>, told: &Narration, here: bool, look: &Look) {
    let width = pen.room();
    let style = look.theme.tone(told.tone);
    let first = if here { Glyph::Here } else { Glyph::Life };
    pen.text(look.glyph(first), style).gap(1).text(look.glyphs.tone(told.tone), style).gap(1);
    let room = usize::from(pen.room().saturating_sub(2));
    pen.text(&crate::tui::text::fit(&wording(told, width), room, look.ellipsis()), style).gap(1);
    pen.fill_to(width, look.glyph(Glyph::Life), style);
}

/// The words of a lifecycle line in a row so wide.
pub(crate) fn wording(told: &Narration, width: u16) -> String {
    let narrow = width < 100;
    // What ended well reads as one phrase; the parts of everything else stand apart.
    let gap = if narrow || told.tone == Tone::Done { "  " } else { "   " };
    let mut text = match &told.process {
        Some(process) => format!("{process} {}", told.what),
        None => told.what.clone(),
    };
    for detail in told.in_log.iter().flatten() {
        text.push_str(gap);
        if narrow {
            text.push_str(&short(detail));
        } else {
            text.push_str(detail);
        }
    }
    text
}

/// A detail in fewer words.
fn short(detail: &str) -> String {
    match detail.strip_prefix("generation ") {
        Some(rest) if rest.contains(", up ") => format!("gen {rest}"),
        _ => detail.strip_suffix(", the run cannot pass any more").unwrap_or(detail).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessId;

    fn told(tone: Tone, what: &str, details: &[&str]) -> Narration {
        Narration {
            tone,
            process: ProcessId::new("upstream").ok(),
            what: what.into(),
            in_log: Some(details.iter().map(|d| (*d).to_owned()).collect()),
            in_events: Vec::new(),
        }
    }

    #[test]
    fn wide_rows_tell_all_and_narrow_ones_the_same_in_fewer_words() {
        let exited = told(Tone::Bad, "exited 101 (panic)", &["generation 1, up 853 ms", "back-off 500 ms"]);
        assert_eq!(wording(&exited, 120), "upstream exited 101 (panic)   generation 1, up 853 ms   back-off 500 ms");
        assert_eq!(wording(&exited, 80), "upstream exited 101 (panic)  gen 1, up 853 ms  back-off 500 ms");
        let failed = told(Tone::Bad, "failed", &["exit 1", "TEST FAILED, the run cannot pass any more"]);
        assert_eq!(wording(&failed, 80), "upstream failed  exit 1  TEST FAILED");
        let completed = told(Tone::Done, "completed", &["exit 0", "after 2.1 s"]);
        assert_eq!(wording(&completed, 120), "upstream completed  exit 0  after 2.1 s");
    }
}
