//! A server that runs as a child, with its pipes in our hands.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use nix::{sys::signal::Signal, unistd::Pid};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{lines::Lines, server::os_text};

/// How long a child may take to end after its stdin was closed, and again after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a child says.
pub(crate) type ChildLines = Lines<BufReader<ChildStdout>>;

/// A child that speaks MCP on its stdin and stdout. Its stderr is ours. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct StdioChild {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it was started as, for messages.
    program: String,
}

/// Why a child does not run, or runs no more.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// There is no command.
    #[error("no command: write it after `--`")]
    NoCommand,
    /// The system could not start it.
    #[error("cannot start {program}: {reason}")]
    Spawn {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// It ended, and nobody had asked it to.
    #[error("{program} {how}")]
    Ended {
        /// The program.
        program: String,
        /// `exited with 101`, `was killed by SIGKILL`.
        how: String,
    },
}

impl StdioChild {
    /// Starts `argv`. What it says comes out of the second value.
    pub(crate) fn spawn(argv: &[String]) -> Result<(Self, ChildLines), ChildError> {
        let (program, arguments) = argv.split_first().ok_or(ChildError::NoCommand)?;
        let failed = |error: &io::Error| ChildError::Spawn { program: program.clone(), reason: os_text(error) };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failed(&error))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let stdout = stdout.ok_or_else(|| failed(&io::Error::other("it has no stdout")))?;
        Ok((Self { child, stdin, program: program.clone() }, Lines::new(BufReader::new(stdout))))
    }

    /// Writes a line to its stdin.
    pub(crate) async fn write_line(&mut self, line: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut whole = Vec::with_capacity(line.len() + 1);
        whole.extend_from_slice(line);
        whole.push(b'\n');
        stdin.write_all(&whole).await?;
        stdin.flush().await
    }

    /// Closes its stdin: the polite way to say that nothing more comes.
    pub(crate) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// What it was started as.
    pub(crate) fn program(&self) -> &str {
        &self.program
    }

    /// It closed its stdout, and nobody had asked it to: how it ended, if it did.
    pub(crate) async fn ended_by_itself(mut self) -> ChildError {
        let program = self.program.clone();
        let how = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(Ok(status)) => format!("{} by itself", describe(status)),
            _ => format!("closed its stdout but ran on; it {}", self.end().await.describe()),
        };
        ChildError::Ended { program, how }
    }

    /// Ends it in the order that the specification gives: close its stdin, wait, SIGTERM, wait, SIGKILL.
    pub(crate) async fn end(mut self) -> Ending {
        self.close_stdin();
        for signal in [None, Some(Signal::SIGTERM), Some(Signal::SIGKILL)] {
            // An id is there until it was reaped, so no stranger can be hit.
            if let (Some(signal), Some(pid)) = (signal, self.child.id()) {
                let _ = nix::sys::signal::kill(Pid::from_raw(pid.cast_signed()), signal);
            }
            if let Ok(Ok(status)) = tokio::time::timeout(PATIENCE, self.child.wait()).await {
                return Ending { signal, status: Some(status) };
            }
        }
        Ending { signal: Some(Signal::SIGKILL), status: None }
    }
}

/// How a child ended that was asked to.
#[derive(Debug)]
pub(crate) struct Ending {
    /// The signal that it needed; none if closing its stdin was enough.
    pub(crate) signal: Option<Signal>,
    /// Its status; none if it could not be killed.
    pub(crate) status: Option<ExitStatus>,
}

impl Ending {
    /// For the log: `exited with 0 after its stdin was closed`.
    pub(crate) fn describe(&self) -> String {
        let how = self.status.map_or_else(|| "cannot be killed".to_owned(), describe);
        match self.signal {
            None => format!("{how} after its stdin was closed"),
            Some(signal) => format!("{how} after {signal}"),
        }
    }

    /// Whether it ended well: with exit code 0, or by the signal it was sent.
    pub(crate) fn is_clean(&self) -> bool {
        self.signal.is_some() || self.status.is_some_and(|status| status.success())
    }
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal().and_then(|number| Signal::try_from(number).ok())) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("was killed by {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn a_child_that_reads_its_stdin_ends_with_it() {
        let (child, _lines) = StdioChild::spawn(&shell("cat > /dev/null; exit 3")).expect("sh");
        let ending = child.end().await;
        assert_eq!(ending.describe(), "exited with 3 after its stdin was closed");
        assert!(!ending.is_clean());
    }

    #[tokio::test]
    async fn a_child_that_does_not_is_sent_sigterm() {
        let (child, _lines) = StdioChild::spawn(&["sleep".to_owned(), "60".to_owned()]).expect("sleep");
        let ending = child.end().await;
        assert_eq!(ending.describe(), "was killed by SIGTERM after SIGTERM");
        assert!(ending.is_clean());
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_named() {
        let error = StdioChild::spawn(&["no-such-program-here".to_owned()]).expect_err("there is none");
        assert_eq!(error.to_string(), "cannot start no-such-program-here: No such file or directory");
        assert_eq!(StdioChild::spawn(&[]).expect_err("nothing"), ChildError::NoCommand);
    }
}
