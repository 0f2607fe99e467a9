//! A Flight server that sends batches from memory and throws away those it is sent: as fast as the
//! protocol goes.

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::{DoPutUpdateResult, ProstMessageExt};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use waterbuck_engine::{Error, Result};

use super::numbers::Tally;
use crate::client::{Client, Layout, Source};
use crate::connection::{FlightAddress, STREAM_WINDOW_BYTES};

/// A running server with the connections it is read over; dropping it ends them all.
pub(super) struct BareServer {
    address: FlightAddress,
    clients: Vec<Client>,
    _serving: SpawnedTask<()>,
}

impl BareServer {
    /// Serves these batches on a free port.
    pub(super) async fn start(batches: Vec<RecordBatch>) -> Result<Self> {
        let unopened =
            |error: std::io::Error| Error::unavailable("no port can be opened").with_source(error);
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(unopened)?;
        let place = listener.local_addr().map_err(unopened)?.to_string();
        let service = FlightServiceServer::new(Batches(batches));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = SpawnedTask::spawn(async move {
            let served = Server::builder()
                .initial_stream_window_size(STREAM_WINDOW_BYTES)
                .initial_connection_window_size(2 * STREAM_WINDOW_BYTES)
                .add_service(service)
                .serve_with_incoming(incoming)
                .await;
            if let Err(error) = served {
                tracing::warn!(%error, "the bare server ended");
            }
        });
        Ok(Self {
            address: FlightAddress { place, tls: None },
            clients: vec![],
            _serving: serving,
        })
    }

    /// A connection of the caller's own.
    pub(super) async fn client(&self) -> Result<Client> {
        Client::anonymous(&self.address).await
    }

    /// Seconds to fetch everything, dealt out like that, which must be the first `rows` numbers.
    pub(super) async fn time(&mut self, layout: Layout, rows: u64) -> Result<f64> {
        while self.clients.len() < layout.connections {
            let client = self.client().await?;
            self.clients.push(client);
        }
        let start = Instant::now();
        let sources = (0..layout.streams).map(|number| self.source(number, layout));
        Tally::read(sources.collect()).await?.check(rows)?;
        Ok(start.elapsed().as_secs_f64())
    }

    fn source(&self, number: usize, layout: Layout) -> Source {
        let ticket = Ticket::new(format!("{number}/{}", layout.streams));
        self.clients[number % layout.connections].source(ticket)
    }
}

struct Batches(Vec<RecordBatch>);

impl Batches {
    /// The share of a stream: a ticket `0/2` is the first of two.
    fn share(&self, ticket: &[u8]) -> Option<Vec<RecordBatch>> {
        let (number, streams) = std::str::from_utf8(ticket).ok()?.split_once('/')?;
        let number = number.parse::<usize>().ok()?;
        let streams = streams.parse::<usize>().ok()?;
        // A copied batch shares its buffers.
        let share = self.0.iter().skip(number).step_by(streams.max(1));
        Some(share.cloned().collect())
    }
}

type Answer<T> = Result<Response<T>, Status>;

fn not_served<T>() -> Answer<T> {
    Err(Status::unimplemented(
        "this server sends and takes batches, no more",
    ))
}

#[async_trait]
impl FlightService for Batches {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn do_get(&self, ticket: Request<Ticket>) -> Answer<Self::DoGetStream> {
        let share = self.share(&ticket.get_ref().ticket);
        let share = share.ok_or_else(|| Status::invalid_argument("the ticket names no share"))?;
        let data = FlightDataEncoderBuilder::new()
            .build(stream::iter(share).map(Ok))
            .map_err(Status::from);
        Ok(Response::new(data.boxed()))
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
        let data = request.into_inner().map_err(FlightError::from);
        let mut batches = FlightRecordBatchStream::new_from_flight_data(data);
        let mut rows = 0;
        while let Some(batch) = batches.try_next().await.map_err(Status::from)? {
            rows += batch.num_rows() as i64;
        }
        let counted = DoPutUpdateResult { record_count: rows };
        // An answer is sent as it is, without what a command is packed into.
        let app_metadata = counted.as_any().value;
        let answer = stream::iter([Ok::<_, Status>(PutResult { app_metadata })]);
        Ok(Response::new(answer.boxed()))
    }

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Answer<Self::HandshakeStream> {
        not_served()
    }

    async fn list_flights(&self, _request: Request<Criteria>) -> Answer<Self::ListFlightsStream> {
        not_served()
    }

    async fn get_flight_info(&self, _request: Request<FlightDescriptor>) -> Answer<FlightInfo> {
        not_served()
    }

    async fn poll_flight_info(&self, _request: Request<FlightDescriptor>) -> Answer<PollInfo> {
        not_served()
    }

    async fn get_schema(&self, _request: Request<FlightDescriptor>) -> Answer<SchemaResult> {
        not_served()
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Answer<Self::DoExchangeStream> {
        not_served()
    }

    async fn do_action(&self, _request: Request<Action>) -> Answer<Self::DoActionStream> {
        not_served()
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Answer<Self::ListActionsStream> {
        not_served()
    }
}

#[cfg(test)]
mod tests {
    use arrow_flight::FlightEndpoint;

    use super::*;
    use crate::suite::numbers::batches;

    #[tokio::test]
    async fn a_result_is_read_at_the_places_that_its_endpoints_name() {
        let here = BareServer::start(batches(0..500, 100).unwrap());
        let there = BareServer::start(batches(500..1000, 100).unwrap());
        let (here, there) = (here.await.unwrap(), there.await.unwrap());
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new("0/1"));
        let location = format!("grpc://{}", there.address.place);
        let info = FlightInfo::new()
            .with_endpoint(endpoint.clone())
            .with_endpoint(endpoint.with_location(location));
        let mut client = here.client().await.unwrap();
        let (sources, layout) = client.locate(info).await.unwrap();
        assert_eq!((layout.streams, layout.connections), (2, 2));
        Tally::read(sources).await.unwrap().check(1000).unwrap();
    }
}
