//! The facts as lines to read.

use std::{fmt::Write, time::Duration};

use super::{Explanation, Fact};
use crate::{
    logs::{plain, present},
    model::{human_duration, one_line},
};

/// Characters of a quotation, at most.
const QUOTE: usize = 70;

/// `   0.884  upstream  exited 101  "panicked at …"   first abnormal event`, one line a fact, each after `indent`.
pub fn explanation_text(explanation: &Explanation, indent: &str) -> String {
    let facts = &explanation.facts;
    let names = facts.iter().chain(&explanation.also_failed).map(|fact| fact.who().len()).max().unwrap_or(0);
    let mut text = String::new();
    for (i, fact) in facts.iter().enumerate() {
        let distance = match i {
            0 if explanation.came_out_of_nothing() => "no abnormal event before the failure".to_owned(),
            0 => "first abnormal event".to_owned(),
            _ => format!("{} later", distance(fact)),
        };
        let _ = writeln!(text, "{indent}{:>9}  {:names$}  {}   {distance}", fact.at.seconds(), fact.who(), fact_text(fact));
    }
    for fact in &explanation.also_failed {
        let _ = writeln!(text, "{indent}{:>9}  {:names$}  {}   also failed", fact.at.seconds(), fact.who(), fact_text(fact));
    }
    text
}

/// `exited 101  "panicked at …"  ×3`.
pub fn fact_text(fact: &Fact) -> String {
    let mut text = one_line(&fact.what).into_owned();
    if let Some(quote) = &fact.quote {
        let quote = plain(quote.as_bytes());
        let quote = quote.trim();
        let short: String =
            if quote.chars().count() > QUOTE { quote.chars().take(QUOTE - 1).chain(['…']).collect() } else { quote.to_owned() };
        let _ = write!(text, "  \"{short}\"");
    }
    if fact.count > 1 {
        let _ = write!(text, "  ×{}", fact.count);
    }
    text
}

/// What a line says, without its own time, level and spans: `upstream failed error="Connection refused" status=502`.
pub(super) fn essence(line: &str) -> String {
    let text = present(line.as_bytes()).text();
    let mut rest = text.trim();
    // tracing puts the spans it is in before the message: `handle{session_id="…"}: `.
    while let Some((span, message)) = rest.split_once("}: ") {
        let is_span = span
            .split_once('{')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || "_:-".contains(c)));
        if !is_span {
            break;
        }
        rest = message;
    }
    rest.to_owned()
}

/// How long after the first fact: `528 ms`.
pub fn distance(fact: &Fact) -> String {
    human_duration(Duration::from_micros(fact.after_us))
}
