//! Why a program could not be started, with all that is needed to mend it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use nix::errno::Errno;

/// A program could not be started. The message says what happened, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// No folder of the PATH has it.
    // What to do stands before the long list, for it is what must not be cut off.
    #[error("`{}` was not found in PATH{} ({})", program.escape_debug(), Hint(hint.as_deref()), Joined(searched))]
    NotFound {
        /// The program as the scenario names it.
        program: String,
        /// The folders searched, in order.
        searched: Vec<PathBuf>,
        /// What may help.
        hint: Option<String>,
    },
    /// There is nothing at the path given.
    #[error("{} does not exist{}", path.display(), Hint(hint.as_deref()))]
    NoSuchFile {
        /// Where it should be.
        path: PathBuf,
        /// What may help.
        hint: Option<String>,
    },
    /// It is there, but nothing that can be run.
    #[error("{} cannot be run: it {why}{}", path.display(), Hint(hint.as_deref()))]
    NotExecutable {
        /// What was found.
        path: PathBuf,
        /// `is a directory`, `is not marked executable`.
        why: String,
        /// What may help.
        hint: Option<String>,
    },
    /// The script or program names an interpreter or loader that does not exist.
    #[error("{} cannot be run: its interpreter {interpreter} does not exist{}", path.display(), Hint(hint.as_deref()))]
    NoInterpreter {
        /// The script.
        path: PathBuf,
        /// What its `#!` line, or its ELF header, names.
        interpreter: String,
        /// What may help.
        hint: Option<String>,
    },
    /// The working directory cannot be entered.
    #[error("the working directory {} cannot be entered: {}", cwd.display(), describe(*errno))]
    WorkingDirectory {
        /// The directory.
        cwd: PathBuf,
        /// The system's reason.
        errno: i32,
    },
    /// `execve` refused for another reason.
    #[error("{} cannot be run: {}{}", path.display(), describe(*errno), Hint(hint.as_deref()))]
    Exec {
        /// The program.
        path: PathBuf,
        /// The system's reason.
        errno: i32,
        /// What may help.
        hint: Option<String>,
    },
    /// It is still being written (`ETXTBSY`), even after ten attempts.
    #[error("{} is still open for writing: somebody is building or copying it; tried {attempts} times", path.display())]
    Busy {
        /// The program.
        path: PathBuf,
        /// How often it was tried.
        attempts: u32,
    },
    /// The arguments or the environment contain a NUL byte.
    #[error("{what} contains a NUL byte, which no program can be given")]
    NulByte {
        /// Which argument or variable.
        what: String,
    },
    /// The system refused something on the way (`fork`, `setrlimit`).
    #[error("{} could not be started: {step}: {}", program.display(), describe(*errno))]
    System {
        /// The program.
        program: PathBuf,
        /// The call that failed.
        step: String,
        /// The system's reason.
        errno: i32,
    },
}

impl SpawnError {
    /// A word or two for the state column: `not found`.
    pub fn short(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::NoSuchFile { .. } => "not found",
            Self::NotExecutable { .. } => "not executable",
            Self::NoInterpreter { .. } => "no interpreter",
            Self::WorkingDirectory { .. } => "no such cwd",
            Self::Exec { errno, .. } if *errno == Errno::ENOEXEC as i32 => "not a program",
            Self::Exec { errno, .. } if *errno == Errno::E2BIG as i32 => "args too long",
            Self::Exec { .. } => "cannot be run",
            Self::Busy { .. } => "busy",
            Self::NulByte { .. } => "bad argument",
            Self::System { errno, .. } if is_exhaustion(*errno) => "no resources",
            Self::System { .. } => "cannot start",
        }
    }

    /// Whether the machine had run out of something, so that the same may well succeed a little later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::System { errno, .. } => is_exhaustion(*errno),
            Self::Busy { .. } => true,
            _ => false,
        }
    }
}

/// Out of processes, descriptors or memory.
fn is_exhaustion(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
}

/// `No such file or directory (ENOENT)`.
pub(crate) fn describe(errno: i32) -> String {
    let known = Errno::from_raw(errno);
    if known == Errno::UnknownErrno { format!("error {errno}") } else { format!("{} ({known:?})", known.desc()) }
}

/// Folders as PATH writes them.
struct Joined<'a>(&'a [PathBuf]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, dir) in self.0.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "searched " } else { ":" }, dir.display())?;
        }
        if self.0.is_empty() { f.write_str("which is empty") } else { Ok(()) }
    }
}

/// `; hint`, or nothing.
struct Hint<'a>(Option<&'a str>);

impl fmt::Display for Hint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

/// What to install for programs that end-to-end tests commonly need.
pub(crate) fn install_hint(program: &str) -> Option<String> {
    let name = Path::new(program).file_name()?.to_str()?;
    let how = match name {
        "node" | "npm" | "npx" => "install Node.js (https://nodejs.org, or your system's package `nodejs`)",
        "pnpm" | "yarn" => "install Node.js, then run `corepack enable`",
        "bun" | "bunx" => "install Bun (https://bun.sh)",
        "deno" => "install Deno (https://deno.com)",
        "python" => "install Python 3; on many systems its only name is `python3`",
        "python3" | "pip" | "pip3" => "install Python 3 (your system's package `python3`)",
        "uv" | "uvx" => "install uv (https://docs.astral.sh/uv)",
        "uvicorn" | "gunicorn" | "pytest" | "flask" => {
            "install it into the environment this runs in (`pip install`), or run it as `python3 -m`"
        }
        "cargo" | "rustc" => "install Rust (https://rustup.rs)",
        "go" => "install Go (https://go.dev)",
        "java" => "install a Java runtime (your system's package `default-jre`)",
        "docker" | "docker-compose" | "podman" => "install Docker or Podman",
        "nginx" | "haproxy" | "redis-server" | "curl" | "socat" | "tmux" | "make" | "git" => "install your system's package of that name",
        "psql" | "postgres" | "pg_ctl" => "install PostgreSQL; its servers often live outside PATH, in /usr/lib/postgresql/*/bin",
        "mcp-server-everything" => "npm install @modelcontextprotocol/server-everything@2026.8.31",
        "conformance" => "npm install @modelcontextprotocol/conformance@0.1.13",
        "mcp-inspector-cli" => "npm install @modelcontextprotocol/inspector-cli@0.16.8",
        "mcp-proxy" => "pip install mcp-proxy==0.13.0 (npm has another program of that name)",
        "shadowcat" => "build Shadowcat and set SHADOWCAT_BIN, or use `kind = \"shadowcat\"`, which has a stand-in",
        _ => return None,
    };
    Some(how.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_where_and_what_to_do() {
        let error =
            SpawnError::NotFound { program: "npx".into(), searched: vec!["/usr/bin".into(), "/bin".into()], hint: install_hint("npx") };
        assert_eq!(
            error.to_string(),
            "`npx` was not found in PATH; install Node.js (https://nodejs.org, or your system's package `nodejs`) (searched /usr/bin:/bin)"
        );
        let error = SpawnError::WorkingDirectory { cwd: "/nowhere".into(), errno: 2 };
        assert_eq!(error.to_string(), "the working directory /nowhere cannot be entered: No such file or directory (ENOENT)");
        assert_eq!(error.short(), "no such cwd");
    }

    #[test]
    fn an_empty_path_is_said_to_be_empty() {
        let error = SpawnError::NotFound { program: "x".into(), searched: Vec::new(), hint: None };
        assert_eq!(error.to_string(), "`x` was not found in PATH (which is empty)");
    }

    #[test]
    fn exhaustion_is_transient_and_absence_is_not() {
        let fork = |errno| SpawnError::System { program: "/bin/true".into(), step: "fork".into(), errno: errno as i32 };
        assert!(fork(Errno::EAGAIN).is_transient());
        assert!(!fork(Errno::EPERM).is_transient());
    }
}
