//! Which of the ways to hold trees together a run gets: the one it names, or the best that this machine offers.

use crate::model::{Containment, RunSpec};

use super::{
    GuardianError,
    cgroup::{Controllers, Place, RunGroup},
};

/// How the trees of a run are to be held together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hold {
    /// By what means.
    pub containment: Containment,
    /// What their limits need beyond that. `cpu` must be had, else nothing starts; memory and processes are watched anyway.
    pub controllers: Controllers,
}

impl Hold {
    /// As a run wants it.
    pub fn of(run: &RunSpec) -> Self {
        let limits = run.processes.values().map(|process| &process.limits);
        Self { containment: run.containment, controllers: Controllers::for_limits(limits) }
    }

    /// Takes hold. What was asked for by name and cannot be had is an error.
    pub(super) fn take(self) -> Result<Grip, GuardianError> {
        let Self { containment, controllers } = self;
        let group = || {
            let place = Place::find()?;
            RunGroup::create(&place, controllers).map_err(|e| format!("no group could be made in {}: {e}", place.dir.display()))
        };
        let (grip, no_group) = match containment {
            Containment::Auto => match group() {
                Ok(group) => (Grip { containment: Containment::Cgroup, group: Some(group) }, String::new()),
                Err(why) => (Grip::of(Containment::Subreaper), why),
            },
            Containment::Cgroup => match group() {
                Ok(group) => (Grip { containment, group: Some(group) }, String::new()),
                Err(why) => return Err(GuardianError::Containment { wanted: containment, why }),
            },
            other => (Grip::of(other), format!("`containment = \"{}\"` makes none", other.word())),
        };
        match grip.lacks_cpu(controllers, &no_group) {
            Some(why) => Err(GuardianError::CpuLimit { why }),
            None => Ok(grip),
        }
    }
}

impl From<Containment> for Hold {
    fn from(containment: Containment) -> Self {
        Self { containment, controllers: Controllers::default() }
    }
}

/// What a guardian holds trees together with. Its group, which nobody uses yet, is removed if it is dropped.
#[derive(Debug)]
pub(super) struct Grip {
    pub(super) containment: Containment,
    group: Option<RunGroup>,
}

impl Grip {
    fn of(containment: Containment) -> Self {
        Self { containment, group: None }
    }

    pub(super) fn group(&self) -> Option<&RunGroup> {
        self.group.as_ref()
    }

    /// Why CPU time cannot be limited, if that is wanted.
    fn lacks_cpu(&self, wanted: Controllers, no_group: &str) -> Option<String> {
        if !wanted.cpu {
            return None;
        }
        match &self.group {
            None => Some(format!("it takes a cgroup, and there is none: {no_group}")),
            Some(group) if !group.controllers().cpu => Some(format!(
                "the `cpu` controller is not handed down to {}: `systemd-run --user --scope -p Delegate=yes e2e-tui …` may help",
                group.path().display()
            )),
            Some(_) => None,
        }
    }
}

impl Drop for Grip {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.remove();
        }
    }
}
