//! Keys, and how they are written in keymap files, help and hints: `j`, `G`, `C-c`, `S-Tab`, `PgDn`, `F5`.

use std::{fmt, str::FromStr};

/// A key without its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Code {
    Char(char),
    Enter,
    Esc,
    Tab,
    Backspace,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Insert,
    Delete,
    F(u8),
}

/// A key as it was pressed. A character carries its own shift: `G`, not Shift and `g`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) code: Code,
    pub(crate) ctrl: bool,
    pub(crate) alt: bool,
    pub(crate) shift: bool,
}

/// Names of keys that are no characters. The first name of a key is the one shown.
const NAMES: [(&str, Code); 19] = [
    ("Enter", Code::Enter),
    ("Esc", Code::Esc),
    ("Tab", Code::Tab),
    ("Backspace", Code::Backspace),
    ("↑", Code::Up),
    ("↓", Code::Down),
    ("←", Code::Left),
    ("→", Code::Right),
    ("Up", Code::Up),
    ("Down", Code::Down),
    ("Left", Code::Left),
    ("Right", Code::Right),
    ("Home", Code::Home),
    ("End", Code::End),
    ("PgUp", Code::PageUp),
    ("PgDn", Code::PageDown),
    ("Ins", Code::Insert),
    ("Del", Code::Delete),
    ("Space", Code::Char(' ')),
];

impl Key {
    /// The key without modifiers.
    pub(crate) const fn plain(code: Code) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// A character.
    pub(crate) const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// A character with Ctrl.
    pub(crate) const fn ctrl(c: char) -> Self {
        Self { code: Code::Char(c), ctrl: true, alt: false, shift: false }
    }

    /// The character, if it is one pressed without Ctrl or Alt: what a prompt takes.
    pub(crate) fn typed(self) -> Option<char> {
        match self.code {
            Code::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, prefix) in [(self.ctrl, "C-"), (self.alt, "M-"), (self.shift, "S-")] {
            if held {
                f.write_str(prefix)?;
            }
        }
        match self.code {
            Code::F(n) => write!(f, "F{n}"),
            code => match (NAMES.iter().find(|(_, known)| *known == code), code) {
                (Some((name, _)), _) => f.write_str(name),
                (None, Code::Char(c)) => write!(f, "{c}"),
                (None, _) => Ok(()),
            },
        }
    }
}

/// A text that names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no key: write it like j, G, C-c, S-Tab, PgDn, Space or F5")]
pub(crate) struct UnknownKey(String);

impl FromStr for Key {
    type Err = UnknownKey;

    fn from_str(text: &str) -> Result<Self, UnknownKey> {
        let unknown = || UnknownKey(text.chars().take(40).collect());
        let mut key = Key::char('\0');
        let mut rest = text;
        while rest.chars().count() > 2 {
            let Some((modifier, after)) = rest.split_once('-') else { break };
            match modifier {
                "C" => key.ctrl = true,
                "M" | "A" => key.alt = true,
                "S" => key.shift = true,
                _ => return Err(unknown()),
            }
            rest = after;
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) if !c.is_control() => Code::Char(c),
            _ => match rest.strip_prefix('F').and_then(|n| n.parse::<u8>().ok()) {
                Some(n @ 1..=12) => Code::F(n),
                _ => NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(rest)).map(|(_, code)| *code).ok_or_else(unknown)?,
            },
        };
        if let Code::Char(c) = key.code
            && (key.shift || key.ctrl)
        {
            // A terminal sends the shifted character itself, and Ctrl with a letter in lower case.
            let c = if key.ctrl { c.to_ascii_lowercase() } else { c.to_ascii_uppercase() };
            key = Key { code: Code::Char(c), shift: false, ..key };
        }
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_as_they_are_written() {
        for text in ["j", "G", "C-c", "C-]", "S-Tab", "PgUp", "F5", "Space", "Esc", "-", "C--", "M-x", "↑", "|", "0"] {
            assert_eq!(text.parse::<Key>().map(|key| key.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("up".parse::<Key>().map(|key| key.to_string()).as_deref(), Ok("↑"));
        assert_eq!("S-g".parse::<Key>(), Ok(Key::char('G')));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "Foo", "F13", "X-a", "C-", "ab"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
