//! A server on a free port and clients of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::sql::{Any, ProstMessageExt};
use arrow_flight::{Action, FlightDescriptor, FlightInfo};
use bytes::Bytes;
use datafusion::common::runtime::SpawnedTask;
use futures::TryStreamExt;
use prost::Message;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use super::super::{FlightConfig, incoming, service, transport};
use super::fake::{FakeBackend, Probe, describe};

pub(super) type Client = FlightSqlServiceClient<Channel>;

pub(super) struct TestServer {
    address: SocketAddr,
    pub(super) probe: Arc<Probe>,
    _task: SpawnedTask<()>,
}

impl TestServer {
    pub(super) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(change: impl FnOnce(&mut FlightConfig)) -> Self {
        let backend = Arc::new(FakeBackend::new());
        let probe = Arc::clone(&backend.probe);
        let mut config = FlightConfig::new(describe);
        change(&mut config);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = service(backend, config).unwrap();
        let task = SpawnedTask::spawn(async move {
            let served = transport()
                .add_service(service)
                .serve_with_incoming(incoming(listener));
            served.await.unwrap();
        });
        Self {
            address,
            probe,
            _task: task,
        }
    }

    /// A new connection without a login.
    pub(super) async fn channel(&self) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address)).unwrap();
        endpoint.connect().await.unwrap()
    }

    /// A new connection without a login.
    pub(super) async fn stranger(&self) -> Client {
        FlightSqlServiceClient::new(self.channel().await)
    }

    /// A new connection of `user`, logged in.
    pub(super) async fn user(&self, user: &str) -> Client {
        let mut client = self.stranger().await;
        client.handshake(user, "secret").await.unwrap();
        client
    }

    /// A new connection, logged in.
    pub(super) async fn client(&self) -> Client {
        self.user("ada").await
    }
}

/// Waits until a number has the value.
pub(super) async fn reaches(number: &watch::Sender<usize>, value: usize) {
    let mut number = number.subscribe();
    let waited = tokio::time::timeout(Duration::from_secs(10), number.wait_for(|n| *n == value));
    assert!(waited.await.is_ok(), "did not reach {value}");
}

/// Fetches all rows of the first endpoint.
pub(super) async fn fetch(client: &mut Client, info: &FlightInfo) -> Vec<RecordBatch> {
    let ticket = info.endpoint[0].ticket.clone().unwrap();
    client
        .do_get(ticket)
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap()
}

/// Runs a query and fetches its rows.
pub(super) async fn query(client: &mut Client, sql: &str) -> Vec<RecordBatch> {
    let info = client.execute(sql.to_owned(), None).await.unwrap();
    fetch(client, &info).await
}

/// Runs an action.
pub(super) async fn act(
    client: &mut Client,
    kind: &str,
    body: impl Into<Bytes>,
) -> Result<Vec<Bytes>, Status> {
    let action = Action {
        r#type: kind.to_owned(),
        body: body.into(),
    };
    let results = client.do_action(action).await.map_err(Status::from)?;
    results.map_ok(|result| result.body).try_collect().await
}

/// A descriptor of a packed command.
pub(super) fn descriptor(command: &impl ProstMessageExt) -> FlightDescriptor {
    FlightDescriptor::new_cmd(Any::pack(command).unwrap().encode_to_vec())
}
