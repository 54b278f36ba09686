//! What is wrong with a scenario: all of it at once, each with its place and a way out.
//!
//! The walker collects; [`render`](super::render) shows. Nothing here stops at the first mistake.

use std::{collections::HashSet, fmt, sync::Arc};

use super::{
    source::{Sources, Span},
    suggest::visible,
};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The scenario cannot be run.
    Error,
    /// It can, but probably does not do what its author thinks.
    Warning,
}

/// A place that belongs to a diagnostic.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Label {
    pub(super) span: Span,
    pub(super) text: String,
    pub(super) primary: bool,
}

/// One thing that is wrong. Its texts may quote the file: what a terminal would act on in them is spelled out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    pub(super) severity: Severity,
    pub(super) message: String,
    pub(super) labels: Vec<Label>,
    pub(super) helps: Vec<String>,
}

impl Diagnostic {
    fn new(severity: Severity, message: impl Into<String>) -> Self {
        Self { severity, message: visible(&message.into()), labels: Vec::new(), helps: Vec::new() }
    }

    pub(super) fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, message)
    }

    pub(super) fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, message)
    }

    /// Where it is wrong, with a few words under the marked text.
    pub(super) fn at(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: visible(&text.into()), primary: true });
        self
    }

    /// Another place that matters for it.
    pub(super) fn and(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: visible(&text.into()), primary: false });
        self
    }

    /// What to do.
    pub(super) fn help(mut self, text: impl Into<String>) -> Self {
        self.helps.push(visible(&text.into()));
        self
    }

    /// What to do, if there is something to say.
    pub(super) fn maybe_help(self, text: Option<String>) -> Self {
        match text {
            Some(text) => self.help(text),
            None => self,
        }
    }

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The first line, without `error:`.
    pub fn message(&self) -> &str {
        &self.message
    }

    fn first_place(&self) -> Option<Span> {
        self.labels.iter().find(|l| l.primary).or(self.labels.first()).map(|l| l.span)
    }
}

/// All that is wrong with a scenario, in the order of its text. Prints as `error: …` blocks with excerpts.
#[derive(Clone, Default)]
pub struct Diagnostics {
    pub(super) sources: Arc<Sources>,
    pub(super) all: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.errors() > 0
    }

    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.all.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// How many of them are warnings.
    pub fn warnings(&self) -> usize {
        self.all.len() - self.errors()
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.all.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

impl std::error::Error for Diagnostics {}

/// A file of nothing but mistakes is not worth more than this many of them.
const MOST: usize = 200;

/// Collects while the walker goes on.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    all: Vec<Diagnostic>,
    said: HashSet<(String, Option<Span>)>,
    errors: usize,
}

impl Collector {
    /// Keeps it, unless the same was said of the same place: what stands in `[defaults]` is read once a process.
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        if self.is_full() || !self.said.insert((diagnostic.message.clone(), diagnostic.first_place())) {
            return;
        }
        self.errors += usize::from(diagnostic.severity == Severity::Error);
        self.all.push(diagnostic);
    }

    /// Whether more would not be kept.
    pub(super) fn is_full(&self) -> bool {
        self.all.len() >= MOST
    }

    /// How many errors so far.
    pub(super) fn errors(&self) -> usize {
        self.errors
    }

    /// The errors alone.
    pub(super) fn into_errors(self) -> impl Iterator<Item = Diagnostic> {
        self.all.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// All of them in the order of the text, errors and warnings together.
    pub(super) fn finish(mut self, sources: Arc<Sources>) -> Diagnostics {
        let full = self.is_full();
        self.all.sort_by_key(|d| (d.first_place().is_none(), d.first_place(), d.severity));
        if full {
            self.all.push(Diagnostic::error(format!("more than {MOST} mistakes; the rest is not shown")).help("is this a scenario?"));
        }
        Diagnostics { sources, all: self.all }
    }
}
