//! The memory of one node: a budget shared by all queries, and a fair pool for each of them.
//!
//! ```text
//! MemoryBudget (node) ◄── QueryMemoryPool (query a) ◄── operators that spill share it fairly
//!                     ◄── QueryMemoryPool (query b) ◄── …
//! ```
//! A query over its own limit spills or fails alone; the sum over all queries never passes the
//! node's budget. Where several queries hold memory and most of the budget is taken, the ones that
//! hold more than their share get no more, so that the others can go on.

use std::fmt::{Display, Formatter};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use datafusion::common::DataFusionError;
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use tokio::sync::Notify;

use super::spill_shares::SpillShares;

const REPORTED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).expect("three is not zero");

/// The bytes all queries of one node may hold together.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: usize,
    used: AtomicUsize,
    peak: AtomicUsize,
    /// Queries that hold memory at this moment.
    holders: AtomicUsize,
}

impl MemoryBudget {
    /// A budget of `limit` bytes.
    pub fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            holders: AtomicUsize::new(0),
        })
    }

    /// The budget in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes reserved at this moment.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever reserved at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Whether a query that would hold `held` bytes after growing by `bytes` leaves the others room.
    fn is_fair(&self, held: usize, bytes: usize) -> bool {
        let holders = self.holders.load(Ordering::Relaxed);
        let taken = self.used().saturating_add(bytes);
        holders < 2 || held <= self.limit / holders || taken <= self.limit / 4 * 3
    }

    fn grow(&self, bytes: usize) {
        let used = self.used.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.peak.fetch_max(used, Ordering::Relaxed);
    }

    fn shrink(&self, bytes: usize) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    fn try_grow(&self, bytes: usize) -> bool {
        let grown = self
            .used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            });
        if let Ok(before) = grown {
            self.peak.fetch_max(before + bytes, Ordering::Relaxed);
        }
        grown.is_ok()
    }
}

/// The memory pool of one query on one node.
#[derive(Debug)]
pub struct QueryMemoryPool {
    shares: TrackConsumersPool<SpillShares>,
    budget: Arc<MemoryBudget>,
    limit: usize,
    peak: AtomicUsize,
    /// Whether it is among the budget's holders.
    holds: AtomicBool,
    /// Told when nothing is held any more.
    emptied: Notify,
}

impl QueryMemoryPool {
    /// A pool of at most `limit` bytes (0 = the whole budget) inside `budget`.
    pub fn new(budget: Arc<MemoryBudget>, limit: usize) -> Self {
        let limit = if limit == 0 {
            budget.limit()
        } else {
            limit.min(budget.limit())
        };
        Self {
            shares: TrackConsumersPool::new(SpillShares::new(limit), REPORTED_CONSUMERS),
            budget,
            limit,
            peak: AtomicUsize::new(0),
            holds: AtomicBool::new(false),
            emptied: Notify::new(),
        }
    }

    fn tell_whether_it_holds(&self) {
        let holds = self.shares.reserved() > 0;
        match (self.holds.swap(holds, Ordering::Relaxed), holds) {
            (false, true) => self.budget.holders.fetch_add(1, Ordering::Relaxed),
            (true, false) => self.budget.holders.fetch_sub(1, Ordering::Relaxed),
            _ => 0,
        };
    }

    /// The most bytes the query held at once on this node.
    pub fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Whether more is held than another attempt to run the query could do without.
    pub(super) fn is_in_use(&self) -> bool {
        self.shares.reserved() > self.limit / 16
    }

    /// Waits until nothing is held. Cancel-safe.
    pub(super) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            tokio::pin!(emptied);
            // From here on nothing is given back unheard.
            emptied.as_mut().enable();
            if self.shares.reserved() == 0 {
                return;
            }
            emptied.await;
        }
    }

    fn record_peak(&self) {
        self.peak
            .fetch_max(self.shares.reserved(), Ordering::Relaxed);
    }

    fn exhausted(&self, reservation: &MemoryReservation, additional: usize) -> DataFusionError {
        DataFusionError::ResourcesExhausted(format!(
            "operator \"{}\" holds {} bytes and asked for {additional} more, but the query may hold \
             {} bytes on a node and the node {} bytes ({} in use by all queries); raise memory_limit \
             (SET memory_limit = '…') or --memory-limit. Largest operators: {}",
            reservation.consumer().name(),
            reservation.size(),
            self.limit,
            self.budget.limit(),
            self.budget.used(),
            self.shares
                .report_top(REPORTED_CONSUMERS.get())
                .replace('\n', " "),
        ))
    }
}

impl Display for QueryMemoryPool {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "query memory: {} of {} bytes",
            self.shares.reserved(),
            self.limit
        )
    }
}

impl Drop for QueryMemoryPool {
    fn drop(&mut self) {
        if *self.holds.get_mut() {
            self.budget.holders.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl MemoryPool for QueryMemoryPool {
    fn name(&self) -> &str {
        "query"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.shares.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.shares.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.budget.grow(additional);
        self.shares.grow(reservation, additional);
        self.record_peak();
        self.tell_whether_it_holds();
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.shares.shrink(reservation, shrink);
        self.budget.shrink(shrink);
        self.tell_whether_it_holds();
        if self.shares.reserved() == 0 {
            self.emptied.notify_waiters();
        }
    }

    fn try_grow(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
    ) -> Result<(), DataFusionError> {
        let held = self.shares.reserved().saturating_add(additional);
        if !self.budget.is_fair(held, additional) || !self.budget.try_grow(additional) {
            return Err(self.exhausted(reservation, additional));
        }
        if self.shares.try_grow(reservation, additional).is_err() {
            self.budget.shrink(additional);
            return Err(self.exhausted(reservation, additional));
        }
        self.record_peak();
        self.tell_whether_it_holds();
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.shares.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn pool(budget: &Arc<MemoryBudget>, limit: usize) -> Arc<dyn MemoryPool> {
        Arc::new(QueryMemoryPool::new(Arc::clone(budget), limit))
    }

    #[test]
    fn a_query_over_its_limit_fails_alone() {
        let budget = MemoryBudget::new(1000);
        let (small, other) = (pool(&budget, 100), pool(&budget, 0));
        let mine = MemoryConsumer::new("HashJoin").register(&small);
        let theirs = MemoryConsumer::new("Sort").register(&other);
        let error = mine.try_grow(101).unwrap_err().to_string();
        assert!(
            error.contains("\"HashJoin\"") && error.contains("memory_limit"),
            "{error}"
        );
        theirs.try_grow(900).unwrap();
        assert_eq!(budget.used(), 900);
    }

    #[tokio::test]
    async fn whoever_waits_for_the_last_byte_hears_of_it() {
        let budget = MemoryBudget::new(1000);
        let pool = Arc::new(QueryMemoryPool::new(budget, 0));
        pool.emptied().await;
        let shared = Arc::clone(&pool) as Arc<dyn MemoryPool>;
        let (a, b) = (
            MemoryConsumer::new("a").register(&shared),
            MemoryConsumer::new("b").register(&shared),
        );
        a.try_grow(10).unwrap();
        b.try_grow(10).unwrap();
        let mut emptied = Box::pin(pool.emptied());
        assert!(emptied.as_mut().now_or_never().is_none());
        drop(a);
        assert!(emptied.as_mut().now_or_never().is_none());
        drop(b);
        assert!(emptied.as_mut().now_or_never().is_some());
    }

    #[test]
    fn a_large_query_leaves_room_for_a_small_one() {
        let budget = MemoryBudget::new(1000);
        let (large, small) = (pool(&budget, 0), pool(&budget, 0));
        let a = MemoryConsumer::new("a").register(&large);
        let b = MemoryConsumer::new("b").register(&small);
        a.try_grow(900).unwrap();
        b.try_grow(50).unwrap();
        assert!(a.try_grow(10).is_err(), "it holds more than half");
        b.try_grow(50).unwrap();
        drop(b);
        a.try_grow(100).unwrap();
    }

    #[test]
    fn all_queries_together_stay_inside_the_budget() {
        let budget = MemoryBudget::new(1000);
        let (first, second) = (pool(&budget, 0), pool(&budget, 0));
        let a = MemoryConsumer::new("a").register(&first);
        let b = MemoryConsumer::new("b").register(&second);
        a.try_grow(700).unwrap();
        assert!(b.try_grow(400).is_err());
        drop(a);
        b.try_grow(400).unwrap();
        drop(b);
        assert_eq!((budget.used(), budget.peak()), (0, 700));
    }
}
