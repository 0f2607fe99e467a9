//! DoAction: prepared statements, cancelling, session options.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest,
    ActionCreatePreparedStatementRequest, Any, Command, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus,
    FlightEndpoint, FlightInfo, RenewFlightEndpointRequest,
};
use bytes::Bytes;
use prost::Message;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tracing::debug;
use uuid::Uuid;
use waterbuck_engine::ticket::is_ticket;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::client::ClientGuard;
use super::door::Shared;
use super::messages::{
    CloseSessionResult, CloseStatus, GetSessionOptionsResult, OptionError, OptionErrorKind,
    PreparedStatementResult, SetSessionOptionsRequest, SetSessionOptionsResult, body,
};
use super::peer::Peer;
use super::statement::no_transaction;
use super::status::{malformed, status, unsupported};
use super::wire::{encode_schema, parameter_schema};

/// The actions that are served, with what they take and give.
const SERVED: [(&str, &str); 10] = [
    (
        "CreatePreparedStatement",
        "plans a statement and keeps it in the session",
    ),
    ("ClosePreparedStatement", "forgets a planned statement"),
    ("CancelFlightInfo", "stops the query of a FlightInfo"),
    (
        "CancelQuery",
        "stops the query of a FlightInfo, for older clients",
    ),
    (
        "GetSessionOptions",
        "reads the session's settings, \"catalog\" and \"schema\" among them",
    ),
    ("SetSessionOptions", "changes settings of the session"),
    ("CloseSession", "ends the session and stops its queries"),
    (
        "RenewFlightEndpoint",
        "lets a result wait to be fetched as long as a new one; it is read once all the same",
    ),
    (
        "waterbuck.progress",
        "takes a query's id as text and tells as JSON how far it is",
    ),
    (
        "waterbuck.cancel",
        "takes a query's id as text, stops it and tells whether it ran, as JSON",
    ),
];

/// What ListActions answers.
pub(super) fn served() -> Vec<ActionType> {
    SERVED
        .into_iter()
        .map(|(name, description)| ActionType {
            r#type: name.to_owned(),
            description: description.to_owned(),
        })
        .collect()
}

impl Shared {
    /// Serves one action and gives the bodies of its results.
    pub(super) async fn act(
        &self,
        headers: &MetadataMap,
        action: Action,
        peer: &Peer,
        is_member: bool,
    ) -> Result<Vec<Bytes>, Status> {
        let Action {
            r#type: kind,
            body: bytes,
        } = action;
        if !SERVED.iter().any(|(name, _)| *name == kind)
            && let Some(answer) = self
                .backend
                .handle_action(&kind, Bytes::clone(&bytes), is_member)
                .await
        {
            return answer.map_err(|error| status(&error));
        }
        let client = self.logins.client(headers, peer).await?;
        match kind.as_str() {
            "CreatePreparedStatement" => self.create_prepared(&client, &bytes).await,
            "ClosePreparedStatement" => {
                let request: ActionClosePreparedStatementRequest = body(&bytes, &kind)?;
                client.close_prepared(&request.prepared_statement_handle);
                Ok(Vec::new())
            }
            "CancelFlightInfo" => self.cancel_flight_info(&client, &bytes).await,
            "CancelQuery" => self.cancel_query(&client, &bytes).await,
            "GetSessionOptions" => Ok(vec![get_options(&client)]),
            "SetSessionOptions" => set_options(&client, body(&bytes, &kind)?).await,
            "CloseSession" => {
                self.results.drop_session(client.session().id());
                self.logins.close(&client).await;
                let closed = CloseSessionResult {
                    status: CloseStatus::Closed as i32,
                };
                Ok(vec![closed.encode_to_vec().into()])
            }
            "RenewFlightEndpoint" => self.renew(&client, &bytes),
            "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => Err(
                unsupported("transactions are not served: each statement commits by itself"),
            ),
            "CreatePreparedSubstraitPlan" => {
                Err(unsupported("Substrait plans are not served: send SQL"))
            }
            "waterbuck.progress" => progress(&client, query_id(&bytes)?),
            "waterbuck.cancel" => {
                let cancelled = self.cancel(&client, query_id(&bytes)?).await?;
                Ok(vec![
                    serde_json::json!({ "cancelled": cancelled })
                        .to_string()
                        .into(),
                ])
            }
            other => Err(unsupported(format!("the action \"{other}\" is not served"))),
        }
    }

    async fn create_prepared(
        &self,
        client: &ClientGuard,
        bytes: &Bytes,
    ) -> Result<Vec<Bytes>, Status> {
        let request: ActionCreatePreparedStatementRequest = body(bytes, "CreatePreparedStatement")?;
        no_transaction(request.transaction_id.as_ref())?;
        let prepared = client
            .session()
            .prepare(&request.query)
            .await
            .map_err(|error| status(&error))?;
        let unencodable = |error| {
            status(&Error::internal("the statement cannot be described").with_source(error))
        };
        // Drivers take a statement without columns for an update, and only such a one.
        let dataset_schema = match &prepared.dataset_schema {
            Some(schema) if !prepared.is_update => {
                let schema = client.delivery().schema(Arc::clone(schema));
                encode_schema(&schema).map_err(unencodable)?
            }
            _ => Bytes::new(),
        };
        let parameters = parameter_schema(&prepared.parameter_schema);
        let parameter_schema = encode_schema(&parameters).map_err(unencodable)?;
        let is_update = Some(prepared.is_update);
        let handle = client
            .keep_prepared(prepared, self.config.prepared_max)
            .map_err(|error| status(&error))?;
        let result = PreparedStatementResult {
            handle,
            dataset_schema,
            parameter_schema,
            is_update,
        };
        Ok(vec![result.into_any().encode_to_vec().into()])
    }

    async fn cancel_flight_info(
        &self,
        client: &ClientGuard,
        bytes: &Bytes,
    ) -> Result<Vec<Bytes>, Status> {
        let request: CancelFlightInfoRequest = body(bytes, "CancelFlightInfoRequest")?;
        let info = request
            .info
            .ok_or_else(|| malformed("the request names no query"))?;
        let status = self.cancel_info(client, &info).await?;
        let result = CancelFlightInfoResult {
            status: status as i32,
        };
        Ok(vec![result.encode_to_vec().into()])
    }

    async fn cancel_query(
        &self,
        client: &ClientGuard,
        bytes: &Bytes,
    ) -> Result<Vec<Bytes>, Status> {
        let request: ActionCancelQueryRequest = body(bytes, "ActionCancelQueryRequest")?;
        let info = FlightInfo::decode(request.info)
            .map_err(|_error| malformed("the request names no query"))?;
        let status = self.cancel_info(client, &info).await?;
        // The two enumerations have the same numbers.
        let result = ActionCancelQueryResult {
            result: status as i32,
        };
        Ok(vec![result.as_any().encode_to_vec().into()])
    }

    async fn cancel_info(
        &self,
        client: &ClientGuard,
        info: &FlightInfo,
    ) -> Result<CancelStatus, Status> {
        let named = query_id(&info.app_metadata).ok();
        let query = named.or_else(|| self.query_of_ticket(client, info));
        let query = query.ok_or_else(|| unknown_query("described"))?;
        if self.cancel(client, query).await? {
            return Ok(CancelStatus::Cancelled);
        }
        Err(unknown_query(&format!("\"{query}\"")))
    }

    fn query_of_ticket(&self, client: &ClientGuard, info: &FlightInfo) -> Option<Uuid> {
        let handle = handle_of(info.endpoint.first()?)?;
        self.results.query_of(&handle, client.session().user())
    }

    /// Lets a result wait on. The endpoint has no time of expiry, which would promise that its
    /// ticket can be used more than once.
    fn renew(&self, client: &ClientGuard, bytes: &Bytes) -> Result<Vec<Bytes>, Status> {
        let request: RenewFlightEndpointRequest = body(bytes, "RenewFlightEndpointRequest")?;
        let endpoint = request.endpoint.unwrap_or_default();
        let handle = handle_of(&endpoint)
            .ok_or_else(|| malformed("the request names no endpoint of a result"))?;
        if is_ticket(&handle) {
            return Err(unsupported(
                "rows that an executor gives out are not kept longer: read them now, or run the \
                 query again",
            ));
        }
        self.waiting(client, &handle)?;
        Ok(vec![endpoint.encode_to_vec().into()])
    }

    /// Stops a query, whether its rows are being read or were not asked for yet.
    async fn cancel(&self, client: &ClientGuard, query: Uuid) -> Result<bool, Status> {
        let session = client.session();
        let stopped = session
            .cancel(query)
            .await
            .map_err(|error| status(&error))?;
        let dropped = self.results.drop_query(query, session.user());
        Ok(stopped || dropped)
    }
}

/// The handle of the result behind an endpoint.
fn handle_of(endpoint: &FlightEndpoint) -> Option<Bytes> {
    let ticket = endpoint.ticket.as_ref()?;
    let any = Any::decode(&*ticket.ticket).ok()?;
    match Command::try_from(any) {
        Ok(Command::TicketStatementQuery(ticket)) => Some(ticket.statement_handle),
        _ => None,
    }
}

fn progress(client: &ClientGuard, query: Uuid) -> Result<Vec<Bytes>, Status> {
    let progress = client.session().progress(query);
    let progress = progress.ok_or_else(|| unknown_query(&format!("\"{query}\"")))?;
    Ok(vec![progress.to_string().into()])
}

fn get_options(client: &ClientGuard) -> Bytes {
    let options = client.session().options();
    let session_options = options
        .into_iter()
        .chain(client.delivery().list())
        .map(|(name, value)| (name, value.into()))
        .collect();
    GetSessionOptionsResult { session_options }
        .encode_to_vec()
        .into()
}

async fn set_options(
    client: &ClientGuard,
    request: SetSessionOptionsRequest,
) -> Result<Vec<Bytes>, Status> {
    let session = client.session();
    let mut options: Vec<_> = request.session_options.into_iter().collect();
    // A schema is looked up in the catalog, so the catalog comes first.
    options.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut errors = HashMap::new();
    for (name, value) in options {
        let value = value.into_value();
        let set = match client.set_delivery(&name, value.as_ref()) {
            Some(set) => set,
            None => session.set_option(&name, value).await,
        };
        if let Err(error) = set {
            debug!(session = %session.id(), option = %name, %error, "option not set");
            let kind = match error.kind() {
                ErrorKind::NotFound => OptionErrorKind::InvalidName,
                ErrorKind::InvalidQuery | ErrorKind::Data => OptionErrorKind::InvalidValue,
                _ => OptionErrorKind::Error,
            };
            errors.insert(name, OptionError { value: kind as i32 });
        }
    }
    Ok(vec![
        SetSessionOptionsResult { errors }.encode_to_vec().into(),
    ])
}

fn query_id(bytes: &[u8]) -> Result<Uuid, Status> {
    let text = str::from_utf8(bytes).ok().map(str::trim);
    text.and_then(|text| Uuid::try_parse(text).ok())
        .ok_or_else(|| malformed("a query is named by its id, as text"))
}

fn unknown_query(name: &str) -> Status {
    status(&Error::not_found(format!(
        "the query {name} is not running"
    )))
}
