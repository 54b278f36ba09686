//! Names: which process, and which start of it.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// One start of a process, counted from 1; 0 means that it never ran.
pub type Generation = u32;

/// A process of the scenario, by its name. Cheap to clone.
///
/// Names hold `[A-Za-z0-9_-]`, 1 to 64 of them, so they are safe as file names, in events and on any terminal.
///
/// ```
/// use e2e_tui::harness::ProcessId;
///
/// let proxy = ProcessId::new("proxy")?;
/// assert_eq!(proxy.to_string(), "proxy");
/// # Ok::<_, e2e_tui::model::InvalidName>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct ProcessId(Arc<str>);

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: use 1 to 64 of A-Z a-z 0-9 _ -")]
pub struct InvalidName(pub String);

impl ProcessId {
    /// Checks `name` and makes it an id.
    ///
    /// ```
    /// use e2e_tui::harness::ProcessId;
    ///
    /// assert!(ProcessId::new("proxy-2").is_ok() && ProcessId::new("the proxy").is_err());
    /// ```
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        if Self::is_valid(name) { Ok(Self(name.into())) } else { Err(InvalidName(name.chars().take(80).collect())) }
    }

    /// Whether `name` may name a process, a port or a variable.
    ///
    /// ```
    /// assert!(!e2e_tui::harness::ProcessId::is_valid("../etc"));
    /// ```
    pub fn is_valid(name: &str) -> bool {
        (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    }

    /// The name.
    ///
    /// ```
    /// let proxy = e2e_tui::harness::ProcessId::new("proxy")?;
    /// assert_eq!(proxy.as_str(), "proxy");
    /// # Ok::<_, e2e_tui::model::InvalidName>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl TryFrom<String> for ProcessId {
    type Error = InvalidName;
    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(&name)
    }
}

impl From<ProcessId> for String {
    fn from(id: ProcessId) -> Self {
        id.0.as_ref().to_owned()
    }
}

impl AsRef<str> for ProcessId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for ProcessId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
