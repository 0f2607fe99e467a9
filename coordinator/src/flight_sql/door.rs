//! The Flight service itself: each call is told apart here and answered in a module of its own.
//!
//! The service is implemented by hand and not through `arrow-flight`'s `FlightSqlService`, which
//! cannot serve PollFlightInfo, GetSchema, the session actions or the cancelling of results.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, BasicAuth, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo,
    HandshakeRequest, HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use datafusion::common::runtime::SpawnedTask;
use futures::future::FutureExt;
use futures::stream::{self, BoxStream, StreamExt};
use prost::Message;
use tokio::net::TcpListener;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};
use tracing::error;
use waterbuck_engine::cluster_access::ClusterMember;
use waterbuck_engine::{Error, Result};
use waterbuck_results::deadline::deadline_of;

use super::backend::Backend;
use super::client::ClientGuard;
use super::config::FlightConfig;
use super::delivery::Delivery;
use super::login::Logins;
use super::peer::Peer;
use super::results::Results;
use super::sql_info::ServerInfo;
use super::status::{malformed, status, unsupported};
use super::type_info::TypeInfo;
use super::whole_body::WholeRequests;

/// How long a client may take to send its credentials.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A peer that does not answer a ping within this time has gone, and its queries with it.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The Flight SQL service for a tonic server. Must be called within a Tokio runtime.
pub fn service(
    backend: Arc<dyn Backend>,
    config: FlightConfig,
) -> Result<WholeRequests<FlightServiceServer<impl FlightService>>> {
    let message_bytes_max = config.message_bytes_max;
    let door = Door::open(backend, config)?;
    let door = FlightServiceServer::new(door).max_decoding_message_size(message_bytes_max);
    Ok(WholeRequests {
        service: door,
        message_bytes_max,
    })
}

/// The connections of `listener`, to be served by [`transport`]. Small answers leave at once:
/// tonic's own setting for it does not reach connections that are handed to it.
pub fn incoming(listener: TcpListener) -> TcpIncoming {
    TcpIncoming::from(listener)
        .with_nodelay(Some(true))
        .with_keepalive(Some(Duration::from_secs(60)))
}

/// A tonic server with the transport settings the service relies on: pings find dead peers, so
/// that their queries stop.
pub fn transport() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(10)))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .initial_stream_window_size(8 << 20)
        .initial_connection_window_size(32 << 20)
}

/// What all calls share.
pub(super) struct Shared {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) config: FlightConfig,
    pub(super) logins: Logins,
    pub(super) results: Results,
    pub(super) server_info: ServerInfo,
    pub(super) type_info: TypeInfo,
}

struct Door {
    shared: Arc<Shared>,
    _sweeper: SpawnedTask<()>,
}

impl Door {
    fn open(backend: Arc<dyn Backend>, config: FlightConfig) -> Result<Self> {
        let unbuilt = |e| Error::internal("the Flight SQL service cannot start").with_source(e);
        let shared = Arc::new(Shared {
            logins: Logins::new(
                Arc::clone(&backend),
                config.sessions_max,
                config.session_idle,
            ),
            results: Results::new(config.results_max, config.result_expiry),
            server_info: ServerInfo::new(&config.server_version).map_err(unbuilt)?,
            type_info: TypeInfo::new().map_err(unbuilt)?,
            backend,
            config,
        });
        let sweeper = SpawnedTask::spawn(sweep(Arc::downgrade(&shared)));
        Ok(Self {
            shared,
            _sweeper: sweeper,
        })
    }

    async fn client(&self, headers: &MetadataMap, peer: &Peer) -> Result<ClientGuard, Status> {
        self.shared.logins.client(headers, peer).await
    }
}

/// Ends idle sessions and results that nobody fetches, until the service is dropped.
async fn sweep(shared: Weak<Shared>) {
    let period = match shared.upgrade() {
        Some(shared) => shared.config.result_expiry.min(shared.config.session_idle) / 4,
        None => return,
    };
    let mut ticks = interval(period.clamp(Duration::from_millis(20), Duration::from_secs(5)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else {
            return;
        };
        shared.results.expire();
        for session in shared.logins.expire().await {
            shared.results.drop_session(session.id());
        }
    }
}

#[tonic::async_trait]
impl FlightService for Door {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoActionStream = BoxStream<'static, Result<arrow_flight::Result, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;

    async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        guarded(async {
            let peer = Peer::of(&request);
            let (headers, _, mut messages) = request.into_parts();
            let payload = match headers.contains_key("authorization") {
                true => None,
                false => basic_payload(&mut messages).await?,
            };
            let token = self
                .shared
                .logins
                .handshake(&headers, payload, &peer)
                .await?;
            let answer = HandshakeResponse {
                protocol_version: 0,
                payload: token.clone().into(),
            };
            let mut response = Response::new(stream::iter([Ok(answer)]).boxed());
            let header: AsciiMetadataValue = format!("Bearer {token}")
                .parse()
                .map_err(|_invalid| status(&Error::internal("the token is no header value")))?;
            response.metadata_mut().insert("authorization", header);
            Ok(response)
        })
        .await
    }

    async fn list_flights(
        &self,
        request: Request<Criteria>,
    ) -> Result<Response<Self::ListFlightsStream>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let flights = self.shared.flights(&client, &request.into_inner())?;
            Ok(Response::new(
                stream::iter(flights.into_iter().map(Ok)).boxed(),
            ))
        })
        .await
    }

    async fn get_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let delivery = delivery_of(&client, request.metadata())?;
            let info = self
                .shared
                .flight_info(&client, request.into_inner(), delivery)
                .await?;
            Ok(Response::new(info))
        })
        .await
    }

    async fn poll_flight_info(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<PollInfo>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let delivery = delivery_of(&client, request.metadata())?;
            let descriptor = request.into_inner();
            let poll = self.shared.poll(&client, descriptor, delivery).await?;
            Ok(Response::new(poll))
        })
        .await
    }

    async fn get_schema(
        &self,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<SchemaResult>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let schema = self.shared.schema(&client, &request.into_inner()).await?;
            Ok(Response::new(SchemaResult { schema }))
        })
        .await
    }

    async fn do_get(
        &self,
        request: Request<Ticket>,
    ) -> Result<Response<Self::DoGetStream>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let delivery = delivery_of(&client, request.metadata())?;
            let deadline = deadline_of(request.metadata());
            self.shared
                .get(client, &request.into_inner(), (delivery, deadline))
                .await
        })
        .await
    }

    async fn do_put(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoPutStream>, Status> {
        guarded(async {
            let client = self.client(request.metadata(), &Peer::of(&request)).await?;
            let result = self.shared.put(&client, request.into_inner()).await?;
            Ok(Response::new(stream::iter([Ok(result)]).boxed()))
        })
        .await
    }

    async fn do_exchange(
        &self,
        request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        let _client = self.client(request.metadata(), &Peer::of(&request)).await?;
        Err(unsupported("DoExchange is not a call of Flight SQL"))
    }

    async fn do_action(
        &self,
        request: Request<Action>,
    ) -> Result<Response<Self::DoActionStream>, Status> {
        guarded(async {
            let peer = Peer::of(&request);
            let is_member = request.extensions().get::<ClusterMember>().is_some();
            let (headers, _, action) = request.into_parts();
            let acted = self.shared.act(&headers, action, &peer, is_member);
            let bodies = acted.await?;
            let results = bodies
                .into_iter()
                .map(|body| Ok(arrow_flight::Result { body }));
            Ok(Response::new(
                stream::iter(results.collect::<Vec<_>>()).boxed(),
            ))
        })
        .await
    }

    async fn list_actions(
        &self,
        request: Request<Empty>,
    ) -> Result<Response<Self::ListActionsStream>, Status> {
        let _client = self.client(request.metadata(), &Peer::of(&request)).await?;
        let actions = super::actions::served().into_iter().map(Ok);
        Ok(Response::new(
            stream::iter(actions.collect::<Vec<_>>()).boxed(),
        ))
    }
}

/// Keeps a panic from taking the whole connection down, and its text from reaching the client.
async fn guarded<T>(call: impl Future<Output = Result<T, Status>> + Send) -> Result<T, Status> {
    AssertUnwindSafe(call)
        .catch_unwind()
        .await
        .unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("no text");
            error!(panic = text, "a Flight SQL call panicked");
            Err(status(&Error::internal("the call failed unexpectedly")))
        })
}

/// User and password from the first message, where older clients put them.
async fn basic_payload(
    messages: &mut Streaming<HandshakeRequest>,
) -> Result<Option<(String, String)>, Status> {
    let first = timeout(HANDSHAKE_TIMEOUT, messages.message())
        .await
        .map_err(|_elapsed| Status::deadline_exceeded("the handshake sent no credentials"))??;
    let Some(first) = first.filter(|first| !first.payload.is_empty()) else {
        return Ok(None);
    };
    let auth = BasicAuth::decode(first.payload)
        .map_err(|_error| malformed("the payload of the handshake is not user and password"))?;
    Ok(Some((auth.username, auth.password)))
}

/// How the client wants its results: what it has set, and what the headers of this call say.
fn delivery_of(client: &ClientGuard, headers: &MetadataMap) -> Result<Delivery, Status> {
    let delivery = client.delivery().with_headers(headers);
    delivery.map_err(|error| status(&error))
}
