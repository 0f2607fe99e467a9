//! From a query's rows to messages on the wire.
//!
//! ```text
//! query stream ─▶ plain types ─▶ 8 k rows, ≤ 2 MiB ─▶ IPC ─▶ queue of 4 messages ─▶ gRPC
//! └───────────────────── one task, owned by the stream ────────────────────┘
//! ```
//! Dropping the stream at the right end (the client has gone, its deadline passed) ends the task,
//! which drops the query's stream. A client that reads slowly fills the queue and thereby stops
//! the query's work: memory stays flat whatever the size of the result. A fault anywhere ends the
//! stream with a status, never early and silently.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arrow::datatypes::SchemaRef;
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_ipc::writer::IpcWriteOptions;
use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SendableRecordBatchStream;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tonic::Status;
use uuid::Uuid;
use waterbuck_engine::{Error, ErrorKind};

use crate::coalesce::Coalescer;
use crate::status::query_status;

/// Messages between the encoding task and the connection.
const MESSAGES_QUEUED_MAX: usize = 4;

/// What is known about a result besides its rows.
pub struct ResultContext {
    /// The query, as errors name it.
    pub query_id: Uuid,
    /// The columns as sent.
    pub schema: SchemaRef,
    /// How messages are written.
    pub options: IpcWriteOptions,
    /// When the client stops waiting.
    pub deadline: Option<Instant>,
    /// How long the client may leave the queue full.
    pub reader_stall: Duration,
    /// Turns an operator's error into one with a kind and a plain text.
    pub describe_error: fn(DataFusionError) -> Error,
}

/// Encodes `rows`; `keep` lives as long as the stream.
pub fn encode<K: Send + 'static>(
    rows: SendableRecordBatchStream,
    context: ResultContext,
    keep: K,
) -> BoxStream<'static, Result<FlightData, Status>> {
    let query_id = context.query_id;
    let deadline = context.deadline;
    let (sender, receiver) = mpsc::channel(MESSAGES_QUEUED_MAX);
    let task = SpawnedTask::spawn(pump(rows, context, sender));
    let state = Some(Delivery {
        receiver,
        task,
        query_id,
        deadline,
        _keep: keep,
    });
    stream::unfold(state, |state| async move {
        let mut delivery = state?;
        match delivery.next().await {
            Some(Ok(data)) => Some((Ok(data), Some(delivery))),
            Some(Err(status)) => Some((Err(status), None)),
            None => delivery
                .outcome()
                .await
                .err()
                .map(|status| (Err(status), None)),
        }
    })
    .boxed()
}

/// The receiving half, which owns the task of the sending half.
struct Delivery<K> {
    receiver: mpsc::Receiver<FlightData>,
    task: SpawnedTask<Result<(), Status>>,
    query_id: Uuid,
    deadline: Option<Instant>,
    _keep: K,
}

impl<K> Delivery<K> {
    async fn next(&mut self) -> Option<Result<FlightData, Status>> {
        let Some(deadline) = self.deadline else {
            return self.receiver.recv().await.map(Ok);
        };
        match tokio::time::timeout_at(deadline, self.receiver.recv()).await {
            Ok(item) => item.map(Ok),
            Err(_elapsed) => Some(Err(Status::deadline_exceeded(format!(
                "the client's deadline passed before query {} had sent all its rows",
                self.query_id
            )))),
        }
    }

    /// Whether the rows ended because there are no more.
    async fn outcome(self) -> Result<(), Status> {
        self.task.join().await.unwrap_or_else(|failure| {
            let what = if failure.is_panic() {
                "failed unexpectedly"
            } else {
                "was stopped"
            };
            let error = Error::internal(format!("sending the rows of the query {what}"));
            Err(query_status(&error, self.query_id))
        })
    }
}

/// Encodes until the rows end, an error comes, or nobody reads any more.
async fn pump(
    rows: SendableRecordBatchStream,
    context: ResultContext,
    sender: mpsc::Sender<FlightData>,
) -> Result<(), Status> {
    let ResultContext {
        query_id,
        schema,
        options,
        reader_stall,
        describe_error,
        ..
    } = context;
    let coalescer = Coalescer::new(rows, Arc::clone(&schema));
    let batches = stream::unfold(coalescer, move |mut coalescer| async move {
        let item = coalescer.next().await?;
        let item = item.map_err(|error| {
            let status = query_status(&describe_error(error), query_id);
            FlightError::Tonic(Box::new(status))
        });
        Some((item, coalescer))
    });
    // The batches are cut to size already, and better: the encoder takes a slice for its whole.
    let mut messages = pin!(
        FlightDataEncoderBuilder::new()
            .with_schema(schema)
            .with_options(options)
            .with_max_flight_data_size(usize::MAX)
            .build(batches)
    );
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| match error {
            FlightError::Tonic(status) => *status,
            other => query_status(
                &Error::internal("the rows of the query cannot be encoded").with_source(other),
                query_id,
            ),
        })?;
        match timeout(reader_stall, sender.send(message)).await {
            Ok(Ok(())) => {}
            // The client has gone: whoever dropped the stream needs no answer.
            Ok(Err(_closed)) => return Ok(()),
            Err(_elapsed) => return Err(stalled(query_id, reader_stall)),
        }
    }
    Ok(())
}

fn stalled(query_id: Uuid, after: Duration) -> Status {
    let error = Error::new(
        ErrorKind::Cancelled,
        format!(
            "query {query_id} was stopped: its rows were not read for {} s",
            after.as_secs()
        ),
    );
    query_status(&error, query_id)
}
