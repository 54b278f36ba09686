//! Colours and weights, by what they mean. Themes are files (`assets/themes/*.toml`); nothing else names a colour.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

use crate::model::{ProcessState, Tone, Verdict};

use super::asset::{AssetErrors, Reader};

/// What a cell means; the theme says how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Plain,
    Dim,
    Strong,
    Good,
    Busy,
    Warn,
    Bad,
    Final,
    Rest,
    Selected,
    Title,
    TitleFocused,
    StripTitle,
    Rule,
    Header,
    BadgeRunning,
    BadgePassed,
    BadgeStopped,
    BadgeFailed,
    BadgeReplay,
    LevelError,
    LevelWarn,
    Recording,
    Live,
    Match,
    MatchHere,
    Token,
    Note,
    Key,
    Prompt,
}

const ROLES: [(Role, &str); 30] = [
    (Role::Plain, "plain"),
    (Role::Dim, "dim"),
    (Role::Strong, "strong"),
    (Role::Good, "good"),
    (Role::Busy, "busy"),
    (Role::Warn, "warn"),
    (Role::Bad, "bad"),
    (Role::Final, "final"),
    (Role::Rest, "rest"),
    (Role::Selected, "selected"),
    (Role::Title, "title"),
    (Role::TitleFocused, "title-focused"),
    (Role::StripTitle, "strip-title"),
    (Role::Rule, "rule"),
    (Role::Header, "header"),
    (Role::BadgeRunning, "badge-running"),
    (Role::BadgePassed, "badge-passed"),
    (Role::BadgeStopped, "badge-stopped"),
    (Role::BadgeFailed, "badge-failed"),
    (Role::BadgeReplay, "badge-replay"),
    (Role::LevelError, "level-error"),
    (Role::LevelWarn, "level-warn"),
    (Role::Recording, "recording"),
    (Role::Live, "live"),
    (Role::Match, "match"),
    (Role::MatchHere, "match-here"),
    (Role::Token, "token"),
    (Role::Note, "note"),
    (Role::Key, "key"),
    (Role::Prompt, "prompt"),
];

/// How many hues tell processes apart.
pub(crate) const HUES: usize = 8;

/// How a screen is coloured.
#[derive(Debug, Clone)]
pub struct Theme {
    name: String,
    roles: [Style; ROLES.len()],
    processes: [Style; HUES],
}

/// How many colours a terminal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colours {
    /// None at all: weights and signs alone (`NO_COLOR`, `TERM=dumb`).
    None,
    /// The sixteen that every terminal has.
    Sixteen,
    /// 256 or more.
    Many,
}

impl Colours {
    /// What this environment promises.
    pub fn for_env(no_color: bool, term: Option<&str>, colorterm: Option<&str>) -> Self {
        match term {
            _ if no_color => Self::None,
            None | Some("" | "dumb" | "vt100" | "vt220") => Self::None,
            Some(term) if term.contains("256") || term.contains("direct") || colorterm.is_some_and(|c| !c.is_empty()) => Self::Many,
            Some(_) => Self::Sixteen,
        }
    }
}

/// The themes that come with the program: name and text.
pub(crate) const BUILT_IN: [(&str, &str); 4] = [
    ("dark", include_str!("../../assets/themes/dark.toml")),
    ("light", include_str!("../../assets/themes/light.toml")),
    ("high-contrast", include_str!("../../assets/themes/high-contrast.toml")),
    ("terminal", include_str!("../../assets/themes/terminal.toml")),
];

impl Theme {
    /// The one that comes with the program and suits a terminal of so many colours.
    pub fn default_for(colours: Colours) -> Self {
        let name = if colours == Colours::Many { "dark" } else { "terminal" };
        let theme = Self::built_in(name).unwrap_or_else(Self::plain);
        if colours == Colours::None { theme.without_colours() } else { theme }
    }

    /// The names of those that come with the program.
    pub fn built_in_names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// A theme that comes with the program.
    pub fn built_in(name: &str) -> Option<Self> {
        let (name, text) = BUILT_IN.iter().find(|(known, _)| *known == name)?;
        Self::parse(&format!("{name}.toml"), text).ok()
    }

    /// Reads a theme file.
    pub fn parse(file: &str, text: &str) -> Result<Self, AssetErrors> {
        Reader::read(file, text, |reader, table| {
            let mut theme = Self::plain();
            for (key, value) in table {
                match key.get_ref().as_ref() {
                    "name" => reader.string(value).unwrap_or_default().clone_into(&mut theme.name),
                    "processes" => {
                        let hues = reader.list(value);
                        if hues.len() != HUES {
                            reader.error(value.span(), format!("{HUES} colours are wanted here, one a process; there are {}", hues.len()));
                        }
                        for (place, hue) in theme.processes.iter_mut().zip(hues) {
                            *place = style(reader, hue);
                        }
                    }
                    "styles" => {
                        for (role, value) in reader.table(value).into_iter().flatten() {
                            let known: Vec<_> = ROLES.iter().map(|(_, name)| *name).collect();
                            match known.iter().position(|name| *name == role.get_ref().as_ref()) {
                                Some(place) => theme.roles[place] = style(reader, value),
                                None => reader.unknown(role.span(), "style", role.get_ref(), &known),
                            }
                        }
                    }
                    other => reader.unknown(key.span(), "key", other, &["name", "processes", "styles"]),
                }
            }
            theme
        })
    }

    /// Weights only.
    #[must_use]
    pub fn without_colours(mut self) -> Self {
        for style in self.roles.iter_mut().chain(&mut self.processes) {
            let reversed = style.bg.is_some_and(|bg| bg != Color::Reset);
            *style = Style { fg: None, bg: None, underline_color: None, ..*style };
            if reversed {
                *style = style.add_modifier(Modifier::REVERSED);
            }
        }
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How `role` looks.
    pub(crate) fn get(&self, role: Role) -> Style {
        ROLES.iter().position(|(known, _)| *known == role).map_or_else(Style::new, |place| self.roles[place])
    }

    /// How the process in row `index` looks wherever its name stands.
    pub(crate) fn process(&self, index: usize) -> Style {
        self.processes[index % HUES]
    }

    /// How a state looks.
    pub(crate) fn state(&self, state: &ProcessState) -> Style {
        self.get(match state {
            ProcessState::Starting { .. } | ProcessState::Running | ProcessState::Stopping { .. } => Role::Busy,
            ProcessState::Ready | ProcessState::Completed => Role::Good,
            ProcessState::Unhealthy { .. } | ProcessState::Backoff { .. } => Role::Warn,
            ProcessState::Failed { .. } => Role::Bad,
            ProcessState::GaveUp { .. } => Role::Final,
            ProcessState::Pending { .. } | ProcessState::Stopped { .. } | ProcessState::Skipped { .. } => Role::Rest,
        })
    }

    /// How an event looks.
    pub(crate) fn tone(&self, tone: Tone) -> Style {
        self.get(match tone {
            Tone::Start => Role::Busy,
            Tone::Good | Tone::Done => Role::Good,
            Tone::Warn | Tone::Again => Role::Warn,
            Tone::Bad => Role::Bad,
            Tone::Final => Role::Final,
            Tone::Rest => Role::Rest,
            Tone::Mark => Role::Note,
        })
    }

    /// How the badge of a run looks; none: it still runs.
    pub(crate) fn badge(&self, verdict: Option<Verdict>) -> Style {
        self.get(match verdict {
            None => Role::BadgeRunning,
            Some(Verdict::Passed) => Role::BadgePassed,
            Some(Verdict::Stopped) => Role::BadgeStopped,
            Some(Verdict::Failed | Verdict::Leaked | Verdict::TimedOut | Verdict::Error) => Role::BadgeFailed,
        })
    }

    fn plain() -> Self {
        Self { name: "plain".into(), roles: [Style::new(); ROLES.len()], processes: [Style::new(); HUES] }
    }
}

/// Reads `bold white on blue`: weights, a foreground, `on` a background.
fn style(reader: &mut Reader<'_>, value: &super::asset::Value<'_>) -> Style {
    let mut style = Style::new();
    let mut background = false;
    let text = if let toml::de::DeValue::String(text) = value.get_ref() { text.as_ref() } else { "" };
    if text.is_empty() && !matches!(value.get_ref(), toml::de::DeValue::String(_)) {
        reader.error(value.span(), "a style is wanted here, like \"bold white on blue\"");
    }
    for word in text.split_whitespace() {
        style = match word {
            "on" => {
                background = true;
                continue;
            }
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "italic" => style.add_modifier(Modifier::ITALIC),
            "underlined" => style.add_modifier(Modifier::UNDERLINED),
            "reversed" => style.add_modifier(Modifier::REVERSED),
            colour => match Color::from_str(colour) {
                Ok(colour) if background => style.bg(colour),
                Ok(colour) => style.fg(colour),
                Err(_) => {
                    let message = format!("unknown colour {colour:?}: use a name (red, light-blue), a number (0 to 255) or #rrggbb");
                    reader.error(value.span(), message);
                    style
                }
            },
        };
        background = false;
    }
    style
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_theme_that_is_shipped_parses_and_sets_every_style() {
        for (name, text) in BUILT_IN {
            let theme = Theme::parse(name, text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(theme.name(), name);
            for (role, word) in ROLES {
                assert!(text.contains(&format!("\n{word} = ")), "{name} says nothing of {word} ({role:?})");
            }
        }
    }

    #[test]
    fn process_hues_are_distinct_and_none_is_a_colour_of_states() {
        for (name, _) in BUILT_IN {
            let theme = Theme::built_in(name).expect("it is shipped");
            for a in 0..HUES {
                assert!((0..a).all(|b| theme.process(a) != theme.process(b)), "{name}: hue {a} repeats");
                let taken = [Color::Red, Color::Green, Color::Yellow, Color::LightRed, Color::LightGreen, Color::LightYellow];
                assert!(theme.process(a).fg.is_some_and(|fg| !taken.contains(&fg)), "{name}: hue {a}");
            }
        }
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_their_places() {
        let text = "name = \"mine\"\nprocesses = [\"cyan\"]\n[styles]\ngod = \"green\"\nbad = \"rde\"\n";
        let errors = Theme::parse("mine.toml", text).expect_err("three mistakes").0;
        let told: Vec<_> = errors.iter().map(|e| (e.line, e.column)).collect();
        assert_eq!(told, [(2, 13), (4, 1), (5, 7)]);
        assert!(errors[1].message.contains("did you mean \"good\"?"), "{}", errors[1].message);
    }

    #[test]
    fn without_colours_a_badge_is_still_reversed() {
        let theme = Theme::default_for(Colours::None);
        let badge = theme.badge(Some(Verdict::Failed));
        assert_eq!((badge.fg, badge.bg), (None, None));
        assert!(badge.add_modifier.contains(Modifier::REVERSED));
        assert_eq!(theme.get(Role::Bad).fg, None);
    }

    #[test]
    fn the_environment_says_how_many_colours_there_are() {
        assert_eq!(Colours::for_env(true, Some("xterm-256color"), None), Colours::None);
        assert_eq!(Colours::for_env(false, Some("dumb"), None), Colours::None);
        assert_eq!(Colours::for_env(false, Some("xterm"), None), Colours::Sixteen);
        assert_eq!(Colours::for_env(false, Some("xterm"), Some("truecolor")), Colours::Many);
        assert_eq!(Colours::for_env(false, Some("tmux-256color"), None), Colours::Many);
    }
}
