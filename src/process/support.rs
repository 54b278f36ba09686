//! What this machine offers for holding trees together: for people who ask why something is as it is.

use rustix::process::{PidfdFlags, getpid, pidfd_open};
use tokio::sync::mpsc::unbounded_channel;

use super::{Controllers, Guardian, GuardianError, Hold, hold::OwnGroup, procfs, tag::TagRange};
use crate::model::Containment;

/// Something that this machine has or lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is called.
    pub name: &'static str,
    /// Whether it is there.
    pub there: bool,
    /// What that means, in a sentence.
    pub meaning: String,
}

/// Looks at what matters to the supervision of processes, most important first.
pub fn facts() -> Vec<Fact> {
    let fact = |name, there, with: &str, without: &str| Fact { name, there, meaning: if there { with } else { without }.to_owned() };
    vec![
        fact(
            "tags",
            !TagRange::reserve().values().is_empty(),
            "each tree is marked by a resource limit that setsid, double fork and env -i leave in place",
            "the limit on message queues leaves no room for marks: a daemon that leaves its session is told by its environment alone",
        ),
        fact(
            "pidfd",
            pidfd_open(getpid(), PidfdFlags::empty()).is_ok(),
            "a signal can only reach the process it is meant for",
            "this kernel is older than 5.3: pids are compared by start time right before each signal",
        ),
        fact(
            "child lists",
            procfs::children_of_this_thread().is_some(),
            "an empty tree is seen without reading the whole process table",
            "this kernel was built without CONFIG_PROC_CHILDREN: stops take a little more CPU time",
        ),
    ]
}

/// The ways to hold trees together, by the words of `containment`, best first: each is tried, by a guardian that starts
/// nothing. For programs whose main begins with [`guardian_main`](super::guardian_main()).
pub fn tiers() -> Vec<Fact> {
    let automatic = Hold::from(Containment::Auto).take().map(|grip| grip.containment);
    let tried = |by: Containment| {
        let (events, _nobody_listens) = unbounded_channel();
        let tried = Guardian::launch(by, events);
        let there = tried.is_ok();
        let meaning = match tried {
            Ok(_) if automatic.as_ref().ok() == Some(&by) => format!("{} (the default here)", told(by)),
            Ok(_) => told(by).to_owned(),
            Err(GuardianError::Containment { why, .. }) => why,
            Err(error) => error.to_string(),
        };
        Fact { name: by.word(), there, meaning }
    };
    Containment::ALL.into_iter().filter(|by| *by != Containment::Auto).map(tried).collect()
}

fn told(by: Containment) -> &'static str {
    match by {
        Containment::Auto => "the best that is there",
        Containment::Pidns => "a PID namespace: the kernel ends it with the guardian; for scenarios that ask for it",
        Containment::Cgroup => "a control group a tree: the kernel lists who is in it, and ends all at once",
        Containment::Subreaper => "guardian and supervisor adopt what trees leave behind, and look through /proc for the rest",
        Containment::Group => "sessions and marks alone: a daemon that has cleared its environment is reported, not ended",
    }
}

/// What of the limits of a scenario a control group would hold here: `memory`, `cpu`, `pids`.
pub fn limit_facts() -> Vec<Fact> {
    let all = Controllers { memory: true, cpu: true, pids: true };
    let there = OwnGroup::make(all).map(|group| group.controllers()).unwrap_or_default();
    let fact = |name, there, with: &str, without: &str| Fact { name, there, meaning: if there { with } else { without }.to_owned() };
    vec![
        fact("memory", there.memory, "held by the kernel (memory.max), and watched", "watched once a second: who goes beyond is ended"),
        fact(
            "cpu",
            there.cpu,
            "held by the kernel (cpu.max)",
            "cannot be limited: the cpu controller is not handed down to this user's group",
        ),
        fact(
            "processes",
            there.pids,
            "held by the kernel (pids.max), and watched",
            "held for the user (RLIMIT_NPROC), and watched once a second",
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_says_what_it_means() {
        let facts = facts();
        assert!(facts.iter().all(|fact| !fact.meaning.is_empty()));
        assert_eq!(facts.iter().map(|fact| fact.name).collect::<Vec<_>>(), ["tags", "pidfd", "child lists"]);
        assert!(limit_facts().iter().all(|fact| !fact.meaning.is_empty()));
    }
}
