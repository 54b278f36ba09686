//! How a process ended, with signals by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Unix signal, shown and stored by name (`SIGTERM`).
///
/// ```
/// use e2e_tui::harness::Signal;
///
/// assert_eq!(Signal::TERM.to_string(), "SIGTERM");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Signal(pub i32);

/// A text that names no signal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a signal: use a name like TERM, INT, HUP, QUIT, USR1 or KILL")]
pub struct UnknownSignal(pub String);

impl Signal {
    /// Polite request to end.
    pub const TERM: Signal = Signal(nix::libc::SIGTERM);
    /// What no process can refuse.
    pub const KILL: Signal = Signal(nix::libc::SIGKILL);
    /// What a terminal's Ctrl-C sends.
    pub const INT: Signal = Signal(nix::libc::SIGINT);
    /// Wakes a stopped process.
    pub const CONT: Signal = Signal(nix::libc::SIGCONT);
    /// The terminal is gone.
    pub const HUP: Signal = Signal(nix::libc::SIGHUP);
    /// What a terminal's Ctrl-\ sends.
    pub const QUIT: Signal = Signal(nix::libc::SIGQUIT);
    /// `STOP`: stands still until CONT; cannot be caught.
    pub const STOP: Signal = Signal(nix::libc::SIGSTOP);
    /// `USR1`.
    pub const USR1: Signal = Signal(nix::libc::SIGUSR1);
    /// `USR2`.
    pub const USR2: Signal = Signal(nix::libc::SIGUSR2);

    /// Reads `TERM` or `SIGTERM`, in any case.
    ///
    /// ```
    /// use e2e_tui::harness::Signal;
    ///
    /// assert_eq!(Signal::parse("usr1"), Ok(Signal::USR1));
    /// assert!(Signal::parse("NONE").is_err());
    /// ```
    pub fn parse(name: &str) -> Result<Self, UnknownSignal> {
        let upper = name.trim().to_ascii_uppercase();
        let full = if upper.starts_with("SIG") { upper } else { format!("SIG{upper}") };
        if let Some(n) = full.strip_prefix("SIGRT").and_then(|n| n.parse::<i32>().ok())
            && (32..=64).contains(&n)
        {
            return Ok(Self(n));
        }
        full.parse::<nix::sys::signal::Signal>().map(|s| Self(s as i32)).map_err(|_| UnknownSignal(name.chars().take(40).collect()))
    }

    /// The full name: `SIGTERM`; a real-time signal is `SIGRT34`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::Signal::HUP.name(), "SIGHUP");
    /// ```
    pub fn name(self) -> String {
        nix::sys::signal::Signal::try_from(self.0).map_or_else(|_| format!("SIGRT{}", self.0), |s| s.as_str().to_owned())
    }

    /// The name without `SIG`: `TERM`.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::Signal::HUP.short(), "HUP");
    /// ```
    pub fn short(self) -> String {
        self.name().trim_start_matches("SIG").to_owned()
    }

    /// All names a user may write, for suggestions.
    ///
    /// ```
    /// assert!(e2e_tui::harness::Signal::names().any(|name| name == "TERM"));
    /// ```
    pub fn names() -> impl Iterator<Item = &'static str> {
        nix::sys::signal::Signal::iterator().map(|s| s.as_str().trim_start_matches("SIG"))
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl TryFrom<String> for Signal {
    type Error = UnknownSignal;
    fn try_from(name: String) -> Result<Self, UnknownSignal> {
        Self::parse(&name)
    }
}

impl From<Signal> for String {
    fn from(signal: Signal) -> Self {
        signal.name()
    }
}

/// How a process ended.
///
/// ```
/// use e2e_tui::harness::{Exit, Signal};
///
/// assert_eq!(Exit::Code(3).to_string(), "exit 3");
/// assert_eq!(Exit::Signal(Signal::KILL).code(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "cli", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It returned this code.
    Code(i32),
    /// This signal ended it.
    Signal(Signal),
}

impl Exit {
    /// Exit code 0.
    ///
    /// ```
    /// assert!(e2e_tui::harness::Exit::Code(0).success());
    /// ```
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }

    /// The code, if it returned one.
    ///
    /// ```
    /// assert_eq!(e2e_tui::harness::Exit::Code(3).code(), Some(3));
    /// ```
    pub fn code(self) -> Option<i32> {
        match self {
            Exit::Code(code) => Some(code),
            Exit::Signal(_) => None,
        }
    }

    /// The signal, if one ended it.
    ///
    /// ```
    /// use e2e_tui::harness::{Exit, Signal};
    ///
    /// assert_eq!(Exit::Signal(Signal::KILL).signal(), Some(Signal::KILL));
    /// ```
    pub fn signal(self) -> Option<Signal> {
        match self {
            Exit::Code(_) => None,
            Exit::Signal(signal) => Some(signal),
        }
    }

    /// Whether the system has ended it for having used up its CPU time; a shell says so of its last child by its exit code.
    pub fn is_out_of_cpu_time(self) -> bool {
        let xcpu = nix::libc::SIGXCPU;
        self == Exit::Signal(Signal(xcpu)) || self == Exit::Code(128 + xcpu)
    }
}

impl fmt::Display for Exit {
    /// `exit 101` or `SIGKILL`, as the state column shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => f.pad(&format!("exit {code}")),
            Exit::Signal(signal) => f.pad(&signal.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_both_ways() {
        assert_eq!(Signal::parse("term"), Ok(Signal::TERM));
        assert_eq!(Signal::parse("SIGKILL").map(Signal::short), Ok("KILL".into()));
        assert_eq!(Signal::parse("RT34"), Ok(Signal(34)));
        assert!(Signal::parse("TREM").is_err());
        let json = serde_json::to_string(&Exit::Signal(Signal::KILL)).expect("plain data");
        assert_eq!(json, r#"{"signal":"SIGKILL"}"#);
        assert_eq!(serde_json::from_str::<Exit>(&json).expect("what was written"), Exit::Signal(Signal::KILL));
    }
}
