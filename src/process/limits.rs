//! Resource limits: those set in every child, and the supervisor's own.

use std::sync::OnceLock;

use nix::{
    libc,
    sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit},
};

use crate::model::Limits;

use super::Controllers;

/// The soft limit on open descriptors that this program was started with, if it has raised its own since.
static STARTED_WITH: OnceLock<u64> = OnceLock::new();

/// Raises this process's own soft limit on open descriptors as far as it may, and says what it is now: a thousand children
/// want about five thousand. Programs started later still get what this one was started with.
pub fn raise_open_files() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    STARTED_WITH.get_or_init(|| soft);
    if setrlimit(Resource::RLIMIT_NOFILE, hard, hard).is_ok() { hard } else { soft }
}

/// The soft limit on open descriptors that children are to have.
pub(crate) fn open_files_for_children() -> u64 {
    STARTED_WITH.get().copied().unwrap_or_else(|| getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, _)| soft))
}

/// What `limits` ask for and this machine does not grant, a sentence each: a hard limit that is lower is not raised, and a
/// privileged user is not held to a number of processes, unless a controller does it. `held`: those of the run's trees, see
/// [`Spawner::controllers`](super::Spawner::controllers).
pub fn clamped(limits: &Limits, held: Controllers) -> Vec<String> {
    let unheld = limits.processes.filter(|_| !held.pids && is_privileged()).map(|wanted| {
        format!("limits.processes = {wanted}: the system does not hold a privileged user to it; the tree is counted once a second instead")
    });
    let lower = asked(limits).filter_map(|(name, resource, wanted)| {
        let (_, hard) = getrlimit(resource).ok()?;
        (wanted > hard).then(|| format!("limits.{name} = {wanted} is more than this machine allows; {hard} holds instead"))
    });
    lower.chain(unheld).collect()
}

/// Whether this user may have any number of processes: the first one, or one with the capability for it.
fn is_privileged() -> bool {
    /// See capabilities(7).
    const ADMIN_OR_RESOURCE: u64 = 1 << 21 | 1 << 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    nix::unistd::getuid().is_root() || effective.is_some_and(|caps| caps & ADMIN_OR_RESOURCE != 0)
}

fn asked(limits: &Limits) -> impl Iterator<Item = (&'static str, Resource, u64)> {
    let cpu_seconds = limits.cpu_time.map(|time| time.as_secs() + u64::from(time.subsec_nanos() > 0));
    [
        ("open_files", Resource::RLIMIT_NOFILE, limits.open_files),
        ("processes", Resource::RLIMIT_NPROC, limits.processes),
        ("cpu_time", Resource::RLIMIT_CPU, cpu_seconds),
        ("address_space", Resource::RLIMIT_AS, limits.address_space),
    ]
    .into_iter()
    .filter_map(|(name, resource, wanted)| Some((name, resource, wanted?)))
}

/// All that is set in a child: what the scenario asks for, clamped; its tree's tag; and the usual number of descriptors.
pub(crate) fn in_child(limits: &Limits, tag: Option<u64>, open_files: u64) -> Vec<(u32, u64, u64)> {
    let hard_of = |resource| getrlimit(resource).map_or(RLIM_INFINITY, |(_, hard)| hard);
    let mut all: Vec<(u32, u64, u64)> = asked(limits)
        .map(|(_, resource, wanted)| {
            let hard = hard_of(resource);
            let soft = wanted.min(hard);
            // One second between XCPU, which a program can handle, and KILL.
            let room = u64::from(resource == Resource::RLIMIT_CPU);
            (resource as u32, soft, soft.saturating_add(room).min(hard))
        })
        .collect();
    if limits.open_files.is_none() {
        let hard = hard_of(Resource::RLIMIT_NOFILE);
        all.push((libc::RLIMIT_NOFILE, open_files.min(hard), hard));
    }
    if let Some(tag) = tag {
        let hard = hard_of(Resource::RLIMIT_MSGQUEUE);
        all.push((libc::RLIMIT_MSGQUEUE, tag.min(hard), hard));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn limits_are_clamped_to_the_hard_limit_and_that_is_said() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is one");
        let limits = Limits { open_files: Some(hard.saturating_add(1)), cpu_time: Some(Duration::from_millis(1500)), ..Limits::default() };
        let set = in_child(&limits, None, 1024);
        assert!(set.contains(&(libc::RLIMIT_NOFILE, hard, hard)), "{set:?}");
        assert!(set.contains(&(libc::RLIMIT_CPU, 2, 3)), "{set:?}");
        if hard < u64::MAX {
            assert_eq!(clamped(&limits, Controllers::default()).len(), 1);
        }
        assert!(clamped(&Limits::default(), Controllers::default()).is_empty());
    }

    #[test]
    fn a_number_of_processes_is_warned_about_where_nothing_holds_it() {
        let limits = Limits { processes: Some(1), ..Limits::default() };
        let pids = Controllers { pids: true, ..Controllers::default() };
        assert_eq!(clamped(&limits, Controllers::default()).len(), usize::from(is_privileged()));
        assert_eq!(clamped(&limits, pids), Vec::<String>::new());
    }
}
