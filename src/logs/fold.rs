//! Blocks that say one thing on many lines fold to their first: panics, tracebacks, stack traces, pretty JSON, and lines
//! that are gone.
//!
//! Lines are looked at one after the other, in the order of a view; those of a block may stand between lines of other
//! processes. What joins them is their process, stream and generation. Only what is to be shown is ever looked at, with
//! some lines before it, since a block may begin there.

use std::{collections::HashMap, io};

use super::{
    line::{LogLine, Source},
    store::LogStore,
    text::plain,
    view::LogView,
};
use crate::model::{Generation, ProcessId};

/// A block longer than this goes on unfolded: it is a log of its own.
const MAX_BLOCK: usize = 400;

/// Bytes of a line that tell whether it is part of a block.
const HEAD: usize = 300;

/// How far around a row its block is looked for.
const REACH: u64 = 1024;

/// Finds the blocks in lines that are given in order.
#[derive(Debug, Default)]
pub struct Folds {
    open: HashMap<(Option<ProcessId>, bool), Open>,
}

/// The last block of a stream.
#[derive(Debug)]
struct Open {
    first: u64,
    lines: usize,
    generation: Generation,
    block: Block,
}

/// What goes on in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Lines that are gone.
    Gone,
    /// A line like any other. Stack frames may follow all the same.
    Line,
    /// The place of a Rust panic, whose message is still to come.
    PanicPlace,
    /// A Rust panic: frames and notes may follow.
    Panic,
    /// The head or the frames of a Python traceback, up to its first line that is not indented.
    Traceback,
    /// Tracebacks of a group, all indented.
    Group,
    /// A Python exception. Another one may follow that it led to.
    Exception,
    /// The same, with what was wrong with which field.
    Fields,
    /// A Python exception, and an empty line or the words that join two.
    Between,
    /// `at …` lines below an error: Java, Node.
    Stack,
    /// The properties that Node prints of an error, up to the line that closes them.
    Properties,
    /// A Go panic: its goroutines follow.
    Go,
    /// A goroutine's frames.
    Goroutine,
    /// JSON over several lines, up to the line that closes it.
    Json(char),
}

impl Folds {
    /// The row of the first line of the block that `line` goes on with; none if it begins one of its own.
    pub fn take(&mut self, line: &LogLine) -> Option<u64> {
        if matches!(line.source, Source::Lifecycle(_)) {
            // What comes after a start or an end is another story.
            self.open.retain(|(process, _), _| *process != line.process);
            return None;
        }
        let text = plain(&line.bytes[..line.bytes.len().min(HEAD)]);
        let stream = (line.process.clone(), line.source == Source::Err);
        if let Some(before) = self.open.get_mut(&stream)
            && (before.lines < MAX_BLOCK || line.lost)
            && before.generation == line.generation
            && line.lost == (before.block == Block::Gone)
            && let Some(next) = goes_on(before.block, &text)
        {
            before.block = next;
            before.lines += 1;
            return Some(before.first);
        }
        let block = if line.lost { Block::Gone } else { begins(&text) };
        self.open.insert(stream, Open { first: line.row, lines: 0, generation: line.generation, block });
        None
    }
}

impl LogView {
    /// The rows of the block that `row` is part of, in order; the row alone if it is part of none.
    pub fn block(&self, store: &LogStore, row: u64) -> io::Result<Vec<u64>> {
        let from = row.saturating_sub(REACH);
        let lines = self.window(store, from, usize::try_from(row - from + REACH).unwrap_or(usize::MAX))?;
        let mut folds = Folds::default();
        let firsts: Vec<u64> = lines.iter().map(|line| folds.take(line).unwrap_or(line.row)).collect();
        let own = usize::try_from(row - from).ok().and_then(|at| firsts.get(at)).copied().unwrap_or(row);
        Ok(lines.iter().zip(firsts).filter(|(_, first)| *first == own).map(|(line, _)| line.row).collect())
    }
}

/// Whether `head` is the place of a Rust panic whose message stands on the line below.
pub fn is_panic_place(head: &str) -> bool {
    begins(head) == Block::PanicPlace
}

/// What a line begins.
fn begins(text: &str) -> Block {
    let text = text.trim_end();
    let opens = |bracket: char| {
        let before = text.strip_suffix(bracket).map(str::trim_end);
        before.is_some_and(|before| before.is_empty() || before.ends_with([':', '=']))
    };
    if text.starts_with("thread '") && text.contains("panicked at") {
        if text.ends_with(':') { Block::PanicPlace } else { Block::Panic }
    } else if text.ends_with("Group Traceback (most recent call last):") {
        Block::Group
    } else if text.ends_with("Traceback (most recent call last):") {
        Block::Traceback
    } else if text.starts_with("panic: ") || text.starts_with("fatal error: ") || text.starts_with("goroutine ") && text.ends_with("]:") {
        Block::Go
    } else if is_validation_error(text) {
        Block::Fields
    } else if opens('{') {
        Block::Json('}')
    } else if opens('[') {
        Block::Json(']')
    } else {
        Block::Line
    }
}

/// What a line makes of the `block` before it; none if it is no part of it.
fn goes_on(block: Block, text: &str) -> Option<Block> {
    let trimmed = text.trim();
    let (empty, indented) = (trimmed.is_empty(), text.starts_with([' ', '\t']) && !trimmed.is_empty());
    let only_if = |part: bool, next: Block| part.then_some(next);
    match block {
        Block::Gone => Some(Block::Gone),
        Block::PanicPlace if !empty => Some(Block::Panic),
        Block::PanicPlace | Block::Panic => {
            let numbered = trimmed.split_once(": ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
            only_if(indented || numbered || text.starts_with("note: ") || text.starts_with("stack backtrace:"), Block::Panic)
        }
        Block::Traceback if indented => Some(Block::Traceback),
        Block::Traceback if is_validation_error(trimmed) => Some(Block::Fields),
        Block::Traceback => only_if(!empty, Block::Exception),
        Block::Group => only_if(indented, Block::Group),
        Block::Fields if indented || is_field(trimmed) => Some(Block::Fields),
        Block::Exception | Block::Fields => only_if(empty, Block::Between),
        Block::Between if trimmed.ends_with("Traceback (most recent call last):") => Some(Block::Traceback),
        Block::Between => {
            let joins = trimmed.starts_with("During handling of the above exception") || trimmed.starts_with("The above exception was");
            only_if(empty || joins, Block::Between)
        }
        Block::Go | Block::Goroutine if text.starts_with("goroutine ") => Some(Block::Goroutine),
        Block::Go => only_if(empty || text.starts_with("[signal ") || text.starts_with("\tpanic: "), Block::Go),
        Block::Goroutine => {
            let frame = trimmed.ends_with(')') && trimmed.contains('(') && !trimmed.contains(": ") || text.starts_with("created by ");
            only_if(empty || text.starts_with('\t') || frame || text.starts_with("exit status "), Block::Goroutine)
        }
        Block::Properties if trimmed == "}" && !indented => Some(Block::Stack),
        Block::Properties => only_if(indented, Block::Properties),
        Block::Json(end) if text.starts_with(end) => Some(Block::Line),
        Block::Json(end) => only_if(indented || text.starts_with([']', '}']), Block::Json(end)),
        Block::Line | Block::Stack => {
            let frame = indented && ["at ", "... ", "Suppressed: "].into_iter().any(|sign| trimmed.starts_with(sign));
            if frame && trimmed.ends_with(" {") {
                return Some(Block::Properties);
            }
            only_if(frame || trimmed.starts_with("Caused by: "), Block::Stack)
        }
    }
}

/// `2 validation errors for Call`, as pydantic says.
fn is_validation_error(text: &str) -> bool {
    let Some((before, _)) = text.split_once(" validation error") else { return false };
    before.rsplit(' ').next().is_some_and(|count| !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit()))
        && (before.bytes().all(|b| b.is_ascii_digit()) || before.contains("Error: "))
}

/// The path of a field that was wrong: `params.name`, `body -> 0`.
fn is_field(text: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || "._[]-`".contains(c);
    !text.is_empty()
        && text.len() <= 100
        && text.split(" -> ").all(|step| step.chars().all(part))
        && text.contains(|c: char| c.is_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{At, RunClock};

    /// For each line, how many of the following fold into it; 0 for those that are folded away is left out.
    fn folded(texts: &[&str]) -> Vec<usize> {
        let dir = tempfile::tempdir().expect("a folder");
        let id = ProcessId::new("a").expect("a name");
        let store = LogStore::create(dir.path(), std::slice::from_ref(&id), RunClock::start()).expect("a store");
        store.append(&id, super::super::Stream::Err, 1, At(0), (texts.join("\n") + "\n").as_bytes());
        let mut view = LogView::new(super::super::Selection::All);
        view.refresh(&store);
        let mut folds = Folds::default();
        let mut all: Vec<(u64, usize)> = Vec::new();
        for line in view.window(&store, 0, usize::MAX).expect("readable") {
            match folds.take(&line) {
                Some(first) => all.iter_mut().find(|(row, _)| *row == first).expect("it came before").1 += 1,
                None => all.push((line.row, 0)),
            }
        }
        for (row, lines) in &all {
            assert_eq!(view.block(&store, row + *lines as u64).expect("readable"), (*row..=row + *lines as u64).collect::<Vec<_>>());
        }
        all.into_iter().map(|(_, lines)| lines).collect()
    }

    fn whole(block: &str) {
        let mut lines: Vec<&str> = vec!["2026-11-23T06:25:57Z INFO before"];
        lines.extend(block.lines());
        lines.push("2026-11-23T06:25:58Z INFO after");
        assert_eq!(folded(&lines), [0, block.lines().count() - 1, 0], "{block}");
    }

    #[test]
    fn panics_and_traces_of_every_language_fold_to_their_first_line() {
        whole(
            "thread 'main' (7) panicked at src/upstream.rs:42:5:\ncrash_after 3 calls\nstack backtrace:\n   0: std::panicking::begin_panic\n             at ./src/x.rs:1\nnote: run with `RUST_BACKTRACE=1`",
        );
        whole("thread 'main' panicked at 'old style', src/x.rs:1\nnote: run with `RUST_BACKTRACE=1`");
        whole("Traceback (most recent call last):\n  File \"x.py\", line 1\n    boom()\nValueError: x");
        whole(
            "Traceback (most recent call last):\n  File \"x.py\", line 1\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"y.py\", line 2\nValueError: y",
        );
        whole(
            "  + Exception Group Traceback (most recent call last):\n  |   File \"x.py\", line 1\n  | ExceptionGroup: 2\n  +-+---------------- 1 ----------------\n    | ValueError: x\n    +------------------------------------",
        );
        whole(
            "Traceback (most recent call last):\n  File \"x.py\", line 1\npydantic_core._pydantic_core.ValidationError: 2 validation errors for Call\nparams.name\n  Field required [type=missing]\nparams.arguments.0\n  Input should be a valid dictionary",
        );
        whole(
            "panic: runtime error: index out of range [5] with length 3\n\n[signal SIGSEGV: segmentation violation]\ngoroutine 1 [running]:\nmain.main()\n\t/tmp/x.go:5 +0x1d\nmain.run({0xc000, 0x1})\n\t/tmp/x.go:9\ncreated by main.main in goroutine 1\n\t/tmp/x.go:2 +0x45\nexit status 2",
        );
        whole(
            "Exception in thread \"main\" java.lang.IllegalStateException: x\n\tat com.foo.Bar.baz(Bar.java:1)\n\tat com.foo.Main.main(Main.java:9)\nCaused by: java.io.IOException: y\n\t... 12 more\n\tSuppressed: java.lang.Error: z\n\t\tat com.foo.X.y(X.java:2)",
        );
        whole(
            "Error: connect ECONNREFUSED 127.0.0.1:20001\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1607:16)\n    at node:internal/process/task_queues:95:5 {\n  errno: -111,\n  code: 'ECONNREFUSED'\n}",
        );
        whole("{\n  \"a\": [\n    1\n  ]\n}");
        whole("response: {\n  \"a\": 1\n}");
        whole("[\n  {\n    \"a\": 1\n  }\n]");
    }

    #[test]
    fn what_only_looks_alike_stays() {
        assert_eq!(folded(&["ready", "  local: http://x", "  network: none"]), [0, 0, 0]);
        assert_eq!(folded(&["Traceback (most recent call last):", "", "next"]), [0, 0, 0]);
        assert_eq!(folded(&["ValueError: x", "next"]), [0, 0]);
        assert_eq!(folded(&["panic: x", "next"]), [0, 0]);
        assert_eq!(folded(&["fn main() {", "next", "}"]), [0, 0, 0]);
    }

    #[test]
    fn a_block_ends_with_its_length_and_with_its_generation() {
        let mut lines = vec!["Error: deep"];
        lines.extend(["    at f (/x.js:1:1)"; 500]);
        assert_eq!(folded(&lines), [400, 99]);
        let line = |row, generation, text: &str| LogLine {
            row,
            seq: row,
            process: ProcessId::new("a").ok(),
            source: Source::Out,
            number: row,
            generation,
            at: At(0),
            bytes: text.as_bytes().to_vec(),
            size: 0,
            cut: false,
            partial: false,
            format: crate::model::LogFormat::Auto,
            lost: false,
        };
        let mut folds = Folds::default();
        let gone = |row| LogLine { lost: true, ..line(row, 1, "") };
        assert_eq!(folds.take(&gone(1)), None);
        assert!((2..2000).all(|row| folds.take(&gone(row)) == Some(1)), "however many are gone");
        assert_eq!(folds.take(&line(2000, 1, "")), None);
        let mut folds = Folds::default();
        assert_eq!(folds.take(&line(0, 1, "Error: x")), None);
        assert_eq!(folds.take(&line(1, 1, "    at a")), Some(0));
        assert_eq!(folds.take(&line(2, 2, "    at b")), None, "said by another life");
    }
}
