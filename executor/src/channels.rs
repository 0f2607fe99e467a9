//! Connections between the processes of a cluster, shared by all queries of a process.

use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use datafusion::common::DataFusionError;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{ChannelResolver, WorkerChannel};
use tonic::transport::{Channel, Endpoint};
use url::Url;
use waterbuck_engine::Error;
use waterbuck_transport::Dialer;

use crate::per_partition::PerPartition;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// A peer that is frozen, not dead, sends no reset: only an unanswered ping tells.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(8);
const WINDOW_BYTES: u32 = 8 * 1024 * 1024;
/// The largest there is: results that nobody reads must not use up what the others need.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;

/// One HTTP/2 connection for each executor this process talks to.
#[derive(Default)]
pub struct ExchangeChannels {
    dialer: Dialer,
    open: DashMap<Url, Channel>,
}

impl ExchangeChannels {
    /// No connection yet; `dialer` opens them.
    pub fn new(dialer: Dialer) -> Self {
        Self {
            dialer,
            open: DashMap::new(),
        }
    }

    /// What opens connections to the other processes of the cluster.
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// The connection to the executor at `url`, opened when there is none.
    ///
    /// # Errors
    /// [`waterbuck_engine::ErrorKind::Unavailable`] when nothing answers there.
    pub async fn channel(&self, url: &Url) -> Result<Channel, Error> {
        if let Some(channel) = self.open.get(url) {
            return Ok(channel.clone());
        }
        let channel = self.dialer.connect(url, tuned).await?;
        self.open.insert(url.clone(), channel.clone());
        Ok(channel)
    }

    /// Forgets the connection to `url`, so that the next use opens a new one.
    pub fn forget(&self, url: &Url) {
        self.open.remove(url);
    }
}

fn tuned(endpoint: Endpoint) -> Endpoint {
    endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .tcp_nodelay(true)
}

#[async_trait]
impl ChannelResolver for ExchangeChannels {
    async fn get_worker_client_for_url(
        &self,
        url: &Url,
    ) -> Result<Box<dyn WorkerChannel>, DataFusionError> {
        let channel = self.channel(url).await?;
        let client = create_worker_client(BoxCloneSyncChannel::new(channel));
        Ok(Box::new(PerPartition(client)))
    }
}
