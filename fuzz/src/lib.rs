//! What must hold for any bytes. The fuzzer drives these with what it thinks up, `tests/fuzz_corpus.rs` with what is kept
//! in `corpus/`.

use e2e_tui::{
    logs::{
        Filter, Folds, LogLine, LogStore, LogView, Pattern, Query, Selection, Stream, Typed, ids, plain, present_as, styled, tokens,
        verbatim,
    },
    model::{At, LogFormat, ProcessId, RunClock, RunSpec},
    record::{Recording, archive::unpack},
    scenario::{Environment, Leases, Located, Overrides, Parts, import, load, outline, plan_json, render_plan},
};

const FORMATS: [LogFormat; 5] = [LogFormat::Auto, LogFormat::Plain, LogFormat::Json, LogFormat::Logfmt, LogFormat::Tracing];

/// Whether a text would act on a terminal, or on how its neighbours are shown.
fn acts(text: &str) -> bool {
    let reorders = |c| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}');
    text.chars().any(|c| (c.is_control() && c != '\t') || reorders(c))
}

fn process() -> ProcessId {
    ProcessId::new("a").expect("a name")
}

/// The sanitiser: nothing that acts on a terminal comes out.
pub fn ansi(data: &[u8]) {
    for line in data.split(|b| *b == b'\n') {
        assert!(!acts(&plain(line)));
        assert!(!acts(&verbatim(line)));
        assert!(styled(line).iter().all(|span| !acts(&span.text) && !span.text.contains('\t')));
    }
}

/// The line splitter: in any chunks (the first bytes say which), the same lines come back, and a filter finds the same.
pub fn line(data: &[u8]) {
    let (cuts, said) = data.split_at(data.len().min(4));
    let id = process();
    let store = LogStore::in_memory(std::slice::from_ref(&id), RunClock::start());
    let mut rest = said;
    for cut in cuts.iter().map(|cut| usize::from(*cut)).chain([usize::MAX]) {
        let (now, later) = rest.split_at(cut.min(rest.len()));
        store.append(&id, Stream::Out, 1, At(0), now);
        rest = later;
    }
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    let lines = view.window(&store, 0, usize::MAX).expect("memory can be read");
    let whole = said.strip_suffix(b"\n").unwrap_or(said);
    let naive: Vec<&[u8]> = if said.is_empty() { Vec::new() } else { whole.split(|b| *b == b'\n').collect() };
    // Longer ones are cut, and progress lines from the front.
    let short = |line: &&[u8]| line.len() <= e2e_tui::logs::MAX_LINE;
    assert_eq!(lines.len(), naive.len());
    for (line, naive) in lines.iter().zip(naive).filter(|(_, naive)| short(naive)) {
        assert_eq!(line.bytes, naive);
    }
    let pattern = Pattern::text("a").expect("a text");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![Query { within: vec![pattern.clone()], ..Query::default() }]);
    while !filter.advance(&store, std::time::Duration::ZERO).expect("memory can be read") {}
    for line in lines.iter().filter(|line| !line.cut) {
        assert_eq!(filter.rows(0).contains(line.row), pattern.matches(&plain(&line.bytes)));
    }
}

/// The readers of formats, blocks, tokens and typed queries: whatever a line holds, they tell of places within it.
pub fn format(data: &[u8]) {
    let mut folds = Folds::default();
    for (row, bytes) in (0..).zip(data.split(|b| *b == b'\n')) {
        for format in FORMATS {
            let seen = present_as(bytes, format);
            assert!(!acts(&seen.text()) && !seen.own_time.as_deref().is_some_and(acts));
        }
        let text = plain(bytes);
        for token in tokens(&text) {
            assert_eq!(text[token.place.clone()], token.text);
            let _ = token.query();
        }
        assert!(ids(&text).into_iter().all(|place| !text[place].is_empty()));
        let _ = Typed::parse(&text, &[process()]);
        let line = LogLine {
            row,
            seq: row,
            process: Some(process()),
            source: e2e_tui::logs::Source::Out,
            number: row + 1,
            generation: 1,
            at: At(0),
            size: bytes.len() as u64,
            bytes: bytes.to_vec(),
            cut: false,
            partial: false,
            format: LogFormat::Auto,
            lost: false,
        };
        assert!(folds.take(&line).is_none_or(|first| first < row));
    }
}

/// The reader of recordings: an index file of anything (what is behind its first byte, which says how much is its segment)
/// is read as far as it makes sense.
pub fn index(data: &[u8]) {
    let Some((size, rest)) = data.split_first() else { return };
    let (segment, index) = rest.split_at(usize::from(*size).min(rest.len()));
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("a.out"), segment).expect("a disk");
    std::fs::write(dir.path().join("a.out.idx"), index).expect("a disk");
    let id = process();
    let store = LogStore::open(dir.path(), std::slice::from_ref(&id)).expect("what makes no sense is left out");
    let mut view = LogView::new(Selection::All);
    view.refresh(&store);
    for from in [0, view.len() / 2, view.len().saturating_sub(100)] {
        let lines = view.window(&store, from, 100).expect("readable");
        assert!(lines.len() as u64 <= view.len() && lines.iter().all(|line| line.row >= from));
        assert!(lines.iter().all(|line| line.lost || line.size >= line.bytes.len() as u64));
    }
    let said: u64 = store.bytes(&id);
    assert!(said >= segment.len() as u64, "no byte of the segment is out of reach");
    let mut filter = Filter::new(LogView::new(Selection::All), vec![Query::default()]);
    for _ in 0..100 {
        if filter.advance(&store, std::time::Duration::ZERO).expect("readable") {
            break;
        }
    }
    let _ = (view.row_at_seq(&store, u64::MAX), view.row_at_time(&store, At(u64::MAX)), store.tail(&id, 1));
}

fn overrides() -> Overrides {
    Overrides { env: Environment::of([("PATH", "/bin"), ("MY_TOKEN", "0123456789")]), ..Overrides::default() }
}

/// A folder with the templates that scenarios ask for.
fn with_templates() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in [("t.in", "plain"), ("nginx.conf.in", "listen ${process.dir} ${ports.p} $${x}"), ("bad.in", "${vars.no} ${")] {
        std::fs::write(folder.path().join(name), text).expect("the folder can be written");
    }
    folder
}

/// The scenario reader: whatever the text, it is understood or every mistake has a place; and what is understood can be run, as
/// a whole and with `--only` each of its processes.
pub fn scenario(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let folder = with_templates();
    let located = Located::text("mutated.toml", folder.path(), text.as_ref());
    let names = outline(&located).processes;
    understood_or_told(&located, &overrides());
    for name in names.into_iter().take(3) {
        understood_or_told(&located, &Overrides { only: vec![name], ..overrides() });
    }
}

fn understood_or_told(located: &Located, overrides: &Overrides) {
    match load(located, overrides) {
        Ok(scenario) => {
            let plan = render_plan(&scenario);
            assert!(!plan.chars().any(|c| c.is_control() && c != '\n'), "{plan}");
            assert!(plan_json(&scenario).is_object());
            let _ = scenario.warnings().render(true);
            // What `check` accepts, `run` starts, but for ports that somebody else has.
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut leases = Leases::in_dir(&folder.path().join("leases")).expect("a lock file");
            match scenario.resolve(&mut leases, &Parts { exe: "/opt/e2e-tui".into() }) {
                Err(error) => assert!(error.iter().all(|d| d.message().contains("cannot be had")), "{error}"),
                Ok(run) => same_run(scenario.draft(), &run.spec),
            }
        }
        Err(diagnostics) => {
            assert!(diagnostics.has_errors());
            let said = diagnostics.render(false);
            assert!(said.contains("--> "), "{said}");
            assert!(!said.chars().any(|c| c.is_control() && c != '\n'), "{said}");
            assert!(diagnostics.to_json().is_array());
        }
    }
}

/// What `check` has shown is what runs: nothing is left out, and nobody is spoken of who is not there.
fn same_run(checked: &RunSpec, run: &RunSpec) {
    assert!(checked.processes.keys().eq(run.processes.keys()));
    assert_eq!((checked.expectations.len(), checked.cleanup.len()), (run.expectations.len(), run.cleanup.len()));
    assert_eq!(checked.steps.len(), run.steps.len());
    for (one, other) in checked.steps.iter().zip(&run.steps) {
        assert_eq!(one.actions.len(), other.actions.len());
        assert!(other.processes().all(|process| run.processes.contains_key(process)), "{other:?}");
    }
    for (one, other) in checked.processes.values().zip(run.processes.values()) {
        assert_eq!((one.files.len(), one.argv.len(), one.env.len()), (other.files.len(), other.argv.len(), other.env.len()), "{}", one.id);
        assert_eq!((one.watch.len(), one.cleanup.len()), (other.watch.len(), other.cleanup.len()), "{}", one.id);
        assert_eq!(one.depends_on, other.depends_on, "{}", one.id);
    }
}

/// The readers of other tools' files (the first byte says whose): what comes out is a scenario without mistakes.
pub fn foreign(data: &[u8]) {
    let Some((whose, text)) = data.split_first() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join(if whose % 2 == 0 { "Procfile" } else { "a.yaml" });
    std::fs::write(&file, text).expect("the folder can be written");
    let Ok(imported) = import(&file) else { return };
    if let Err(said) = load(&Located::text("imported.toml", folder.path(), imported.text.as_str()), &overrides()) {
        panic!("{said}\n{}", imported.text);
    }
}

/// The reader of archives: whatever a stranger sends, there is an answer, and nothing is written outside of its folder. The
/// bytes are those of a `.tar`, since no fuzzer would think up the checksums of what packs it; as they are they are read too.
pub fn archive(data: &[u8]) {
    let around = tempfile::tempdir().expect("a folder");
    let packed = zstd::encode_all(data, 1).expect("memory");
    for bytes in [data, packed.as_slice()] {
        let path = around.path().join("x.tar.zst");
        std::fs::write(&path, bytes).expect("a disk");
        let Ok(unpacked) = unpack(&path) else { continue };
        let dir = unpacked.dir().to_owned();
        let names = |folder: &std::path::Path| -> Vec<String> {
            let entries = std::fs::read_dir(folder).expect("it is ours").flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        assert!(names(&dir).iter().all(|name| ["manifest.json", "scenario.toml", "events.jsonl", "logs"].contains(&name.as_str())));
        assert!(names(&dir.join("logs")).iter().all(|name| name.contains(".out") || name.contains(".err")));
        if let Ok(recording) = Recording::open(&dir) {
            let mut view = LogView::new(Selection::All);
            view.refresh(&recording.logs);
            let _ = (view.window(&recording.logs, 0, 100), recording.explain().is_some());
        }
        drop(unpacked);
        assert!(!dir.exists(), "the folder goes with what was read");
        assert_eq!(names(around.path()), ["x.tar.zst"]);
    }
}
