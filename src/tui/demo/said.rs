//! Lines that matter: warnings, errors and what became of processes; while there are none, what the one in the middle says.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect};

use super::{MARGIN, clock, keys, seen::begun};
use crate::{
    logs::Source,
    model::{At, EventKind, ProcessId, StartCause, Tone},
    tui::{
        glyph::Glyph,
        names,
        pane::line::tidied_text,
        scene::Scene,
        text::{self, Pen},
        theme::Role,
    },
};

/// Events that are looked at.
const NEWEST: usize = 400;
/// What was said no longer ago goes on where it is said again.
const GOES_ON: Duration = Duration::from_secs(10);
/// From this width on how often a line was said has a column,
const WIDE: u16 = 130;
/// so wide.
const TIMES: u16 = 24;

/// A line, and how often it was said in a row.
struct Line {
    at: At,
    process: Option<ProcessId>,
    text: String,
    sign: Option<(Glyph, Role)>,
    times: u64,
    /// When it was said the last time.
    last: At,
}

impl Line {
    /// Whether both say the same but for numbers and ids.
    fn is_like(&self, other: &Line) -> bool {
        self.process == other.process && shape(&self.text) == shape(&other.text)
    }
}

/// Draws the pane.
pub(crate) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let inner = Rect { x: area.x + MARGIN, width: area.width.saturating_sub(2 * MARGIN), ..area };
    if inner.width == 0 || area.width < 2 * MARGIN {
        return;
    }
    let matter = matter(scene);
    let (title, about, lines) = if matter.is_empty() {
        let (whose, lines) = spoken(scene);
        (format!("WHAT {whose} SAYS"), "", lines)
    } else {
        ("WHAT THEY SAY".to_owned(), "warnings and errors only", matter)
    };
    // On a low screen the lines are what counts.
    let mut y = inner.y + 1;
    let mut room = inner.height.saturating_sub(1);
    if inner.height >= 6 {
        Pen::new(buf, inner.x, inner.y, inner.width).fill_to(inner.width, look.glyph(Glyph::Thin), look.style(Role::Rule));
        Pen::new(buf, inner.x, y, inner.width).text(&title, look.style(Role::Title)).gap(3).text(about, look.style(Role::Dim));
        y += 2;
        // A blank row stays below them.
        room -= 3;
    } else if scene.areas.message.is_empty() && room > 0 {
        // There is no row of its own for what keeps the keys apart.
        keys::rule(scene, Rect { y: area.bottom() - 1, ..area }, buf);
        room -= 1;
    }
    for (y, line) in (y..y + room).zip(&lines[lines.len().saturating_sub(usize::from(room))..]) {
        draw_line(scene, line, Rect { y, height: 1, ..inner }, buf);
    }
}

fn draw_line(scene: &Scene<'_>, line: &Line, area: Rect, buf: &mut Buffer) {
    let look = scene.look;
    let times = if line.times > 1 { format!("{}{}", look.glyph(Glyph::Times), line.times) } else { String::new() };
    // Where there is room they stand below one another, not far from the text.
    let cells = match (times.is_empty(), area.width) {
        (_, WIDE..) => TIMES,
        (true, _) => 0,
        (false, _) => text::width(&times) as u16 + 2,
    };
    let mut pen = Pen::new(buf, area.x, area.y, area.width.saturating_sub(cells));
    let indent = if area.width >= WIDE { 10 } else { 8 };
    pen.text(&format!("{:>indent$}", clock(line.at, 3)), look.style(Role::Dim)).gap(2);
    let at = pen.column();
    if let Some(process) = &line.process {
        let hue = scene.index_of(process).map(|index| look.theme.process(index)).unwrap_or_default();
        pen.text(&scene.names.as_source(process, look), hue);
    }
    pen.to(at + names::SOURCE as u16 + 1);
    if let Some((sign, role)) = line.sign {
        pen.text(look.glyph(sign), look.style(role)).gap(1);
    }
    pen.fitted(&line.text, look.ellipsis(), look.style(Role::Plain));
    Pen::new(buf, area.right().saturating_sub(cells), area.y, cells)
        .gap(if area.width >= WIDE { 0 } else { 2 })
        .text(&times, look.style(Role::Warn));
}

/// Alerts and bad ends since the step began, in time order; what is the same but for its numbers is one line.
fn matter(scene: &Scene<'_>) -> Vec<Line> {
    let alerts = scene.events.alerts();
    let alerts = alerts[alerts.len().saturating_sub(NEWEST)..].iter().filter_map(|event| match &event.kind {
        EventKind::Alerted { process, count, text, .. } => Some(Line {
            at: event.at,
            process: Some(process.clone()),
            text: tidied_text(text, scene.look),
            sign: None,
            times: *count,
            last: event.at,
        }),
        _ => None,
    });
    let listed = scene.events.listed();
    let told = scene.events.listed_window(listed.saturating_sub(NEWEST), NEWEST).filter_map(|(event, told)| {
        let sign = match told.tone {
            Tone::Bad => (Glyph::Bad, Role::Bad),
            Tone::Final => (Glyph::Final, Role::Final),
            // What was asked for is no news.
            Tone::Again if is_by_policy(&event.kind) => (Glyph::Again, Role::Warn),
            Tone::Again | Tone::Start | Tone::Good | Tone::Done | Tone::Warn | Tone::Rest | Tone::Mark => return None,
        };
        // Numbers of ours are nothing for an audience.
        let more = told.in_events.iter().filter(|part| !part.contains("pid ") && !part.starts_with("generation ")).cloned();
        let text = std::iter::once(told.what.clone()).chain(more).collect::<Vec<_>>().join("   ");
        Some(Line { at: event.at, process: told.process, text, sign: Some(sign), times: 1, last: event.at })
    });
    let mut all: Vec<Line> = alerts.chain(told).collect();
    all.sort_by_key(|line| line.at);
    let mut lines: Vec<Line> = Vec::new();
    for line in all {
        // Other lines between two of a kind do not make them two.
        let last = lines.iter_mut().rev().find(|known| known.is_like(&line) && line.at.since(known.last) < GOES_ON);
        match last {
            Some(known) => (known.times, known.last) = (known.times + line.times, line.at),
            None => lines.push(line),
        }
    }
    let since = begun(scene);
    lines.retain(|line| line.last >= since);
    lines
}

fn is_by_policy(event: &EventKind) -> bool {
    matches!(event, EventKind::Spawned { cause: StartCause::Policy { .. }, .. })
}

/// What is left of a line without what changes from one of its kind to the next: its numbers and ids, whole words of them.
fn shape(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '…';
    let words = text.split_inclusive(|c| !is_word(c));
    words.map(|word| if word.contains(|c: char| c.is_ascii_digit()) { word.trim_start_matches(is_word) } else { word }).collect()
}

/// What is being said, newest last, and by whom.
fn spoken(scene: &Scene<'_>) -> (String, Vec<Line>) {
    let (whose, window) = scene.spoken;
    let who = match whose {
        [one] => format!("THE {}", one.as_str().to_uppercase()),
        _ => "EVERYBODY".to_owned(),
    };
    let said = window.rows.iter().filter(|row| matches!(row.line.source, Source::Out | Source::Err) && !row.hidden_probes());
    let said = said.map(|row| Line {
        at: row.line.at,
        process: row.line.process.clone(),
        text: tidied_text(&String::from_utf8_lossy(&row.line.bytes), scene.look),
        sign: None,
        times: 1,
        last: row.line.at,
    });
    let mut lines: Vec<Line> = Vec::new();
    for line in said {
        match lines.last_mut().filter(|last| last.is_like(&line)) {
            Some(last) => *last = Line { times: last.times + 1, ..line },
            None => lines.push(line),
        }
    }
    (who, lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_alike_that_differ_in_numbers_and_ids() {
        assert_eq!(shape("{id=34ca…39}: 502 after 2 ms"), shape("{id=f0…0b1}: 502 after 14 ms"));
        assert_ne!(shape("call #3 failed"), shape("call #3 passed"));
    }
}
