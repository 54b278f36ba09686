//! What is done to the traffic at a tap: one fault at a time, for all requests, those of a method, or so many of them.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{conversation::Request, pipe::PipeFault};
use crate::model::{FaultKind, FaultSpec};

/// What is done to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// It goes on to the process after this long.
    Wait(Duration),
    /// It gets an answer with this status, and does not go on.
    Answer(u16),
    /// It goes nowhere, and gets no answer.
    Drop,
    /// Its connection is reset.
    Reset,
    /// It goes on, but the way back is closed.
    HalfClose,
    /// The body of its answer comes piece by piece, this long apart.
    Trickle(Duration),
    /// The body of its answer ends in the middle, and the connection with it.
    Truncate,
}

impl Deed {
    /// The same to a line on a pipe; none for what takes a connection.
    pub(crate) fn on_a_pipe(self) -> Option<PipeFault> {
        match self {
            Self::Wait(delay) => Some(PipeFault::Wait(delay)),
            Self::Drop => Some(PipeFault::Drop),
            Self::Answer(_) | Self::Reset | Self::HalfClose | Self::Trickle(_) | Self::Truncate => None,
        }
    }
}

/// The fault of a tap.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Read at every request: most of the time there is no fault, and no lock to take.
    armed: AtomicBool,
    active: Mutex<Option<Active>>,
}

#[derive(Debug)]
struct Active {
    spec: FaultSpec,
    left: Option<u64>,
    /// The state of the generator of waiting times; they are the same in every run.
    seed: u64,
}

/// What came of asking what to do to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub kind: FaultKind,
    pub deed: Deed,
    /// The fault was for so many requests, and this was the last of them.
    pub last: bool,
}

impl Faults {
    /// From now on this one; `FaultKind::None` ends the one there is.
    pub(crate) fn set(&self, spec: FaultSpec) {
        let does_something = spec.kind != FaultKind::None && spec.count != Some(0);
        let active = does_something.then_some(Active { left: spec.count, spec, seed: 0x9e37_79b9_7f4a_7c15 });
        self.armed.store(active.is_some(), Ordering::Release);
        *self.lock() = active;
    }

    /// Whether requests must be looked at before they go on.
    pub(crate) fn armed(&self) -> bool {
        self.armed.load(Ordering::Acquire)
    }

    /// What is done to this request; nothing if it is none of those that are meant.
    pub(crate) fn choose(&self, request: &Request) -> Option<Chosen> {
        let mut slot = self.lock();
        let active = slot.as_mut()?;
        if !active.means(request) {
            return None;
        }
        let (kind, deed) = (active.spec.kind, active.deed()?);
        if let Some(left) = &mut active.left {
            *left = left.saturating_sub(1);
        }
        let last = active.left == Some(0);
        if last {
            *slot = None;
            self.armed.store(false, Ordering::Release);
        }
        Some(Chosen { kind, deed, last })
    }

    fn lock(&self) -> MutexGuard<'_, Option<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    /// The method is one of JSON-RPC (`tools/call`) or of HTTP (`POST`).
    fn means(&self, request: &Request) -> bool {
        self.spec.method.as_ref().is_none_or(|method| request.calls.contains(method) || request.method == *method)
    }

    fn deed(&mut self) -> Option<Deed> {
        let delay = self.spec.delay.unwrap_or(Duration::from_millis(100));
        Some(match self.spec.kind {
            FaultKind::Delay => Deed::Wait(delay),
            FaultKind::Jitter => Deed::Wait(delay.mul_f64(self.fraction())),
            FaultKind::Status => Deed::Answer(self.spec.status.unwrap_or(503)),
            FaultKind::Drop => Deed::Drop,
            FaultKind::Reset => Deed::Reset,
            FaultKind::HalfClose => Deed::HalfClose,
            FaultKind::SlowBody => Deed::Trickle(delay),
            FaultKind::Truncate => Deed::Truncate,
            FaultKind::None => return None,
        })
    }

    /// Between 0 and 1, by Marsaglia's xorshift.
    fn fraction(&mut self) -> f64 {
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 7;
        self.seed ^= self.seed << 17;
        (self.seed >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ProcessId;

    fn spec(kind: FaultKind) -> FaultSpec {
        FaultSpec { at: ProcessId::new("upstream").expect("a name"), kind, delay: None, status: None, method: None, count: None }
    }

    fn call(method: &str) -> Request {
        Request { method: "POST".into(), calls: vec![method.into()] }
    }

    #[test]
    fn a_fault_is_for_a_method_and_a_count() {
        let faults = Faults::default();
        assert!(!faults.armed());
        faults.set(FaultSpec { method: Some("tools/call".into()), count: Some(2), status: Some(502), ..spec(FaultKind::Status) });
        assert_eq!(faults.choose(&call("ping")), None);
        let chosen = |last| Some(Chosen { kind: FaultKind::Status, deed: Deed::Answer(502), last });
        assert_eq!(faults.choose(&call("tools/call")), chosen(false));
        assert!(faults.armed());
        assert_eq!(faults.choose(&call("tools/call")), chosen(true));
        assert!(!faults.armed());
        assert_eq!(faults.choose(&call("tools/call")), None);
        faults.set(FaultSpec { method: Some("GET".into()), ..spec(FaultKind::Drop) });
        assert_eq!(faults.choose(&call("ping")), None);
        assert!(faults.choose(&Request { method: "GET".into(), calls: Vec::new() }).is_some());
        faults.set(spec(FaultKind::None));
        assert!(!faults.armed());
    }

    #[test]
    fn jitter_stays_below_its_delay_and_varies() {
        let faults = Faults::default();
        faults.set(FaultSpec { delay: Some(Duration::from_secs(1)), ..spec(FaultKind::Jitter) });
        let waits: Vec<_> = (0..100).filter_map(|_| faults.choose(&call("ping"))).collect();
        let longest = Deed::Wait(Duration::from_secs(1));
        assert!(waits.iter().all(|chosen| matches!((chosen.deed, longest), (Deed::Wait(a), Deed::Wait(b)) if a < b)));
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}
