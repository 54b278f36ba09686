//! Steps as they are told: what a step is, in words, and how it stands.

use std::{fmt::Write as _, time::Duration};

use serde::{Deserialize, Serialize};

use super::{At, FaultKind, FaultSpec, ProcessId, StateOrHealth, StepAction, StepSpec, StepWhen, human_duration};

/// What does not change about a step during a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
pub struct StepInfo {
    /// What it waits for, in words; empty: for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
    /// What it does, in words; empty: it only has something to say.
    #[serde(rename = "do", default, skip_serializing_if = "String::is_empty")]
    pub what: String,
    /// What its author calls it; empty: what it does.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// For the audience; empty if the file has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Whether it leaves the run as it is: it only says something, marks, waits, or sets what is shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idle: bool,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum StepStage {
    /// Its turn has not come.
    #[default]
    Pending,
    /// It waits for its `when`, and has for so long that somebody should know.
    Waiting,
    /// It is being carried out.
    Started,
    /// It was carried out.
    Done,
    /// It could not be carried out, or its `when` was not met in time.
    Failed,
    /// It was left out.
    Skipped,
}

/// A step, and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepSnapshot {
    /// What does not change about it.
    pub info: StepInfo,
    /// How far it is.
    pub stage: StepStage,
    /// When it last came to stand so.
    pub at: Option<At>,
    /// When it last began.
    pub began: Option<At>,
    /// How long it took from the end of the step before; none before its end.
    pub took: Option<Duration>,
    /// What it still waits for, why it failed or was left out.
    pub detail: String,
}

/// What a step wants to be seen. Only a dashboard can show it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// This layout.
    Layout(String),
    /// The focus on this process.
    Focus(ProcessId),
    /// Only lines that match this.
    Filter(String),
}

impl StepStage {
    /// Its word: `done`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Waiting => "waiting",
            Self::Started => "started",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether nothing more comes of it.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Skipped)
    }
}

impl StepInfo {
    /// What `step` is.
    pub fn of(step: &StepSpec) -> Self {
        let what: Vec<_> = step.actions.iter().map(StepAction::words).collect();
        let idle = step.actions.iter().all(StepAction::is_idle);
        Self { when: step.when.words(), what: what.join(", "), title: step.title.clone(), note: step.note.clone(), idle }
    }

    /// What to call it: as its author does, else what it does, else what it says.
    pub fn title(&self) -> &str {
        [&self.title, &self.what].into_iter().find(|text| !text.is_empty()).unwrap_or(&self.note)
    }

    /// Hands every free text of it to `visit`.
    pub(crate) fn each_text(&mut self, visit: &mut dyn FnMut(&mut String)) {
        let Self { when, what, title, note, idle: _ } = self;
        [when, what, title, note].into_iter().for_each(visit);
    }
}

impl StepSnapshot {
    /// A step whose turn has not come.
    pub fn new(info: StepInfo) -> Self {
        Self { info, stage: StepStage::Pending, at: None, began: None, took: None, detail: String::new() }
    }
}

impl StepWhen {
    /// In words: `upstream ready`, `5s`, `a line of proxy that matches "502"`.
    pub fn words(&self) -> String {
        match self {
            Self::AtOnce => String::new(),
            Self::After(pause) => human_duration(*pause),
            Self::State { processes, is } => format!("{} {}", names(processes, "and"), is.word()),
            Self::Log { processes, pattern } => format!("a line of {} that matches \"{pattern}\"", names(processes, "or")),
        }
    }
}

impl StateOrHealth {
    /// The contract's word.
    pub fn word(&self) -> &str {
        match self {
            Self::State(word) => word,
            Self::Health(health) => health.word(),
        }
    }
}

impl StepAction {
    /// Whether it leaves the run as it is.
    fn is_idle(&self) -> bool {
        match self {
            Self::Mark(_) | Self::Wait(_) | Self::Layout(_) | Self::Focus(_) | Self::Filter(_) | Self::Export(_) => true,
            Self::Start(_)
            | Self::Stop(_)
            | Self::Restart(_)
            | Self::Kill(_)
            | Self::Signal { .. }
            | Self::Send { .. }
            | Self::Fault(_)
            | Self::RerunTests => false,
        }
    }

    /// In words: `kill upstream`.
    pub fn words(&self) -> String {
        match self {
            Self::Start(process) => format!("start {process}"),
            Self::Stop(process) => format!("stop {process}"),
            Self::Restart(process) => format!("restart {process}"),
            Self::Kill(process) => format!("kill {process}"),
            Self::Signal { process, signal } => format!("{} to {process}", signal.name()),
            Self::Send { process, text } => format!("send \"{text}\" to {process}"),
            Self::Mark(text) => format!("mark \"{text}\""),
            Self::Wait(pause) => format!("wait {}", human_duration(*pause)),
            Self::Fault(fault) => fault.words(),
            Self::RerunTests => "rerun the tests".into(),
            Self::Layout(name) => format!("layout {name}"),
            Self::Focus(process) => format!("focus {process}"),
            Self::Filter(pattern) => format!("filter \"{pattern}\""),
            Self::Export(path) => format!("export {}", path.file_name().unwrap_or_default().to_string_lossy()),
        }
    }
}

impl FaultSpec {
    fn words(&self) -> String {
        match self.kind {
            FaultKind::None => format!("no fault at {}", self.at),
            _ => format!("{} at {}{}", self.act(), self.at, self.which()),
        }
    }

    /// `status 503 for tools/call, 3 times`: what is done, without where; empty for the kind that does nothing.
    pub fn effect(&self) -> String {
        if self.kind == FaultKind::None { String::new() } else { format!("{}{}", self.act(), self.which()) }
    }

    /// `status 503`
    fn act(&self) -> String {
        let delay = || self.delay.map(human_duration).unwrap_or_default();
        match self.kind {
            FaultKind::Delay | FaultKind::SlowBody => format!("{} {}", self.kind.word(), delay()),
            FaultKind::Jitter => format!("jitter up to {}", delay()),
            FaultKind::Status => format!("status {}", self.status.unwrap_or_default()),
            kind => kind.word().to_owned(),
        }
    }

    /// ` for tools/call, 3 times`: which requests meet it.
    fn which(&self) -> String {
        let mut words = String::new();
        if let Some(method) = &self.method {
            _ = write!(words, " for {method}");
        }
        match self.count {
            Some(1) => words.push_str(", once"),
            Some(count) => _ = write!(words, ", {count} times"),
            None => {}
        }
        words
    }
}

fn names(processes: &[ProcessId], last: &str) -> String {
    let names: Vec<_> = processes.iter().map(ProcessId::as_str).collect();
    match names.as_slice() {
        [before @ .., end] if !before.is_empty() => format!("{} {last} {end}", before.join(", ")),
        _ => names.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_in_words() {
        let id = |name: &str| ProcessId::new(name).expect("a name");
        let spec = StepSpec {
            when: StepWhen::State { processes: vec![id("a-1"), id("a-2"), id("a-3")], is: StateOrHealth::State("ready".into()) },
            actions: vec![StepAction::Kill(id("b")), StepAction::Wait(Duration::from_secs(2))],
            title: String::new(),
            note: String::new(),
            timeout: None,
        };
        let info = StepInfo::of(&spec);
        assert_eq!((info.when.as_str(), info.title()), ("a-1, a-2 and a-3 ready", "kill b, wait 2 s"));
        assert!(!info.idle);
        let info = StepInfo::of(&StepSpec { actions: vec![StepAction::Mark("here".into())], note: "Look.".into(), ..spec });
        assert_eq!((info.title(), info.idle), ("mark \"here\"", true));
        let info = StepInfo { what: String::new(), ..info };
        assert_eq!(info.title(), "Look.");
        assert_eq!(StepInfo { title: "the view".into(), ..info }.title(), "the view");
    }
}
