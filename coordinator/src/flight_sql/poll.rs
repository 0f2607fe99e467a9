//! PollFlightInfo and ListFlights: results that are not, or not yet, fetched.
//!
//! The first poll starts the query and answers at once; the query runs on behind it. Later polls,
//! by the descriptor that the first gave, answer when the progress has grown, or after a while.
//! The endpoint appears when the first rows are there, and with it the last answer: from then on
//! the result is read as it is made.

use std::time::Duration;

use arrow_flight::sql::Command;
use arrow_flight::{Criteria, FlightDescriptor, FlightInfo, PollInfo};
use bytes::Bytes;
use chrono::Utc;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use futures::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tonic::Status;
use uuid::Uuid;
use waterbuck_engine::Result;

use super::client::ClientGuard;
use super::delivery::Delivery;
use super::door::Shared;
use super::results::Polled;
use super::statement::{command_of, describe_result, ticket_of};
use super::status::{status, unsupported};

/// How long the first poll waits for a quick answer.
const FIRST_WAIT: Duration = Duration::from_millis(200);
/// How long a later poll waits for anything to change; a fraction of any deadline and of the time
/// after which a result that nobody asks for is dropped.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// How often the progress is looked at.
const STEP: Duration = Duration::from_millis(100);

impl Shared {
    /// Starts a query and tells how far it is, or tells how far one is that was started so.
    pub(super) async fn poll(
        &self,
        client: &ClientGuard,
        descriptor: FlightDescriptor,
        delivery: Delivery,
    ) -> Result<PollInfo, Status> {
        let command = command_of(&descriptor)?;
        if let Command::TicketStatementQuery(ticket) = command {
            let wait = WAIT_MAX.min(self.config.result_expiry / 4);
            return self
                .poll_result(client, ticket.statement_handle, descriptor, wait)
                .await;
        }
        if self.metadata_schema(&command).is_some() {
            let info = self.flight_info(client, descriptor, delivery);
            return Ok(complete(info.await?));
        }
        let started = self.start(client, command, delivery).await?;
        let mut pending = match started.whole() {
            Ok(pending) => pending,
            // All endpoints are known.
            Err(parts) => return Ok(complete(self.describe_started(client, parts, descriptor)?)),
        };
        let (rows, ready) = watched(pending.rows);
        pending.rows = rows;
        // More than any progress: the first poll waits for rows alone.
        pending.polled = Some(Polled { ready, told: 1.0 });
        let handle = self.results.keep(pending).map_err(|error| status(&error))?;
        self.poll_result(client, handle, descriptor, FIRST_WAIT)
            .await
    }

    async fn poll_result(
        &self,
        client: &ClientGuard,
        handle: Bytes,
        descriptor: FlightDescriptor,
        wait: Duration,
    ) -> Result<PollInfo, Status> {
        let waiting = self.waiting(client, &handle)?;
        let is_ready = match waiting.polled {
            Some(polled) => is_ready(client, waiting.query_id, polled, wait).await,
            None => true,
        };
        // It may have been cancelled meanwhile; if not, the wait does not count against it.
        let waiting = self.waiting(client, &handle)?;
        let query_id = waiting.query_id;
        let next = FlightDescriptor::new_cmd(ticket_of(Bytes::clone(&handle)));
        let mut info =
            describe_result(&waiting.schema, Bytes::clone(&handle), descriptor, query_id)?;
        if is_ready {
            return Ok(complete(info));
        }
        info.endpoint.clear();
        let mut poll = PollInfo::new().with_info(info).with_descriptor(next);
        let progress = fraction(client, query_id);
        self.results.tell(&handle, progress);
        poll.progress = Some(progress);
        let expiry = Utc::now() + self.config.result_expiry;
        let expiration = poll.expiration_time.get_or_insert_default();
        expiration.seconds = expiry.timestamp();
        expiration.nanos = i32::try_from(expiry.timestamp_subsec_nanos()).unwrap_or_default();
        Ok(poll)
    }

    /// The results of the client's user that wait to be fetched.
    pub(super) fn flights(
        &self,
        client: &ClientGuard,
        criteria: &Criteria,
    ) -> Result<Vec<FlightInfo>, Status> {
        if !criteria.expression.is_empty() {
            return Err(unsupported(
                "flights cannot be filtered: leave the criteria empty",
            ));
        }
        let listed = self.results.list(client.session().user());
        listed
            .into_iter()
            .map(|(handle, waiting)| {
                let descriptor = FlightDescriptor::new_cmd(ticket_of(Bytes::clone(&handle)));
                describe_result(&waiting.schema, handle, descriptor, waiting.query_id)
            })
            .collect()
    }
}

/// Waits until the first rows are there, the progress has grown, or `wait` is over; says whether
/// it was the first.
async fn is_ready(
    client: &ClientGuard,
    query_id: Uuid,
    mut polled: Polled,
    wait: Duration,
) -> bool {
    let end = Instant::now() + wait;
    loop {
        // Who turns it true may have ended without: then the stream tells why.
        let ready = polled.ready.wait_for(|ready| *ready);
        if timeout(STEP, ready).await.is_ok() {
            return true;
        }
        if fraction(client, query_id) > polled.told || Instant::now() >= end {
            return false;
        }
    }
}

fn fraction(client: &ClientGuard, query_id: Uuid) -> f64 {
    let progress = client.session().progress(query_id);
    let fraction = progress.and_then(|progress| progress.get("fraction")?.as_f64());
    fraction.unwrap_or_default().clamp(0.0, 1.0)
}

/// No further descriptor: all endpoints are known, there is nothing left to poll for.
fn complete(info: FlightInfo) -> PollInfo {
    let mut poll = PollInfo::new().with_info(info);
    poll.progress = Some(1.0);
    poll
}

/// The same rows, of which the first batch is fetched before anybody asks, and whether it is there.
fn watched(
    mut rows: SendableRecordBatchStream,
) -> (SendableRecordBatchStream, watch::Receiver<bool>) {
    let (tell, ready) = watch::channel(false);
    let mut builder = RecordBatchReceiverStreamBuilder::new(rows.schema(), 1);
    let sender = builder.tx();
    builder.spawn(async move {
        while let Some(batch) = rows.next().await {
            let sent = sender.send(batch).await;
            tell.send_replace(true);
            if sent.is_err() {
                break;
            }
        }
        tell.send_replace(true);
        Ok(())
    });
    (builder.build(), ready)
}
