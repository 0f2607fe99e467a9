//! How the operators of one query share its memory on a node.

use std::collections::HashSet;
use std::fmt::{Display, Formatter};

use datafusion::common::{DataFusionError, Result};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use parking_lot::Mutex;

/// A pool that holds back those who can spill, so that all of them, and those who cannot, can go on.
///
/// The base's `FairSpillPool` divides all memory evenly among those who can spill. Under a small
/// limit that fails in three ways, which are seen to here: a sort, having taken its share, needs
/// memory that it cannot spill in order to merge; where a plan has many such operators, the share of
/// each is less than one batch of rows; and while an operator spills it needs some more. While more
/// than half of the memory is taken,
///
/// - an exchange inside a task gets none: it spills batch by batch and needs nothing to do so;
/// - a sort gets an eighth, or its even share where that is more, and leaves a quarter to what cannot
///   be spilled; one that holds nothing, and so has nothing to spill, gets what it asks for; and so
///   does one that was refused, until it has given something back;
/// - all others get a quarter, or their even share where that is more.
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
    /// Sorts that were refused and have not given anything back.
    spilling: HashSet<usize>,
}

/// What a consumer does when it is refused, told by the name that the base gives it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Exchange,
    Sort,
    Other,
    /// It fails.
    Pinned,
}

impl Kind {
    fn of(consumer: &MemoryConsumer) -> Self {
        let name = consumer.name();
        match consumer.can_spill() {
            false => Self::Pinned,
            true if name.starts_with("RepartitionExec") => Self::Exchange,
            true if name.starts_with("ExternalSorter") => Self::Sort,
            true => Self::Other,
        }
    }
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

    /// Whether one that holds `held` bytes may take `bytes` more of `limit`.
    fn admits(
        &self,
        consumer: &MemoryConsumer,
        (held, bytes): (usize, usize),
        limit: usize,
    ) -> bool {
        let taken = (self.spillable + self.pinned).saturating_add(bytes);
        if taken > limit {
            return false;
        }
        let kind = Kind::of(consumer);
        if kind == Kind::Pinned || taken <= limit / 2 {
            return true;
        }
        let share = limit.saturating_sub(self.pinned) / self.sharers.max(1);
        let is_fair = |part: usize| held.saturating_add(bytes) <= share.max(part);
        match kind {
            Kind::Exchange => false,
            Kind::Sort => {
                let is_stuck = held == 0 || self.spilling.contains(&consumer.id());
                is_stuck || is_fair(limit / 8) && taken <= limit / 4 * 3
            }
            Kind::Other | Kind::Pinned => held.saturating_add(bytes) <= share.max(limit / 4),
        }
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
        state.spilling.remove(&consumer.id());
        state.sharers = state
            .sharers
            .saturating_sub(usize::from(consumer.can_spill()));
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        *self.state.lock().held(reservation.consumer()) += additional;
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let mut state = self.state.lock();
        state.spilling.remove(&reservation.consumer().id());
        let held = state.held(reservation.consumer());
        *held = held.saturating_sub(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let mut state = self.state.lock();
        let consumer = reservation.consumer();
        if !state.admits(consumer, (reservation.size(), additional), self.limit) {
            if Kind::of(consumer) == Kind::Sort {
                state.spilling.insert(consumer.id());
            }
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

    fn consumer(pool: &Arc<dyn MemoryPool>, name: &str) -> MemoryReservation {
        MemoryConsumer::new(name)
            .with_can_spill(true)
            .register(pool)
    }

    #[test]
    fn a_sort_leaves_a_quarter_to_what_cannot_be_spilled() {
        let pool = pool();
        let sort = consumer(&pool, "ExternalSorter[0]");
        sort.try_grow(600).unwrap();
        assert!(sort.try_grow(1).is_err());
        let merge = MemoryConsumer::new("ExternalSorterMerge[0]").register(&pool);
        merge.try_grow(190).unwrap();
        sort.try_grow(10).expect("it was refused, and spills");
        sort.shrink(300);
        merge.try_grow(300).unwrap();
        assert!(merge.try_grow(1).is_err());
        assert!(sort.try_grow(1).is_err(), "nothing is left");
        drop((sort, merge));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn many_sorts_may_take_an_eighth_each() {
        let pool = pool();
        let sorts: Vec<_> = (0..16)
            .map(|_| consumer(&pool, "ExternalSorter[0]"))
            .collect();
        sorts[0].try_grow(300).unwrap();
        sorts[0].try_grow(100).unwrap();
        assert!(sorts[0].try_grow(1).is_err(), "half is taken");
        sorts[1].try_grow(50).unwrap();
        sorts[1].try_grow(50).unwrap();
        assert!(sorts[1].try_grow(1).is_err(), "more than an eighth");
    }

    #[test]
    fn a_sort_with_nothing_to_spill_gets_a_batch() {
        let pool = pool();
        let sorts: Vec<_> = (0..4)
            .map(|_| consumer(&pool, "ExternalSorter[0]"))
            .collect();
        for sort in &sorts[..3] {
            sort.try_grow(200).unwrap();
        }
        assert!(sorts[0].try_grow(1).is_err(), "three quarters are taken");
        sorts[3].try_grow(200).unwrap();
    }

    #[test]
    fn exchanges_make_way_for_aggregations() {
        let pool = pool();
        let exchange = consumer(&pool, "RepartitionExec[0]");
        exchange.try_grow(400).unwrap();
        assert!(exchange.try_grow(1).is_err(), "half is taken");
        let aggregation = consumer(&pool, "FinalHashAggregateStream[0]");
        aggregation.try_grow(400).unwrap();
        assert!(aggregation.try_grow(1).is_err(), "nothing is left");
    }
}
