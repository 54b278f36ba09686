//! `${…}` filled in.

use std::ffi::OsString;

use super::{
    super::{
        diagnostics::Diagnostic,
        interpolate::{self, Of, Piece, Reference},
        names::{Secret, behind},
        quoted::Written,
        source::Span,
        suggest::{did_you_mean, shown},
        tree::{Node, Value},
    },
    state::{Captured, Scope, Stage, Unset, Walk},
};
use crate::{
    model::{Part, ProcessId, Text},
    redact::looks_secret,
};

/// What stands for a secret wherever a draft is shown.
pub(super) const MASK: &str = "****";
/// All texts of a run together: a short file can ask for a long text many times, in many replicas.
const MOST_FILLED: usize = 64 << 20;
/// The number that a port without one has where a draft must compute with it.
const SAMPLE_PORT: u16 = 20_000;

/// A text filled in.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    /// As it is shown or run.
    pub(super) text: Text,
    /// As one string with all values in it, for values that must be computed with.
    pub(super) sample: String,
    /// Something secret is in it.
    pub(super) secret: bool,
    /// Something is in it that has another value, or none, in a draft.
    pub(super) later: bool,
}

/// A text that is being filled in.
#[derive(Default)]
struct Filling {
    parts: Vec<Part>,
    filled: Filled,
}

impl Filling {
    fn put(&mut self, stands: Stands) {
        self.filled.sample.push_str(&stands.sample);
        self.filled.secret |= stands.secret;
        self.filled.later |= stands.later;
        self.parts.push(stands.part);
    }
}

/// What one `${…}` stands for.
pub(super) struct Stands {
    part: Part,
    sample: String,
    secret: bool,
    later: bool,
}

impl Stands {
    fn plain(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { part: Part::Literal(text.clone()), sample: text, secret: false, later: false }
    }

    pub(super) fn part_text(self) -> Text {
        Text::from_parts([self.part])
    }

    /// Known in the end, but not in a draft, which shows it as written.
    fn later(written: String, sample: impl Into<String>) -> Self {
        Self { part: Part::Literal(written), sample: sample.into(), secret: false, later: true }
    }
}

impl Walk<'_> {
    /// A text as it will be used. None: it is wrong, and that was reported.
    pub(in crate::scenario) fn text(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Text> {
        self.filled(key, node, scope).map(|f| f.text)
    }

    pub(super) fn filled(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Filled> {
        match &node.value {
            Value::Text(text) => self.fill(text, node.span, scope),
            // Numbers and booleans are texts as they are written.
            Value::Integer(_) | Value::Float(_) | Value::Bool(_) => {
                let text = self.sources.slice(node.span).to_owned();
                Some(Filled { text: Text::from(text.as_str()), sample: text, ..Filled::default() })
            }
            _ => {
                self.mismatch(key, node, "a string");
                None
            }
        }
    }

    /// Fills in `text`, which stands at `span`.
    pub(super) fn fill(&mut self, text: &str, span: Span, scope: Scope<'_>) -> Option<Filled> {
        if interpolate::is_plain(text) {
            if !self.has_room(text.len(), span) {
                return None;
            }
            return Some(Filled { text: Text::from(text), sample: text.to_owned(), ..Filled::default() });
        }
        let (pieces, errors) = interpolate::parse(text);
        let mut fine = errors.is_empty();
        let sources = self.sources;
        let written = Written::new(text, sources.slice(span), span);
        for error in errors {
            let at = written.place(error.range);
            self.out.push(Diagnostic::error(error.message).at(at, "here").maybe_help(error.help));
        }
        let mut filling = Filling::default();
        fine &= self.put_together(pieces, 0, &written, scope, &mut filling);
        fine.then(|| Filled { text: Text::from_parts(filling.parts), ..filling.filled })
    }

    /// Whether so many bytes more are not too many; the first that are, are reported.
    fn has_room(&mut self, bytes: usize, at: Span) -> bool {
        // The second walk has no more of them than the first, whose texts were shown.
        if matches!(self.stage, Stage::Final { .. }) {
            return true;
        }
        let before = self.filled;
        self.filled = before.saturating_add(bytes);
        if self.filled > MOST_FILLED && before <= MOST_FILLED {
            self.out.push(
                Diagnostic::error("the texts of this scenario come to more than 64 MiB")
                    .at(at, "no more from here on")
                    .help("texts that are filled in multiply: in templates, in replicas, in variables that are long"),
            );
        }
        self.filled <= MOST_FILLED
    }

    /// Puts what the pieces stand for behind what there is; they begin at `from` of the text. False: one stands for nothing.
    fn put_together(&mut self, pieces: Vec<Piece<'_>>, from: usize, written: &Written<'_>, scope: Scope<'_>, all: &mut Filling) -> bool {
        let mut fine = true;
        for piece in pieces {
            let before = all.filled.sample.len();
            match piece {
                Piece::Literal(literal) => all.put(Stands::plain(literal)),
                // A default is looked at only where it is used, as in a shell; its mistakes of form were reported with the others.
                Piece::Reference(Reference::Env(name, Some(default)), range) if self.env_or_default(name).is_none() => {
                    let start = from + range.end - 1 - default.len();
                    fine &= self.put_together(interpolate::parse(default).0, start, written, scope, all);
                }
                Piece::Reference(reference, range) => {
                    let at = written.place(from + range.start..from + range.end);
                    match self.stands_for(&reference, at, scope) {
                        Some(stands) => stands.into_iter().for_each(|stands| all.put(stands)),
                        None => fine = false,
                    }
                }
            }
            if !self.has_room(all.filled.sample.len() - before, written.whole()) {
                return false;
            }
        }
        fine
    }

    fn stands_for(&mut self, reference: &Reference<'_>, at: Span, scope: Scope<'_>) -> Option<Vec<Stands>> {
        let one = match reference {
            Reference::Port(name, replica) => self.port(name, *replica, at, scope),
            Reference::Var(name) => {
                if let Some(var) = self.names.vars.get(*name) {
                    Some(Stands::plain(var.value.clone()))
                } else {
                    let hint = did_you_mean(name, self.names.vars.keys().map(String::as_str));
                    self.unset(("vars", name), hint, at, scope)
                }
            }
            Reference::Secret(name) => self.secret(name, at, scope),
            Reference::Env(name, _) => self.env(name, at, scope),
            Reference::ScenarioDir => Some(Stands::plain(self.names.scenario_dir.to_string_lossy())),
            Reference::RunDir => Some(self.run_dir(None)),
            Reference::RunExe => Some(match self.stage {
                Stage::Final { .. } => Stands::plain(self.exe()),
                Stage::Draft => Stands::later(self.exe(), self.exe()),
            }),
            Reference::ProcessDir => match scope.instance {
                Some(instance) => Some(self.run_dir(Some(&instance.id))),
                None => self.no_process("${process.dir}", at),
            },
            Reference::Process(name, of) => return self.port_of(name, *of, at, scope),
            Reference::Replica => match scope.instance {
                Some(instance) => Some(Stands::plain(instance.replica.unwrap_or(1).to_string())),
                None => self.no_process("${replica}", at),
            },
        };
        one.map(|one| vec![one])
    }

    /// Notes a name that is not set.
    fn unset<T>(&mut self, (section, name): (&str, &str), hint: Option<String>, span: Span, scope: Scope<'_>) -> Option<T> {
        // Of `ports.NAME.1` and `process.NAME.url` the name is the first part.
        if !self.names.is_broken(section, name.split('.').next().unwrap_or(name)) {
            let name = format!("{section}.{}", shown(name));
            self.unset.push(Unset { span, name, hint, process: scope.instance.map(|i| i.id.clone()) });
        }
        None
    }

    fn no_process<T>(&mut self, what: &str, at: Span) -> Option<T> {
        self.out.push(Diagnostic::error(format!("`{what}` belongs to a process")).at(at, "there is none here"));
        None
    }

    fn secret(&mut self, name: &str, at: Span, scope: Scope<'_>) -> Option<Stands> {
        let known = self.names.secrets.get(name);
        let Some(Secret { value: Some(value), public, .. }) = known else {
            let hint = match known {
                Some(_) => None,
                None => did_you_mean(name, self.names.secrets.keys().map(String::as_str)),
            };
            return self.unset(("secrets", name), hint, at, scope);
        };
        Some(self.masked(value, *public))
    }

    /// A variable for which a default would not stand in: as in a shell, `:-` also does for one that is set to nothing.
    fn env_or_default(&self, name: &str) -> Option<&OsString> {
        self.names.env.get(name).filter(|value| !value.is_empty())
    }

    fn env(&mut self, name: &str, at: Span, scope: Scope<'_>) -> Option<Stands> {
        match self.names.env.get(name).map(|value| value.to_str()) {
            Some(Some(value)) => Some(self.masked(value, !looks_secret(name) || value.len() < 8)),
            Some(None) => {
                self.out.push(Diagnostic::error(format!("the variable {} is not UTF-8", shown(name))).at(at, "cannot stand in a text"));
                None
            }
            None => self.unset(("env", name), None, at, scope),
        }
    }

    fn masked(&self, value: &str, public: bool) -> Stands {
        let mask = !public && matches!(self.stage, Stage::Draft);
        let part = Part::Literal(if mask { MASK.into() } else { value.to_owned() });
        Stands { part, sample: value.to_owned(), secret: !public, later: false }
    }

    fn run_dir(&mut self, process: Option<&ProcessId>) -> Stands {
        self.uses_run_dir = true;
        match (self.stage, process) {
            (Stage::Final { run_dir, .. }, None) => Stands::plain(run_dir.to_string_lossy()),
            (Stage::Final { run_dir, .. }, Some(id)) => Stands::plain(run_dir.join(id.as_str()).to_string_lossy()),
            (Stage::Draft, None) => Stands::later("${run.dir}".into(), "/run.dir"),
            (Stage::Draft, Some(id)) => Stands::later(format!("${{run.dir}}/{id}"), format!("/run.dir/{id}")),
        }
    }

    /// The name under which a port is leased: one of `each` has a number more.
    pub(super) fn lease_name(&mut self, name: &str, replica: Option<&str>, scope: Scope<'_>) -> Result<String, Option<String>> {
        let Some(decl) = self.names.ports.get(name) else {
            return Err(did_you_mean(name, self.names.ports.keys().map(String::as_str)));
        };
        let inside = |base: &str| scope.instance.filter(|i| i.base == base).map(|i| i.replica.unwrap_or(1));
        match (&decl.each, replica) {
            (None, None) => Ok(name.to_owned()),
            (None, Some(_)) => Err(Some(format!("`{name}` is one port, without numbers"))),
            (Some((base, count)), Some(number)) => match number.parse() {
                Ok(n) if (1..=*count).contains(&n) => Ok(format!("{name}.{n}")),
                _ => Err(Some(format!("`{base}` has the instances 1 to {count}"))),
            },
            (Some((base, _)), None) => match inside(base) {
                Some(n) => Ok(format!("{name}.{n}")),
                None => Err(Some(format!("each `{base}` has its own: `${{ports.{name}.1}}`"))),
            },
        }
    }

    fn port(&mut self, name: &str, replica: Option<&str>, at: Span, scope: Scope<'_>) -> Option<Stands> {
        match self.lease_name(name, replica, scope) {
            Ok(lease) => Some(self.leased(&lease, scope)),
            Err(hint) => {
                let written = replica.map_or_else(|| name.to_owned(), |r| format!("{name}.{r}"));
                self.unset(("ports", &written), hint, at, scope)
            }
        }
    }

    /// The number of a leased port. Within a process that has a tap its names give the port behind it.
    pub(super) fn leased(&mut self, lease: &str, scope: Scope<'_>) -> Stands {
        self.used_ports.insert(lease.to_owned());
        if self.names.tapped.get(lease).is_some_and(|owner| scope.is_of(owner)) {
            return self.behind_tap(&behind(lease));
        }
        match self.stage {
            Stage::Final { ports, .. } => Stands::plain(ports.get(lease).copied().unwrap_or_default().to_string()),
            Stage::Draft => match self.names.fixed_port(lease) {
                Some(port) => Stands::plain(port.to_string()),
                None => Stands::later(format!("${{ports.{lease}}}"), SAMPLE_PORT.to_string()),
            },
        }
    }

    fn behind_tap(&mut self, lease: &str) -> Stands {
        self.used_ports.insert(lease.to_owned());
        match self.stage {
            Stage::Final { ports, .. } => Stands::plain(ports.get(lease).copied().unwrap_or_default().to_string()),
            Stage::Draft => Stands::later(format!("${{ports.{lease}}}"), SAMPLE_PORT.to_string()),
        }
    }

    /// `${process.NAME.port}` and its kin.
    fn port_of(&mut self, name: &str, of: Of, at: Span, scope: Scope<'_>) -> Option<Vec<Stands>> {
        let prefix = match of {
            Of::Port => "",
            Of::Addr => "127.0.0.1:",
            Of::Url => "http://127.0.0.1:",
        };
        let Some(facts) = self.names.processes.get(name).cloned() else {
            let hint = match self.names.replicated.get(name) {
                Some(n) => Some(format!("there are `{name}-1` to `{name}-{n}`")),
                None => did_you_mean(name, self.names.processes.keys().map(String::as_str)).or(Some("no such process".into())),
            };
            let form = ["port", "addr", "url"][of as usize];
            return self.unset(("process", &format!("{name}.{form}")), hint, at, scope);
        };
        let id = ProcessId::new(name).ok()?;
        let port = match facts.listens {
            Some(lease) => self.leased(&lease, scope),
            None if facts.captures => {
                let own = scope.instance.is_some_and(|i| i.id == id);
                if scope.captured == Captured::None || (own && scope.captured == Captured::Others) {
                    let why = if own { "it is known only once this process runs" } else { "it is known only once that process runs" };
                    self.out.push(
                        Diagnostic::error(format!("the port of `{name}` is not known here"))
                            .at(at, why)
                            .and(facts.key, "its `ready.log` captures it"),
                    );
                    return None;
                }
                if let Some(instance) = scope.instance.filter(|_| !own) {
                    self.places.needs_port.entry((instance.id.clone(), id.clone())).or_insert(at);
                }
                Stands { part: Part::PortOf(id), sample: SAMPLE_PORT.to_string(), secret: false, later: true }
            }
            None if facts.listens_wrongly => return None,
            None => {
                self.out.push(
                    Diagnostic::error(format!("`{name}` has no port"))
                        .at(at, "asked for here")
                        .and(facts.key, "this process neither listens nor captures one")
                        .help(r"name its port in `listens`, or capture it: `ready = { log = 'listening on .*:(?<port>\d+)' }`"),
                );
                return None;
            }
        };
        Some(vec![Stands::plain(prefix), port])
    }
}
