//! A Flight client without manners: it sends what a test made up, and tells what came back.

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::ProstMessageExt;
use arrow_flight::{Action, FlightData, FlightDescriptor, FlightInfo, PollInfo, PutResult, Ticket};
use bytes::Bytes;
use futures::{TryStreamExt, stream};
use prost::Message;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Streaming};

use crate::ClientError;

type Result<T> = std::result::Result<T, ClientError>;

/// One connection that says what it is told. A clone shares it.
#[derive(Debug, Clone)]
pub struct Raw {
    inner: FlightServiceClient<Channel>,
    authorization: Option<AsciiMetadataValue>,
}

impl Raw {
    /// A new connection to `address`, a `host:port`, that shows nothing.
    pub async fn connect(address: &str) -> Result<Self> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"));
        let endpoint = endpoint.map_err(ClientError::unknown)?;
        let channel = endpoint.connect().await.map_err(ClientError::unknown)?;
        Ok(Self {
            inner: FlightServiceClient::new(channel),
            authorization: None,
        })
    }

    /// The same connection, showing a bearer token with every call.
    ///
    /// # Panics
    /// When no header can hold the token.
    #[must_use]
    pub fn bearing(&self, token: &str) -> Self {
        let header = format!("Bearer {token}").parse::<AsciiMetadataValue>();
        Self {
            inner: self.inner.clone(),
            authorization: Some(header.expect("a token is plain ASCII")),
        }
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(header) = &self.authorization {
            let headers = request.metadata_mut();
            headers.insert("authorization", header.clone());
        }
        request
    }

    /// GetFlightInfo.
    pub async fn info(&self, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let request = self.request(descriptor);
        Ok(self
            .inner
            .clone()
            .get_flight_info(request)
            .await?
            .into_inner())
    }

    /// PollFlightInfo.
    pub async fn poll(&self, descriptor: FlightDescriptor) -> Result<PollInfo> {
        let request = self.request(descriptor);
        Ok(self
            .inner
            .clone()
            .poll_flight_info(request)
            .await?
            .into_inner())
    }

    /// GetSchema; the schema as its bytes.
    pub async fn schema(&self, descriptor: FlightDescriptor) -> Result<Bytes> {
        let request = self.request(descriptor);
        let answer = self.inner.clone().get_schema(request).await?;
        Ok(answer.into_inner().schema)
    }

    /// DoGet; the messages as they come.
    pub async fn get(&self, ticket: Ticket) -> Result<Streaming<FlightData>> {
        let request = self.request(ticket);
        Ok(self.inner.clone().do_get(request).await?.into_inner())
    }

    /// DoGet to its end; all messages.
    pub async fn read(&self, ticket: Ticket) -> Result<Vec<FlightData>> {
        let messages = self.get(ticket).await?;
        Ok(messages.try_collect().await?)
    }

    /// DoPut of whole messages, to its end.
    pub async fn put(&self, messages: Vec<FlightData>) -> Result<Vec<PutResult>> {
        let request = self.request(stream::iter(messages));
        let answers = self.inner.clone().do_put(request).await?.into_inner();
        Ok(answers.try_collect().await?)
    }

    /// DoAction; the bodies of the answers.
    pub async fn act(&self, kind: &str, body: impl Into<Bytes>) -> Result<Vec<Bytes>> {
        let request = self.request(Action {
            r#type: kind.to_owned(),
            body: body.into(),
        });
        let answers = self.inner.clone().do_action(request).await?.into_inner();
        Ok(answers.map_ok(|answer| answer.body).try_collect().await?)
    }
}

/// A Flight SQL message in the wrapping that descriptors, tickets and actions have it in.
pub fn packed(message: &impl ProstMessageExt) -> Bytes {
    message.as_any().encode_to_vec().into()
}

/// The descriptor of a Flight SQL command.
pub fn descriptor(command: &impl ProstMessageExt) -> FlightDescriptor {
    FlightDescriptor::new_cmd(packed(command))
}
