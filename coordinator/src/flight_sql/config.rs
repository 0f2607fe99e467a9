//! The limits of the Flight SQL door.

use std::time::Duration;

use datafusion::common::DataFusionError;
use waterbuck_engine::Error;

/// Limits and times of the door; start from [`FlightConfig::new`] and change single fields.
#[derive(Debug, Clone)]
pub struct FlightConfig {
    /// The version shown to clients.
    pub server_version: String,
    /// How long a session outlives its last call.
    pub session_idle: Duration,
    /// How long a result waits to be fetched before its query is stopped.
    pub result_expiry: Duration,
    /// How long a client may leave a stream unread before its query is stopped.
    pub reader_stall: Duration,
    /// Open sessions, beyond which logins are refused.
    pub sessions_max: usize,
    /// Results waiting to be fetched, beyond which queries are refused.
    pub results_max: usize,
    /// Prepared statements one session may hold.
    pub prepared_max: usize,
    /// The largest message accepted, in bytes. Clients send each batch as one message.
    pub message_bytes_max: usize,
    /// Parameters bound to one statement, in bytes.
    pub parameter_bytes_max: usize,
    /// Turns an operator's error into one with a kind and a plain text.
    pub describe_error: fn(DataFusionError) -> Error,
}

impl FlightConfig {
    /// The default limits.
    pub fn new(describe_error: fn(DataFusionError) -> Error) -> Self {
        Self {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            session_idle: Duration::from_secs(60 * 60),
            result_expiry: Duration::from_secs(60),
            reader_stall: Duration::from_secs(60 * 60),
            sessions_max: 10_000,
            results_max: 10_000,
            prepared_max: 4096,
            message_bytes_max: 64 << 20,
            parameter_bytes_max: 256 << 20,
            describe_error,
        }
    }
}
