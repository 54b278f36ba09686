//! The strip "What happened": facts in time order, from the first abnormal event to the failure.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use super::rule::{self, Rule};
use crate::{
    explain::{Fact, distance as later, fact_text},
    tui::{
        action::Action,
        glyph::Glyph,
        keymap::Context,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// How many rows the strip wants on a screen so high: its rule, and a row for every eight.
pub(crate) fn wants(facts: usize, height: u16) -> u16 {
    // On a very low screen the log says it all; the key still jumps there.
    if facts == 0 || height < 16 { 0 } else { 1 + (facts as u16).min((height / 8).max(1)) }
}

/// Draws the strip.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let wide = area.width >= 100;
    let key = |action| scene.keymap.key_of(Context::Log, action).unwrap_or_default();
    let jump = format!("{} jumps here", key(Action::FirstFailure));
    let more = format!("{} more", key(Action::Details));
    let mode = if wide { vec![jump, more] } else { vec![jump] };
    let style = scene.look.style(Role::StripTitle);
    let rule = Rule { line: Glyph::Thick, line_style: style, title: &["What happened".to_owned()], title_style: style, mode: &mode };
    rule::draw(&rule, area, buf, scene.look);
    let room = usize::from(area.height - 1);
    for (y, index) in (area.y + 1..area.bottom()).zip(chosen(scene.facts.len(), room, scene.app.fact)) {
        row(scene, index, Rect { y, height: 1, ..area }, buf);
    }
}

/// Which facts to show in so many rows: the first and the last always, others from the first on, or up to the one that
/// `F` jumped to.
fn chosen(facts: usize, room: usize, here: Option<usize>) -> Vec<usize> {
    if facts <= room {
        return (0..facts).collect();
    }
    match room {
        0 => Vec::new(),
        1 => vec![here.unwrap_or(0).min(facts - 1)],
        2 => vec![0, facts - 1],
        _ => {
            let between = room - 2;
            let end = here.unwrap_or(0).clamp(between, facts - 2);
            std::iter::once(0).chain(end + 1 - between..=end).chain([facts - 1]).collect()
        }
    }
}

fn row(scene: &Scene<'_>, index: usize, area: Rect, buf: &mut Buffer) {
    let Some(fact) = scene.facts.get(index) else { return };
    let look = scene.look;
    let wide = area.width >= 100;
    let strong = if index == 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let alone = scene.facts.len() == 1 && scene.past.is_none();
    let distance = distance(fact, index, wide, alone);
    let right = text::width(&distance) as u16 + if wide { 16 } else { 1 + u16::from(index > 0) };
    let mut pen = Pen::new(buf, area.x, area.y, area.width);
    let time = fact.at.seconds();
    // The fact that the log is parked at, once somebody goes along them.
    if scene.app.fact == Some(index) && index > 0 && !scene.app.log.follows() {
        pen.text(look.glyph(Glyph::Here), look.style(Role::Selected)).text(&format!("{time:>8}"), strong).gap(2);
    } else {
        pen.text(&format!("{time:>9}"), strong).gap(2);
    }
    let name = u16::from(wide) + 9;
    let hue = fact.process.as_ref().and_then(|process| scene.index_of(process)).map(|i| look.theme.process(i)).unwrap_or_default();
    let named = match &fact.process {
        Some(process) if wide => scene.names.in_table(process, look),
        Some(process) => scene.names.as_source(process, look),
        None => text::fit(fact.who(), usize::from(name), look.ellipsis()).into_owned(),
    };
    pen.text(&named, hue.patch(strong));
    pen.to(11 + name + 1);
    // Distances stand in one column where there is room, else at the right edge.
    let column = if wide {
        area.width.saturating_sub(if index == 0 { 27.max(text::width(&distance) as u16 + 1) } else { right })
    } else {
        area.width.saturating_sub(right)
    };
    let room = usize::from(column.saturating_sub(pen.column() + 1));
    let told = fact_text(fact);
    let told = if wide { told } else { told.split("  ").collect::<Vec<_>>().join(" ") };
    pen.text(&fit_quoted(&told, room, look.ellipsis()), strong);
    pen.to(column).text(&distance, look.style(Role::Dim));
}

/// `first abnormal event`, `2 ms later`; where it is narrow `first`, `+2 ms`.
fn distance(fact: &Fact, index: usize, wide: bool, alone: bool) -> String {
    match (index, wide) {
        (0, true) if alone => "no abnormal event before the failure".into(),
        (0, false) if alone => "nothing before".into(),
        (0, true) => "first abnormal event".into(),
        (0, false) => "first".into(),
        (_, true) => format!("{} later", later(fact)),
        (_, false) => format!("+{}", later(fact)),
    }
}

/// Shortens a text inside its quotes, so that what stands behind them stays.
fn fit_quoted(told: &str, room: usize, ellipsis: &str) -> String {
    let whole = text::width(told);
    if whole <= room {
        return told.to_owned();
    }
    if let (Some(open), Some(close)) = (told.find('"'), told.rfind('"'))
        && open < close
    {
        let (before, quoted, after) = (&told[..=open], &told[open + 1..close], &told[close..]);
        let rest = text::width(before) + text::width(after);
        if room > rest + 4 {
            return format!("{before}{}{after}", text::fit(quoted, room - rest, ellipsis));
        }
    }
    text::fit(told, room, ellipsis).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_fact_are_always_shown() {
        assert_eq!(chosen(4, 4, None), [0, 1, 2, 3]);
        assert_eq!(chosen(4, 3, None), [0, 1, 3]);
        assert_eq!(chosen(9, 1, None), [0]);
        assert_eq!(chosen(9, 0, None), [0usize; 0]);
        assert_eq!((chosen(4, 3, Some(2)), chosen(4, 3, Some(3))), (vec![0, 2, 3], vec![0, 2, 3]));
        assert_eq!((chosen(9, 5, Some(1)), chosen(9, 5, Some(6))), (vec![0, 1, 2, 3, 8], vec![0, 4, 5, 6, 8]));
        assert_eq!((chosen(9, 2, Some(6)), chosen(9, 1, Some(6))), (vec![0, 8], vec![6]));
        assert_eq!((wants(4, 24), wants(4, 40), wants(0, 40), wants(9, 40)), (4, 5, 0, 6));
    }

    #[test]
    fn quotes_shrink_before_what_surrounds_them() {
        let told = "502 to client-a \"connect 127.0.0.1:20001: Connection refused\" ×3";
        assert_eq!(fit_quoted(told, 40, "…"), "502 to client-a \"connect 127.0.0.1:…\" ×3");
        assert_eq!(fit_quoted("no quotes at all", 9, "…"), "no quote…");
    }
}
