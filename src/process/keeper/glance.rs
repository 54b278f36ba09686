//! Cheap looks between two passes: a process whose CPU clock stands still has done nothing since it was last read, so it
//! uses what it used then, and has no new child. Reading a clock costs a tenth of reading `/proc/PID/stat`.

use std::collections::HashMap;

use nix::{
    libc::clockid_t,
    sys::time::TimeSpec,
    time::{ClockId, clock_gettime},
};

use crate::process::{
    procfs,
    tree::{Identity, Stat},
};

/// What was read of processes, and where their clocks stood just before.
#[derive(Debug, Default)]
pub(super) struct Glances {
    read: HashMap<Identity, (TimeSpec, Stat)>,
    /// Whether anybody has run since the last pass, and may have forked.
    stirred: bool,
}

impl Glances {
    /// The process as it is now; none if it is no longer alive.
    pub(super) fn at(&mut self, id: Identity) -> Option<Stat> {
        let clock = clock_of(id.pid);
        if let (Some(clock), Some((then, stat))) = (clock, self.read.get(&id))
            && clock == *then
        {
            return Some(*stat);
        }
        self.stirred = true;
        let stat = procfs::stat(id.pid).filter(|stat| stat.id == id && stat.is_alive());
        match (clock, stat) {
            (Some(clock), Some(stat)) => self.read.insert(id, (clock, stat)),
            _ => self.read.remove(&id),
        };
        stat
    }

    /// Whether a pass could find anybody new.
    pub(super) fn is_stirred(&self) -> bool {
        self.stirred
    }

    /// A pass was made. What was read of those who are gone is forgotten.
    pub(super) fn passed(&mut self, is_known: impl Fn(&Identity) -> bool) {
        self.stirred = false;
        self.read.retain(|id, _| is_known(id));
    }
}

/// CPU time of all threads of a process; none if there is no such process.
fn clock_of(pid: u32) -> Option<TimeSpec> {
    // As `clock_getcpuclockid` puts it together, without asking the kernel first whether there is such a process: reading the
    // clock tells.
    const SCHEDULED: clockid_t = 2;
    let clock = !clockid_t::try_from(pid).ok()? << 3 | SCHEDULED;
    clock_gettime(ClockId::from_raw(clock)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_stands_still_is_read_once() {
        let mut child = std::process::Command::new("sleep").arg("100").spawn().expect("sleep is there");
        let mut glances = Glances::default();
        let id = procfs::stat(child.id()).expect("it lives").id;
        // Until it sleeps, its clock moves.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            glances.passed(|_| true);
            assert_eq!(glances.at(id).map(|stat| stat.id), Some(id));
            if !glances.is_stirred() {
                break;
            }
            assert!(std::time::Instant::now() < deadline, "a sleeping process never stands still");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        child.kill().expect("it is ours");
        child.wait().expect("it is ours");
        assert_eq!(glances.at(id), None, "it is gone");
        assert!(glances.is_stirred());
    }
}
