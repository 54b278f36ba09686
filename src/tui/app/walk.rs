//! Moving through a log by what stands in it, and taking something out of it.

use crate::{
    logs::{Source, Token, TokenKind, tokens},
    tui::{
        action::Action,
        fold::Row,
        keymap::Context,
        layout::Pane,
        logview::{
            desk::{Seek, Way},
            query,
        },
        units::memory,
    },
};

use super::{
    log::{Place, Scope},
    overlay::Overlay,
    state::{App, Outcome, World},
};

impl App {
    /// To the next match of what is looked for.
    pub(super) fn walk_matches(&mut self, way: Way, world: &World<'_>) -> Vec<Outcome> {
        if self.log.find.is_none() {
            self.complain(world.now, "nothing is looked for yet: / finds");
            return Vec::new();
        }
        self.walk(Seek::Match(way))
    }

    /// To the next alert.
    pub(super) fn walk_alerts(&mut self, way: Way) -> Vec<Outcome> {
        self.log.walks_alerts = true;
        self.walk(Seek::Alert(way))
    }

    /// To the next line with the token; without one, that of this line.
    pub(super) fn walk_tokens(&mut self, way: Way, world: &World<'_>) -> Vec<Outcome> {
        if self.log.token.is_none() {
            self.highlight(world);
        }
        if self.log.token.is_some() { self.walk(Seek::Token(way)) } else { Vec::new() }
    }

    fn walk(&mut self, seek: Seek) -> Vec<Outcome> {
        self.focus = Pane::Logs;
        vec![Outcome::Seek(seek)]
    }

    /// To the next mark.
    pub(super) fn walk_marks(&mut self, way: Way, world: &World<'_>) -> Vec<Outcome> {
        let here = row_here(world).filter(|_| !self.log.follows()).map_or(u64::MAX, |row| row.line.seq);
        let found = match way {
            Way::Next => world.marks.iter().find(|seq| **seq > here),
            Way::Previous => world.marks.iter().rev().find(|seq| **seq < here),
        };
        let nothing = match (found, way) {
            (Some(seq), _) => return self.walk(Seek::Seq(*seq)),
            (None, _) if world.marks.is_empty() => "there is no mark yet: m sets one",
            (None, Way::Next) => "no mark after this line",
            (None, Way::Previous) => "no mark before this line",
        };
        self.complain(world.now, nothing);
        Vec::new()
    }

    pub(super) fn next_fact(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if world.facts.is_empty() {
            self.complain(world.now, "nothing has failed");
            return Vec::new();
        }
        let next = match self.fact {
            // Still parked there by itself: the first press goes on.
            Some(at) if self.log.follows() => at,
            Some(at) => (at + 1) % world.facts.len(),
            None => 0,
        };
        self.fact = Some(next);
        self.focus = Pane::Logs;
        self.log.scope = Scope::All;
        vec![Outcome::Seek(Seek::fact(&world.facts[next]))]
    }

    pub(super) fn open(&mut self, world: &World<'_>) -> Vec<Outcome> {
        match self.focus {
            Pane::Logs => self.open_line(world),
            Pane::Processes => {
                self.log.scope = Scope::One;
                self.focus = Pane::Logs;
                self.opened = true;
            }
            _ => return self.open_in_pane(world),
        }
        Vec::new()
    }

    fn open_line(&mut self, world: &World<'_>) {
        let Some(row) = row_here(world) else {
            return;
        };
        let first = row.line.row;
        if row.hidden_probes() {
            self.log.show_probes = true;
        } else if !row.folded.is_empty() {
            self.log.unfolded.insert(first);
        } else if !self.log.unfolded.remove(&first) {
            let text = match &row.line.source {
                Source::Lifecycle(_) => query::text_of(&row.line),
                Source::Out | Source::Err => crate::logs::verbatim(&row.line.bytes),
            };
            let key = world.keymap.key_of(Context::Log, Action::Copy).filter(|_| row.line.cut);
            let rest = key.map(|key| format!(" (the line has {}; {key} in the log copies all of it)", memory(row.line.size)));
            let text = text + &rest.unwrap_or_default();
            self.overlay = Some(Overlay::Line { text, scroll: 0 });
        }
    }

    pub(super) fn highlight(&mut self, world: &World<'_>) {
        let row = row_here(world);
        let text = row.map(|row| query::text_of(&row.line)).unwrap_or_default();
        let tokens = tokens(&text);
        let is_chosen = |token: &Token| self.log.token.as_ref().is_some_and(|chosen| chosen.text == token.text);
        let next = tokens.iter().position(is_chosen).map_or(0, |at| at + 1);
        self.log.token = tokens.get(next).or(tokens.first()).cloned();
        self.log.token_at = row.map_or(self.log.token_at, |row| row.line.at);
        self.log.near = row.map(|row| row.line.at).filter(|_| self.log.token.is_none());
        match &self.log.token {
            Some(Token { text, kind: TokenKind::Call { session: Some(session) }, .. }) => {
                self.say(world.now, format!("highlighting id {text} of session {session}; o and O walk along it"));
            }
            Some(Token { text, .. }) => self.say(world.now, format!("highlighting {text}; o and O walk along it")),
            None if self.log.near.is_some() => {
                self.say(world.now, "this line holds no id or value that another could share; what was said around it is marked");
            }
            None => self.complain(world.now, "there is no line here"),
        }
    }

    pub(super) fn mute(&mut self, world: &World<'_>) {
        let row = world.window.cursor.and_then(|i| world.window.rows.get(i));
        let process = if self.focus == Pane::Logs {
            row.and_then(|row| row.line.process.clone())
        } else {
            self.selected(world.snapshot).map(|row| row.id().clone())
        };
        let Some(process) = process else {
            return self.complain(world.now, "no line is chosen: move to one of the process to be muted");
        };
        if self.log.muted.remove(&process) {
            self.say(world.now, format!("{process} is heard again"));
        } else {
            self.say(world.now, format!("{process} is muted; \\ clears all filters"));
            self.log.muted.insert(process);
        }
    }

    pub(super) fn select(&mut self) {
        self.focus = Pane::Logs;
        if self.log.select_from.take().is_some() {
            return;
        }
        let cursor = self.log.cursor();
        if self.log.follows() {
            self.log.place = Place::Parked { cursor, top: self.log.last_seen.0 };
        }
        self.log.select_from = Some(cursor);
    }

    pub(super) fn copy(&mut self, world: &World<'_>) -> Vec<Outcome> {
        if world.window.rows.is_empty() {
            self.log.select_from = None;
            self.complain(world.now, NOTHING_TO_COPY);
            return Vec::new();
        }
        let cursor = self.log.cursor();
        let (from, to) = if let Some(from) = self.log.select_from.take() {
            (from.min(cursor), from.max(cursor))
        } else {
            let row = world.window.rows.iter().rev().find(|row| row.line.row <= cursor);
            (cursor, row.map_or(cursor, |row| row.last().max(cursor)))
        };
        vec![Outcome::Copy { from, to }]
    }

    pub(super) fn edit(&mut self, world: &World<'_>) -> Vec<Outcome> {
        let row = row_here(world);
        match row.and_then(|row| source_place(&query::text_of(&row.line))) {
            Some((path, line)) => return vec![Outcome::Edit { path, line }],
            None => self.complain(world.now, "this line names no path:line to open"),
        }
        Vec::new()
    }
}

/// Said where a copy would be empty.
pub(crate) const NOTHING_TO_COPY: &str = "there is no line to copy";

/// The row under the cursor; while following, the last one.
fn row_here<'w>(world: &World<'w>) -> Option<&'w Row> {
    let at = world.window.cursor.or(world.window.rows.len().checked_sub(1))?;
    world.window.rows.get(at)
}

/// The first `path:line` in a text.
fn source_place(text: &str) -> Option<(String, u32)> {
    text.split(|c: char| c.is_whitespace() || "\"'(),;[]{}<>".contains(c)).find_map(|word| {
        let (path, rest) = word.split_once(':')?;
        let line = rest.split(':').next()?.parse().ok()?;
        let file = path.rsplit('/').next()?;
        (file.contains('.') && !path.contains("//") && line > 0 && file.parse::<std::net::Ipv4Addr>().is_err())
            .then(|| (path.to_owned(), line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_source_is_found_in_many_spellings() {
        let place = |text| source_place(text).map(|(path, line)| format!("{path}:{line}"));
        assert_eq!(place("thread 'main' panicked at src/upstream.rs:42:5:").as_deref(), Some("src/upstream.rs:42"));
        assert_eq!(place("    at main (/app/x.js:10:3)").as_deref(), Some("/app/x.js:10"));
        assert_eq!(place("connect 127.0.0.1:20001 http://a.b:80/").as_deref(), None);
    }
}
