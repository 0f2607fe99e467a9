//! Results that wait to be fetched.
//!
//! A ticket names one result by 256 random bits, belongs to the user who ran the query (any of
//! the user's sessions may redeem it, which is how a result is handed to another process) and is
//! redeemed once: the rows are not kept, and running the query again could give others. That is
//! also why endpoints carry no expiration time, which would promise that a ticket can be reused.

use std::time::Duration;

use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use dashmap::DashMap;
use datafusion::execution::SendableRecordBatchStream;
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
    waiting: DashMap<Bytes, (Instant, PendingResult)>,
    max: usize,
    expiry: Duration,
}

impl Results {
    pub(super) fn new(max: usize, expiry: Duration) -> Self {
        Self { waiting: DashMap::new(), max, expiry }
    }

    /// Keeps a result and gives its handle.
    pub(super) fn keep(&self, result: PendingResult) -> Result<Bytes> {
        if self.waiting.len() >= self.max {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!("{} results wait to be fetched: fetch or cancel some first", self.max),
            ));
        }
        let handle = random_handle();
        self.waiting.insert(Bytes::clone(&handle), (Instant::now(), result));
        Ok(handle)
    }

    /// Redeems a handle. Somebody else's handle is answered like an unknown one.
    pub(super) fn take(&self, handle: &Bytes, user: &str) -> Result<PendingResult> {
        self.waiting
            .remove_if(handle, |_, (_, result)| result.user == user)
            .map(|(_, (_, result))| result)
            .ok_or_else(|| {
                Error::not_found(format!(
                    "the ticket is unknown: it was used before, or its result was not fetched \
                     within {} s; run the query again",
                    self.expiry.as_secs()
                ))
            })
    }

    /// The query behind a handle of `user`.
    pub(super) fn query_of(&self, handle: &Bytes, user: &str) -> Option<Uuid> {
        let entry = self.waiting.get(handle)?;
        (entry.1.user == user).then_some(entry.1.query_id)
    }

    /// Drops the waiting result of a query of `user`; whether there was one.
    pub(super) fn drop_query(&self, query_id: Uuid, user: &str) -> bool {
        let mut dropped = false;
        self.waiting.retain(|_, (_, result)| {
            let matches = result.query_id == query_id && result.user == user;
            dropped |= matches;
            !matches
        });
        dropped
    }

    /// Drops what a session has left behind.
    pub(super) fn drop_session(&self, session: Uuid) {
        self.waiting.retain(|_, (_, result)| result.session != session);
    }

    /// Drops what was not fetched in time.
    pub(super) fn expire(&self) {
        self.waiting.retain(|_, (since, result)| {
            let expired = since.elapsed() > self.expiry;
            if expired {
                info!(query_id = %result.query_id, "query stopped: its result was not fetched");
            }
            !expired
        });
    }
}
