//! How a process's output is read, as its scenario says.

use std::sync::Arc;

use regex::Regex;

use super::alert::Alerts;
use crate::model::LogFormat;

/// How the lines of one process are taken apart, and which of them matter.
#[derive(Debug)]
pub(super) struct Manner {
    pub(super) format: LogFormat,
    pub(super) alerts: Arc<Alerts>,
}

impl Manner {
    pub(super) fn new(format: LogFormat, alerts: &[Regex]) -> Self {
        Self { format, alerts: Alerts::new(alerts, format) }
    }
}

impl Default for Manner {
    fn default() -> Self {
        Self::new(LogFormat::Auto, &[])
    }
}
