//! A line for a terminal: safe, in its own colours, and without what the log view shows in columns of its own.

use std::ops::Range;

use unicode_width::UnicodeWidthChar;

use super::{
    format::structure,
    level::Level,
    overtype::{Edit, Overtyped},
    stamp::readable,
    structure::{Structure, Time},
    text::{Token, tokens},
};
use crate::model::LogFormat;

/// A colour that a child asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Color {
    /// Of the terminal's palette; the first 16 are the user's own.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// How a piece of text looks. Reverse video, blinking and hiding are not on the list of what a child may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct TextStyle {
    /// Text colour.
    pub fg: Option<Color>,
    /// Background colour.
    pub bg: Option<Color>,
    /// Bold.
    pub bold: bool,
    /// Faint.
    pub dim: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
}

/// A piece of text with its style.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// The text; no control characters, no tabs.
    pub text: String,
    /// Its style.
    pub style: TextStyle,
}

/// A line, ready to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presented {
    /// Its level, if it names one.
    pub level: Option<Level>,
    /// The time it carries, as it is written.
    pub own_time: Option<String>,
    /// The rest of it.
    pub spans: Vec<Span>,
}

impl Presented {
    /// The text of all spans.
    pub fn text(&self) -> String {
        self.spans.iter().map(|span| span.text.as_str()).collect()
    }
}

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// Combining characters kept on one base character.
const MAX_COMBINING: usize = 8;

/// A line with its allowed colours and nothing taken out: what plain printing shows.
pub fn styled(bytes: &[u8]) -> Vec<Span> {
    Styled::of(bytes).spans(&[])
}

/// Makes a line ready to be shown: of a progress line its last state, of escape sequences the colours, and its own time
/// stamp and level taken out of the text. Its format is found out by what it looks like.
pub fn present(bytes: &[u8]) -> Presented {
    present_as(bytes, LogFormat::Auto)
}

/// The same for a line whose format is known.
pub fn present_as(bytes: &[u8], format: LogFormat) -> Presented {
    let styled = Styled::of(bytes);
    let Structure { level, time, elided, message } = structure(&styled.text, format);
    let own_time = time.map(|at| match at {
        Time::At(range) => readable(styled.text[range].to_owned()),
        Time::Value(text) => text,
    });
    let spans = match message {
        Some(text) if text.is_empty() => Vec::new(),
        Some(text) => vec![Span { text: expand(&text, &mut 0), style: TextStyle::default() }],
        None => styled.spans(&elided),
    };
    Presented { level, own_time, spans }
}

/// Text and the styles of its parts.
struct Styled {
    text: String,
    /// Where each style ends, in ascending order.
    runs: Vec<(usize, TextStyle)>,
}

impl Styled {
    fn of(bytes: &[u8]) -> Self {
        let mut this = Self { text: String::with_capacity(bytes.len()), runs: Vec::new() };
        let (mut style, mut returned, mut combining) = (TextStyle::default(), false, 0);
        let mut line = None::<Overtyped<TextStyle>>;
        tokens(bytes, &mut |token| {
            if returned && !matches!(token, Token::Return | Token::Style(_) | Token::Edit(Edit::Erase, _)) {
                this.text.clear();
                this.runs.clear();
                (returned, line) = (false, None);
            }
            if let Some(line) = &mut line {
                match token {
                    Token::Text(text) => text.chars().for_each(|c| line.write(c, style)),
                    Token::Glyph(glyph) => line.write(glyph, style),
                    Token::Tab => line.write('\t', style),
                    Token::Return => returned = true,
                    Token::Edit(edit, count) => line.edit(edit, count, style),
                    Token::Style(params) => style.apply(params),
                }
                return;
            }
            match token {
                Token::Text(text) if text.is_ascii() => {
                    this.text.push_str(text);
                    combining = 0;
                }
                Token::Text(text) => this.text.extend(text.chars().filter(|c| {
                    combining = if c.width() == Some(0) { combining + 1 } else { 0 };
                    combining <= MAX_COMBINING
                })),
                Token::Glyph(glyph) => this.text.push(glyph),
                Token::Tab => this.text.push('\t'),
                Token::Return => returned = true,
                Token::Edit(Edit::Back, count) => {
                    this.end_run(style);
                    let mut cells = Overtyped::new(this.cells());
                    cells.edit(Edit::Back, count, style);
                    line = Some(cells);
                }
                // Until it goes back the cursor is at the end.
                Token::Edit(..) => {}
                Token::Style(params) => {
                    this.end_run(style);
                    style.apply(params);
                }
            }
        });
        match line {
            None => this.end_run(style),
            Some(line) => this = Self::of_cells(&line.cells()),
        }
        this
    }

    /// Each character with its style.
    fn cells(&self) -> Vec<(char, TextStyle)> {
        let mut runs = self.runs.iter().peekable();
        let styled = self.text.char_indices().map(|(at, c)| {
            while runs.next_if(|(end, _)| *end <= at).is_some() {}
            (c, runs.peek().map_or_else(TextStyle::default, |(_, style)| *style))
        });
        styled.collect()
    }

    fn of_cells(cells: &[(char, TextStyle)]) -> Self {
        let mut this = Self { text: String::with_capacity(cells.len()), runs: Vec::new() };
        let mut combining = 0;
        for (c, style) in cells {
            combining = if c.width() == Some(0) { combining + 1 } else { 0 };
            if combining <= MAX_COMBINING {
                this.text.push(*c);
                this.end_run(*style);
            }
        }
        this
    }

    fn end_run(&mut self, style: TextStyle) {
        let end = self.text.len();
        if self.runs.last().map_or(0, |run| run.0) < end {
            match self.runs.last_mut() {
                Some(run) if run.1 == style => run.0 = end,
                _ => self.runs.push((end, style)),
            }
        }
    }

    /// The text as spans, without the `elided` parts.
    fn spans(&self, elided: &[Range<usize>]) -> Vec<Span> {
        let (mut spans, mut column, mut at) = (Vec::<Span>::new(), 0, 0);
        let mut gaps = elided.iter().peekable();
        for &(end, style) in &self.runs {
            while at < end {
                while gaps.peek().is_some_and(|gap| gap.end <= at) {
                    gaps.next();
                }
                let until = match gaps.peek() {
                    Some(gap) if gap.start <= at => {
                        at = gap.end;
                        continue;
                    }
                    Some(gap) => end.min(gap.start),
                    None => end,
                };
                let text = expand(&self.text[at..until], &mut column);
                match spans.last_mut() {
                    Some(span) if span.style == style => span.text.push_str(&text),
                    _ => spans.push(Span { text, style }),
                }
                at = until;
            }
        }
        spans
    }
}

/// `text` with its tabs as spaces, beginning in `column`.
fn expand(text: &str, column: &mut usize) -> String {
    let mut expanded = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' {
            let spaces = TAB - *column % TAB;
            expanded.extend(std::iter::repeat_n(' ', spaces));
            *column += spaces;
        } else {
            expanded.push(c);
            *column += c.width().unwrap_or(0);
        }
    }
    expanded
}

impl TextStyle {
    /// Takes in the parameters of an SGR sequence.
    fn apply(&mut self, params: &str) {
        let mut groups = params.split(';');
        while let Some(group) = groups.next() {
            if let Some((kind, values)) = group.split_once(':') {
                self.apply_group(kind, values);
                continue;
            }
            let mut value = || groups.next()?.parse().ok();
            match if group.is_empty() { Ok(0) } else { group.parse::<u16>() } {
                Ok(38) => self.fg = color(&mut value).or(self.fg),
                Ok(48) => self.bg = color(&mut value).or(self.bg),
                Ok(number) => self.set(number),
                Err(_) => {}
            }
        }
    }

    /// `38:5:208`, `38:2::255:128:0`, `4:3`.
    fn apply_group(&mut self, kind: &str, values: &str) {
        let values: Vec<&str> = values.split(':').collect();
        // With five or more values the second names a colour space.
        let skip = usize::from(values.first() == Some(&"2") && values.len() >= 5);
        let mut rest = values.iter().enumerate().filter(|(i, _)| *i != skip || skip == 0).map(|(_, value)| value.parse().ok());
        match kind {
            "38" => self.fg = color(&mut || rest.next()?).or(self.fg),
            "48" => self.bg = color(&mut || rest.next()?).or(self.bg),
            "4" => self.underline = values.first() != Some(&"0"),
            _ => {}
        }
    }

    fn set(&mut self, number: u16) {
        match number {
            0 => *self = Self::default(),
            1 => self.bold = true,
            2 => self.dim = true,
            3 => self.italic = true,
            4 => self.underline = true,
            22 => (self.bold, self.dim) = (false, false),
            23 => self.italic = false,
            24 => self.underline = false,
            30..=37 => self.fg = Some(Color::Indexed((number - 30) as u8)),
            90..=97 => self.fg = Some(Color::Indexed((number - 90 + 8) as u8)),
            40..=47 => self.bg = Some(Color::Indexed((number - 40) as u8)),
            100..=107 => self.bg = Some(Color::Indexed((number - 100 + 8) as u8)),
            39 => self.fg = None,
            49 => self.bg = None,
            _ => {}
        }
    }
}

/// The colour after `38` or `48`.
fn color(value: &mut dyn FnMut() -> Option<u8>) -> Option<Color> {
    match value()? {
        5 => value().map(Color::Indexed),
        2 => Some(Color::Rgb(value()?, value()?, value()?)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logs::text::is_disguised;

    fn style(params: &str) -> TextStyle {
        let mut style = TextStyle::default();
        style.apply(params);
        style
    }

    /// Spans as `[bold fg=1]text`.
    fn show(bytes: &[u8]) -> String {
        let spans = present(bytes).spans.into_iter().map(|span| {
            let on = [("b", span.style.bold), ("d", span.style.dim), ("i", span.style.italic), ("u", span.style.underline)];
            let mut marks: String = on.into_iter().filter(|on| on.1).map(|on| on.0).collect();
            if let Some(Color::Indexed(fg)) = span.style.fg {
                marks.push_str(&fg.to_string());
            }
            if marks.is_empty() { span.text } else { format!("[{marks}]{}", span.text) }
        });
        spans.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn o4_only_colours_and_weights_survive() {
        assert_eq!(show(b"a \x1b[1;31mred\x1b[22m thin\x1b[0m plain"), "a |[b1]red|[1] thin| plain");
        assert_eq!(show(b"\x1b[7;5mnot reversed\x1b]0;t\x07\x1b[2J"), "not reversed");
        assert_eq!(
            show(b"\x1b[2m2026-11-23T06:25:57.881890Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mtr\x1b[0m\x1b[2m:\x1b[0m up"),
            "[d]tr:| up"
        );
    }

    #[test]
    fn o6_a_style_left_open_ends_with_its_line() {
        assert_eq!(show(b"\x1b[31mopen"), "[1]open");
        assert_eq!(show(b"next"), "next");
    }

    #[test]
    fn o11_tabs_reach_the_next_stop_and_marks_do_not_pile_up() {
        assert_eq!(show(b"a\tb\t\tc"), "a       b               c");
        assert_eq!(show("世\tx".as_bytes()), "世      x");
        assert_eq!(present(format!("e{}", "\u{301}".repeat(1000)).as_bytes()).text().chars().count(), 1 + MAX_COMBINING);
    }

    #[test]
    fn colours_come_in_many_spellings() {
        let fg = |params| style(params).fg;
        assert_eq!(fg("38;5;208"), Some(Color::Indexed(208)));
        assert_eq!(fg("38:5:208"), Some(Color::Indexed(208)));
        assert_eq!(fg("38;2;1;2;3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(fg("38:2:1:2:3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(fg("38:2::1:2:3"), Some(Color::Rgb(1, 2, 3)));
        assert_eq!(fg("97"), Some(Color::Indexed(15)));
        assert_eq!(fg("31;39"), None);
        assert_eq!(style("4:3"), TextStyle { underline: true, ..TextStyle::default() });
        assert_eq!(style("7;5;8;999999;x"), TextStyle::default());
        assert_eq!(style("1;31;"), TextStyle::default());
    }

    /// Lines full of what terminals act on.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..12),
            Just(b"\x1b[1;38;5;208m".to_vec()),
            Just(b"\x1b]52;c;AAAA\x07".to_vec()),
            Just(b"\x1b]8;;http://x\x1b\\".to_vec()),
            Just(b"\xc2\x9d\xc2\x9b31m\x9b".to_vec()),
            Just(b"\x1bP\x1b_\x1b^\x1bX".to_vec()),
            Just("\u{202e}\u{2028}\u{e0001}\u{200f}".as_bytes().to_vec()),
            Just(br#"{"level":"info","msg":"\u001b]0;t\u0007\u009d","k\u001b":"\u202e"}"#.to_vec()),
            Just(b"level=info msg=\"\\u001b[2J\" ts=\"\\u009b\"".to_vec()),
            Just(b"[I 2026-11-23 06:20:33,351 \x1b[5n] x\r".to_vec()),
        ];
        proptest::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Nothing but text and colours comes out, whatever goes in and in whatever format it is read.
        #[test]
        fn o4_nothing_outside_the_allow_list_is_shown(bytes in hostile()) {
            let all = [LogFormat::Auto, LogFormat::Plain, LogFormat::Json, LogFormat::Logfmt, LogFormat::Tracing];
            let mut texts: Vec<String> = styled(&bytes).into_iter().map(|span| span.text).collect();
            for seen in all.map(|format| present_as(&bytes, format)) {
                texts.extend(seen.own_time.clone());
                texts.extend(seen.spans.into_iter().map(|span| span.text));
            }
            for text in texts {
                prop_assert!(!text.chars().any(|c| c.is_control() || is_disguised(c)), "{text:?} of {}", bytes.escape_ascii());
            }
        }
    }
}
