//! `[[expect]]`: assertions on logs.

use super::{
    super::{
        diagnostics::Diagnostic,
        keys,
        suggest::list_of,
        tree::{Node, Table, Value},
    },
    state::{Scope, Walk},
};
use crate::model::{Bound, Comparison, Expectation, Expected, ProcessId, Statistic};

const STATISTICS: [(&str, Statistic); 4] =
    [("p50", Statistic::P50), ("p95", Statistic::P95), ("p99", Statistic::P99), ("max", Statistic::Max)];
/// Longer signs first: `<` is the start of `<=`.
const SIGNS: [(&str, Comparison); 6] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("=", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

/// What numbers in logs are followed by.
const UNITS: [&str; 14] = ["ns", "us", "µs", "ms", "s", "min", "h", "kB", "KB", "MB", "GB", "KiB", "MiB", "GiB"];

impl Walk<'_> {
    pub(super) fn expectations(&mut self, node: &Node) -> Vec<Expectation> {
        let Value::List(nodes) = &node.value else {
            self.out.push(
                Diagnostic::error(format!("`expect` must be a list of tables, not {}", node.what())).at(node.span, "write [[expect]]"),
            );
            return Vec::new();
        };
        nodes.iter().flat_map(|node| self.expectation(node)).collect()
    }

    /// One table; one expectation for each process that its name stands for.
    fn expectation(&mut self, node: &Node) -> Vec<Expectation> {
        let Some(table) = self.table("expect", node, "a table") else { return Vec::new() };
        self.check_keys(table, keys::EXPECT, "an expectation");
        let processes = self.process_key(table, node, "process", "an expectation");
        let within = self.some_time(table, "within", Scope::TOP, "nothing is said in no time");
        let what = self.expected(table, node);
        self.expect_keys_fit(table);
        let Some(what) = what else { return Vec::new() };
        processes.into_iter().map(|process| Expectation { process, what: what.clone(), within }).collect()
    }

    /// The processes that a required key names.
    pub(super) fn process_key(&mut self, table: &Table, whole: &Node, key: &str, of: &str) -> Vec<ProcessId> {
        let Some(node) = table.node(key) else {
            self.out.push(
                Diagnostic::error(format!("{of} has no `{key}`")).at(whole.span, "in this one").help(format!("add `{key} = \"NAME\"`")),
            );
            return Vec::new();
        };
        let Some(name) = self.name(key, node, "the name of a process") else { return Vec::new() };
        self.processes_named(name, node.span).unwrap_or_default()
    }

    fn expected(&mut self, table: &Table, whole: &Node) -> Option<Expected> {
        let given: Vec<_> = ["must_see", "must_not_see", "metric"].into_iter().filter_map(|k| Some((k, table.get(k)?))).collect();
        let (key, entry) = match given.as_slice() {
            [one] => *one,
            [] => {
                self.out.push(
                    Diagnostic::error("the expectation expects nothing")
                        .at(whole.span, "in this one")
                        .help(format!("add {}", list_of(["`must_see`", "`must_not_see`", "`metric`"]))),
                );
                return None;
            }
            [(first, one), (second, other), ..] => {
                self.out.push(
                    Diagnostic::error(format!("`{first}` and `{second}` are two expectations"))
                        .at(other.key, "this one")
                        .and(one.key, "and this one")
                        .help("give each an [[expect]] of its own"),
                );
                return None;
            }
        };
        let pattern = self.line_pattern(key, &entry.node, Scope::TOP);
        match key {
            "must_not_see" => Some(Expected::MustNotSee { pattern: pattern? }),
            "must_see" => {
                let count = table.node("count").and_then(|n| self.bound("count", n, true)).unwrap_or_else(Bound::at_least_once);
                Some(Expected::MustSee { pattern: pattern?, count })
            }
            _ => {
                let bounds = self.bounds(table, whole);
                let pattern = pattern?;
                if pattern.captures_len() != 2 {
                    self.out.push(
                        Diagnostic::error(format!("a metric's pattern has one group, and this has {}", pattern.captures_len() - 1))
                            .at(entry.node.span, "which part is the number?")
                            .help(r"it looks like 'took (\d+) ms'; groups that are no number are written (?:…)"),
                    );
                } else if let Some(unit) = unit_behind_group(pattern.as_str()) {
                    self.units_fit(table, &bounds, unit);
                }
                Some(Expected::Metric { pattern, bounds })
            }
        }
    }

    fn bounds(&mut self, table: &Table, whole: &Node) -> Vec<(Statistic, Bound)> {
        let given: Vec<_> = STATISTICS.iter().filter_map(|(key, s)| Some((*key, *s, table.node(key)?))).collect();
        if given.is_empty() {
            self.out.push(
                Diagnostic::error("a metric needs a bound")
                    .at(whole.span, "in this one")
                    .help("add `p95 = \"<= 50ms\"` (or p50, p99, max)"),
            );
        }
        given.into_iter().filter_map(|(key, statistic, node)| Some((statistic, self.bound(key, node, false)?))).collect()
    }

    /// `">= 300"`, `"<= 50ms"`; a bare number means exactly so many.
    fn bound(&mut self, key: &str, node: &Node, count: bool) -> Option<Bound> {
        let read = self.read(key, node, Scope::TOP)?;
        let text = read.trim();
        let (comparison, rest) =
            SIGNS.iter().find_map(|(sign, c)| Some((*c, text.strip_prefix(sign)?))).unwrap_or((Comparison::Equal, text));
        let rest = rest.trim();
        let unit_at = rest.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_')).unwrap_or(rest.len());
        let (number, unit) = rest.split_at(unit_at);
        let unit = unit.trim();
        let whole = !number.contains('.') && unit.is_empty();
        match number.replace('_', "").parse::<f64>() {
            Ok(value) if !count || whole => {
                if count && comparison == Comparison::Less && value < 1.0 {
                    self.out.push(Diagnostic::error(format!("`{key}` can never be less than 0")).at(node.span, "never met"));
                }
                Some(Bound { comparison, value, unit: unit.to_owned() })
            }
            _ => {
                let example = if count { "\">= 300\"" } else { "\"<= 50ms\"" };
                self.out.push(
                    Diagnostic::error(format!("`{key}` must be a comparison, not `{}`", read.shown()))
                        .at(node.span, format!("like {example}"))
                        .help("a comparison is <=, <, =, > or >= and a number"),
                );
                None
            }
        }
    }

    /// A number without a unit is taken in that of the bound, which should be the one that the lines have.
    fn units_fit(&mut self, table: &Table, bounds: &[(Statistic, Bound)], unit: &str) {
        for (key, statistic) in STATISTICS {
            let bound = bounds.iter().find(|(given, bound)| *given == statistic && !bound.unit.is_empty() && bound.unit != unit);
            if let (Some((_, bound)), Some(node)) = (bound, table.node(key)) {
                self.out.push(
                    Diagnostic::warning(format!("the pattern's numbers are followed by `{unit}`, and `{key}` is in `{}`", bound.unit))
                        .at(node.span, format!("they would be taken for so many {}", bound.unit))
                        .help(format!(r"write it in {unit}, or take the unit into the group: '(\d+ {unit})'")),
                );
            }
        }
    }

    /// Keys of one expectation beside another.
    fn expect_keys_fit(&mut self, table: &Table) {
        let mut fits = |key: &str, with: &str| {
            if let Some(entry) = table.get(key)
                && table.get(with).is_none()
            {
                self.out.push(Diagnostic::error(format!("`{key}` belongs to `{with}`")).at(entry.key, "has no meaning here"));
            }
        };
        fits("count", "must_see");
        for (key, _) in STATISTICS {
            fits(key, "metric");
        }
    }
}

/// The unit that a pattern's lines have behind the number, where it says one.
fn unit_behind_group(pattern: &str) -> Option<&str> {
    let (_, mut behind) = pattern.rsplit_once(')')?;
    while let Some(rest) = [r"\s", " ", "?", "*", "+"].iter().find_map(|gap| behind.strip_prefix(gap)) {
        behind = rest;
    }
    let end = behind.find(|c: char| !c.is_alphabetic()).unwrap_or(behind.len());
    UNITS.iter().copied().find(|unit| *unit == &behind[..end])
}
