//! No text makes the scenario reader panic, hang or lose a place: bundled and invalid files, mutated at random.

use std::{fs, path::Path, sync::LazyLock};

use e2e_tui::scenario::BUNDLED;
use proptest::prelude::*;

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, dead_code, reason = "it is the fuzzers' library")]
mod targets;

/// All texts there are to start from.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario_invalid");
    let invalid =
        fs::read_dir(folder).expect("the folder of the files").flatten().filter(|e| e.path().extension().is_some_and(|x| x == "toml"));
    let invalid = invalid.filter_map(|e| fs::read_to_string(e.path()).ok()).filter(|t| t.len() < 5000);
    BUNDLED.iter().map(|b| b.text.to_owned()).chain(invalid).chain([EVERYTHING.to_owned()]).collect()
});

/// Steps, templates, replicas, expectations: what the bundled ones have little of.
const EVERYTHING: &str = r#"
name = "everything"
[vars]
calls = "5"
[ports]
p = "auto"
each = { each = "w" }
[process.up]
command = ["up", "${ports.p}"]
listens = "p"
files = { "a.conf" = { template = "nginx.conf.in" }, b = { template = "t.in" }, c = { text = "${process.up.url}" } }
restart = "on-failure"
[process.w]
command = ["w", "${ports.each}", "${env.NONE:-${process.up.addr}}"]
listens = "each"
replicas = 2
depends_on = ["up"]
watch = ["*.in"]
[process.t]
role = "test"
command = ["t", "${ports.each.1}"]
stdin = "pipe"
depends_on = { w = "started", up = "ready" }
[[expect]]
process = "w"
must_see = "done"
[[step]]
when = { process = "up", is = "ready" }
do = [{ restart = "w" }, { send = { process = "t", text = "go ${vars.calls}" } }]
[[step]]
when = { log = "t", matches = "go" }
do = { signal = { process = "up", name = "HUP" }, mark = "x", wait = "1s", export = "x.tar.zst" }
[[step]]
note = "the end"
"#;

/// Pieces that mean something to the reader.
const PIECES: &[&str] = &[
    "\"",
    "'",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "=",
    ".",
    ",",
    "\n",
    "\r",
    "\r\n",
    "#",
    "${",
    "$${",
    "}",
    "${ports.",
    "${process.",
    "${env.PATH}",
    "${vars.calls}",
    "\\",
    "\\u0000",
    "-1",
    "99999999999999999999",
    "1e999",
    "nan",
    "inf",
    "0x10",
    "true",
    "1979-05-27",
    "é",
    "\u{202e}",
    "\u{0}",
    "[process.",
    "[defaults]\n",
    "[ports]\n",
    "kind = ",
    "command = ",
    "depends_on = ",
    "replicas = 3\n",
    "extends = ",
    "env.A = ",
    "listens = ",
    "[[step]]\n",
    "[[expect]]\n",
    "ready = ",
    "health = ",
    "do = { kill = \"up\" }\n",
    "when = { process = ",
    "template = \"t.in\"",
    "template = \"bad.in\"",
    "template = \"${run.exe}\"",
    "${env.A:-${vars.calls}}",
    "restart = ",
    "5",
    "5s",
    "\"auto\"",
];

#[derive(Debug, Clone)]
enum Mutation {
    Insert(usize, usize),
    Delete(usize, usize),
    Copy(usize, usize, usize),
    Char(usize, char),
    Line(usize, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), 0..PIECES.len()).prop_map(|(at, piece)| Mutation::Insert(at, piece)),
        (any::<usize>(), 1..40_usize).prop_map(|(at, length)| Mutation::Delete(at, length)),
        (any::<usize>(), any::<usize>(), 1..80_usize).prop_map(|(from, to, length)| Mutation::Copy(from, to, length)),
        (any::<usize>(), any::<char>()).prop_map(|(at, c)| Mutation::Char(at, c)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Mutation::Line(from, to)),
    ]
}

fn apply(text: &str, mutation: &Mutation) -> String {
    let place = |at: usize| text.floor_char_boundary(at % (text.len() + 1));
    let span = |at: usize, length: usize| {
        let start = place(at);
        (start, text.floor_char_boundary((start + length).min(text.len())).max(start))
    };
    match *mutation {
        Mutation::Insert(at, piece) => format!("{}{}{}", &text[..place(at)], PIECES[piece], &text[place(at)..]),
        Mutation::Delete(at, length) => {
            let (start, end) = span(at, length);
            format!("{}{}", &text[..start], &text[end..])
        }
        Mutation::Copy(from, to, length) => {
            let (start, end) = span(from, length);
            format!("{}{}{}", &text[..place(to)], &text[start..end], &text[place(to)..])
        }
        Mutation::Char(at, c) => format!("{}{c}{}", &text[..place(at)], &text[place(at)..]),
        Mutation::Line(from, to) => {
            let mut lines: Vec<&str> = text.lines().collect();
            if !lines.is_empty() {
                let (from, to) = (from % lines.len(), to % lines.len());
                lines.swap(from, to);
            }
            lines.join("\n")
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_mutation_of_a_scenario_panics_and_every_error_has_a_place(
        seed in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let mut text = seed.get(&SEEDS).clone();
        for mutation in &mutations {
            text = apply(&text, mutation);
        }
        targets::scenario(text.as_bytes());
    }
}
