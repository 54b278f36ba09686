//! docs/faults.md and the tests agree: each fault that it promises is provoked by a test with its id in its name.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The ids that the list promises, and the line each stands in.
fn promised() -> BTreeMap<String, usize> {
    let list = fs::read_to_string(root().join("docs/faults.md")).expect("the list of faults");
    let entry = |line: &str| line.strip_prefix("- **")?.split_once("** ").map(|(id, _)| id.to_lowercase());
    let ids: Vec<_> = (1..).zip(list.lines()).filter_map(|(number, line)| Some((entry(line)?, number))).collect();
    let all: BTreeMap<_, _> = ids.iter().cloned().collect();
    assert_eq!(all.len(), ids.len(), "an id stands there twice");
    all
}

/// The ids at the beginning of a name: `p10` and `p11` of `p10_p11_a_stop_ends`.
fn ids_of(name: &str) -> impl Iterator<Item = &str> {
    let is_id =
        |word: &&str| word.len() > 1 && word.starts_with(|c: char| c.is_ascii_lowercase()) && word[1..].bytes().all(|b| b.is_ascii_digit());
    name.split('_').take_while(is_id)
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the crate").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The ids in names of tests, each with a place it stands at.
fn provoked() -> BTreeMap<String, String> {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        sources(&root().join(folder), &mut files);
    }
    let mut all = BTreeMap::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a source file");
        let names = text.lines().filter_map(|line| line.split_once("fn ").map(|(_, rest)| rest.split(['(', '<']).next().unwrap_or(rest)));
        for id in names.flat_map(ids_of) {
            all.entry(id.to_owned()).or_insert_with(|| file.display().to_string());
        }
    }
    // Mistakes in scenario files are files, which one test reads.
    for entry in fs::read_dir(root().join("tests/scenario_invalid")).expect("the folder of mistakes").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".toml") {
            ids_of(name).for_each(|id| _ = all.entry(id.to_owned()).or_insert_with(|| name.to_owned()));
        }
    }
    all
}

#[test]
fn every_fault_of_the_list_is_provoked_by_a_test_of_its_name() {
    let provoked = provoked();
    let without: Vec<_> = promised().into_iter().filter(|(id, _)| !provoked.contains_key(id)).collect();
    assert!(without.is_empty(), "docs/faults.md promises these, with the lines they stand in, and no test provokes them: {without:?}");
}

#[test]
fn every_id_in_the_name_of_a_test_is_on_the_list() {
    let promised = promised();
    let groups: BTreeSet<char> = promised.keys().filter_map(|id| id.chars().next()).collect();
    let unknown: Vec<_> =
        provoked().into_iter().filter(|(id, _)| id.starts_with(|c| groups.contains(&c)) && !promised.contains_key(id)).collect();
    assert!(unknown.is_empty(), "docs/faults.md does not know these: {unknown:?}");
}

#[test]
fn ids_are_read_from_names() {
    assert_eq!(ids_of("p10_p11_a_stop_ends").collect::<Vec<_>>(), ["p10", "p11"]);
    assert_eq!(ids_of("base64_is_masked").count() + ids_of("a_stop_of_p10").count() + ids_of("t_1").count(), 0);
}
