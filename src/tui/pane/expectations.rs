//! The expectations pane: what the scenario expects of the logs, and how that stands, live.

use std::sync::Arc;

use ratatui::{buffer::Buffer, layout::Rect};

use super::rule::{self, Rule};
use crate::{
    model::{ExpectationSnapshot, Standing},
    tui::{glyph::Glyph, layout::Pane, names, scene::Scene, text::Pen, theme::Role, units::counted},
};

/// Said where the scenario expects nothing.
pub(crate) const NONE: &str = "the scenario has no [[expect]]";

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let all = &scene.snapshot.expectations;
    let look = scene.look;
    let focused = scene.app.focus == Pane::Expectations;
    let rule = Rule {
        line: Glyph::Thin,
        line_style: look.style(Role::Rule),
        title: &["Expectations".to_owned()],
        title_style: look.style(if focused { Role::TitleFocused } else { Role::Title }),
        mode: &[counts(all)],
    };
    rule::draw(&rule, area, buf, look);
    let chosen = scene.app.panes.expectation.min(all.len().saturating_sub(1));
    let (rows, more) = visible(all, usize::from(area.height - 1), focused.then_some(chosen));
    let below = area.y + 1 + rows.len() as u16;
    for (y, at) in (area.y + 1..area.bottom()).zip(rows) {
        row(scene, at, &mut Pen::new(buf, area.x, y, area.width), focused && at == chosen);
    }
    if let Some(more) = more {
        Pen::new(buf, area.x, below, area.width).gap(11).fitted(&more, look.ellipsis(), look.style(Role::Dim));
    }
}

/// Draws one; `here`: the cursor is on it.
pub(crate) fn row(scene: &Scene<'_>, at: usize, pen: &mut Pen<'_>, here: bool) {
    let Some(one) = scene.snapshot.expectations.get(at) else { return };
    let look = scene.look;
    let (sign, word, role) = match one.standing {
        Standing::Open => (Glyph::Rest, "open", Role::Rest),
        Standing::Met => (Glyph::Good, "met", Role::Good),
        Standing::Violated => (Glyph::Bad, "violated", Role::Bad),
    };
    let decided = u32::try_from(at).ok().filter(|_| one.standing != Standing::Open).and_then(|at| scene.events.expected(at));
    let time = decided.map_or_else(|| "-".to_owned(), |event| event.at.seconds());
    if here {
        pen.text(look.glyph(Glyph::Here), look.style(Role::Selected)).text(&format!("{time:>8}"), look.style(Role::Dim));
    } else {
        pen.text(&format!("{time:>9}"), look.style(Role::Dim));
    }
    let style = look.style(role);
    pen.gap(2).text(look.glyph(sign), style).gap(1).text(&format!("{word:<8}"), style).gap(2);
    let from = pen.column();
    let hue = scene.index_of(&one.info.process).map(|index| look.theme.process(index)).unwrap_or_default();
    pen.text(&scene.names.as_source(&one.info.process, look), hue).to(from + names::SOURCE as u16 + 1);
    let told = told(one);
    let told = if told.is_empty() { one.info.words() } else { format!("{}   {told}", one.info.words()) };
    pen.fitted(&told, look.ellipsis(), look.style(Role::Plain));
}

/// How far it has come, or how it was decided.
fn told(one: &ExpectationSnapshot) -> String {
    match (one.detail.is_empty(), one.standing) {
        (false, _) => one.detail.clone(),
        (true, Standing::Open) if one.seen > 0 => format!("{} seen", counted(one.seen, "line")),
        (true, _) => String::new(),
    }
}

/// `1 violated, 1 open, 2 met`.
pub(crate) fn counts(all: &[Arc<ExpectationSnapshot>]) -> String {
    let of = |standing| all.iter().filter(|one| one.standing == standing).count();
    let words = [(of(Standing::Violated), "violated"), (of(Standing::Open), "open"), (of(Standing::Met), "met")];
    words.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

/// Which there is room for, in the order of the file: the chosen one, then those violated, open, met; and what to say of
/// the others.
fn visible(all: &[Arc<ExpectationSnapshot>], room: usize, chosen: Option<usize>) -> (Vec<usize>, Option<String>) {
    if all.len() <= room {
        return ((0..all.len()).collect(), None);
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    let rank = |at: &usize| match all[*at].standing {
        _ if Some(*at) == chosen => 0,
        Standing::Violated => 1,
        Standing::Open => 2,
        Standing::Met => 3,
    };
    order.sort_by_key(rank);
    let hidden: Vec<_> = order.split_off(room.saturating_sub(1)).into_iter().map(|at| all[at].clone()).collect();
    order.sort_unstable();
    (order, Some(format!("+{} more: {}", hidden.len(), counts(&hidden))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ExpectationInfo, ProcessId};

    #[test]
    fn those_violated_are_seen_first_where_there_is_little_room() {
        let info = ExpectationInfo {
            process: ProcessId::new("a").expect("a name"),
            must_see: Some("x".into()),
            count: None,
            must_not_see: None,
            metric: None,
            p50: None,
            p95: None,
            p99: None,
            max: None,
            within_ms: None,
        };
        let one = |standing| Arc::new(ExpectationSnapshot { info: info.clone(), standing, seen: 0, detail: String::new(), at: None });
        let all: Vec<_> = [Standing::Met, Standing::Open, Standing::Met, Standing::Violated].map(one).into();
        assert_eq!(counts(&all), "1 violated, 1 open, 2 met");
        assert_eq!(visible(&all, 4, None), (vec![0, 1, 2, 3], None));
        assert_eq!(visible(&all, 3, None), (vec![1, 3], Some("+2 more: 2 met".into())));
        assert_eq!(visible(&all, 3, Some(2)), (vec![2, 3], Some("+2 more: 1 open, 1 met".into())));
        assert_eq!(visible(&all, 0, None), (vec![], Some("+4 more: 1 violated, 1 open, 2 met".into())));
    }
}
