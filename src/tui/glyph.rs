//! The signs of the screen, in Unicode and in ASCII. Each takes one cell.

use crate::model::Tone;

/// Which signs a terminal can show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum GlyphSet {
    /// Those of the design.
    #[default]
    Unicode,
    /// For terminals and fonts without them.
    Ascii,
}

/// A sign, by what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Glyph {
    Rest,
    Busy,
    Good,
    Done,
    Warn,
    Again,
    Bad,
    Final,
    Start,
    /// Somebody left a mark; output not seen yet.
    Mark,
    Selected,
    Here,
    Newer,
    Thin,
    Thick,
    Life,
    ProbeFailed,
    None,
    Zero,
    Ellipsis,
    BadgeLeft,
    BadgeRight,
    Ticked,
    Times,
    Around,
}

impl GlyphSet {
    /// The set for this environment: ASCII where the locale or the terminal says that nothing else will show.
    pub fn for_env(term: Option<&str>, locale: Option<&str>) -> Self {
        let plain_terminal = matches!(term, Some("dumb" | "linux" | "vt100" | "vt220"));
        let other_charset = locale.is_some_and(|name| {
            let lower = name.to_ascii_lowercase();
            lower.split_once('.').is_some_and(|(_, charset)| !charset.starts_with("utf-8") && !charset.starts_with("utf8"))
        });
        if plain_terminal || other_charset { Self::Ascii } else { Self::Unicode }
    }

    /// The sign itself.
    pub(crate) fn get(self, glyph: Glyph) -> &'static str {
        let (unicode, ascii) = match glyph {
            Glyph::Rest => ("○", "o"),
            Glyph::Busy => ("◐", "@"),
            Glyph::Good => ("●", "*"),
            Glyph::Done => ("✓", "v"),
            Glyph::Warn => ("▲", "^"),
            Glyph::Again => ("↻", "~"),
            Glyph::Bad => ("✗", "x"),
            Glyph::Final => ("■", "#"),
            Glyph::Start => ("▶", ">"),
            Glyph::Mark => ("◆", "*"),
            Glyph::Selected => ("▌", ">"),
            Glyph::Here => ("▸", ">"),
            Glyph::Newer => ("▼", "v"),
            Glyph::Thin => ("─", "-"),
            Glyph::Thick => ("━", "="),
            Glyph::Life => ("╌", "-"),
            Glyph::ProbeFailed => ("×", "X"),
            Glyph::None => ("·", "-"),
            Glyph::Zero => ("·", "."),
            Glyph::Ellipsis => ("…", "~"),
            Glyph::BadgeLeft => ("▐", " "),
            Glyph::BadgeRight => ("▌", " "),
            Glyph::Ticked => ("✓", "+"),
            Glyph::Times => ("×", "x"),
            Glyph::Around => ("±", "~"),
        };
        match self {
            Self::Unicode => unicode,
            Self::Ascii => ascii,
        }
    }

    /// The sign of an event.
    pub(crate) fn tone(self, tone: Tone) -> &'static str {
        self.get(match tone {
            Tone::Start => Glyph::Start,
            Tone::Good => Glyph::Good,
            Tone::Done => Glyph::Done,
            Tone::Warn => Glyph::Warn,
            Tone::Again => Glyph::Again,
            Tone::Bad => Glyph::Bad,
            Tone::Final => Glyph::Final,
            Tone::Rest => Glyph::Rest,
            Tone::Mark => Glyph::Mark,
        })
    }

    /// A bar of the health ribbon, for a latency.
    pub(crate) fn bar(self, latency: std::time::Duration) -> &'static str {
        // Every third of a decade from 3 ms; what a machine answers by itself is the lowest bar.
        const STEPS_MS: [u128; 7] = [3, 10, 30, 100, 300, 1000, 3000];
        let step = STEPS_MS.iter().take_while(|ms| latency.as_millis() >= **ms).count();
        match self {
            Self::Unicode => ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"][step],
            Self::Ascii => [".", ".", ":", ":", ":", "|", "|", "|"][step],
        }
    }

    /// A bar of a sparkline, for a value among values of which `most` is the largest.
    pub(crate) fn spark(self, value: u64, most: u64) -> &'static str {
        // Something is never drawn as nothing.
        let step = if value == 0 { 0 } else { (value * 7).div_ceil(most.max(1)).clamp(1, 7) as usize };
        match self {
            Self::Unicode => ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"][step],
            Self::Ascii => ["_", ".", ".", ":", ":", ":", "|", "|"][step],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_and_the_terminal_choose_the_signs() {
        assert_eq!(GlyphSet::for_env(Some("xterm-256color"), Some("en_US.UTF-8")), GlyphSet::Unicode);
        assert_eq!(GlyphSet::for_env(Some("tmux"), None), GlyphSet::Unicode);
        assert_eq!(GlyphSet::for_env(Some("tmux"), Some("C")), GlyphSet::Unicode);
        assert_eq!(GlyphSet::for_env(Some("tmux"), Some("de_DE.ISO-8859-1")), GlyphSet::Ascii);
        assert_eq!(GlyphSet::for_env(Some("dumb"), Some("C.UTF-8")), GlyphSet::Ascii);
    }

    #[test]
    fn sparks_rise_with_their_share_and_nothing_is_flat() {
        let spark = |value, most| GlyphSet::Unicode.spark(value, most);
        assert_eq!([spark(0, 0), spark(0, 9), spark(1, 9000), spark(5, 10), spark(10, 10)], ["▁", "▁", "▂", "▅", "█"]);
    }

    #[test]
    fn ribbon_bars_rise_with_latency() {
        let bar = |ms| GlyphSet::Unicode.bar(std::time::Duration::from_millis(ms));
        assert_eq!([bar(0), bar(2), bar(4), bar(40), bar(9000)], ["▁", "▁", "▂", "▄", "█"]);
    }
}
