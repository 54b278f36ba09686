//! The steps pane: how far the script is.

use std::{fmt::Write, sync::Arc};

use ratatui::{buffer::Buffer, layout::Rect};

use super::rule::{self, Rule};
use crate::{
    model::{At, Snapshot, StepSnapshot, StepStage, human_duration},
    tui::{glyph::Glyph, layout::Pane, scene::Scene, text::Pen, theme::Role},
};

/// Said where the scenario has no script.
pub(crate) const NONE: &str = "the scenario has no [[step]]";

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let all = &scene.snapshot.steps;
    let look = scene.look;
    let focused = scene.app.focus == Pane::Steps;
    let rule = Rule {
        line: Glyph::Thin,
        line_style: look.style(Role::Rule),
        title: &["Steps".to_owned()],
        title_style: look.style(if focused { Role::TitleFocused } else { Role::Title }),
        mode: &[counts(scene.snapshot)],
    };
    rule::draw(&rule, area, buf, look);
    let chosen = scene.app.panes.step.min(all.len().saturating_sub(1));
    let middle = if focused { chosen } else { current(all).unwrap_or(all.len()) };
    let first = first_shown(middle, usize::from(area.height - 1), all.len());
    for (y, at) in (area.y + 1..area.bottom()).zip(first..all.len()) {
        row(scene, at, &mut Pen::new(buf, area.x, y, area.width), focused && at == chosen);
    }
}

/// The first of `all` rows that is shown where there is only room for some and the one at `middle` matters most.
pub(crate) fn first_shown(middle: usize, room: usize, all: usize) -> usize {
    middle.saturating_sub(room / 2).min(all.saturating_sub(room))
}

/// The step whose turn it is: the one that is carried out, else the first that is not over.
fn current(all: &[Arc<StepSnapshot>]) -> Option<usize> {
    let started = all.iter().position(|step| step.stage == StepStage::Started);
    started.or_else(|| all.iter().position(|step| !step.stage.is_over()))
}

/// Draws one; `here`: the cursor is on it.
pub(crate) fn row(scene: &Scene<'_>, at: usize, pen: &mut Pen<'_>, here: bool) {
    let Some(step) = scene.snapshot.steps.get(at) else { return };
    let look = scene.look;
    let is_next = current(&scene.snapshot.steps) == Some(at);
    let (sign, word, role) = match step.stage {
        StepStage::Pending if is_next => (Glyph::Busy, "waits", Role::Busy),
        StepStage::Pending => (Glyph::Rest, "", Role::Rest),
        StepStage::Waiting => (Glyph::Warn, "waits", Role::Warn),
        StepStage::Started => (Glyph::Busy, "goes on", Role::Busy),
        StepStage::Done => (Glyph::Done, "done", Role::Good),
        StepStage::Failed => (Glyph::Bad, "failed", Role::Bad),
        StepStage::Skipped => (Glyph::Rest, "skipped", Role::Rest),
    };
    let time = step.at.map_or_else(|| "-".to_owned(), At::seconds);
    if here {
        pen.text(look.glyph(Glyph::Here), look.style(Role::Selected)).text(&format!("{time:>8}"), look.style(Role::Dim));
    } else {
        pen.text(&format!("{time:>9}"), look.style(Role::Dim));
    }
    let style = look.style(role);
    pen.gap(2).text(look.glyph(sign), style).gap(1).text(&format!("{word:<8}"), style).gap(2);
    let plain = look.style(if is_next { Role::Strong } else { Role::Plain });
    pen.text(&format!("{:>2}  ", at + 1), look.style(Role::Dim)).fitted(&told(step, is_next), look.ellipsis(), plain);
}

/// What it does, and what there is to say about how it stands.
fn told(step: &StepSnapshot, is_next: bool) -> String {
    let took = step.took.filter(|_| step.stage == StepStage::Done).map(|took| format!("after {}", human_duration(took)));
    let waits = || Some(format!("for {}", step.info.when)).filter(|_| !step.info.when.is_empty());
    let about = match step.stage {
        StepStage::Pending if is_next => waits(),
        // Its note stands behind it as long as there is nothing more to say.
        StepStage::Pending | StepStage::Started => Some(step.info.note.clone()).filter(|note| !note.is_empty()),
        StepStage::Waiting => Some(format!("for {}", step.detail)),
        StepStage::Done => took,
        StepStage::Failed | StepStage::Skipped => Some(step.detail.clone()),
    };
    let title = step.info.title();
    about.filter(|about| about != title).map_or_else(|| title.to_owned(), |about| format!("{title}   {about}"))
}

/// `3 of 7 done, 1 failed   held`.
pub(crate) fn counts(snapshot: &Snapshot) -> String {
    let of = |stage| snapshot.steps.iter().filter(|step| step.stage == stage).count();
    let mut counts = format!("{} of {} done", of(StepStage::Done), snapshot.steps.len());
    for (n, word) in [(of(StepStage::Failed), "failed"), (of(StepStage::Skipped), "skipped")] {
        if n > 0 {
            let _ = write!(counts, ", {n} {word}");
        }
    }
    if snapshot.steps_held {
        counts.push_str("   held");
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepInfo;

    fn step(stage: StepStage) -> Arc<StepSnapshot> {
        let info = StepInfo { when: "a ready".into(), what: "kill a".into(), note: "Look.".into(), title: String::new(), idle: false };
        Arc::new(StepSnapshot { stage, ..StepSnapshot::new(info) })
    }

    #[test]
    fn the_step_whose_turn_it_is_stays_on_the_screen() {
        use StepStage::{Done, Pending, Skipped, Started};
        assert_eq!(current(&[Skipped, Done, Pending, Pending].map(step)), Some(2));
        assert_eq!(current(&[Pending, Done, Started].map(step)), Some(2), "an earlier one may be left out");
        assert_eq!(current(&[Done, Done].map(step)), None);
        assert_eq!([first_shown(0, 3, 9), first_shown(4, 3, 9), first_shown(9, 3, 9), first_shown(1, 9, 3)], [0, 3, 6, 0]);
    }

    #[test]
    fn a_step_says_what_it_waits_for_then_what_it_is_about_then_how_it_went() {
        let say = |stage, next| told(&step(stage), next);
        assert_eq!(say(StepStage::Pending, false), "kill a   Look.");
        assert_eq!(say(StepStage::Pending, true), "kill a   for a ready");
        assert_eq!(say(StepStage::Started, true), "kill a   Look.");
        let failed = StepSnapshot { detail: "a is not alive".into(), ..(*step(StepStage::Failed)).clone() };
        assert_eq!(told(&failed, false), "kill a   a is not alive");
    }
}
