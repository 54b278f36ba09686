//! Blocks that say one thing on many lines (panics, tracebacks, stack traces, pretty JSON) fold to their first; of health
//! probes the newest stands for all. Folding looks only at the lines it is given: the window to be shown and some before.

use std::collections::{BTreeSet, HashMap};

use crate::{
    logs::{Folds, LogLine, Source, is_panic_place, is_probe, plain},
    model::ProcessId,
};

/// A line as the log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line, or the first of a block.
    pub(crate) line: LogLine,
    /// The other lines of its block, if they are folded away.
    pub(crate) folded: Vec<LogLine>,
}

impl Row {
    /// The last row of its block.
    pub(crate) fn last(&self) -> u64 {
        self.folded.last().map_or(self.line.row, |last| last.row.max(self.line.row))
    }

    /// Whether what is folded away are earlier lines like it: health probes, or steps of its progress.
    pub(crate) fn hidden_probes(&self) -> bool {
        self.folded.first().is_some_and(|first| first.row < self.line.row)
    }
}

/// Folds `lines`, but for the blocks whose first row is in `unfolded`. Of the lines that only tell of a process's health
/// probes, or of its progress, the newest stands for all, unless `probes` are wanted.
pub(crate) fn fold(lines: Vec<LogLine>, unfolded: &BTreeSet<u64>, probes: bool) -> Vec<Row> {
    let mut rows = fold_blocks(lines, unfolded);
    if !probes {
        hide_probes(&mut rows);
    }
    rows
}

fn hide_probes(rows: &mut Vec<Row>) {
    let mut newest: HashMap<(ProcessId, Repeated), usize> = HashMap::new();
    let mut gone = vec![false; rows.len()];
    for i in 0..rows.len() {
        let Some(repeated) = repeated(&rows[i].line) else { continue };
        let Some(process) = rows[i].line.process.clone() else { continue };
        if let Some(before) = newest.insert((process, repeated), i) {
            gone[before] = true;
            let mut hidden = std::mem::take(&mut rows[before].folded);
            hidden.push(rows[before].line.clone());
            rows[i].folded = hidden;
        }
    }
    let mut gone = gone.into_iter();
    rows.retain(|_| !gone.next().unwrap_or(false));
}

/// What a process says again and again and the table shows anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Repeated {
    Probe,
    Progress,
}

fn repeated(line: &LogLine) -> Option<Repeated> {
    // Longer ones are no access lines; asking them costs more than it tells.
    if matches!(line.source, Source::Lifecycle(_)) || line.bytes.len() >= 400 {
        return None;
    }
    if line.bytes.starts_with(b"##e2e progress ") {
        return Some(Repeated::Progress);
    }
    is_probe(&plain(&line.bytes)).then_some(Repeated::Probe)
}

fn fold_blocks(lines: Vec<LogLine>, unfolded: &BTreeSet<u64>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::with_capacity(lines.len());
    let (mut folds, mut places) = (Folds::default(), HashMap::new());
    for line in lines {
        let first = folds.take(&line).filter(|first| !unfolded.contains(first));
        if let Some(&place) = first.and_then(|first| places.get(&first)) {
            let row: &mut Row = &mut rows[place];
            row.folded.push(line);
        } else {
            places.insert(line.row, rows.len());
            rows.push(Row { line, folded: Vec::new() });
        }
    }
    rows
}

/// The message of a panic, which Rust prints on the line below the place.
pub(crate) fn message_below(row: &Row) -> Option<String> {
    let first = row.folded.first()?;
    let head = plain(&row.line.bytes[..row.line.bytes.len().min(400)]);
    is_panic_place(&head).then(|| plain(&first.bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::At;

    fn lines(texts: &[(&str, &str)]) -> Vec<LogLine> {
        let line = |(row, (process, text)): (usize, &(&str, &str))| LogLine {
            row: row as u64,
            seq: row as u64,
            process: ProcessId::new(process).ok(),
            source: Source::Err,
            number: row as u64 + 1,
            generation: 1,
            at: At(0),
            bytes: text.as_bytes().to_vec(),
            size: text.len() as u64,
            cut: false,
            partial: false,
            format: crate::model::LogFormat::Auto,
            lost: false,
        };
        texts.iter().enumerate().map(line).collect()
    }

    fn folded(texts: &[(&str, &str)], unfolded: &[u64]) -> Vec<(u64, usize)> {
        fold(lines(texts), &unfolded.iter().copied().collect(), false).iter().map(|row| (row.line.row, row.folded.len())).collect()
    }

    #[test]
    fn a_panic_folds_with_its_message_and_backtrace_even_between_other_lines() {
        let texts = [
            ("a", "thread 'main' (7) panicked at src/upstream.rs:42:5:"),
            ("b", "listening"),
            ("a", "crash_after 3 calls"),
            ("a", "stack backtrace:"),
            ("a", "   0: std::panicking::begin_panic"),
            ("a", "             at ./src/x.rs:1"),
            ("a", "note: run with `RUST_BACKTRACE=1`"),
            ("a", "next life"),
        ];
        assert_eq!(folded(&texts, &[]), [(0, 5), (1, 0), (7, 0)]);
        assert_eq!(folded(&texts, &[0]).len(), texts.len());
        let rows = fold(lines(&texts), &BTreeSet::new(), false);
        assert_eq!(message_below(&rows[0]).as_deref(), Some("crash_after 3 calls"));
        assert_eq!(message_below(&rows[1]), None);
    }

    #[test]
    fn tracebacks_stacks_and_json_fold() {
        let traceback = ["Traceback (most recent call last):", "  File \"x.py\", line 1", "    boom()", "ValueError: x", "next"];
        let stack = ["TypeError: no", "    at main (/x.js:1:2)", "    at node:internal", "next"];
        let json = ["{", "  \"a\": [", "    1", "  ]", "}", "next"];
        for texts in [&traceback[..], &stack, &json] {
            let of_one: Vec<_> = texts.iter().map(|text| ("a", *text)).collect();
            assert_eq!(folded(&of_one, &[]), [(0, texts.len() - 2), (texts.len() as u64 - 1, 0)], "{texts:?}");
        }
    }

    #[test]
    fn of_a_processs_probe_lines_the_newest_stands_for_all() {
        let probe = "GET /health → 200";
        let texts = [("a", probe), ("b", "said"), ("a", probe), ("b", probe), ("a", probe), ("b", "said")];
        assert_eq!(folded(&texts, &[]), [(1, 0), (3, 0), (4, 2), (5, 0)]);
        assert_eq!(fold(lines(&texts), &BTreeSet::new(), true).len(), texts.len());
    }

    #[test]
    fn progress_is_in_the_table_and_its_lines_stand_back() {
        let texts = [("a", "##e2e progress 1 of 3"), ("a", "call"), ("a", "##e2e progress 2 of 3"), ("a", "##e2e mark here")];
        assert_eq!(folded(&texts, &[]), [(1, 0), (2, 1), (3, 0)]);
    }

    #[test]
    fn indented_lines_alone_do_not_fold() {
        assert_eq!(folded(&[("a", "ready"), ("a", "  local: http://x"), ("a", "  network: none")], &[]).len(), 3);
    }
}
