//! Results that wait to be fetched.
//!
//! A ticket names one result by 256 random bits, belongs to the user who ran the query (any of
//! the user's sessions may redeem it, which is how a result is handed to another process) and is
//! redeemed once: the rows are not kept, and running the query again could give others. That is
//! also why endpoints carry no expiration time, which would promise that a ticket can be reused.

use std::collections::HashMap;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use parking_lot::Mutex;
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
        redeemed.map(|(_, result)| result).ok_or_else(|| {
            Error::not_found(format!(
                "the ticket is unknown: it was used before, or its result was not fetched within \
                 {} s; run the query again",
                self.expiry.as_secs()
            ))
        })
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
