//! Text that may still wait for a port which another process has yet to print.

use std::{collections::BTreeSet, fmt};

use super::ProcessId;

/// A piece of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it stands.
    Literal(String),
    /// The port that this process's `ready.log` captures as `(?<port>…)`.
    PortOf(ProcessId),
}

/// A value of the scenario after interpolation. All of it is literal, but for ports that are only known once
/// the process that prints them is ready; whoever uses such a text waits for that process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text(Vec<Part>);

/// A text was needed before the port in it was known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the port of {0} is not known: its `ready.log` has captured none yet")]
pub struct UnresolvedPort(pub ProcessId);

impl Text {
    /// Joins parts; neighbouring literals become one.
    pub fn from_parts(parts: impl IntoIterator<Item = Part>) -> Self {
        let mut all: Vec<Part> = Vec::new();
        for part in parts {
            match (all.last_mut(), part) {
                (Some(Part::Literal(before)), Part::Literal(more)) => before.push_str(&more),
                (_, part) => all.push(part),
            }
        }
        Self(all)
    }

    /// The text once `port_of` knows the ports it names.
    pub fn resolve(&self, port_of: impl Fn(&ProcessId) -> Option<u16>) -> Result<String, UnresolvedPort> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::PortOf(id) => text.push_str(&port_of(id).ok_or_else(|| UnresolvedPort(id.clone()))?.to_string()),
            }
        }
        Ok(text)
    }

    /// What it is made of.
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The same text behind `prefix`.
    #[must_use]
    pub fn prefixed(self, prefix: &str) -> Self {
        Self::from_parts(std::iter::once(Part::Literal(prefix.to_owned())).chain(self.0))
    }

    /// The processes whose captured ports it needs.
    pub fn ports_of(&self) -> BTreeSet<ProcessId> {
        self.0.iter().filter_map(|part| if let Part::PortOf(id) = part { Some(id.clone()) } else { None }).collect()
    }
}

impl From<&str> for Text {
    fn from(literal: &str) -> Self {
        Self(vec![Part::Literal(literal.to_owned())])
    }
}

impl From<String> for Text {
    fn from(literal: String) -> Self {
        Self(vec![Part::Literal(literal)])
    }
}

impl fmt::Display for Text {
    /// Unknown ports stand as `${process.NAME.port}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(literal) => f.write_str(literal),
            Part::PortOf(id) => write!(f, "${{process.{id}.port}}"),
        })
    }
}
