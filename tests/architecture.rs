//! The house rules that no compiler checks: which room may know which, and how big a room may grow.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms from the ground up. A room knows those before it in the list, never those after.
const LAYERS: &[&[&str]] = &[
    &["aside", "model", "redact"],
    &["scenario"],
    &["mcp"],
    &["logs"],
    &["process", "watch"],
    &["health", "tap"],
    &["supervisor"],
    &["record", "explain"],
    &["headless"],
    &["harness"],
    &["tui"],
];

/// Fronts stand side by side: they never know each other.
const FRONTS: &[&str] = &["headless", "harness", "tui"];

/// Crates that only the fronts with a terminal may use.
const TERMINAL_CRATES: &[&str] = &["ratatui", "crossterm", "tui_logger", "tui_input", "clap", "anyhow"];

/// Lines of code in a file, without its tests.
const FILE_LIMIT: usize = 420;
/// Lines of a function.
const FUNCTION_LIMIT: usize = 80;

struct Source {
    path: PathBuf,
    /// The room: the first folder or file below `src`.
    room: String,
    /// Without the tests at its end.
    code: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                let code = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned();
                let below = path.strip_prefix(&root).expect("it is below src");
                let room =
                    below.components().next().expect("a file has a name").as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned();
                found.push(Source { path, room, code });
            }
        }
    }
    assert!(found.len() > 40, "the sources were not found");
    found
}

fn is_test_file(source: &Source) -> bool {
    let name = source.path.file_stem().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    name == "tests" || name.ends_with("_test") || name.ends_with("_tests") || source.path.components().any(|c| c.as_os_str() == "tests")
}

fn level(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// The rooms of this crate that a source's code names.
fn imports(source: &Source) -> Vec<String> {
    let code: String = source.code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + 7..];
        if let Some(list) = rest.strip_prefix('{') {
            // `use crate::{a::x, b::{y, z}}`: the names at depth one.
            let mut depth = 0;
            let mut name = String::new();
            for c in list.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => rooms.push(std::mem::take(&mut name)),
                    c if depth == 0 && !c.is_whitespace() => name.push(c),
                    _ => {}
                }
            }
            rooms.push(name);
        } else {
            rooms.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms.iter().map(|path| path.split("::").next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn rooms_know_only_those_below_them() {
    let mut crooked = Vec::new();
    for source in sources().iter().filter(|s| !is_test_file(s)) {
        let Some(own) = level(&source.room) else { continue };
        for room in imports(source) {
            let Some(other) = level(&room) else { continue };
            let fronts = FRONTS.contains(&source.room.as_str()) && FRONTS.contains(&room.as_str()) && room != source.room;
            if other > own || fronts {
                crooked.push(format!("{} knows {room}", source.path.display()));
            }
        }
    }
    assert!(crooked.is_empty(), "imports only go down:\n{}", crooked.join("\n"));
}

#[test]
fn every_room_has_its_place() {
    let placed = ["lib", "main", "cli"];
    for source in sources() {
        let known = level(&source.room).is_some() || placed.contains(&source.room.as_str());
        assert!(known, "{} is in no layer: give it one in this test", source.path.display());
    }
}

#[test]
fn only_fronts_with_a_terminal_know_terminal_crates() {
    let mut crooked = Vec::new();
    for source in sources() {
        if ["cli", "tui", "main"].contains(&source.room.as_str()) {
            continue;
        }
        for name in TERMINAL_CRATES {
            if source.code.lines().any(|line| !line.trim_start().starts_with("//") && line.contains(&format!("{name}::"))) {
                crooked.push(format!("{} uses {name}", source.path.display()));
            }
        }
    }
    assert!(crooked.is_empty(), "a test suite that uses the library builds no terminal UI:\n{}", crooked.join("\n"));
}

#[test]
fn files_and_functions_stay_small() {
    let mut grown = Vec::new();
    for source in sources().iter().filter(|s| !is_test_file(s)) {
        let lines = source.code.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count();
        if lines > FILE_LIMIT {
            grown.push(format!("{}: {lines} lines of code", source.path.display()));
        }
        grown.extend(long_functions(source));
    }
    assert!(grown.is_empty(), "the design asks for a room:\n{}", grown.join("\n"));
}

/// Functions by indentation: from the line that opens one to the brace that closes it.
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.code.lines().collect();
    let mut long = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let body = line.trim_start();
        let head = body.trim_start_matches("pub ").trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        if !["fn ", "async fn ", "const fn ", "unsafe fn "].iter().any(|f| head.starts_with(f)) {
            continue;
        }
        // A declaration without a body, or a body on the same line, has no length.
        let opens = lines[start..].iter().find(|l| l.ends_with(['{', ';', '}']));
        if !opens.is_some_and(|l| l.ends_with('{')) {
            continue;
        }
        let close = format!("{}}}", &line[..line.len() - body.len()]);
        let length = lines[start..].iter().position(|l| **l == close).map_or(0, |n| n + 1);
        if length > FUNCTION_LIMIT {
            long.push(format!("{}: `{}` has {length} lines", source.path.display(), head.split('(').next().unwrap_or(head)));
        }
    }
    long
}

#[test]
fn module_faces_hold_no_logic() {
    let mut busy = Vec::new();
    for source in sources().iter().filter(|s| s.path.ends_with("mod.rs") && s.room != "cli") {
        if source.code.lines().any(|line| line.trim_start().starts_with("fn ") || line.trim_start().starts_with("impl ")) {
            busy.push(source.path.display().to_string());
        }
    }
    assert!(busy.is_empty(), "mod.rs tells the topic's story and re-exports:\n{}", busy.join("\n"));
}
