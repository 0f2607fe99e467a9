//! Connections to Flight servers.

use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use waterbuck_engine::{Error, Result};

/// What a connection may hold of one stream that nobody has read yet; of all together, twice that.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 8 << 20;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const MESSAGE_BYTES_MAX: usize = 1 << 30;
/// The location that stands for the connection a result was described over.
const SAME_CONNECTION: &str = "arrow-flight-reuse-connection:";

/// Where a Flight server listens, and how it is spoken to.
#[derive(Debug, Clone)]
pub(crate) struct FlightAddress {
    /// `host:port`.
    pub(crate) place: String,
    /// What is trusted, where TLS is spoken.
    pub(crate) tls: Option<ClientTlsConfig>,
}

impl FlightAddress {
    /// Opens a connection with windows that suit large results.
    ///
    /// # Errors
    /// When nobody answers, or not in TLS where it is spoken.
    pub(crate) async fn dial(&self) -> Result<FlightServiceClient<Channel>> {
        let unreachable = |error: tonic::transport::Error| {
            Error::unavailable(format!("\"{}\" cannot be reached", self.place)).with_source(error)
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let mut endpoint = Endpoint::from_shared(format!("{scheme}://{}", self.place))
            .map_err(unreachable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(2 * STREAM_WINDOW_BYTES);
        if let Some(tls) = &self.tls {
            endpoint = endpoint.tls_config(tls.clone()).map_err(unreachable)?;
        }
        let channel = endpoint.connect().await.map_err(unreachable)?;
        Ok(FlightServiceClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// The address that a location of a result names, `None` where that is the connection there is.
    ///
    /// # Errors
    /// When it names a protocol that is not spoken.
    pub(crate) fn at(&self, location: &str) -> Result<Option<Self>> {
        if location.is_empty() || location.starts_with(SAME_CONNECTION) {
            return Ok(None);
        }
        let (tls, place) = match location.split_once("://") {
            Some(("grpc" | "grpc+tcp", place)) => (None, place),
            Some(("grpc+tls", place)) if self.tls.is_some() => (self.tls.clone(), place),
            _ => {
                return Err(Error::data(format!(
                    "\"{}\" names \"{location}\" as the place of a result, which this session \
                     cannot connect to",
                    self.place
                )));
            }
        };
        Ok(Some(Self {
            place: place.trim_end_matches('/').to_owned(),
            tls,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_read_where_its_location_says() {
        let plain = FlightAddress {
            place: "front:1".to_owned(),
            tls: None,
        };
        for same in ["", "arrow-flight-reuse-connection://?"] {
            assert!(plain.at(same).unwrap().is_none(), "{same}");
        }
        for other in ["grpc://data:2", "grpc+tcp://data:2/"] {
            let address = plain.at(other).unwrap().unwrap();
            assert_eq!(address.place, "data:2");
            assert!(address.tls.is_none());
        }
        let secure = FlightAddress {
            tls: Some(ClientTlsConfig::new()),
            ..plain.clone()
        };
        let address = secure.at("grpc+tls://data:2").unwrap().unwrap();
        assert!(address.tls.is_some());
        for strange in ["grpc+tls://data:2", "s3://data/2", "data:2"] {
            let error = plain.at(strange).unwrap_err().to_string();
            assert!(error.contains(strange), "{error}");
        }
    }
}
