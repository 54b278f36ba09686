//! Ports for tests, leased so that no other test, process or run is given them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::HarnessError;
use crate::scenario::{Lease, Leases, PortRequest};

/// Gives out ports that nobody else gets: no other harness in this program, no other test process, no other run of this user.
/// A port is leased until it is released or the last copy of its allocator is dropped; should the test be killed, the kernel
/// takes the lease back.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), e2e_tui::harness::HarnessError> {
/// use e2e_tui::harness::PortAllocator;
///
/// let ports = PortAllocator::new()?;
/// let (one, other) = (ports.allocate().await?, ports.allocate().await?);
/// assert_ne!(one, other);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PortAllocator(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    leases: Leases,
    held: HashMap<u16, Lease>,
}

impl PortAllocator {
    /// An allocator with leases of its own.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let ports = e2e_tui::harness::PortAllocator::new()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn new() -> Result<Self, HarnessError> {
        Ok(Self(Arc::new(Mutex::new(State { leases: Leases::new()?, held: HashMap::new() }))))
    }

    /// Leases a free port outside the range from which the system gives out ports by itself.
    ///
    /// ```no_run
    /// # async fn example(ports: &e2e_tui::harness::PortAllocator) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = ports.allocate().await?;
    /// # Ok(())
    /// # }
    /// ```
    #[expect(clippy::unused_async, reason = "the name is the design's; a lease over a network would wait")]
    pub async fn allocate(&self) -> Result<u16, HarnessError> {
        self.allocate_now()
    }

    /// The same, outside of futures.
    ///
    /// ```no_run
    /// # async fn example(ports: &e2e_tui::harness::PortAllocator) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = ports.allocate_now()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn allocate_now(&self) -> Result<u16, HarnessError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lease = state.leases.lease(PortRequest::Any)?;
        let port = lease.port();
        state.held.insert(port, lease);
        Ok(port)
    }

    /// A port that is given back when its lease is dropped.
    pub(super) fn lease(&self) -> Result<PortLease, HarnessError> {
        Ok(PortLease { port: self.allocate_now()?, ports: self.clone() })
    }

    /// How many are leased.
    ///
    /// ```no_run
    /// # fn example(ports: &e2e_tui::harness::PortAllocator) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = ports.allocate_now()?;
    /// assert_eq!(ports.leased(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn leased(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).held.len()
    }

    /// Gives a port back. What listens on it had better be gone.
    ///
    /// ```no_run
    /// # async fn example(ports: &e2e_tui::harness::PortAllocator) -> Result<(), Box<dyn std::error::Error>> {
    /// let port = ports.allocate_now()?;
    /// ports.release(port);
    /// # Ok(())
    /// # }
    /// ```
    pub fn release(&self, port: u16) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).held.remove(&port);
    }
}

/// A port for as long as somebody needs it.
#[derive(Debug)]
pub(super) struct PortLease {
    pub(super) port: u16,
    ports: PortAllocator,
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.ports.release(self.port);
    }
}
