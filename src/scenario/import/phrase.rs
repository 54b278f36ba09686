//! Texts as TOML, and what is to be filled in in them.
#![cfg_attr(not(feature = "yaml"), allow(dead_code, reason = "a Procfile says little"))]

use super::super::interpolate;

/// A variable that stands for a dollar, where a text must have one right before a `${…}`: the two together would be an escape.
pub(super) const DOLLAR: &str = "dollar";

/// A text in the making.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Phrase(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// What stands between the braces, and what that is where nothing is set.
    Name {
        inner: String,
        sample: String,
    },
}

impl Phrase {
    /// A text that stands for itself: nothing in it is filled in.
    pub(super) fn literal(text: &str) -> Self {
        Self::default().and(text)
    }

    /// `${inner}`
    pub(super) fn name(inner: &str) -> Self {
        Self(vec![Piece::Name { inner: inner.to_owned(), sample: String::new() }])
    }

    /// `$NAME`, `${NAME}` and `${NAME:-default}` as process-compose fills them in when it reads its file; `$$` is a dollar.
    pub(super) fn expanded(text: &str) -> Self {
        let mut phrase = Self::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            phrase = phrase.and(before);
            let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
            rest = if let Some(behind) = after.strip_prefix('$') {
                phrase = phrase.and("$");
                behind
            } else if let Some((inner, behind)) = braced(after) {
                let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
                phrase.0.push(variable(name, &Self::expanded(default)));
                behind
            } else if end > 0 {
                phrase.0.push(variable(&after[..end], &Self::default()));
                &after[end..]
            } else {
                phrase = phrase.and("$");
                after
            };
        }
        let phrase = phrase.and(rest);
        // What is more than our own reader takes, so deep or so odd, is left as it is.
        if interpolate::parse(&phrase.written()).1.is_empty() { phrase } else { Self::literal(text) }
    }

    /// With this behind it.
    pub(super) fn and(mut self, text: &str) -> Self {
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Literal(before)) => before.push_str(text),
            _ => self.0.push(Piece::Literal(text.to_owned())),
        }
        self
    }

    /// With that behind it.
    pub(super) fn then(self, more: Self) -> Self {
        more.0.into_iter().fold(self, |mut all, piece| match piece {
            Piece::Literal(text) => all.and(&text),
            name @ Piece::Name { .. } => {
                all.0.push(name);
                all
            }
        })
    }

    /// One variable without a default is given one.
    pub(super) fn or(mut self, default: &str) -> Self {
        if let [Piece::Name { inner, sample }] = self.0.as_mut_slice()
            && inner.ends_with(":-")
        {
            inner.push_str(default);
            default.clone_into(sample);
        }
        self
    }

    /// What it comes to where no variable is set.
    pub(super) fn sample(&self) -> String {
        let sample = |piece: &Piece| match piece {
            Piece::Literal(text) | Piece::Name { sample: text, .. } => text.clone(),
        };
        self.0.iter().map(sample).collect()
    }

    /// As a scenario has it, without the quotes.
    fn written(&self) -> String {
        let mut out = String::new();
        for (i, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Literal(text) => {
                    let plain = if self.0.len() > i + 1 { text.strip_suffix('$') } else { None };
                    out.push_str(&plain.unwrap_or(text).replace("${", "$${"));
                    if plain.is_some() {
                        out.extend(["${vars.", DOLLAR, "}"]);
                    }
                }
                Piece::Name { inner, .. } => out.extend(["${", inner, "}"]),
            }
        }
        out
    }

    /// As TOML.
    pub(super) fn toml(&self) -> String {
        toml::Value::String(self.written()).to_string()
    }
}

/// A variable of the environment, where it is not set this.
fn variable(name: &str, default: &Phrase) -> Piece {
    Piece::Name { inner: format!("env.{name}:-{}", default.written()), sample: default.sample() }
}

/// What stands in the braces that `text` begins with, and what behind them.
fn braced(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{')?;
    let mut open = 1;
    for (at, brace) in inner.match_indices(['{', '}']) {
        open = if brace == "{" { open + 1 } else { open - 1 };
        if open == 0 {
            return Some((&inner[..at], &inner[at + 1..]));
        }
    }
    None
}

/// A text as TOML has it, that stands for itself.
pub(super) fn quoted(text: &str) -> String {
    Phrase::literal(text).toml()
}

/// A list of texts that stand for themselves.
pub(super) fn list(texts: impl IntoIterator<Item = String>) -> String {
    phrases(texts.into_iter().map(|text| Phrase::literal(&text)))
}

/// A list of texts.
pub(super) fn phrases(texts: impl IntoIterator<Item = Phrase>) -> String {
    format!("[{}]", texts.into_iter().map(|text| text.toml()).collect::<Vec<_>>().join(", "))
}

/// A key as TOML has it: on one line, whatever is in it.
pub(super) fn key(name: &str) -> String {
    if !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
        return name.to_owned();
    }
    let escaped = name.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{:04X}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A table on one line, of values that are TOML already.
pub(super) fn table<'a>(entries: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let entries: Vec<String> = entries.into_iter().map(|(name, value)| format!("{} = {value}", key(name))).collect();
    format!("{{ {} }}", entries.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_and_names_are_written_so_that_they_come_out_as_they_were() {
        let written = |text: &str| Phrase::expanded(text).written();
        assert_eq!(written("$HOME/${A}b"), "${env.HOME:-}/${env.A:-}b");
        assert_eq!(written("${A:-x${B:-$C}}"), "${env.A:-x${env.B:-${env.C:-}}}");
        assert_eq!(written("$${A} 5$ $"), "$${A} 5$ $");
        assert_eq!(written("$$$A"), "${vars.dollar}${env.A:-}");
        assert_eq!(written("${unclosed"), "$${unclosed");
        assert_eq!(Phrase::expanded("${PORT}").or("80").sample(), "80");
        assert_eq!(quoted("$$${x}"), "\"$$$${x}\"");
        assert_eq!(key("a\nb\"c"), "\"a\\u000Ab\\\"c\"");
    }
}
