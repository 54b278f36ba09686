//! Which lines a log pane shows, and which of them it highlights: as questions for the log store's filter.

use std::collections::BTreeSet;

use crate::{
    logs::{self, Lifecycle, LogLine, Pattern, Source, Token, Typed, plain},
    model::{At, ProcessId},
};

/// What a pane wants to know of every line. Asked off the front's thread.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Query {
    /// Only lines that match.
    pub(crate) within: Option<Pattern>,
    /// No line that matches.
    pub(crate) without: Option<Pattern>,
    /// Only errors and failures.
    pub(crate) alerts_only: bool,
    /// Processes whose lines are hidden.
    pub(crate) muted: BTreeSet<ProcessId>,
    /// Lines shown around each that matches.
    pub(crate) context: u16,
    /// What is highlighted.
    pub(crate) find: Option<Pattern>,
    /// The token that is highlighted and walked along.
    pub(crate) token: Option<Token>,
    /// When the line was said whose token it is: if nobody shares it, its neighbours in time are of interest.
    pub(crate) token_at: At,
    /// Whether alerts are walked along.
    pub(crate) alerts: bool,
}

/// The questions, as the filter numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Which lines are shown.
    Shown,
    /// Which of them match what is looked for.
    Found,
    /// Which of them hold the token.
    Token,
    /// Which of them tell of trouble.
    Alert,
}

impl Query {
    /// Whether some lines are not shown.
    pub(crate) fn hides(&self) -> bool {
        self.within.is_some() || self.without.is_some() || self.alerts_only || !self.muted.is_empty()
    }

    /// Whether anything is asked at all.
    pub(crate) fn asks(&self) -> bool {
        self.hides() || self.find.is_some() || self.token.is_some() || self.alerts
    }

    /// The questions for the filter, by their numbers. What is asked of a line that is not shown is of no use.
    pub(crate) fn questions(&self, processes: &[ProcessId]) -> Vec<logs::Query> {
        // What names nothing that there is, is text.
        let typed = self.within.as_ref().map(|pattern| {
            let plain = || logs::Query { within: vec![pattern.clone()], ..logs::Query::default() };
            Typed::parse(pattern.typed(), processes).map_or_else(|_| plain(), |typed| typed.query)
        });
        let typed = typed.unwrap_or_default();
        let without = typed.without.iter().chain(&self.without).cloned().collect();
        let shown = logs::Query {
            without,
            alerts: self.alerts_only.then(Vec::new),
            muted: self.muted.iter().cloned().collect(),
            lifecycle: Lifecycle::Asked,
            ..typed
        };
        let and = |patterns: Option<Vec<Pattern>>| {
            let mut question = shown.clone();
            match patterns {
                Some(patterns) => question.within.extend(patterns),
                // Nothing is looked for, so nothing is found.
                None => question.time = Some(At::START..At::START),
            }
            question
        };
        let token = self.token.as_ref().map(|token| token.query().within);
        let alert = logs::Query { alerts: Some(Vec::new()), ..shown.clone() };
        let mut all = vec![shown.clone(), and(self.find.clone().map(|find| vec![find])), and(token)];
        all.push(if self.alerts { alert } else { and(None) });
        all
    }
}

impl Question {
    /// Its number.
    pub(crate) fn number(self) -> usize {
        match self {
            Self::Shown => 0,
            Self::Found => 1,
            Self::Token => 2,
            Self::Alert => 3,
        }
    }
}

/// The pattern that was typed; none for an empty text, or one that nothing can be made of.
pub(crate) fn pattern(typed: &str) -> Option<Pattern> {
    if typed.is_empty() { None } else { Pattern::either(typed).ok() }
}

/// A line as filters and searches see it.
pub(crate) fn text_of(line: &LogLine) -> String {
    match &line.source {
        Source::Lifecycle(told) => logs::words(told),
        Source::Out | Source::Err => plain(&line.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_filter_may_name_fields_levels_and_processes() {
        let up = ProcessId::new("up").expect("a name");
        let shown = |typed| Query { within: pattern(typed), ..Query::default() }.questions(std::slice::from_ref(&up)).remove(0);
        let typed = shown("level:warn process:up status=502 !health gateway");
        assert_eq!((typed.level, typed.only), (Some(logs::Level::Warn), Some(vec![up.clone()])));
        assert!(typed.within[0].matches(r#"{"status":502}"#) && typed.without[0].matches("/health"));
        assert_eq!(shown("gateway (").within[0].typed(), "gateway (");
        // What names nothing that there is, is text.
        assert_eq!(shown("process:other").within[0].typed(), "process:other");
    }
}
