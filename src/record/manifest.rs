//! `manifest.json`: what a recording is, before one reads its events.

use std::{collections::BTreeMap, fs, io, path::Path, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{
    model::{LogFormat, LogSpec, Outcome, ProcessId, ProcessSpec, RunInfo, RunSpec, make_one_line, one_line},
    redact::Redactor,
};

/// The format of recordings and archives that this version writes. A higher one is refused with a hint.
pub(crate) const FORMAT: u32 = 1;

/// What a recording is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format's number; this version writes 1.
    pub format: u32,
    /// The run's id.
    pub id: String,
    /// The scenario's name.
    pub scenario: String,
    /// What the user called the file.
    pub origin: String,
    /// When it started, RFC 3339 with microseconds.
    pub started: String,
    /// The version of e2e-tui that recorded it.
    pub version: String,
    /// How trees were held together.
    pub containment: crate::model::Containment,
    /// Its processes, in file order.
    pub processes: Vec<ProcessId>,
    /// How the lines of those are to be read that write in a format of their own, or have alerts of their own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logs: BTreeMap<ProcessId, LogManner>,
    /// Who records it: tells a dead run from a live one.
    pub lease: Lease,
    /// How it ended; none while it runs, or if the program was killed.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub duration_ms: Option<u64>,
    /// Whether the run went on when this was packed into an archive.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub packed_live: bool,
}

/// How a process's lines are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogManner {
    /// How they are taken apart.
    #[serde(default)]
    pub format: LogFormat,
    /// Patterns of those that matter, besides the built-in ones.
    #[serde(default)]
    pub alert: Vec<String>,
}

impl LogManner {
    /// None where everything is as usual.
    fn of(spec: &LogSpec, redactor: &Redactor) -> Option<Self> {
        let alert = spec.alert.iter().map(|own| redactor.mask(own.as_str()).into_owned()).collect();
        (spec.format != LogFormat::Auto || !spec.alert.is_empty()).then_some(Self { format: spec.format, alert })
    }
}

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The pid.
    pub pid: u32,
    /// When it started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The boot it belongs to.
    pub boot_id: String,
}

impl Lease {
    /// This very process.
    pub(crate) fn own() -> Self {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        Self { pid: std::process::id(), start_ticks: start_ticks("self").unwrap_or(0), boot_id }
    }

    /// Whether the process that it names still lives.
    pub fn is_held(&self) -> bool {
        let own = Self::own();
        self.boot_id == own.boot_id && start_ticks(&self.pid.to_string()) == Some(self.start_ticks)
    }
}

/// Field 22 of `/proc/PID/stat`, counted from behind the name, which may hold anything.
fn start_ticks(pid: &str) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn bad(e: serde_json::Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, one_line(&e.to_string()).into_owned())
}

impl Manifest {
    /// The manifest of a run that begins.
    pub(crate) fn begin(info: &RunInfo) -> Self {
        Self {
            format: FORMAT,
            id: info.run.clone(),
            scenario: info.scenario.clone(),
            origin: info.origin.clone(),
            started: info.started.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            containment: info.containment,
            processes: info.processes.iter().map(|p| p.name.clone()).collect(),
            logs: BTreeMap::new(),
            lease: Lease::own(),
            outcome: None,
            duration_ms: None,
            packed_live: false,
        }
    }

    /// With what the scenario says of reading its processes' lines.
    pub(crate) fn with_logs_of(mut self, spec: &RunSpec, redactor: &Redactor) -> Self {
        let manner = |process: &Arc<ProcessSpec>| Some((process.id.clone(), LogManner::of(&process.log, redactor)?));
        self.logs = spec.processes.values().filter_map(manner).collect();
        self
    }

    /// As it is written: pretty JSON, for people too.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }

    /// The number of the format of the recording in `dir`. Of a later one nothing else may be known.
    pub(crate) fn format_of(dir: &Path) -> io::Result<u32> {
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_slice(&fs::read(dir.join("manifest.json"))?).map_err(bad)?;
        Ok(head.format)
    }

    /// Reads the manifest of the recording in `dir`. It may come from anybody: its texts are made fit to be shown.
    pub fn read(dir: &Path) -> io::Result<Self> {
        let text = fs::read(dir.join("manifest.json"))?;
        let mut manifest: Self = serde_json::from_slice(&text).map_err(bad)?;
        let Self { id, scenario, origin, started, version, outcome, .. } = &mut manifest;
        [id, scenario, origin, started, version].into_iter().for_each(make_one_line);
        if let Some(outcome) = outcome {
            make_one_line(&mut outcome.reason);
        }
        Ok(manifest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_knows_its_holder() {
        let own = Lease::own();
        assert!(own.is_held());
        assert!(!Lease { start_ticks: own.start_ticks + 1, ..own.clone() }.is_held(), "the same pid, started at another time");
        assert!(!Lease { boot_id: "another".into(), ..own }.is_held());
    }
}
