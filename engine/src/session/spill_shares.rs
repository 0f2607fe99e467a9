//! How the operators of one query share its memory on a node.

use std::fmt::{Display, Formatter};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

/// A pool that holds back those who can spill, so that all of them, and those who cannot, can go on.
///
/// The base's `FairSpillPool` divides all memory evenly among those who can spill. Under a small
/// limit that fails in two ways, which are seen to here: a sort, having taken its share, needs memory
/// that it cannot spill in order to merge; and where a plan has many such operators, the share of
/// each is less than one batch of rows. So
///
/// - they leave a quarter of the memory to what cannot be spilled;
/// - when half of it is taken, each may have an eighth, or its even share where that is more;
/// - one that holds nothing, and so has nothing to spill, may go beyond both, but for an eighth.
#[derive(Debug)]
pub(super) struct SpillShares {
    limit: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Consumers that can spill.
    sharers: usize,
    /// Bytes that can be spilled, and that cannot.
    spillable: usize,
    pinned: usize,
}

impl SpillShares {
    /// A pool of `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            state: Mutex::default(),
        }
    }
}

impl State {
    fn held(&mut self, consumer: &MemoryConsumer) -> &mut usize {
        if consumer.can_spill() {
            &mut self.spillable
        } else {
            &mut self.pinned
        }
    }

    /// Whether one that can spill and holds `held` bytes may take `bytes` more of `limit`.
    fn admits(&self, held: usize, bytes: usize, limit: usize) -> bool {
        let taken = (self.spillable + self.pinned).saturating_add(bytes);
        if held == 0 {
            return taken <= limit / 8 * 7;
        }
        let share = limit.saturating_sub(self.pinned) / self.sharers.max(1);
        let is_fair = held.saturating_add(bytes) <= share.max(limit / 8);
        taken <= limit / 2 || is_fair && taken <= limit / 4 * 3
    }
}

impl Display for SpillShares {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} bytes", self.reserved(), self.limit)
    }
}

impl MemoryPool for SpillShares {
    fn name(&self) -> &str {
        "spill shares"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.state.lock().sharers += usize::from(consumer.can_spill());
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        let mut state = self.state.lock();
        state.sharers = state
            .sharers
            .saturating_sub(usize::from(consumer.can_spill()));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.state.lock().held(reservation.consumer()) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state.lock();
        let held = state.held(reservation.consumer());
        *held = held.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state.lock();
        let consumer = reservation.consumer();
        let fits = if consumer.can_spill() {
            state.admits(reservation.size(), additional, self.limit)
        } else {
            (state.spillable + state.pinned).saturating_add(additional) <= self.limit
        };
        if !fits {
            let message = format!("no {additional} bytes for {}", consumer.name());
            return Err(DataFusionError::ResourcesExhausted(message));
        }
        *state.held(consumer) += additional;
        Ok(())
    }

    fn reserved(&self) -> usize {
        let state = self.state.lock();
        state.spillable + state.pinned
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.limit)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn pool() -> Arc<dyn MemoryPool> {
        Arc::new(SpillShares::new(800))
    }

    fn sorter(pool: &Arc<dyn MemoryPool>) -> MemoryReservation {
        MemoryConsumer::new("sort")
            .with_can_spill(true)
            .register(pool)
    }

    #[test]
    fn one_that_can_spill_leaves_a_quarter_to_what_cannot() {
        let pool = pool();
        let sort = sorter(&pool);
        sort.try_grow(600).unwrap();
        assert!(sort.try_grow(1).is_err());
        let merge = MemoryConsumer::new("merge").register(&pool);
        merge.try_grow(200).unwrap();
        assert!(merge.try_grow(1).is_err());
        assert_eq!(pool.reserved(), 800);
        drop((sort, merge));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn many_may_take_an_eighth_each() {
        let pool = pool();
        let sorts: Vec<_> = (0..16).map(|_| sorter(&pool)).collect();
        sorts[0].try_grow(300).unwrap();
        sorts[0].try_grow(100).unwrap();
        assert!(sorts[0].try_grow(1).is_err(), "half is taken");
        sorts[1].try_grow(50).unwrap();
        sorts[1].try_grow(50).unwrap();
        assert!(sorts[1].try_grow(1).is_err(), "more than an eighth");
    }

    #[test]
    fn one_with_nothing_to_spill_gets_a_batch() {
        let pool = pool();
        let sorts: Vec<_> = (0..4).map(|_| sorter(&pool)).collect();
        for sort in &sorts[..3] {
            sort.try_grow(200).unwrap();
        }
        assert!(sorts[0].try_grow(1).is_err(), "three quarters are taken");
        sorts[3].try_grow(100).unwrap();
        sorts[3].free();
        assert!(sorts[3].try_grow(101).is_err());
    }
}
