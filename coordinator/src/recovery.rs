//! Completes the publications that a crash or a failing store interrupted.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::ObjectStore;
use parking_lot::Mutex;
use uuid::Uuid;
use waterbuck_catalog::TableKind;
use waterbuck_connectors::files::write::{Abandoned, recover};
use waterbuck_engine::Result;

use crate::coordinator::Core;

/// How old the journal of a publication on a store must be to be nobody's: publishing is a matter of
/// seconds, on a very large write of minutes.
const PUBLICATION_AGE: Duration = Duration::from_secs(3600);
/// How old a write without a journal must be.
const WRITE_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Tells the writes that are nobody's any more from those of others who share a directory.
#[derive(Debug)]
pub(crate) struct Recovery {
    started: SystemTime,
    given_up: Mutex<HashSet<Uuid>>,
}

impl Recovery {
    /// Of a process that starts now.
    pub(crate) fn new() -> Self {
        Self {
            started: SystemTime::now(),
            given_up: Mutex::default(),
        }
    }

    /// Says that a publication of this process has failed and may have left its journal.
    pub(crate) fn failed(&self, write: Uuid) {
        self.given_up.lock().insert(write);
    }

    /// Cleans up the directory `location`; the caller holds its publications back.
    ///
    /// # Errors
    /// When the store does not let it.
    pub(crate) async fn run(&self, store: &Arc<dyn ObjectStore>, location: &str) -> Result<()> {
        let given_up = self.given_up.lock().clone();
        let now = SystemTime::now();
        let before = |age: Duration| now.checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        // A directory of this machine is written by this coordinator alone, and what was being
        // published before it started was so by one that is dead.
        let is_local = crate::tables::parse_location(location)?.is_local();
        let abandoned = Abandoned {
            published_before: if is_local {
                self.started
            } else {
                before(PUBLICATION_AGE)
            },
            began_before: before(WRITE_AGE),
        };
        recover(store, location, abandoned, |write| {
            given_up.contains(&write)
        })
        .await?;
        Ok(())
    }
}

/// Cleans up the directories of all file tables, once, when a coordinator starts.
pub(crate) async fn recover_file_tables(core: Arc<Core>) {
    let tables = match core.catalog.tables(None).await {
        Ok(tables) => tables,
        Err(error) => {
            tracing::warn!(%error, "interrupted writes are not looked for");
            return;
        }
    };
    for table in tables {
        let TableKind::External(external) = &table.kind else {
            continue;
        };
        let recovered = async {
            let location = crate::tables::parse_location(&external.location)?;
            if !location.is_directory_like() {
                return Ok(());
            }
            let store = crate::tables::store(&core, &external.location).await?;
            let _others_wait = core.gate.publishing(&location).await;
            core.recovery.run(&store, &location.to_string()).await
        };
        if let Err(error) = recovered.await {
            tracing::warn!(table = %table.name, %error, "interrupted writes are not completed");
        }
    }
}
