//! All queries of this coordinator: those that run and the last ones that ended.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{debug, info};
use uuid::Uuid;
use waterbuck_engine::sql::without_url_secrets;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::profile::write_profile;
use super::record::{QueryRecord, QueryState};
use crate::audit::AuditLog;

/// How many ended queries are remembered.
const HISTORY: usize = 1000;
/// How long whoever looks at ended queries waits for profiles that are being written.
const PROFILES_WAIT: Duration = Duration::from_millis(500);

/// The queries this coordinator knows.
#[derive(Debug, Default)]
pub struct QueryRegistry {
    running: DashMap<Uuid, Arc<QueryRecord>>,
    past: Mutex<VecDeque<Arc<QueryRecord>>>,
    profiles: Mutex<JoinSet<()>>,
    /// Profiles that are being written.
    unwritten: watch::Sender<usize>,
    /// Where those that end are recorded for good.
    audit: Option<Arc<AuditLog>>,
}

impl QueryRegistry {
    /// A registry that tells `audit` of every query that ends.
    pub(crate) fn audited(audit: Arc<AuditLog>) -> Self {
        Self {
            audit: Some(audit),
            ..Self::default()
        }
    }

    /// Enters a query that has just arrived.
    pub fn enter(&self, query: QueryRecord) -> Arc<QueryRecord> {
        let query = Arc::new(query);
        debug!(query_id = %query.id, user = %query.user, kind = query.kind, "query arrived");
        self.running.insert(query.id, Arc::clone(&query));
        query
    }

    /// Ends a query; of several calls the first counts. Its profile is written after that.
    pub fn finish(&self, query: &Arc<QueryRecord>, state: QueryState, error: Option<String>) {
        // It may quote the statement, and is logged and listed as that is.
        let error = error
            .filter(|_| !query.holds_secret)
            .map(|error| without_url_secrets(&error).into_owned());
        let Some(plan) = query.finish(state, error) else {
            return;
        };
        self.running.remove(&query.id);
        let view = query.view();
        info!(
            query_id = %query.id, user = %query.user, kind = query.kind, state = state.name(),
            elapsed_ms = view.elapsed.as_millis() as u64, rows = view.rows, error = view.error,
            "query ended"
        );
        if let Some(audit) = &self.audit {
            audit.statement(query, &view);
        }
        let mut past = self.past.lock();
        if past.len() == HISTORY {
            past.pop_front();
        }
        past.push_back(Arc::clone(query));
        drop(past);
        // A result may be dropped while the process ends: then nobody will read its profile.
        if let (Some(plan), Ok(runtime)) = (plan, Handle::try_current()) {
            self.unwritten.send_modify(|count| *count += 1);
            let unwritten = Unwritten(self.unwritten.clone());
            let query = Arc::clone(query);
            let mut profiles = self.profiles.lock();
            while profiles.try_join_next().is_some() {}
            profiles.spawn_on(
                async move {
                    let _unwritten = unwritten;
                    write_profile(query, plan).await;
                },
                &runtime,
            );
        }
    }

    /// Waits until the profiles of all queries that have ended are written, but not for long: an
    /// executor that is gone reports nothing.
    pub(crate) async fn profiled(&self) {
        let mut unwritten = self.unwritten.subscribe();
        let all = unwritten.wait_for(|count| *count == 0);
        // The count lives as long as the registry; what is late is missing from the answer.
        let _late = tokio::time::timeout(PROFILES_WAIT, all).await;
    }

    /// Takes out a statement that was planned but not run: nobody asked for its record.
    pub fn forget(&self, id: Uuid) {
        self.running.remove(&id);
    }

    /// A query, running or past.
    pub fn get(&self, id: Uuid) -> Option<Arc<QueryRecord>> {
        if let Some(query) = self.running.get(&id) {
            return Some(Arc::clone(&query));
        }
        self.past
            .lock()
            .iter()
            .rev()
            .find(|query| query.id == id)
            .map(Arc::clone)
    }

    /// All queries, the oldest first.
    pub fn all(&self) -> Vec<Arc<QueryRecord>> {
        let mut all: Vec<_> = self.past.lock().iter().map(Arc::clone).collect();
        all.extend(self.running.iter().map(|entry| Arc::clone(entry.value())));
        all.sort_by_key(|query| query.id);
        all.dedup_by_key(|query| query.id);
        all
    }

    /// Stops a running query that `user` may stop: their own, or any for an administrator.
    ///
    /// # Errors
    /// When no such query runs. Other users' queries are not told apart from unknown ones.
    pub fn kill(&self, id: Uuid, user: &str, admin: bool) -> Result<()> {
        let found = self.running.get(&id).map(|query| Arc::clone(&query));
        match found {
            Some(query) if admin || query.user == user => {
                query.cancel.cancel();
                Ok(())
            }
            _ => Err(Error::new(
                ErrorKind::NotFound,
                format!("no query \"{id}\" is running"),
            )),
        }
    }

    /// Stops every running query of a session.
    pub fn cancel_session(&self, session_id: Uuid) {
        for query in self
            .running
            .iter()
            .filter(|query| query.session_id == session_id)
        {
            query.cancel.cancel();
        }
    }
}

/// A profile that is being written.
struct Unwritten(watch::Sender<usize>);

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
