//! One line of the log: time, source, level, text.

use ratatui::style::{Color, Modifier, Style};

use crate::{
    logs::{self, Level, LogLine, Presented, TextStyle, Token, present_as, verbatim},
    model::At,
    process::Screen as ChildScreen,
    tui::{
        app::log::{LogState, TimeForm},
        fold::{Row, message_below},
        ids,
        layout::{Areas, Pane},
        look::Look,
        names::{self, Names},
        text::{self, Pen},
        theme::{Colours, Role},
        units::{counted, memory},
    },
};

/// Cells of the source column.
pub(crate) const SOURCE: u16 = names::SOURCE as u16;

/// A line ready to be written: what stands behind the level.
#[derive(Debug, Clone, Default)]
pub(crate) struct Body {
    pub(crate) level: Option<Level>,
    pub(crate) own_time: Option<String>,
    pub(crate) pieces: Vec<(String, Style)>,
    /// What stands behind the text, whatever its length: `+3 lines folded`.
    pub(crate) suffix: String,
}

/// Below this width the time column goes: who said it matters more.
const WITH_TIME: u16 = 60;
/// The same where it stands beside others, and its title says who.
const WITH_TIME_ALONE: u16 = 36;

/// The room a log has, and which columns that leaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Room {
    pub(crate) width: u16,
    /// One of several logs side by side: whose it is stands in its title.
    pub(crate) alone: bool,
}

impl Room {
    /// Whether a log so wide tells the times of its lines.
    pub(crate) fn has_time(width: u16, alone: bool) -> bool {
        width >= if alone { WITH_TIME_ALONE } else { WITH_TIME }
    }

    /// Cells of the time column with the gap behind it.
    fn time(self, form: TimeForm) -> u16 {
        if Self::has_time(self.width, self.alone) { form.cells() + 2 } else { 1 }
    }

    /// Cells of the source column with the gap behind it.
    fn source(self) -> u16 {
        if self.alone { 0 } else { SOURCE + 1 }
    }

    /// The cells before the text: time, source, level.
    pub(crate) fn head(self, form: TimeForm) -> u16 {
        self.time(form) + self.source() + 2
    }
}

/// How big a terminal of a process is to be: what fits into it is shown whole. None while no log is shown.
pub(crate) fn child_screen(areas: &Areas) -> Option<ChildScreen> {
    let area = areas.of(Pane::Logs)?;
    let head = Room { width: area.width, alone: false }.head(TimeForm::default());
    Some(ChildScreen { rows: area.height.saturating_sub(1).max(1), columns: area.width.saturating_sub(head).max(1) })
}

/// Makes the text of `row`, for a pane `width` cells wide.
pub(crate) fn body(row: &Row, log: &LogState, width: u16, look: &Look) -> Body {
    let line = &row.line;
    if line.lost {
        let lost = "(gone: dropped to stay within the disk cap, or refused by the disk)".to_owned();
        return Body { pieces: vec![(lost, look.style(Role::Warn))], ..Body::default() };
    }
    let mut body = if log.as_written { as_written(line) } else { tidied(row, log, width, look) };
    if line.cut {
        body.pieces.push((format!(" (cut here: the line has {})", memory(line.size)), look.style(Role::Dim)));
    }
    highlight(&mut body, line, log, look);
    if row.hidden_probes() {
        body.pieces.iter_mut().for_each(|(_, style)| *style = style.patch(look.style(Role::Dim)));
    }
    let folded = row.folded.len() as u64;
    body.suffix = match folded {
        0 => String::new(),
        n if row.hidden_probes() && width < 100 => format!("({n} hidden, H)"),
        n if row.hidden_probes() => format!("({n} of these hidden, H shows them)"),
        n if width < 100 => format!("+{n} folded"),
        n => format!("+{} folded", counted(n, "line")),
    };
    body
}

fn as_written(line: &LogLine) -> Body {
    let Presented { level, own_time, .. } = line.present();
    Body { level, own_time, pieces: vec![(verbatim(&line.bytes), Style::new())], suffix: String::new() }
}

fn tidied(row: &Row, log: &LogState, width: u16, look: &Look) -> Body {
    // More than can be seen is not worth the time: colour codes take some bytes a cell.
    let most = 4096.max((usize::from(log.sideways) + usize::from(width)) * 12);
    let bytes = &row.line.bytes;
    let short = if bytes.len() > most && !log.wrap { &bytes[..most] } else { bytes };
    let Presented { level, own_time, spans } = present_as(short, row.line.format);
    let narrow = width < 100;
    let mut pieces: Vec<(String, Style)> = Vec::with_capacity(spans.len());
    for span in spans {
        let text = ids::shorten(&span.text, narrow, look.ellipsis()).into_owned();
        pieces.push((text, child_style(span.style, look.colours)));
    }
    if let Some(message) = message_below(row) {
        pieces.push((format!(" {message}"), Style::new()));
    }
    Body { level, own_time, pieces, suffix: String::new() }
}

/// A line of output as the log would show it, without its columns: its own time and level gone, long ids shortened.
pub(crate) fn tidied_text(line: &str, look: &Look) -> String {
    let Presented { level, spans, .. } = logs::present(line.as_bytes());
    let text: String = spans.iter().map(|span| span.text.as_str()).collect();
    let level = level.map(|level| format!("{} ", level.letter())).unwrap_or_default();
    format!("{level}{}", ids::shorten(&text, false, look.ellipsis()))
}

/// Marks what is looked for. Where shortening an id hid it, the line shows whole.
fn highlight(body: &mut Body, line: &LogLine, log: &LogState, look: &Look) {
    if let Some(find) = &log.find {
        let whole = logs::plain(&line.bytes);
        let wanted = find.places(&whole).count();
        let shown: String = body.pieces.iter().map(|(text, _)| text.as_str()).collect();
        if wanted > find.places(&shown).count() && !log.as_written {
            let spans = line.present().spans;
            let whole: Vec<_> = spans.into_iter().map(|span| (span.text, child_style(span.style, look.colours))).collect();
            if find.places(&whole.iter().map(|(text, _)| text.as_str()).collect::<String>()).next().is_some() {
                body.pieces = whole;
            }
        }
        mark(&mut body.pieces, |text| find.places(text).collect(), look.style(Role::Match));
    }
    if let Some(Token { text: token, .. }) = &log.token {
        let short = ids::shorten(token, false, look.ellipsis()).into_owned();
        let places = |text: &str, token: &str| text.match_indices(token).map(|(i, t)| i..i + t.len()).collect::<Vec<_>>();
        mark(&mut body.pieces, |text| [places(text, token), places(text, &short)].concat(), look.style(Role::Token));
    }
}

/// Patches the style of some places of the text.
fn mark(pieces: &mut Vec<(String, Style)>, places: impl Fn(&str) -> Vec<std::ops::Range<usize>>, style: Style) {
    let text: String = pieces.iter().map(|(text, _)| text.as_str()).collect();
    let mut marked = places(&text);
    if marked.is_empty() {
        return;
    }
    marked.sort_by_key(|range| range.start);
    let mut cuts: Vec<usize> = marked.iter().flat_map(|range| [range.start, range.end]).collect();
    let mut parts = Vec::with_capacity(pieces.len() + cuts.len());
    let mut start = 0;
    for (piece, own) in pieces.iter() {
        cuts.push(start + piece.len());
        start += piece.len();
        let _ = own;
    }
    cuts.sort_unstable();
    cuts.dedup();
    let mut at = 0;
    for cut in cuts {
        if cut <= at || !text.is_char_boundary(cut) {
            continue;
        }
        let own = style_at(pieces, at);
        let hit = marked.iter().any(|range| range.start <= at && cut <= range.end);
        parts.push((text[at..cut].to_owned(), if hit { own.patch(style) } else { own }));
        at = cut;
    }
    *pieces = parts;
}

fn style_at(pieces: &[(String, Style)], at: usize) -> Style {
    let mut end = 0;
    pieces
        .iter()
        .find(|(text, _)| {
            end += text.len();
            at < end
        })
        .map_or(Style::new(), |(_, style)| *style)
}

/// The style a child asked for, as far as this terminal shows it.
fn child_style(style: TextStyle, colours: Colours) -> Style {
    let colour = |colour: logs::Color| match (colours, colour) {
        (Colours::None, _) | (Colours::Sixteen, logs::Color::Indexed(16..) | logs::Color::Rgb(..)) => None,
        (_, logs::Color::Indexed(n)) => Some(Color::Indexed(n)),
        (_, logs::Color::Rgb(r, g, b)) => Some(Color::Rgb(r, g, b)),
    };
    let mut out = Style { fg: style.fg.and_then(colour), bg: style.bg.and_then(colour), ..Style::new() };
    let weights = [
        (style.bold, Modifier::BOLD),
        (style.dim, Modifier::DIM),
        (style.italic, Modifier::ITALIC),
        (style.underline, Modifier::UNDERLINED),
    ];
    for (on, weight) in weights {
        if on {
            out = out.add_modifier(weight);
        }
    }
    out
}

/// Rows of the screen that `row` takes when lines wrap.
pub(crate) fn tall(row: &Row, log: &LogState, room: Room, look: &Look) -> u16 {
    if !log.wrap || matches!(row.line.source, logs::Source::Lifecycle(_)) {
        return 1;
    }
    let width = room.width;
    let room = usize::from(width.saturating_sub(room.head(log.time))).max(1);
    let body = body(row, log, width, look);
    let cells: usize = body.pieces.iter().map(|(text, _)| text::width(text)).sum();
    let suffix = if body.suffix.is_empty() { 0 } else { text::width(&body.suffix) + 2 };
    (cells + suffix).div_ceil(room).clamp(1, 200) as u16
}

/// What a line is told by besides itself.
pub(crate) struct Head<'h> {
    /// The row of its process, for its colour.
    pub(crate) index: Option<usize>,
    /// When the line above was said.
    pub(crate) above: Option<At>,
    /// The wall clock at the run's start.
    pub(crate) wall: &'h dyn Fn(At) -> String,
    /// Sign and style at the left edge, if it has one.
    pub(crate) mark: Option<(&'static str, Style)>,
    /// Of everything in it.
    pub(crate) strong: Style,
    /// Of the pane.
    pub(crate) room: Room,
    pub(crate) names: &'h Names,
}

/// Writes the cells before the text.
pub(crate) fn draw_head(pen: &mut Pen<'_>, line: &LogLine, body: &Body, head: &Head<'_>, log: &LogState, look: &Look) {
    let cells = log.time.cells();
    let time = match log.time {
        TimeForm::SinceStart => since_start(line.at),
        TimeForm::Wall => (head.wall)(line.at),
        TimeForm::Delta => head.above.map_or_else(String::new, |above| format!("+{}", At(line.at.0.saturating_sub(above.0)).seconds())),
        TimeForm::AsWritten => body.own_time.as_deref().map(own_time).unwrap_or_default(),
    };
    let time = text::fit(&time, usize::from(cells), "").into_owned();
    let dim = look.style(Role::Dim).patch(head.strong);
    let room = usize::from(cells);
    let (behind_time, behind_source) = (head.room.time(log.time), head.room.time(log.time) + head.room.source());
    if let Some((sign, style)) = head.mark {
        pen.text(sign, style);
    }
    if behind_time > 1 {
        let time = format!("{time:>0$}", room - usize::from(pen.column()));
        pen.text(&time, dim);
    }
    pen.to(behind_time);
    if behind_source > behind_time {
        let hue = head.index.map_or(Style::new(), |index| look.theme.process(index)).patch(head.strong);
        if let Some(process) = &line.process {
            pen.text(&head.names.as_source(process, look), hue);
        }
    }
    pen.to(behind_source);
    if let Some(level) = body.level {
        let style = match level {
            Level::Error => look.style(Role::LevelError),
            Level::Warn => look.style(Role::LevelWarn),
            Level::Trace | Level::Debug | Level::Info => look.style(Role::Dim),
        };
        pen.text(&level.letter().to_string(), style);
    }
    pen.to(head.room.head(log.time));
}

/// Seconds since the run's start in eight cells, so that a mark at the left edge hides nothing.
fn since_start(at: At) -> String {
    let text = at.seconds();
    match text.len() {
        ..=8 => text,
        9 | 10 => text[..text.len() - (text.len() - 8)].trim_end_matches('.').to_owned(),
        _ => format!("{}s", at.0 / 1_000_000),
    }
}

/// The time of day in a line's own time stamp, without its date.
fn own_time(text: &str) -> String {
    let time = text.split(['T', ' ']).find(|part| part.contains(':')).unwrap_or(text);
    time.trim_end_matches('Z').split('+').next().unwrap_or(time).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_leave_room_for_the_mark() {
        let shown: Vec<_> = [12_402, 9_999_999, 10_000_000, 123_456_789].map(|ms| since_start(At(ms * 1000))).into();
        assert_eq!(shown, ["12.402", "9999.999", "10000.00", "123456.7"]);
        assert_eq!(since_start(At(u64::MAX)).len(), 15);
    }

    #[test]
    fn a_lines_own_time_loses_its_date() {
        assert_eq!(own_time("2026-11-23T06:25:57.881890Z"), "06:25:57.881890");
        assert_eq!(own_time("2026-11-23 06:25:57,881"), "06:25:57,881");
        assert_eq!(own_time("06:25:57"), "06:25:57");
    }

    #[test]
    fn places_are_marked_across_pieces() {
        let plain = Style::new();
        let bold = Style::new().add_modifier(Modifier::BOLD);
        let hit = Style::new().add_modifier(Modifier::UNDERLINED);
        let mut pieces = vec![("ab".to_owned(), plain), ("cd".to_owned(), bold)];
        mark(&mut pieces, |_| std::iter::once(1..3).collect(), hit);
        let expected = vec![("a", plain), ("b", plain.patch(hit)), ("c", bold.patch(hit)), ("d", bold)];
        assert_eq!(pieces, expected.into_iter().map(|(t, s)| (t.to_owned(), s)).collect::<Vec<_>>());
    }
}
