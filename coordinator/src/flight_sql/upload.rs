//! Rows that a client sends, read with suspicion.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_ipc::root_as_message;
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::future::{FutureExt, ready};
use futures::stream::{self, StreamExt, TryStreamExt};
use tonic::{Code, Status, Streaming};
use waterbuck_engine::panics::expecting_panics;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::status::{malformed, status};
use super::unions::without_unions;
use super::wire::wire_bytes;

/// A message without a bit for each row has at most so many: NULL in columns of no type.
const EMPTY_ROWS_MAX: u64 = 1 << 20;

/// All rows of a stream whose first message was taken out of it, up to `bytes_max`. No batch at
/// all means that the stream has no columns; columns without rows give one empty batch.
pub(super) async fn read_rows(
    first: FlightData,
    messages: Streaming<FlightData>,
    bytes_max: usize,
) -> Result<Vec<RecordBatch>, Status> {
    let mut batches = decoded(first, messages);
    let mut rows = Vec::new();
    let mut bytes = 0;
    while let Some(batch) = next(&mut batches).await.map_err(|error| status(&error))? {
        if batch.num_columns() == 0 {
            continue;
        }
        bytes += wire_bytes(&batch);
        if bytes > bytes_max {
            return Err(status(&Error::new(
                ErrorKind::ResourceExhausted,
                format!("the parameters of one statement are limited to {bytes_max} bytes"),
            )));
        }
        rows.push(without_unions(batch).map_err(|error| status(&error))?);
    }
    if rows.is_empty()
        && let Some(schema) = batches.schema()
        && !schema.fields().is_empty()
    {
        rows.push(RecordBatch::new_empty(Arc::clone(schema)));
    }
    Ok(rows)
}

/// The rows of a stream as they come, once its columns are known. Nothing is read ahead: what is
/// not taken waits in the connection, whose window stops the client.
pub(super) async fn open_rows(
    first: FlightData,
    messages: Streaming<FlightData>,
) -> Result<SendableRecordBatchStream, Status> {
    let mut batches = decoded(first, messages);
    let head = next(&mut batches).await.map_err(|error| status(&error))?;
    let schema = batches.schema().map(Arc::clone);
    let Some(schema) = schema.filter(|schema| !schema.fields().is_empty()) else {
        return Err(malformed("the upload has no columns"));
    };
    let rest = stream::try_unfold(batches, |mut batches| async move {
        let batch = next(&mut batches).await.map_err(DataFusionError::from)?;
        Ok(batch.map(|batch| (batch, batches)))
    });
    let rows = stream::iter(head.map(Ok)).chain(rest);
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn decoded(first: FlightData, messages: Streaming<FlightData>) -> FlightRecordBatchStream {
    let messages = stream::iter([Ok(first)])
        .chain(messages.map_err(|status| FlightError::Tonic(Box::new(status))))
        // A client without rows may send its command and nothing else.
        .try_filter(|data| ready(!data.data_header.is_empty()))
        .and_then(|data| ready(plausible(data)));
    FlightRecordBatchStream::new_from_flight_data(messages)
}

/// The reader trusts the offsets of a message and panics where they point outside of it.
async fn next(batches: &mut FlightRecordBatchStream) -> Result<Option<RecordBatch>> {
    let damaged = |_panic| {
        Err(Error::invalid(
            "the rows sent cannot be read: a message is damaged",
        ))
    };
    let read = AssertUnwindSafe(expecting_panics(batches.try_next()));
    let read = read.catch_unwind().await;
    read.map(|batch| batch.map_err(unreadable))
        .unwrap_or_else(damaged)
}

/// Refuses what would be allocated or counted before it is checked: compressed rows, and lengths
/// that the bytes of the message cannot hold.
fn plausible(data: FlightData) -> Result<FlightData, FlightError> {
    let refusal = root_as_message(&data.data_header).ok().and_then(|message| {
        let rows = message.header_as_record_batch();
        let values = message
            .header_as_dictionary_batch()
            .and_then(|batch| batch.data());
        let batch = rows.or(values)?;
        if batch.compression().is_some() {
            let refusal = "compressed rows are not accepted: send them as they are";
            return Some(Error::unsupported(refusal));
        }
        let bytes = data.data_body.len() as u64;
        let rows_max = bytes.saturating_mul(8).max(EMPTY_ROWS_MAX);
        let is_length = |length: i64| u64::try_from(length).is_ok_and(|length| length <= rows_max);
        let nodes = batch.nodes().into_iter().flat_map(|nodes| nodes.iter());
        let buffers = batch
            .buffers()
            .into_iter()
            .flat_map(|buffers| buffers.iter());
        let fits = is_length(batch.length())
            && nodes
                .map(|node| (node.length(), node.null_count()))
                .all(|(length, nulls)| is_length(length) && is_length(nulls))
            && buffers
                .map(|buffer| (buffer.offset(), buffer.length()))
                .all(|(offset, length)| is_within(offset, length, bytes));
        (!fits).then(|| Error::invalid("a message has not as many rows as it says"))
    });
    match refusal {
        Some(refusal) => Err(FlightError::ExternalError(Box::new(refusal))),
        None => Ok(data),
    }
}

/// Whether a buffer lies within the `bytes` of its message.
fn is_within(offset: i64, length: i64, bytes: u64) -> bool {
    let end = u64::try_from(offset)
        .ok()
        .zip(u64::try_from(length).ok())
        .and_then(|(offset, length)| offset.checked_add(length));
    end.is_some_and(|end| end <= bytes)
}

fn unreadable(error: FlightError) -> Error {
    let what = "the rows sent cannot be read";
    match error {
        FlightError::ExternalError(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::invalid(what).with_source(other),
        },
        FlightError::Tonic(status) => {
            let kind = match status.code() {
                // What tonic says of a message that is larger than it takes.
                Code::OutOfRange | Code::ResourceExhausted => ErrorKind::ResourceExhausted,
                Code::Internal | Code::InvalidArgument => ErrorKind::InvalidQuery,
                _ => ErrorKind::Cancelled,
            };
            Error::new(kind, format!("{what}: {}", status.message()))
        }
        other => Error::invalid(format!("{what}: {other}")),
    }
}
