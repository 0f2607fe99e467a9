//! Holds a result's first rows back, so that a lost executor can be made good unseen.

use std::future::Future;
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use futures::StreamExt;
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use url::Url;
use waterbuck_engine::Error;
use waterbuck_engine::settings::Settings;

use super::row_end::RowEnd;

/// How much and how long rows are held back.
pub(super) struct Hold {
    bytes_max: usize,
    time: Duration,
    reservation: MemoryReservation,
}

impl Hold {
    /// The bounds of `settings`; held rows are accounted in `pool`.
    pub(super) fn new(settings: &Settings, pool: &Arc<dyn MemoryPool>) -> Self {
        let values = settings.values();
        Self {
            bytes_max: usize::try_from(values.result_hold_bytes).unwrap_or(usize::MAX),
            time: values.result_hold_time,
            reservation: MemoryConsumer::new("held-back result").register(pool),
        }
    }
}

/// How an attempt ended.
pub(super) enum Pumped {
    /// Every row was handed over, or the reader went away.
    Done,
    /// It broke.
    Failed(Failed),
}

/// A broken attempt.
pub(super) struct Failed {
    /// Why.
    pub(super) error: DataFusionError,
    /// Whether a row has reached the client.
    pub(super) released: bool,
    /// The executor that was lost, where that is why; it may be back already.
    pub(super) lost: Option<Url>,
}

type Rows = Sender<Result<RecordBatch, DataFusionError>>;

/// Moves `stream` into `tx`, holding back what `hold` says, until the end, an error, or `lost`. The
/// end has come when `end` tells so, even where the stream goes on without rows.
pub(super) async fn pump(
    stream: &mut SendableRecordBatchStream,
    tx: &Rows,
    hold: Hold,
    (end, lost): (&RowEnd, impl Future<Output = Url>),
) -> Pumped {
    let release_at = tokio::time::sleep(hold.time);
    tokio::pin!(release_at, lost);
    let mut held = vec![];
    let mut held_bytes = 0;
    let mut holding = !hold.time.is_zero() && hold.bytes_max > 0;
    let mut released = false;
    let mut received = 0;
    let mut end_known = false;
    loop {
        let next = tokio::select! {
            biased;
            () = std::future::ready(()), if end.is_reached(received) => None,
            next = stream.next() => next,
            () = end.known(), if !end_known => {
                end_known = true;
                continue;
            }
            () = &mut release_at, if holding => {
                holding = false;
                released |= !held.is_empty();
                if send_all(tx, &mut held, &hold.reservation).await.is_err() {
                    return Pumped::Done;
                }
                continue;
            }
            url = &mut lost => {
                let error = Error::unavailable(format!("executor {url} was lost")).into();
                return Pumped::Failed(Failed { error, released, lost: Some(url) });
            }
        };
        if let Some(Ok(batch)) = &next {
            received += batch.num_rows();
        }
        match next {
            None => {
                // A closed channel means that nobody reads any more: nothing is lost.
                let _closed = send_all(tx, &mut held, &hold.reservation).await;
                return Pumped::Done;
            }
            Some(Err(error)) => {
                return Pumped::Failed(Failed {
                    error,
                    released,
                    lost: None,
                });
            }
            Some(Ok(batch)) if batch.num_rows() == 0 => {}
            Some(Ok(batch)) => {
                let bytes = batch.get_array_memory_size();
                held_bytes += bytes;
                held.push(batch);
                let fits = holding
                    && held_bytes < hold.bytes_max
                    && hold.reservation.try_grow(bytes).is_ok();
                if fits {
                    continue;
                }
                holding = false;
                released = true;
                if send_all(tx, &mut held, &hold.reservation).await.is_err() {
                    return Pumped::Done;
                }
            }
        }
    }
}

/// The reader of the result went away.
struct ReaderGone;

async fn send_all(
    tx: &Rows,
    held: &mut Vec<RecordBatch>,
    reservation: &MemoryReservation,
) -> Result<(), ReaderGone> {
    for batch in held.drain(..) {
        tx.send(Ok(batch)).await.map_err(|_closed| ReaderGone)?;
    }
    reservation.free();
    Ok(())
}
