//! Files with mistakes, and what is said about them. Each `tests/scenario_invalid/NAME.toml` has its diagnostics beside it
//! in `NAME.snap`; lines that begin with `#!` are options of the command line.

use std::{fs, path::Path};

use e2e_tui::scenario::{Environment, Overrides, load, locate_from};

fn overrides(text: &str) -> Overrides {
    let env = Environment::of([
        ("PATH", "/usr/bin:/bin"),
        ("SHORT", "abc"),
        ("A", "long enough"),
        ("USER", "me"),
        ("REAL_TOKEN", "tok-4711-secret"),
    ]);
    let mut overrides = Overrides { env, ..Overrides::default() };
    for option in text.lines().filter_map(|l| l.strip_prefix("#! ")) {
        match option.split_once(' ') {
            Some(("set", pair)) => {
                let (name, value) = pair.split_once('=').expect("NAME=VALUE");
                overrides.set.insert(name.into(), value.into());
            }
            Some(("only", names)) => overrides.only.extend(names.split(',').map(str::to_owned)),
            Some(("layouts", names)) => overrides.layouts = Some(names.split(',').map(str::to_owned).collect()),
            _ => panic!("{option} is no option"),
        }
    }
    overrides
}

#[test]
fn every_mistake_of_a_file_is_reported_with_its_place_and_a_way_out() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenario_invalid");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder of the files")
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 40, "{} files", names.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(&folder);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for name in names {
            let located = locate_from(&format!("{name}.toml"), &folder).expect("it is there");
            let text = fs::read_to_string(folder.join(format!("{name}.toml"))).expect("it is text");
            let diagnostics = load(&located, &overrides(&text)).err().unwrap_or_else(|| panic!("{name}.toml has no mistake"));
            let said = diagnostics.render(false).replace(&*folder.to_string_lossy(), "[here]");
            check_form(&name, &said, diagnostics.errors());
            insta::assert_snapshot!(name.as_str(), said);
            let json = diagnostics.to_json();
            assert!(!json.to_string().contains("4711"), "{name}: a secret is told");
            assert!(json.as_array().is_some_and(|all| all.len() == diagnostics.iter().count()), "{json}");
        }
    });
}

/// What holds for every diagnostic: a place each, and nothing that a terminal would act on.
fn check_form(name: &str, said: &str, errors: usize) {
    assert!(errors > 0, "{name}");
    let places = said.lines().filter(|l| l.trim_start().starts_with("--> ")).count();
    let titles = said.lines().filter(|l| l.starts_with("error: ") || l.starts_with("warning: ")).count();
    // The last title counts the others.
    assert_eq!(places + 1, titles, "{name}: each has one place\n{said}");
    assert!(!said.contains("4711"), "{name}: a secret is told\n{said}");
    assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{name}: a control character came through");
}
