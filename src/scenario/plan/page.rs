//! The page that a plan is written on: 80 columns, headings, labels with their texts wrapped beside them.

use unicode_width::UnicodeWidthStr;

use super::super::suggest::visible;

/// The width the plan is made for.
const WIDTH: usize = 80;
/// A space at which no line ends.
pub(super) const TOGETHER: char = '\u{a0}';

/// Lines, wrapped.
pub(super) struct Page {
    text: String,
    styled: bool,
}

/// How a part of a line looks on a terminal.
#[derive(Clone, Copy)]
pub(super) enum Style {
    Plain,
    Bold,
    Faint,
}

impl Page {
    pub(super) fn new(styled: bool) -> Self {
        Self { text: String::new(), styled }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn line(&mut self, text: &str) {
        self.parts(&[(Style::Plain, text)]);
    }

    /// One line in several styles.
    pub(super) fn parts(&mut self, parts: &[(Style, &str)]) {
        let last = parts.len().saturating_sub(1);
        for (i, (style, text)) in parts.iter().enumerate() {
            let text = if i == last { text.trim_end() } else { text };
            let code = match style {
                Style::Bold if self.styled => "\x1b[1m",
                Style::Faint if self.styled => "\x1b[2m",
                _ => "",
            };
            self.text.push_str(code);
            self.text.push_str(&visible(text).replace(TOGETHER, " "));
            self.text.push_str(if code.is_empty() { "" } else { "\x1b[0m" });
        }
        self.text.push('\n');
    }

    /// A heading over what follows.
    pub(super) fn heading(&mut self, text: &str) {
        self.blank();
        self.parts(&[(Style::Bold, text)]);
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// `    label    text`, the text wrapped at spaces under itself.
    pub(super) fn field(&mut self, label: &str, text: &str) {
        self.hanging(Style::Faint, &format!("    {label:<9}"), text);
    }

    /// A label, and a text beside it that is wrapped at spaces, two columns further in.
    pub(super) fn hanging(&mut self, style: Style, label: &str, text: &str) {
        let indent = " ".repeat(label.width() + 2);
        let mut head = if text.is_empty() { label.trim_end() } else { label };
        let mut line = String::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !line.is_empty() && head.width() + line.width() + 1 + word.width() > WIDTH {
                self.parts(&[(style, head), (Style::Plain, &line)]);
                head = &indent;
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.parts(&[(style, head), (Style::Plain, &line)]);
    }
}

/// The width of a column of names.
pub(super) fn column<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(str::len).max().unwrap_or(0).clamp(10, 40)
}
