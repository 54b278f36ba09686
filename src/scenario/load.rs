//! From a located file to a checked [`Scenario`], and from that to a run.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    declare::{SetVar, declare},
    diagnostics::{Collector, Diagnostic, Diagnostics},
    graph, layers,
    locate::{Located, Origin},
    names::{Environment, Instance, Names},
    ports::{Lease, Leases},
    source::{self, SourceId, Sources, Span},
    suggest::shown,
    tree::{Node, Table},
    walk::{Scope, Stage, Top, Walk},
};
use crate::{
    model::{ProcessId, RunSpec},
    redact::looks_secret,
};

/// Environment variables of secret-looking names are masked from this many bytes on.
const SHORTEST_ENV_SECRET: usize = 8;

/// What the command line changes.
#[derive(Debug, Clone)]
pub struct Overrides {
    /// `--set NAME=VALUE`
    pub set: IndexMap<String, String>,
    /// `--only a,b`: these and what they need. Empty: all.
    pub only: Vec<String>,
    /// The environment that `${env.NAME}` and `[secrets]` are read from.
    pub env: Environment,
    /// The names of the layouts that a step can show; none: nobody knows them here, and any name will do.
    pub layouts: Option<Vec<String>>,
}

impl Default for Overrides {
    fn default() -> Self {
        Self { set: IndexMap::new(), only: Vec::new(), env: Environment::current(), layouts: None }
    }
}

/// A scenario without mistakes. Nothing is leased or started yet.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub(super) sources: Arc<Sources>,
    tree: Table,
    names: Names,
    top: Top,
    origin: Origin,
    /// The files that this one lies on, the lowest last.
    pub(super) below: Vec<String>,
    /// The processes that run.
    pub(super) instances: Vec<Instance>,
    /// As it is known before the run.
    pub(super) draft: RunSpec,
    /// The ports that the run needs, by name.
    pub(super) needed_ports: Vec<String>,
    uses_run_dir: bool,
    warnings: Diagnostics,
}

/// What a run needs from its surroundings.
#[derive(Debug, Clone)]
pub struct Parts {
    /// The program whose hidden `part` subcommand the built-in kinds run.
    pub exe: PathBuf,
}

/// A scenario with every name filled in, ready to be run.
#[derive(Debug)]
pub struct Resolved {
    /// What to run.
    pub spec: RunSpec,
    /// What must never be shown: secrets, and environment variables whose names look like one.
    pub secrets: Vec<String>,
    /// The ports of the run; hold them to its end.
    pub leases: Vec<Lease>,
    /// The folder behind `${run.dir}`, if something asks for it; hold it to the run's end, when it is removed.
    pub run_dir: Option<tempfile::TempDir>,
}

/// Reads and checks a scenario. On failure all of its mistakes are in the error.
pub fn load(located: &Located, overrides: &Overrides) -> Result<Scenario, Diagnostics> {
    let mut sources = Sources::default();
    let mut out = Collector::default();
    // Lines of a text that nobody wrote are not those of the file.
    let name = if located.imported { format!("{} as a scenario", located.name) } else { located.name.clone() };
    let file = sources.add(name, &*located.dir, &*located.text);
    let set = overrides.set.iter().map(|(name, value)| set_var(&mut sources, located, name, value)).collect::<Vec<_>>();
    let only = overrides.only.iter().map(|name| option(&mut sources, located, "--only", name)).collect::<Vec<_>>();
    let Some((tree, below)) = layers::read(&mut sources, file, &mut out) else { return Err(out.finish(Arc::new(sources))) };
    let (mut names, instances) = declare(&tree, &sources, &overrides.env, &set, &mut out);
    names.layouts.clone_from(&overrides.layouts);
    read_templates(&mut sources, &mut names, &instances, &mut out);
    let top = Top { origin: located.name.clone(), source: with_layers(located, &sources, &below), dir: located.dir.clone() };
    let mut walk = Walk::new(&sources, &names, Stage::Draft);
    walk.out = out;
    let mut draft = walk.run(&tree, &top, &instances);
    walk.check_between(&draft);
    walk.unread_defaults(&tree);
    let selected = select(&mut walk, &draft, &overrides.only, &only);
    walk.report_unset(|id| selected.contains(id));
    draft.processes.retain(|id, _| selected.contains(id));
    let all_steps = draft.steps.len();
    keep_what_runs(&mut draft);
    if let (1.., Some(at)) = (all_steps - draft.steps.len(), only.first()) {
        let message = "steps that speak of processes which `--only` leaves out are left out with them";
        let kept = format!("of {all_steps} steps {} are left", draft.steps.len());
        walk.out.push(Diagnostic::warning(message).at(*at, kept));
    }
    let instances: Vec<Instance> = instances.into_iter().filter(|i| selected.contains(&i.id)).collect();
    let (needed_ports, uses_run_dir) = if overrides.only.is_empty() {
        needs(&walk)
    } else {
        // What is left out needs nothing. Whatever is wrong with the rest has been told.
        let mut rest = Walk::new(&sources, &names, Stage::Draft);
        rest.run(&tree, &top, &instances);
        needs(&rest)
    };
    let out = std::mem::take(&mut walk.out);
    let failed = out.errors() > 0;
    let below = below.into_iter().map(|id| sources.get(id).name.clone()).collect();
    let sources = Arc::new(sources);
    let warnings = out.finish(Arc::clone(&sources));
    if failed {
        return Err(warnings);
    }
    Ok(Scenario { sources, tree, names, top, origin: located.origin, below, instances, draft, needed_ports, uses_run_dir, warnings })
}

/// The ports that a walk has met a use of, and whether something lies in the run's own folder.
fn needs(walk: &Walk<'_>) -> (Vec<String>, bool) {
    (walk.used_ports().iter().cloned().collect(), walk.uses_run_dir())
}

/// Leaves out what a run is told of processes that it does not have.
fn keep_what_runs(run: &mut RunSpec) {
    let RunSpec { processes, expectations, steps, .. } = run;
    expectations.retain(|expectation| processes.contains_key(&expectation.process));
    steps.retain(|step| step.processes().all(|process| processes.contains_key(process)));
}

/// The file as it is kept with a recording: what it lies on stands behind it, as comments.
fn with_layers(located: &Located, sources: &Sources, below: &[SourceId]) -> String {
    let mut text = located.text.clone();
    for source in below.iter().map(|id| sources.get(*id)) {
        let _ = writeln!(text, "\n# ---- extends {}", source.name.replace(['\n', '\r'], " "));
        text.extend(source.text.lines().flat_map(|line| ["# ", line, "\n"]));
    }
    text
}

/// Reads the templates of `files` once, so that a change of one during the run does not reach it, and mistakes in them have a place.
fn read_templates(sources: &mut Sources, names: &mut Names, instances: &[Instance], out: &mut Collector) {
    // Mistakes in the paths themselves are reported by the walk that follows.
    let mut walk = Walk::new(sources, names, Stage::Draft);
    let all: Vec<(PathBuf, &Node)> = instances.iter().flat_map(|i| walk.template_paths(&i.table, Scope::of(i))).collect();
    for (path, node) in all {
        if names.templates.contains_key(&path) {
            continue;
        }
        match source::read_text(&path) {
            Ok(text) => {
                let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
                let shown_path = path.strip_prefix(&names.scenario_dir).unwrap_or(&path).to_string_lossy().into_owned();
                names.templates.insert(path, sources.add(shown_path, dir, text));
            }
            Err(error) => {
                let help = format!("looked for {}", shown(&path.to_string_lossy()));
                out.push(Diagnostic::error(format!("the template cannot be used: {error}")).at(node.span, "this file").help(help));
            }
        }
    }
}

/// An option of the command line as a text of its own, so that its mistakes have a place, too.
fn option(sources: &mut Sources, located: &Located, option: &str, text: &str) -> Span {
    let source = sources.add(option, &*located.dir, text);
    Span { source, start: 0, end: text.len() }
}

fn set_var(sources: &mut Sources, located: &Located, name: &str, value: &str) -> SetVar {
    let whole = option(sources, located, "--set", &format!("{name}={value}"));
    SetVar { name: name.to_owned(), value: value.to_owned(), at: Span { end: name.len(), ..whole } }
}

/// The processes that `--only` leaves, with everything they need.
fn select(walk: &mut Walk<'_>, draft: &RunSpec, only: &[String], places: &[Span]) -> BTreeSet<ProcessId> {
    if only.is_empty() {
        return draft.processes.keys().cloned().collect();
    }
    let named = only.iter().zip(places).flat_map(|(name, at)| walk.processes_named(name, *at).unwrap_or_default()).collect();
    graph::closure(&draft.processes, &named)
}

impl Scenario {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.draft.name
    }

    /// How it was found.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// What is probably not meant as it is written.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// As it is known before the run: ports that will be leased stand as `${ports.NAME}` and have the number 0, secrets as `****`.
    pub fn draft(&self) -> &RunSpec {
        &self.draft
    }

    /// What is wished for the port leased under `name`.
    pub(super) fn names(&self) -> &Names {
        &self.names
    }

    /// Leases the ports and fills in every name. Fails if a port cannot be had; what was leased until then is given back.
    pub fn resolve(&self, leases: &mut Leases, parts: &Parts) -> Result<Resolved, Diagnostics> {
        let mut out = Collector::default();
        let mut held: Vec<Lease> = Vec::new();
        let mut numbers: IndexMap<String, u16> = IndexMap::new();
        for name in &self.needed_ports {
            let Some(wish) = self.names.wish(name) else { continue };
            match leases.lease(wish.into()) {
                Ok(lease) => {
                    numbers.insert(name.clone(), lease.port());
                    held.push(lease);
                }
                Err(error) => {
                    let base = name.split_once('.').map_or(name.as_str(), |(base, _)| base);
                    let mut diagnostic = Diagnostic::error(format!("the port `{name}` cannot be had: {error}")).maybe_help(error.help());
                    if let Some(port) = self.names.ports.get(base) {
                        diagnostic = diagnostic.at(port.key, "asked for here");
                    }
                    out.push(diagnostic);
                }
            }
        }
        let run_dir = if self.uses_run_dir { self.run_dir(&mut out) } else { None };
        let nowhere = PathBuf::from("/nonexistent");
        let dir = run_dir.as_ref().map_or(nowhere.as_path(), tempfile::TempDir::path);
        let mut walk = Walk::new(&self.sources, &self.names, Stage::Final { ports: &numbers, run_dir: dir, exe: &parts.exe });
        let mut spec = walk.run(&self.tree, &self.top, &self.instances);
        keep_what_runs(&mut spec);
        walk.report_unset(|_| true);
        // The walk repeats the warnings of the first; only what stops the run is new.
        let failed = out.errors() > 0 || walk.out.errors() > 0;
        if failed {
            let diagnostics = if out.errors() > 0 { out } else { std::mem::take(&mut walk.out) };
            return Err(diagnostics.finish(Arc::clone(&self.sources)));
        }
        Ok(Resolved { spec, secrets: self.secrets(), leases: held, run_dir })
    }

    /// The run's own folder, with one for each process in it.
    fn run_dir(&self, out: &mut Collector) -> Option<tempfile::TempDir> {
        let made = tempfile::Builder::new().prefix("e2e-tui-run-").tempdir().and_then(|dir| {
            self.instances.iter().try_for_each(|i| std::fs::create_dir(dir.path().join(i.id.as_str())))?;
            Ok(dir)
        });
        match made {
            Ok(dir) => Some(dir),
            Err(error) => {
                let temp = std::env::temp_dir();
                out.push(Diagnostic::error(format!("the run's own folder cannot be made in {}: {error}", temp.display())));
                None
            }
        }
    }

    /// Everything that must never be shown.
    pub(super) fn secrets(&self) -> Vec<String> {
        let own = self.names.secrets.values().filter(|s| !s.public).filter_map(|s| s.value.clone());
        let shown_in_file = |value: &str| self.names.secrets.values().any(|s| s.public && s.value.as_deref() == Some(value));
        let inherited = self.names.env.texts().filter(|(name, value)| looks_secret(name) && value.len() >= SHORTEST_ENV_SECRET);
        let inherited = inherited.filter(|(_, value)| !shown_in_file(value)).map(|(_, value)| value.to_owned());
        own.chain(inherited).collect::<BTreeSet<_>>().into_iter().collect()
    }
}
