//! The names a scenario gives to things, which `${…}` may ask for.

use std::{
    collections::{HashMap, HashSet},
    ffi::OsString,
    ops::RangeInclusive,
    path::PathBuf,
    sync::Arc,
};

use indexmap::IndexMap;

use super::{
    source::{SourceId, Span},
    tree::Table,
};
use crate::model::ProcessId;

/// The environment that a scenario is read in. It is taken once, so that what was checked is what runs.
#[derive(Clone, Default)]
pub struct Environment(Arc<HashMap<OsString, OsString>>);

impl Environment {
    /// This process's.
    pub fn current() -> Self {
        Self(Arc::new(std::env::vars_os().collect()))
    }

    /// One made of pairs.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(Arc::new(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect()))
    }

    /// A variable, if it is set.
    pub(super) fn get(&self, name: &str) -> Option<&OsString> {
        self.0.get(std::ffi::OsStr::new(name))
    }

    /// All that are text.
    pub(super) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|(k, v)| Some((k.to_str()?, v.to_str()?)))
    }
}

impl std::fmt::Debug for Environment {
    /// Names only: values may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A variable of `[vars]`.
#[derive(Debug, Clone)]
pub(super) struct Var {
    pub(super) value: String,
}

/// A secret of `[secrets]`.
#[derive(Clone)]
pub(super) struct Secret {
    /// The variable it comes from.
    pub(super) env: Option<String>,
    /// None: its variable is not set and it has no default.
    pub(super) value: Option<String>,
    /// The file shows this very value, so there is nothing to hide.
    pub(super) public: bool,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("env", &self.env).field("set", &self.value.is_some()).finish_non_exhaustive()
    }
}

/// What a port may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PortWish {
    /// Any that is free.
    Auto,
    /// Any of these.
    Within(RangeInclusive<u16>),
    /// This one.
    Fixed(u16),
}

/// A port of `[ports]`.
#[derive(Debug, Clone)]
pub(super) struct PortDecl {
    pub(super) wish: PortWish,
    pub(super) key: Span,
    /// Each instance of this process has one of its own; they are leased as `name.1` to `name.n`.
    pub(super) each: Option<(String, u32)>,
}

/// What the name of a lease ends in that is for the port behind a tap. No port of the file can be named so.
const BEHIND: &str = " behind its tap";

/// The name under which the port is leased that a process is told to listen on, where others are told the tap's.
pub(super) fn behind(lease: &str) -> String {
    format!("{lease}{BEHIND}")
}

/// The port that others are told, of the one that the lease is for.
pub(super) fn in_front(lease: &str) -> &str {
    lease.strip_suffix(BEHIND).unwrap_or(lease)
}

/// What can be known of a process before it is read.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) key: Span,
    /// The first port it listens on.
    pub(super) listens: Option<String>,
    /// It says that it listens, but not where: that was reported.
    pub(super) listens_wrongly: bool,
    /// Its `ready.log` captures a port.
    pub(super) captures: bool,
}

/// All names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    pub(super) vars: IndexMap<String, Var>,
    pub(super) secrets: IndexMap<String, Secret>,
    pub(super) ports: IndexMap<String, PortDecl>,
    pub(super) processes: IndexMap<String, Facts>,
    /// Names with `replicas`, and how many of each there are.
    pub(super) replicated: IndexMap<String, u32>,
    /// The ports that have a tap in front of them, by the name of their lease, and whose they are.
    pub(super) tapped: HashMap<String, ProcessId>,
    /// The texts of the templates in `files`, by path.
    pub(super) templates: HashMap<PathBuf, SourceId>,
    pub(super) env: Environment,
    pub(super) scenario_dir: PathBuf,
    /// What the file declares wrongly, as `ports.NAME`, or whole sections of it.
    pub(super) broken: HashSet<String>,
    /// The names of the layouts that steps can show, where they are known.
    pub(super) layouts: Option<Vec<String>>,
}

impl Names {
    /// The number of a port that the file fixes.
    pub(super) fn fixed_port(&self, lease: &str) -> Option<u16> {
        match self.ports.get(lease).filter(|p| p.each.is_none())?.wish {
            PortWish::Fixed(port) => Some(port),
            PortWish::Auto | PortWish::Within(_) => None,
        }
    }

    /// Whether `name` is declared in `section`, and wrongly, which was reported.
    pub(super) fn is_broken(&self, section: &str, name: &str) -> bool {
        self.broken.contains(section) || self.broken.contains(&format!("{section}.{name}"))
    }

    /// What the file calls a process: replicas have the name of all of them.
    pub(super) fn written<'a>(&self, id: &'a ProcessId) -> &'a str {
        let is_replica = |base: &str, number: &str| {
            let count = self.replicated.get(base).copied().unwrap_or_default();
            number.parse().is_ok_and(|number: u32| (1..=count).contains(&number))
        };
        match id.as_str().rsplit_once('-') {
            Some((base, number)) if is_replica(base, number) => base,
            _ => id.as_str(),
        }
    }

    /// What is wished for the port that is leased under this name. Behind a tap any port will do.
    pub(super) fn wish(&self, lease: &str) -> Option<&PortWish> {
        if lease.ends_with(BEHIND) {
            return Some(&PortWish::Auto);
        }
        let name = lease.split_once('.').map_or(lease, |(name, _)| name);
        self.ports.get(name).map(|p| &p.wish)
    }
}

/// A process of the file, one for each of its replicas.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) id: ProcessId,
    /// The name in the file.
    pub(super) base: String,
    /// Which of the replicas, from 1.
    pub(super) replica: Option<u32>,
    /// Its keys over those of `[defaults]`.
    pub(super) table: Arc<Table>,
    /// Its name in its header.
    pub(super) key: Span,
}
