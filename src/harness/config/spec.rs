//! What the supervisor is told of it.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::{ProcessConfig, Program};
use crate::{
    harness::{Evidence, HealthCheck, ProcessError, health::probe_of},
    model::{
        Condition, Dependency, HealthSpec, ListenPort, OnUnhealthy, Probe, ProcessId, ProcessSpec, ReadySpec, StdinMode, StopSpec, Text,
    },
};

impl ProcessConfig {
    /// What the supervisor starts for it.
    pub(in crate::harness) fn to_spec(&self, id: ProcessId, binary: Option<&Path>) -> Result<ProcessSpec, ProcessError> {
        let program = match (&self.program, binary) {
            (Program::Path(path), _) => path,
            (Program::BuiltIn, Some(path)) => path,
            (Program::BuiltIn, None) => return Err(ProcessError::NoBinary { process: self.name.clone() }),
        };
        let Some(program) = program.to_str() else {
            return Err(self.cannot(format!("{} is not UTF-8: start it by a link of another name, or by a shell", program.display())));
        };
        if let Some((name, _)) = self.env_vars.iter().find(|(name, _)| name.is_empty() || name.contains('=')) {
            return Err(self.cannot(format!("{name:?} is not the name of a variable: that has one letter or more, and no =")));
        }
        let cwd = self.directory().map_err(|error| {
            let what = "the test's own working directory cannot be told, perhaps it was removed";
            self.cannot(format!("{what}: {error}; set `.working_dir(..)` to an absolute path"))
        })?;
        let stdin = [&self.ready, &self.health_check].iter().any(|check| is_stdio(check.as_ref()));
        Ok(ProcessSpec {
            role: self.role,
            kind: self.kind.map(str::to_owned),
            stand_in: self.stand_in,
            argv: std::iter::once(program).chain(self.args.iter().map(String::as_str)).map(Text::from).collect(),
            cwd,
            env: self.env_vars.iter().map(|(name, value)| (name.clone(), Text::from(value.as_str()))).collect(),
            env_clear: self.env_clear,
            listens: self.port.iter().map(|port| ListenPort::new(self.name.clone(), *port)).collect(),
            depends_on: self.depends_on.iter().map(|on| Dependency { on: on.clone(), condition: Condition::Ready }).collect(),
            ready: self.ready_spec(),
            health: self.health_spec(),
            restart: self.restart_policy.into(),
            stop: StopSpec { signal: self.stop_signal, grace: self.stop_grace, command: None },
            timeout: self.timeout,
            stdin: if self.stdin_pipe || stdin { StdinMode::Pipe } else { StdinMode::Null },
            tty: self.tty,
            limits: self.limits.clone(),
            log: crate::model::LogSpec {
                alert: self.alerts.iter().map(|pattern| pattern.as_regex().clone()).collect(),
                ..crate::model::LogSpec::default()
            },
            ..ProcessSpec::new(id)
        })
    }

    /// Where it runs: a relative directory counts from the test's own.
    fn directory(&self) -> io::Result<PathBuf> {
        match &self.working_dir {
            Some(dir) if dir.is_absolute() => Ok(dir.clone()),
            Some(dir) => Ok(std::env::current_dir()?.join(dir)),
            None => std::env::current_dir(),
        }
    }

    fn cannot(&self, reason: String) -> ProcessError {
        let evidence = Evidence { process: self.name.clone(), ..Evidence::default() };
        ProcessError::SpawnFailed { reason, evidence: Box::new(evidence) }
    }

    fn ready_spec(&self) -> ReadySpec {
        let by_port = || self.port.map(|port| Probe::Tcp { addr: format!("127.0.0.1:{port}").into() });
        let probe = self.ready.as_ref().or(self.health_check.as_ref()).map(probe_of).or_else(by_port);
        ReadySpec { probe, timeout: self.ready_timeout, ..ReadySpec::default() }
    }

    fn health_spec(&self) -> Option<HealthSpec> {
        let check = self.health_check.as_ref().filter(|_| !self.lazy_health)?;
        let probe = probe_of(check);
        // A line is seen once; it shows that something is ready, never that it still is.
        (!matches!(probe, Probe::Log { .. })).then(|| HealthSpec {
            probe,
            interval: check.interval(),
            timeout: check.timeout(),
            start_period: Duration::ZERO,
            failures: check.failures().max(1),
            successes: 1,
            degraded_after: None,
            degraded: Vec::new(),
            on_unhealthy: OnUnhealthy::default(),
            lazy: false,
        })
    }
}

fn is_stdio(check: Option<&Arc<dyn HealthCheck>>) -> bool {
    check.and_then(|check| check.probe()).is_some_and(|probe| matches!(probe, Probe::Stdio { .. }))
}
