//! Keeps listings and publications of the same files apart within a process.
//!
//! A publication moves files one by one, so a listing in its middle would see a part of them. The
//! coordinator, which plans all queries and publishes all writes, passes both through one gate:
//! listings go side by side, a publication has the files below its directory for itself.

use std::sync::Arc;

use object_store::path::Path;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::files::Location;

/// Admits listings and publications. Whoever waits may be dropped at any time.
#[derive(Debug, Default)]
pub struct PublishGate {
    holders: Mutex<Holders>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Holders {
    next_id: u64,
    /// Listings inside, and publications inside or waiting: these hold back later listings, so
    /// that a stream of queries cannot keep a write waiting for ever.
    held: Vec<Holder>,
}

#[derive(Debug)]
struct Holder {
    id: u64,
    publishes: bool,
    store: String,
    prefix: Path,
}

/// Leave to go on; given back when dropped.
#[derive(Debug)]
pub struct GatePass {
    gate: Arc<PublishGate>,
    id: u64,
}

impl PublishGate {
    /// A gate nobody has passed.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Waits until no publication below or above `location` is under way; listings of it are then
    /// exact until the pass is dropped.
    pub async fn listing(self: &Arc<Self>, location: &Location) -> GatePass {
        loop {
            let changed = self.changed.notified();
            if let Some(pass) = self.try_list(location) {
                return pass;
            }
            changed.await;
        }
    }

    /// Waits until nobody lists or publishes below or above `location`.
    pub async fn publishing(self: &Arc<Self>, location: &Location) -> GatePass {
        let pass = self.enter(&mut self.holders.lock(), location, true);
        loop {
            let changed = self.changed.notified();
            let waits = {
                let holders = self.holders.lock();
                holders
                    .held
                    .iter()
                    .any(|other| other.id < pass.id && other.overlaps(location))
            };
            if !waits {
                return pass;
            }
            changed.await;
        }
    }

    fn try_list(self: &Arc<Self>, location: &Location) -> Option<GatePass> {
        let mut holders = self.holders.lock();
        let waits = holders
            .held
            .iter()
            .any(|other| other.publishes && other.overlaps(location));
        (!waits).then(|| self.enter(&mut holders, location, false))
    }

    fn enter(
        self: &Arc<Self>,
        holders: &mut Holders,
        location: &Location,
        publishes: bool,
    ) -> GatePass {
        let id = holders.next_id;
        holders.next_id += 1;
        holders.held.push(Holder {
            id,
            publishes,
            store: location.store_url().to_string(),
            prefix: location.prefix(),
        });
        GatePass {
            gate: Arc::clone(self),
            id,
        }
    }
}

impl Drop for GatePass {
    fn drop(&mut self) {
        self.gate
            .holders
            .lock()
            .held
            .retain(|holder| holder.id != self.id);
        self.gate.changed.notify_waiters();
    }
}

impl Holder {
    /// Whether one of the two directories contains the other.
    fn overlaps(&self, location: &Location) -> bool {
        let prefix = location.prefix();
        self.store == location.store_url().as_str()
            && (prefix.prefix_matches(&self.prefix) || self.prefix.prefix_matches(&prefix))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn location(path: &str) -> Location {
        Location::parse(path, "/".as_ref()).unwrap()
    }

    #[tokio::test]
    async fn listings_go_side_by_side() {
        let gate = PublishGate::new();
        let first = gate.listing(&location("/t/")).await;
        let second = gate.listing(&location("/t/*.csv")).now_or_never();
        assert!(second.is_some());
        drop(first);
    }

    #[tokio::test]
    async fn a_publication_waits_for_listings_and_holds_back_later_ones() {
        let gate = PublishGate::new();
        let table = location("/t/");
        let listing = gate.listing(&table).await;
        let mut publishing = Box::pin(gate.publishing(&table));
        assert!((&mut publishing).now_or_never().is_none());
        assert!(gate.listing(&location("/t/a=1/")).now_or_never().is_none());
        assert!(gate.listing(&location("/other/")).now_or_never().is_some());
        drop(listing);
        let pass = publishing.await;
        assert!(gate.publishing(&location("/")).now_or_never().is_none());
        drop(pass);
        assert!(gate.listing(&table).now_or_never().is_some());
    }
}
