//! How things look on this terminal: the theme and the signs, together since nearly every cell needs both.

use ratatui::style::Style;

use super::{
    glyph::{Glyph, GlyphSet},
    theme::{Colours, Role, Theme},
};

/// Theme and signs.
#[derive(Debug, Clone)]
pub struct Look {
    /// Colours and weights.
    pub theme: Theme,
    /// Signs.
    pub glyphs: GlyphSet,
    /// How many colours children's own output may use.
    pub colours: Colours,
}

impl Look {
    /// What this environment can show: `NO_COLOR`, `TERM`, `COLORTERM` and the locale decide.
    pub fn from_env() -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let term = var("TERM");
        let locale = var("LC_ALL").or_else(|| var("LC_CTYPE")).or_else(|| var("LANG"));
        let colours = Colours::for_env(var("NO_COLOR").is_some(), term.as_deref(), var("COLORTERM").as_deref());
        Self { theme: Theme::default_for(colours), glyphs: GlyphSet::for_env(term.as_deref(), locale.as_deref()), colours }
    }

    /// The same terminal with another theme.
    #[must_use]
    pub fn with_theme(self, theme: Theme) -> Self {
        let theme = if self.colours == Colours::None { theme.without_colours() } else { theme };
        Self { theme, ..self }
    }

    /// The same without colours: weights and signs alone.
    #[must_use]
    pub fn without_colours(self) -> Self {
        Self { theme: self.theme.without_colours(), glyphs: self.glyphs, colours: Colours::None }
    }

    /// How `role` looks.
    pub(crate) fn style(&self, role: Role) -> Style {
        self.theme.get(role)
    }

    /// The sign itself.
    pub(crate) fn glyph(&self, glyph: Glyph) -> &'static str {
        self.glyphs.get(glyph)
    }

    /// What ends a text that was cut.
    pub(crate) fn ellipsis(&self) -> &'static str {
        self.glyphs.get(Glyph::Ellipsis)
    }
}
