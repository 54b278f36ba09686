//! Which of the ways to hold trees together a run gets: the one it names, or the best that this machine offers.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

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
        let (grip, no_group) = match containment {
            Containment::Auto => match OwnGroup::make(controllers) {
                Ok(group) => (Grip { containment: Containment::Cgroup, group: Some(group) }, String::new()),
                Err(why) => (Grip::of(Containment::Subreaper), why),
            },
            Containment::Cgroup => match OwnGroup::make(controllers) {
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
    group: Option<OwnGroup>,
}

/// The control group of a run of this process. With the last of them this process goes back to where it came from, if it has
/// stepped aside for them.
#[derive(Debug)]
pub(super) struct OwnGroup {
    group: RunGroup,
    gone: AtomicBool,
}

/// How many runs of this process have one. Held while groups are made and removed: one run must not step back while another
/// steps aside.
static OWN_GROUPS: Mutex<usize> = Mutex::new(0);

impl OwnGroup {
    /// Makes one with these controllers, as far as they may be had.
    pub(super) fn make(controllers: Controllers) -> Result<Self, String> {
        let place = Place::find()?;
        let mut count = OWN_GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        let made = RunGroup::create(&place, controllers);
        match &made {
            Ok(_) => *count += 1,
            Err(_) if *count == 0 => place.step_back(),
            Err(_) => {}
        }
        let made = made.map_err(|e| format!("no group could be made in {}: {e}", place.dir.display()))?;
        Ok(Self { group: made, gone: AtomicBool::new(false) })
    }

    /// The controllers that hold the limits of trees in it.
    pub(super) fn controllers(&self) -> Controllers {
        self.group.controllers()
    }

    /// Removes it, if nobody is in it.
    fn let_go(&self) {
        if self.gone.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut count = OWN_GROUPS.lock().unwrap_or_else(PoisonError::into_inner);
        self.group.remove();
        *count -= 1;
        if *count == 0
            && let Some(place) = self.group.place()
        {
            place.step_back();
        }
    }
}

impl Drop for OwnGroup {
    fn drop(&mut self) {
        self.let_go();
    }
}

impl Grip {
    fn of(containment: Containment) -> Self {
        Self { containment, group: None }
    }

    pub(super) fn group(&self) -> Option<&RunGroup> {
        self.group.as_ref().map(|own| &own.group)
    }

    /// Nobody is held any more, or nobody here can do anything about it.
    pub(super) fn let_go(&self) {
        self.group.iter().for_each(OwnGroup::let_go);
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
                group.group.path().display()
            )),
            Some(_) => None,
        }
    }
}
