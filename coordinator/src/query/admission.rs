//! Which queries run and which wait for their turn.
//!
//! A query is admitted in the order of arrival and keeps its slot until its last row was read. What
//! reads no table, such as `SHOW QUERIES`, needs none: a full server can still be looked at.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::record::QueryRecord;

/// How many queries a coordinator takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Queries that run at the same time.
    pub running: usize,
    /// Queries that wait while so many run; more are refused.
    pub waiting: usize,
}

impl AdmissionLimits {
    /// The largest number of each kind.
    pub const MOST: usize = 1_000_000;
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self {
            running: 256,
            waiting: 10_000,
        }
    }
}

/// The slots of a coordinator.
#[derive(Debug)]
pub(crate) struct Admission {
    limits: AdmissionLimits,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// A query's slot; dropping it lets the next query in.
#[derive(Debug)]
pub(crate) struct Slot(
    #[expect(dead_code, reason = "held until the query has ended")] OwnedSemaphorePermit,
);

/// Counts a query as waiting until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    pub(crate) fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            slots: Arc::new(Semaphore::new(limits.running)),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Whether a query that comes now would not have to wait.
    pub(crate) fn has_room(&self) -> bool {
        self.slots.available_permits() > 0
    }

    /// Waits for a slot for `query`, whose record says that it is queued meanwhile. Cancel-safe.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many wait already.
    pub(crate) async fn enter(&self, query: &QueryRecord) -> Result<Slot> {
        let stopping = |_| Error::new(ErrorKind::Cancelled, "the server is stopping");
        match Arc::clone(&self.slots).try_acquire_owned() {
            Ok(slot) => return Ok(Slot(slot)),
            Err(TryAcquireError::Closed) => return Err(stopping(())),
            Err(TryAcquireError::NoPermits) => {}
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.limits.waiting {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "{} queries run and {before} wait for their turn: try again later, or start \
                     the coordinator with a larger --max-running-queries or --max-queued-queries",
                    self.limits.running
                ),
            ));
        }
        let since = Instant::now();
        query.queues();
        let slot = Arc::clone(&self.slots).acquire_owned().await;
        query.admitted(since.elapsed());
        slot.map(Slot).map_err(|_| stopping(()))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use uuid::Uuid;

    use super::*;
    use crate::query::QueryState;

    fn query() -> QueryRecord {
        QueryRecord::new(Uuid::nil(), "a", "SELECT 1", "SELECT")
    }

    #[tokio::test]
    async fn a_query_waits_for_a_slot_and_too_many_are_refused() {
        let admission = Admission::new(AdmissionLimits {
            running: 1,
            waiting: 1,
        });
        let (first, second, third) = (query(), query(), query());
        let slot = admission.enter(&first).await.unwrap();
        let mut waits = Box::pin(admission.enter(&second));
        assert!(waits.as_mut().now_or_never().is_none());
        assert_eq!(second.view().state, QueryState::Queued);
        let error = admission.enter(&third).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        drop(slot);
        let slot = waits.await.unwrap();
        assert_eq!(second.view().state, QueryState::Planning);
        assert!(!second.view().timings.queued.is_zero());
        drop(slot);
        assert!(admission.enter(&third).await.is_ok());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_its_place_in_the_queue() {
        let admission = Admission::new(AdmissionLimits {
            running: 1,
            waiting: 1,
        });
        let slot = admission.enter(&query()).await.unwrap();
        let record = query();
        let mut waits = Box::pin(admission.enter(&record));
        assert!(waits.as_mut().now_or_never().is_none());
        drop(waits);
        let next = query();
        assert!(
            Box::pin(admission.enter(&next))
                .as_mut()
                .now_or_never()
                .is_none()
        );
        drop(slot);
        assert!(admission.enter(&next).await.is_ok());
    }
}
