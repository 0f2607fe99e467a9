//! A Flight server that sends batches from memory: as fast as the protocol goes.

use std::time::Instant;

use arrow::array::RecordBatch;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use async_trait::async_trait;
use datafusion::common::runtime::SpawnedTask;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt, stream};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};
use waterbuck_engine::{Error, Result};

use crate::client::{dial, refused};

/// A running server with a connection to it; dropping it ends both.
pub(super) struct BareServer {
    client: FlightServiceClient<Channel>,
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
        let address = listener.local_addr().map_err(unopened)?;
        let service = FlightServiceServer::new(Batches(batches));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let serving = SpawnedTask::spawn(async move {
            let served = Server::builder()
                .add_service(service)
                .serve_with_incoming(incoming)
                .await;
            if let Err(error) = served {
                tracing::warn!(%error, "the bare server ended");
            }
        });
        let client = dial(&address.to_string()).await?;
        Ok(Self {
            client,
            _serving: serving,
        })
    }

    /// Seconds to fetch everything, which must be `rows` rows.
    pub(super) async fn time(&self, rows: u64) -> Result<f64> {
        let start = Instant::now();
        let mut client = self.client.clone();
        let data = client
            .do_get(Ticket::new("all"))
            .await
            .map_err(|s| refused(s.into()))?;
        let data = data.into_inner().map_err(FlightError::from);
        let mut stream = FlightRecordBatchStream::new_from_flight_data(data);
        let mut received = 0;
        while let Some(batch) = stream.try_next().await.map_err(refused)? {
            received += batch.num_rows() as u64;
        }
        if received != rows {
            return Err(Error::internal(format!(
                "the bare server sent {received} rows of {rows}"
            )));
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

struct Batches(Vec<RecordBatch>);

type Answer<T> = Result<Response<T>, Status>;

fn not_served<T>() -> Answer<T> {
    Err(Status::unimplemented("this server only sends its batches"))
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

    async fn do_get(&self, _ticket: Request<Ticket>) -> Answer<Self::DoGetStream> {
        // A copied batch shares its buffers.
        let batches = stream::iter(self.0.clone()).map(Ok);
        let data = FlightDataEncoderBuilder::new()
            .build(batches)
            .map_err(Status::from);
        Ok(Response::new(data.boxed()))
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

    async fn do_put(&self, _request: Request<Streaming<FlightData>>) -> Answer<Self::DoPutStream> {
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
