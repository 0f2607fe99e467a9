//! One logged-in client as the door keeps it: its session, its prepared statements and the time
//! of its last call.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::time::Instant;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::backend::{FlightSession, OptionValue, Prepared, StatementInput};
use super::delivery::Delivery;
use super::token::random_handle;

/// A client between its login and its end.
pub(super) struct Client {
    session: Arc<dyn FlightSession>,
    idle_max: Duration,
    last_call: Mutex<Instant>,
    calls: AtomicUsize,
    prepared: Mutex<HashMap<Bytes, Arc<PreparedStatement>>>,
    delivery: Mutex<Delivery>,
}

/// A prepared statement with the parameters last bound to it.
pub(super) struct PreparedStatement {
    prepared: Arc<Prepared>,
    parameters: Mutex<Vec<RecordBatch>>,
}

impl Client {
    pub(super) fn new(session: Arc<dyn FlightSession>, idle_max: Duration) -> Self {
        Self {
            session,
            idle_max,
            last_call: Mutex::new(Instant::now()),
            calls: AtomicUsize::new(0),
            prepared: Mutex::default(),
            delivery: Mutex::default(),
        }
    }

    /// How the client wants its results.
    pub(super) fn delivery(&self) -> Delivery {
        *self.delivery.lock()
    }

    /// Sets an option of the door's own; `None` for one that is the session's.
    pub(super) fn set_delivery(
        &self,
        name: &str,
        value: Option<&OptionValue>,
    ) -> Option<Result<()>> {
        self.delivery.lock().set(name, value)
    }

    pub(super) fn session(&self) -> &Arc<dyn FlightSession> {
        &self.session
    }

    /// Marks the client as busy until the guard is dropped.
    pub(super) fn enter(self: &Arc<Self>) -> ClientGuard {
        self.calls.fetch_add(1, Ordering::AcqRel);
        ClientGuard {
            client: Arc::clone(self),
        }
    }

    /// Whether a call is being served or a result read.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
    }

    /// Whether nothing was heard of the client for longer than it may be silent.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy() && self.last_call.lock().elapsed() > self.idle_max
    }

    /// Keeps a prepared statement under a new handle.
    pub(super) fn keep_prepared(&self, prepared: Prepared, max: usize) -> Result<Bytes> {
        let statement = Arc::new(PreparedStatement {
            prepared: Arc::new(prepared),
            parameters: Mutex::default(),
        });
        let mut kept = self.prepared.lock();
        if kept.len() >= max {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!("the session holds {max} prepared statements: close some first"),
            ));
        }
        let handle = random_handle();
        kept.insert(Bytes::clone(&handle), statement);
        Ok(handle)
    }

    /// Finds a prepared statement of this session.
    pub(super) fn prepared(&self, handle: &Bytes) -> Result<Arc<PreparedStatement>> {
        self.prepared
            .lock()
            .get(handle)
            .map(Arc::clone)
            .ok_or_else(|| {
                Error::not_found(
                    "the prepared statement does not exist in this session: prepare again",
                )
            })
    }

    /// Forgets a prepared statement; closing one twice does no harm.
    pub(super) fn close_prepared(&self, handle: &Bytes) {
        self.prepared.lock().remove(handle);
    }
}

impl PreparedStatement {
    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// Replaces the bound parameters.
    pub(super) fn bind(&self, parameters: Vec<RecordBatch>) {
        *self.parameters.lock() = parameters;
    }

    /// The statement with the parameters bound before.
    pub(super) fn bound(&self) -> StatementInput {
        self.with(self.parameters.lock().clone())
    }

    /// The statement with `parameters`.
    pub(super) fn with(&self, parameters: Vec<RecordBatch>) -> StatementInput {
        StatementInput::Prepared {
            prepared: Arc::clone(&self.prepared),
            parameters,
        }
    }
}

/// A call, or a result being read: the session does not grow idle meanwhile.
pub(super) struct ClientGuard {
    client: Arc<Client>,
}

impl std::ops::Deref for ClientGuard {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for ClientGuard {
    fn drop(&mut self) {
        *self.client.last_call.lock() = Instant::now();
        self.client.calls.fetch_sub(1, Ordering::AcqRel);
    }
}
