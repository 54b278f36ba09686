//! What README and docs show is true: each scenario in them loads, each command line is one, each link leads somewhere.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use e2e_tui::scenario::{Environment, Located, Overrides, load};

/// A fenced block of a page.
struct Block {
    /// Where it starts: `docs/ci.md:12`.
    at: String,
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn pages() -> Vec<(PathBuf, String)> {
    let mut pages: Vec<PathBuf> = fs::read_dir(root().join("docs")).expect("the folder of the docs").flatten().map(|e| e.path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.extend(["README.md", "CONTRIBUTING.md"].map(|name| root().join(name)));
    pages.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a text");
        (path.strip_prefix(root()).expect("it is below").to_owned(), text)
    };
    pages.into_iter().map(read).collect()
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    for (path, text) in pages() {
        let mut open: Option<Block> = None;
        for (index, line) in text.lines().enumerate() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(language), None) => {
                    let at = format!("{}:{}", path.display(), index + 1);
                    open = Some(Block { at, language: language.to_owned(), text: String::new() });
                }
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => _ = writeln!(block.text, "{line}"),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{} ends inside a block", path.display());
    }
    blocks
}

/// What an example refers to without showing it.
fn rest_of_the_file(example: &str) -> String {
    let mut rest = String::from("name = \"rest\"\n[ports]\n");
    for port in ["db", "web", "proxy"] {
        let _ = writeln!(rest, "{port} = \"auto\"");
    }
    for name in ["db", "web", "proxy", "migrate", "client"] {
        if example.contains(&format!("[process.{name}]")) {
            continue;
        }
        let own = match name {
            "migrate" => "role = \"task\"",
            "client" => "role = \"test\"",
            "web" => "listens = \"web\"\nhealth = { http = \"${process.web.url}/\" }",
            _ => &format!("listens = \"{name}\""),
        };
        let _ = writeln!(rest, "[process.{name}]\ncommand = [\"{name}\"]\n{own}");
    }
    rest
}

#[test]
fn every_scenario_shown_loads() {
    let overrides = Overrides { env: Environment::of([("PATH", "/usr/bin:/bin")]), ..Overrides::default() };
    let mut shown = 0;
    // Of a Cargo.toml cargo itself is the judge.
    let scenarios = |block: &&Block| block.language == "toml" && !block.text.contains("dependencies]");
    for block in blocks().iter().filter(scenarios) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let text = if block.text.starts_with("name = ") {
            block.text.clone()
        } else {
            fs::write(folder.path().join("rest.toml"), rest_of_the_file(&block.text)).expect("the folder can be written");
            format!("extends = \"rest.toml\"\n{}", block.text)
        };
        if let Err(diagnostics) = load(&Located::text(&block.at, folder.path(), text), &overrides) {
            panic!("{}: {diagnostics}", block.at);
        }
        shown += 1;
    }
    assert!(shown >= 15, "{shown} examples");
}

/// The words of a command line up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().take_while(|word| !["#", "|", ">"].contains(word)).map(str::to_owned).collect()
}

#[test]
fn every_command_line_shown_is_understood() {
    let mut shown = 0;
    for block in blocks().iter().filter(|block| block.language == "console") {
        for line in block.text.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = words(line.trim_start_matches("cargo run --release -- "));
            let own = line.starts_with("cargo run") || words.first().is_some_and(|word| word == "e2e-tui");
            if !own {
                continue;
            }
            let arguments = words.iter().skip_while(|word| *word == "e2e-tui");
            // With --help at its end a line is taken apart as usual, and nothing is started.
            let out = Command::new(env!("CARGO_BIN_EXE_e2e-tui")).args(arguments).arg("--help").output().expect("the binary");
            assert!(out.status.success(), "{}: `{line}`: {}", block.at, String::from_utf8_lossy(&out.stderr));
            shown += 1;
        }
    }
    assert!(shown >= 10, "{shown} command lines");
}

/// A heading as the anchor that forges make of it.
fn anchor(heading: &str) -> String {
    let letters = heading.trim().to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-').collect::<String>();
    letters.replace(' ', "-")
}

#[test]
fn every_link_leads_to_a_page_and_a_heading_that_are_there() {
    let link = regex::Regex::new(r"\]\(([^)#]*)(?:#([^)]*))?\)").expect("a pattern");
    let pages = pages();
    for (path, text) in &pages {
        for found in link.captures_iter(text) {
            let (target, heading) = (found.get(1).map_or("", |m| m.as_str()), found.get(2).map(|m| m.as_str()));
            if target.contains("://") {
                continue;
            }
            let page = if target.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(target) };
            assert!(root().join(&page).exists(), "{}: {target} is not there", path.display());
            let Some(heading) = heading else { continue };
            let (_, there) = pages.iter().find(|(path, _)| *path == page).expect("a page with headings");
            let is_there = there.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line.trim_start_matches('#')) == heading);
            assert!(is_there, "{}: #{heading} is not in {}", path.display(), page.display());
        }
    }
}

#[test]
fn every_path_named_to_contributors_is_there() {
    let named = regex::Regex::new("`([A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]*)+)`").expect("a pattern");
    let text = fs::read_to_string(root().join("CONTRIBUTING.md")).expect("a text");
    let mut count = 0;
    for path in named.captures_iter(&text).map(|found| found[1].to_owned()) {
        let is_there = [root().join(&path), root().join("src").join(&path)].iter().any(|path| path.exists());
        assert!(is_there || path.starts_with("target/"), "{path} is not there");
        count += 1;
    }
    assert!(count >= 15, "{count} paths");
}

#[test]
fn every_public_item_of_the_library_has_an_example() {
    let mut folders = vec![root().join("src/harness")];
    let (mut found, mut without) = (0, Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).expect("the library's folder").flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            let lines: Vec<&str> = text.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let item = line.trim().strip_prefix("pub ").and_then(|item| item.split_once(' '));
                let Some(("fn" | "async" | "struct" | "enum" | "trait" | "type" | "const", name)) = item else { continue };
                found += 1;
                let above =
                    lines[..at].iter().rev().take_while(|line| line.trim_start().starts_with("///") || line.trim_start().starts_with("#["));
                if !above.into_iter().any(|line| line.contains("```")) {
                    without.push(format!("{}:{}: {name}", path.display(), at + 1));
                }
            }
        }
    }
    assert!(found > 150, "{found}");
    assert!(without.is_empty(), "what it is for is best shown:\n{}", without.join("\n"));
}

/// Lines without what a formatter may change about them.
fn code(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_rust_example_shown_is_compiled() {
    let guide = fs::read_to_string(root().join("tests/harness/guide.rs")).expect("a text");
    let guide = code(&guide);
    let mut shown = 0;
    for block in blocks().iter().filter(|block| block.language == "rust") {
        let lines = code(&block.text);
        assert!(guide.windows(lines.len()).any(|window| window == lines), "{} is not in tests/harness/guide.rs", block.at);
        shown += 1;
    }
    assert!(shown >= 5, "{shown} examples");
}
