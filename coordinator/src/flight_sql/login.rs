//! Who is calling: from the authorization header to a logged-in client.
//!
//! A client that has shown a certificate need send no credentials: it is who the certificate names.
//!
//! A handshake with user and password gives a bearer token, which names the session. A client that
//! sends user and password or an API token with every call, without a handshake, gets one session
//! for each of its connections: passwords are checked by a slow hash, and prepared statements belong
//! to a session.
//!
//! What was checked once is remembered here for as long as it is good: until the token ends, an idle
//! time passes, the client closes its session or the backend says that the session is over. A bearer
//! token that is not remembered may be another coordinator's; the backend knows.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chrono::Utc;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use tonic::Status;
use tonic::metadata::MetadataMap;
use tracing::{debug, info};
use waterbuck_engine::client_certificate::ClientCertificate;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::backend::{Backend, FlightSession};
use super::client::{Client, ClientGuard};
use super::peer::Peer;
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
    by_token: DashMap<String, LoggedIn>,
    by_connection: DashMap<ConnectionKey, String>,
    secrets: [RandomState; 2],
}

/// A client, and when its token ends, in seconds since 1970.
struct LoggedIn {
    client: Arc<Client>,
    expires: Option<i64>,
}

/// A connection and the credentials sent over it. They are not kept, only a keyed hash of 128 bits,
/// whose key never leaves the process.
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

impl LoggedIn {
    fn has_expired(&self) -> bool {
        self.expires
            .is_some_and(|end| end <= Utc::now().timestamp())
    }
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

    /// The client that calls; logged in if it sends credentials that are not known yet, or sends none
    /// and has shown a certificate.
    pub(super) async fn client(
        &self,
        headers: &MetadataMap,
        peer: &Peer,
    ) -> Result<ClientGuard, Status> {
        match credentials(headers).map_err(|e| status(&e))? {
            Some(Credentials::Bearer(token)) => self.by_bearer(token, &peer.address).await,
            Some(Credentials::Basic {
                user,
                password,
                header,
            }) => {
                let peer = &peer.address;
                self.by_password(&user, &password, header, peer).await
            }
            None => match &peer.certificate {
                Some(certificate) => self.by_certificate(certificate, &peer.address).await,
                None => Err(status(&unauthenticated(
                    "this call needs a login: send user and password in a handshake first",
                ))),
            },
        }
    }

    /// Logs a client in and gives its token.
    pub(super) async fn handshake(
        &self,
        headers: &MetadataMap,
        payload: Option<(String, String)>,
        peer: &Peer,
    ) -> Result<String, Status> {
        let address = &peer.address;
        let named = match credentials(headers).map_err(|e| status(&e))? {
            Some(Credentials::Basic { user, password, .. }) => Some((user, password)),
            Some(Credentials::Bearer(token)) => {
                drop(self.by_bearer(token, address).await?);
                return Ok(token.to_owned());
            }
            None => payload,
        };
        let session = match (named, &peer.certificate) {
            (Some((user, password)), _) => self.log_in(&user, &password, address).await?,
            (None, Some(certificate)) => self.log_in_as_named(certificate, address).await?,
            (None, None) => {
                return Err(status(&unauthenticated(
                    "the handshake carries no user and password",
                )));
            }
        };
        let issued = session.token().await.map_err(|error| status(&error))?;
        let logged_in = LoggedIn {
            client: Arc::new(Client::new(session, self.idle_max)),
            expires: Some(issued.expires),
        };
        self.by_token.insert(issued.text.clone(), logged_in);
        Ok(issued.text)
    }

    /// Ends the session of a client.
    pub(super) async fn close(&self, client: &Client) {
        let id = client.session().id();
        self.by_token
            .retain(|_, other| other.client.session().id() != id);
        client.session().close().await;
        debug!(session = %id, "session closed by its client");
    }

    /// Ends the sessions of which nothing was heard; returns them.
    pub(super) async fn expire(&self) -> Vec<Arc<dyn FlightSession>> {
        let mut expired = Vec::new();
        self.by_token.retain(|_, logged_in| {
            let client = &logged_in.client;
            let over = client.is_idle()
                || !client.session().is_open()
                || (logged_in.has_expired() && !client.is_busy());
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

    /// The client that a token of this map belongs to, or `None` when the token is not in it.
    fn known(&self, token: &str) -> Result<Option<ClientGuard>, Status> {
        // Entering under the map's lock keeps the session from expiring in between.
        let Some(logged_in) = self.by_token.get(token) else {
            return Ok(None);
        };
        if logged_in.has_expired() || !logged_in.client.session().is_open() {
            return Err(status(&unauthenticated(
                "the token is unknown or has expired: log in again",
            )));
        }
        Ok(Some(logged_in.client.enter()))
    }

    async fn by_bearer(&self, token: &str, peer: &str) -> Result<ClientGuard, Status> {
        if let Some(client) = self.known(token)? {
            return Ok(client);
        }
        let key = self.connection(token, peer);
        if let Some(client) = self.connected(&key) {
            return Ok(client);
        }
        self.check_room()?;
        let login = self.backend.login_with_token(token, peer).await;
        let login = login.map_err(|error| status(&error))?;
        if !login.names_session {
            return self.enter_connection(key, login.session).await;
        }
        let logged_in = LoggedIn {
            expires: login.session.expires(),
            client: Arc::new(Client::new(login.session, self.idle_max)),
        };
        // Two first calls at once both open the session; the later one takes that of the earlier.
        let entry = self.by_token.entry(token.to_owned());
        Ok(entry.or_insert(logged_in).client.enter())
    }

    async fn by_password(
        &self,
        user: &str,
        password: &str,
        header: &str,
        peer: &str,
    ) -> Result<ClientGuard, Status> {
        let key = self.connection(header, peer);
        if let Some(client) = self.connected(&key) {
            return Ok(client);
        }
        let session = self.log_in(user, password, peer).await?;
        self.enter_connection(key, session).await
    }

    /// A client that sends no credentials is who its certificate names, on this connection.
    async fn by_certificate(
        &self,
        certificate: &ClientCertificate,
        peer: &str,
    ) -> Result<ClientGuard, Status> {
        // No authorization header holds a line break.
        let key = self.connection(&format!("\n{}", certificate.names.join("\n")), peer);
        if let Some(client) = self.connected(&key) {
            return Ok(client);
        }
        let session = self.log_in_as_named(certificate, peer).await?;
        self.enter_connection(key, session).await
    }

    fn connection(&self, credentials: &str, peer: &str) -> ConnectionKey {
        ConnectionKey {
            peer: peer.to_owned(),
            credentials: [
                self.secrets[0].hash_one(credentials),
                self.secrets[1].hash_one(credentials),
            ],
        }
    }

    /// The client that sent the same credentials over the same connection before.
    fn connected(&self, key: &ConnectionKey) -> Option<ClientGuard> {
        let token = self.by_connection.get(key)?.value().clone();
        self.known(&token).ok().flatten()
    }

    /// Keeps a session for the calls that will come over the same connection.
    async fn enter_connection(
        &self,
        key: ConnectionKey,
        session: Arc<dyn FlightSession>,
    ) -> Result<ClientGuard, Status> {
        let idle_max = self.idle_max.min(CONNECTION_IDLE_MAX);
        let expires = session.expires();
        let client = Arc::new(Client::new(session, idle_max));
        let guard = client.enter();
        // Under a name that nobody is told, since no client goes on by it.
        let token = random_token();
        let logged_in = LoggedIn { client, expires };
        self.by_token.insert(token.clone(), logged_in);
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
            return Ok(guard);
        };
        self.close(&guard).await;
        self.known(&winner)?.ok_or_else(|| {
            status(&unauthenticated(
                "the session has ended meanwhile: log in again",
            ))
        })
    }

    async fn log_in(
        &self,
        user: &str,
        password: &str,
        peer: &str,
    ) -> Result<Arc<dyn FlightSession>, Status> {
        self.check_room()?;
        let session = self
            .backend
            .login(user, password, peer)
            .await
            .map_err(|error| status(&error))?;
        debug!(session = %session.id(), user, peer, "logged in");
        Ok(session)
    }

    async fn log_in_as_named(
        &self,
        certificate: &ClientCertificate,
        peer: &str,
    ) -> Result<Arc<dyn FlightSession>, Status> {
        self.check_room()?;
        let names = &certificate.names;
        let session = self.backend.login_with_certificate(names, peer).await;
        let session = session.map_err(|error| status(&error))?;
        debug!(session = %session.id(), user = session.user(), peer, "logged in by certificate");
        Ok(session)
    }

    fn check_room(&self) -> Result<(), Status> {
        if self.by_token.len() < self.sessions_max {
            return Ok(());
        }
        Err(status(&Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "{} sessions are open: close some, or log in later",
                self.sessions_max
            ),
        )))
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
