//! How a process is told to stop.

use tokio::signal::unix::{SignalKind, signal};
use waterbuck_engine::{Error, Result};

/// Waits for Ctrl-C or SIGTERM.
pub(super) async fn stop_requested() -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())
        .map_err(|error| Error::internal("SIGTERM cannot be watched").with_source(error))?;
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
