//! Who is calling: from the authorization header to a logged-in client.
//!
//! A handshake with user and password gives a bearer token. A client that sends user and password
//! with every call, without a handshake, gets one session for each of its connections: passwords
//! are checked by a slow hash, and prepared statements belong to a session.
//!
//! Tokens live in this process only. They die after an idle time, when the client closes its
//! session and when the backend says that the session is over.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tracing::{debug, info};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::backend::{Backend, FlightSession};
use super::client::{Client, ClientGuard};
use super::status::status;
use super::token::random_token;

/// Sessions of clients that never shook hands are cheap to open again and are never closed by
/// their clients.
const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(10 * 60);

/// The logged-in clients.
pub(super) struct Logins {
    backend: Arc<dyn Backend>,
    sessions_max: usize,
    idle_max: Duration,
    by_token: DashMap<String, Arc<Client>>,
    by_connection: DashMap<ConnectionKey, String>,
    secrets: [RandomState; 2],
}

/// A connection and the credentials sent over it. The password is not kept, only a keyed hash of
/// 128 bits, whose key never leaves the process.
#[derive(PartialEq, Eq, Hash, Clone)]
struct ConnectionKey {
    peer: String,
    credentials: [u64; 2],
}

/// What an authorization header says.
enum Credentials<'a> {
    Basic {
        user: String,
        password: String,
        header: &'a str,
    },
    Bearer(&'a str),
}

impl Logins {
    pub(super) fn new(backend: Arc<dyn Backend>, sessions_max: usize, idle_max: Duration) -> Self {
        Self {
            backend,
            sessions_max,
            idle_max,
            by_token: DashMap::new(),
            by_connection: DashMap::new(),
            secrets: [RandomState::new(), RandomState::new()],
        }
    }

    /// The client that calls; logged in if it sends user and password.
    pub(super) async fn client(
        &self,
        headers: &MetadataMap,
        peer: &str,
    ) -> Result<ClientGuard, Status> {
        match credentials(headers).map_err(|e| status(&e))? {
            Some(Credentials::Bearer(token)) => self.by_token(token),
            Some(Credentials::Basic {
                user,
                password,
                header,
            }) => self.by_connection(&user, &password, header, peer).await,
            None => Err(status(&unauthenticated(
                "this call needs a login: send user and password in a handshake first",
            ))),
        }
    }

    /// Logs a client in and gives its token.
    pub(super) async fn handshake(
        &self,
        headers: &MetadataMap,
        payload: Option<(String, String)>,
        peer: &str,
    ) -> Result<String, Status> {
        let (user, password) = match credentials(headers).map_err(|e| status(&e))? {
            Some(Credentials::Basic { user, password, .. }) => (user, password),
            Some(Credentials::Bearer(token)) => {
                drop(self.by_token(token)?);
                return Ok(token.to_owned());
            }
            None => payload.ok_or_else(|| {
                status(&unauthenticated(
                    "the handshake carries no user and password",
                ))
            })?,
        };
        let (token, _client) = self.log_in(&user, &password, peer, self.idle_max).await?;
        Ok(token)
    }

    /// Ends the session of a client.
    pub(super) async fn close(&self, client: &Client) {
        let id = client.session().id();
        self.by_token.retain(|_, other| other.session().id() != id);
        client.session().close().await;
        debug!(session = %id, "session closed by its client");
    }

    /// Ends the sessions of which nothing was heard; returns them.
    pub(super) async fn expire(&self) -> Vec<Arc<dyn FlightSession>> {
        let mut expired = Vec::new();
        self.by_token.retain(|_, client| {
            let over = client.is_idle() || !client.session().is_open();
            if over {
                expired.push(Arc::clone(client.session()));
            }
            !over
        });
        self.by_connection
            .retain(|_, token| self.by_token.contains_key(token));
        for session in &expired {
            session.close().await;
            info!(session = %session.id(), user = session.user(), "idle session ended");
        }
        expired
    }

    fn by_token(&self, token: &str) -> Result<ClientGuard, Status> {
        // Entering under the map's lock keeps the session from expiring in between.
        let guard = self.by_token.get(token).map(|client| client.enter());
        guard
            .filter(|client| client.session().is_open())
            .ok_or_else(|| {
                status(&unauthenticated(
                    "the token is unknown or has expired: log in again",
                ))
            })
    }

    async fn by_connection(
        &self,
        user: &str,
        password: &str,
        header: &str,
        peer: &str,
    ) -> Result<ClientGuard, Status> {
        let key = ConnectionKey {
            peer: peer.to_owned(),
            credentials: [
                self.secrets[0].hash_one(header),
                self.secrets[1].hash_one(header),
            ],
        };
        let known = self
            .by_connection
            .get(&key)
            .map(|token| token.value().clone());
        if let Some(token) = known
            && let Ok(client) = self.by_token(&token)
        {
            return Ok(client);
        }
        let idle_max = self.idle_max.min(CONNECTION_IDLE_MAX);
        let (token, client) = self.log_in(user, password, peer, idle_max).await?;
        // Two first calls at once log in twice; the later one joins the session of the earlier.
        let winner = match self.by_connection.entry(key) {
            Entry::Occupied(entry) if self.by_token.contains_key(entry.get()) => {
                Some(entry.get().clone())
            }
            Entry::Occupied(mut entry) => {
                entry.insert(token);
                None
            }
            Entry::Vacant(entry) => {
                entry.insert(token);
                None
            }
        };
        let Some(winner) = winner else {
            return Ok(client);
        };
        self.close(&client).await;
        self.by_token(&winner)
    }

    async fn log_in(
        &self,
        user: &str,
        password: &str,
        peer: &str,
        idle_max: Duration,
    ) -> Result<(String, ClientGuard), Status> {
        if self.by_token.len() >= self.sessions_max {
            return Err(status(&Error::new(
                ErrorKind::ResourceExhausted,
                format!(
                    "{} sessions are open: close some, or log in later",
                    self.sessions_max
                ),
            )));
        }
        let session = self
            .backend
            .login(user, password, peer)
            .await
            .map_err(|error| status(&error))?;
        debug!(session = %session.id(), user, peer, "logged in");
        let client = Arc::new(Client::new(session, idle_max));
        let guard = client.enter();
        let token = random_token();
        self.by_token.insert(token.clone(), client);
        Ok((token, guard))
    }
}

fn credentials(headers: &MetadataMap) -> Result<Option<Credentials<'_>>> {
    let Some(header) = headers.get("authorization") else {
        return Ok(None);
    };
    let header = header
        .to_str()
        .map_err(|_invalid| unauthenticated("the authorization header is not plain ASCII"))?;
    let (scheme, value) = header.split_once(' ').unwrap_or((header, ""));
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Some(Credentials::Bearer(value)));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(unauthenticated(
            "the authorization header is neither \"Basic\" nor \"Bearer\"",
        ));
    }
    let malformed = || unauthenticated("the Basic authorization header is malformed");
    let decoded = STANDARD
        .decode(value)
        .or_else(|_padded| STANDARD_NO_PAD.decode(value))
        .map_err(|_invalid| malformed())?;
    let text = String::from_utf8(decoded).map_err(|_invalid| malformed())?;
    let (user, password) = text.split_once(':').ok_or_else(malformed)?;
    Ok(Some(Credentials::Basic {
        user: user.to_owned(),
        password: password.to_owned(),
        header: value,
    }))
}

fn unauthenticated(message: &str) -> Error {
    Error::new(ErrorKind::Unauthenticated, message)
}
