//! Names of processes in columns that are narrower than they are.
//!
//! A long name ends in `…`. Where that would make two names look the same (`db-primary-2` and `db-primary-6`, or the
//! copies of one process), they lose their middle instead.

use std::collections::HashMap;

use crate::model::{ProcessId, Snapshot};

use super::{look::Look, text};

/// Cells of names in the table.
pub(crate) const TABLE: usize = 10;
/// Cells of names in logs and events.
pub(crate) const SOURCE: usize = 9;

/// The names of a run's processes, cut for both columns.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    cut: HashMap<ProcessId, (String, String)>,
}

impl Names {
    /// Cuts the names of `snapshot` anew, if it has other processes than before.
    pub(crate) fn update(&mut self, snapshot: &Snapshot, look: &Look) {
        let known = |row: &std::sync::Arc<crate::model::ProcessSnapshot>| self.cut.contains_key(row.id());
        if self.cut.len() == snapshot.rows.len() && snapshot.rows.iter().all(known) {
            return;
        }
        let names: Vec<&str> = snapshot.rows.iter().map(|row| row.id().as_str()).collect();
        let cut = |cells| distinct(&names, cells, look.ellipsis());
        let both = cut(TABLE).into_iter().zip(cut(SOURCE));
        self.cut = snapshot.rows.iter().map(|row| row.id().clone()).zip(both).collect();
    }

    /// As the table shows it.
    pub(crate) fn in_table(&self, process: &ProcessId, look: &Look) -> String {
        self.cut.get(process).map_or_else(|| text::fit(process.as_str(), TABLE, look.ellipsis()).into_owned(), |cut| cut.0.clone())
    }

    /// As logs and events show it.
    pub(crate) fn as_source(&self, process: &ProcessId, look: &Look) -> String {
        self.cut.get(process).map_or_else(|| text::fit(process.as_str(), SOURCE, look.ellipsis()).into_owned(), |cut| cut.1.clone())
    }
}

/// Each name in at most `max` cells, as far as possible so that no two look the same.
fn distinct(names: &[&str], max: usize, ellipsis: &str) -> Vec<String> {
    let mut cut: Vec<String> = names.iter().map(|name| text::fit(name, max, ellipsis).into_owned()).collect();
    // A longer end tells more of them apart; one that leaves no beginning tells nothing.
    for tail in 2..max.saturating_sub(2) {
        let alike = alike(names, &cut, max);
        if alike.is_empty() {
            return cut;
        }
        for i in alike {
            cut[i] = without_middle(names[i], max, tail, ellipsis);
        }
    }
    // No end tells these apart: their beginning is at least how they are called.
    for i in alike(names, &cut, max) {
        cut[i] = text::fit(names[i], max, ellipsis).into_owned();
    }
    cut
}

/// Which of the names that were cut look like another.
fn alike(names: &[&str], cut: &[String], max: usize) -> Vec<usize> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for name in cut {
        *seen.entry(name).or_default() += 1;
    }
    (0..names.len()).filter(|i| seen[cut[*i].as_str()] > 1 && text::width(names[*i]) > max).collect()
}

fn without_middle(name: &str, max: usize, tail: usize, ellipsis: &str) -> String {
    let end: String = name.chars().skip(name.chars().count().saturating_sub(tail)).collect();
    let head = max.saturating_sub(text::width(&end));
    format!("{}{end}", text::fit(name, head, ellipsis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_end_in_an_ellipsis() {
        assert_eq!(distinct(&["upstream", "upstream-primary"], 10, "…"), ["upstream", "upstream-…"]);
    }

    #[test]
    fn names_that_would_look_the_same_lose_their_middle() {
        let names = ["db-primary-2", "db-primary-10", "queue-consumer-3", "queue-consumer-13", "api"];
        assert_eq!(distinct(&names, 10, "…"), ["db-prim…-2", "db-prim…10", "queue-c…-3", "queue-c…13", "api"]);
        let copies: Vec<String> = (1..=120).map(|n| format!("load-generator-{n}")).collect();
        let copies: Vec<&str> = copies.iter().map(String::as_str).collect();
        let mut cut = distinct(&copies, 9, "…");
        assert!(cut.iter().all(|name| text::width(name) <= 9), "{cut:?}");
        cut.sort();
        cut.dedup();
        assert_eq!(cut.len(), 120);
    }

    #[test]
    fn what_cannot_be_told_apart_is_still_cut() {
        let names = ["aaaaaaaaaaaaaaaaX-same-end", "aaaaaaaaaaaaaaaaY-same-end"];
        assert_eq!(distinct(&names, 10, "…"), ["aaaaaaaaa…", "aaaaaaaaa…"]);
    }
}
