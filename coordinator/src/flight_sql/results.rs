//! Results that wait to be fetched.
//!
//! A ticket names one result by 256 random bits, belongs to the user who ran the query (any of
//! the user's sessions may redeem it, which is how a result is handed to another process) and is
//! redeemed once: the rows are not kept, and running the query again could give others. That is
//! also why endpoints carry no expiration time, which would promise that a ticket can be reused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::info;
use uuid::Uuid;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::token::random_handle;

/// A started query whose rows nobody has asked for yet. Dropping it stops the query.
pub(super) struct PendingResult {
    pub(super) user: String,
    pub(super) session: Uuid,
    pub(super) query_id: Uuid,
    /// The columns as sent.
    pub(super) schema: SchemaRef,
    pub(super) rows: SendableRecordBatchStream,
    /// For queries that are polled.
    pub(super) polled: Option<Polled>,
}

/// What a polling client waits for.
#[derive(Clone)]
pub(super) struct Polled {
    /// Turns true when the first rows are there.
    pub(super) ready: watch::Receiver<bool>,
    /// The progress the client was told last.
    pub(super) told: f64,
}

/// What is known of a result that waits.
pub(super) struct Waiting {
    pub(super) query_id: Uuid,
    pub(super) schema: SchemaRef,
    pub(super) polled: Option<Polled>,
}

impl PendingResult {
    fn waiting(&self) -> Waiting {
        Waiting {
            query_id: self.query_id,
            schema: Arc::clone(&self.schema),
            polled: self.polled.clone(),
        }
    }
}

/// The results that wait.
pub(super) struct Results {
    waiting: Mutex<HashMap<Bytes, (Instant, PendingResult)>>,
    max: usize,
    expiry: Duration,
}

impl Results {
    pub(super) fn new(max: usize, expiry: Duration) -> Self {
        Self {
            waiting: Mutex::default(),
            max,
            expiry,
        }
    }

    /// Keeps a result and gives its handle.
    pub(super) fn keep(&self, result: PendingResult) -> Result<Bytes> {
        let mut waiting = self.waiting.lock();
        if waiting.len() >= self.max {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "{} results wait to be fetched: fetch or cancel some first",
                    self.max
                ),
            ));
        }
        let handle = random_handle();
        waiting.insert(Bytes::clone(&handle), (Instant::now(), result));
        Ok(handle)
    }

    /// Redeems a handle. Somebody else's handle is answered like an unknown one.
    pub(super) fn take(&self, handle: &Bytes, user: &str) -> Result<PendingResult> {
        let mut waiting = self.waiting.lock();
        let is_owner = waiting
            .get(handle)
            .is_some_and(|(_, result)| result.user == user);
        let redeemed = if is_owner {
            waiting.remove(handle)
        } else {
            None
        };
        redeemed
            .map(|(_, result)| result)
            .ok_or_else(|| self.unknown())
    }

    /// Lets a result of `user` wait as long as a new one, and tells what it is.
    pub(super) fn renew(&self, handle: &Bytes, user: &str) -> Result<Waiting> {
        let mut waiting = self.waiting.lock();
        let owned = waiting
            .get_mut(handle)
            .filter(|(_, result)| result.user == user);
        let (since, result) = owned.ok_or_else(|| self.unknown())?;
        *since = Instant::now();
        Ok(result.waiting())
    }

    /// Remembers the progress that a polling client is told.
    pub(super) fn tell(&self, handle: &Bytes, progress: f64) {
        let mut waiting = self.waiting.lock();
        let result = waiting.get_mut(handle).map(|(_, result)| result);
        if let Some(polled) = result.and_then(|result| result.polled.as_mut()) {
            polled.told = progress;
        }
    }

    /// The results of `user` that wait, by their handles, the oldest query first.
    pub(super) fn list(&self, user: &str) -> Vec<(Bytes, Waiting)> {
        let waiting = self.waiting.lock();
        let owned = waiting
            .iter()
            .filter(|(_, (_, result))| result.user == user);
        let mut listed: Vec<_> = owned
            .map(|(handle, (_, result))| (Bytes::clone(handle), result.waiting()))
            .collect();
        listed.sort_by_key(|(_, waiting)| waiting.query_id);
        listed
    }

    fn unknown(&self) -> Error {
        Error::not_found(format!(
            "the ticket is unknown: it was used before, or its result was not fetched within {} s; \
             run the query again",
            self.expiry.as_secs()
        ))
    }

    /// The query behind a handle of `user`.
    pub(super) fn query_of(&self, handle: &Bytes, user: &str) -> Option<Uuid> {
        let waiting = self.waiting.lock();
        let (_, result) = waiting.get(handle)?;
        (result.user == user).then_some(result.query_id)
    }

    /// Drops the waiting result of a query of `user`; whether there was one.
    pub(super) fn drop_query(&self, query_id: Uuid, user: &str) -> bool {
        !self
            .remove(|_, result| result.query_id == query_id && result.user == user)
            .is_empty()
    }

    /// Drops what a session has left behind.
    pub(super) fn drop_session(&self, session: Uuid) {
        drop(self.remove(|_, result| result.session == session));
    }

    /// Drops what was not fetched in time.
    pub(super) fn expire(&self) {
        for result in self.remove(|since, _| since.elapsed() > self.expiry) {
            info!(query_id = %result.query_id, "query stopped: its result was not fetched");
        }
    }

    /// Takes out all that are `meant`: their queries are to be stopped without the lock.
    fn remove(&self, meant: impl Fn(&Instant, &PendingResult) -> bool) -> Vec<PendingResult> {
        let mut waiting = self.waiting.lock();
        let removed = waiting.extract_if(|_, (since, result)| meant(since, result));
        removed.map(|(_, (_, result))| result).collect()
    }
}
