//! Decides who comes in: by password, API token, a bearer token of this cluster's own
//! or one of an OpenID Connect issuer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use uuid::Uuid;
use waterbuck_catalog::{ApiToken, CatalogStore, User};
use waterbuck_engine::bearer::{Claims, PublicKey, is_token};
use waterbuck_engine::ticket::TaskTicket;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::api_token::{hash, is_api_token};
use super::keys::KeyRing;
use super::oidc::{Oidc, OidcConfig};
use super::password::{check_password, wrong};
use super::standing::{Seen, Standing};
use super::throttle::Throttle;
use crate::revocations::Revocations;
use crate::session::SessionUser;

/// How long a bearer token is good for. Some drivers keep the one of their first call for as long
/// as they are connected, so it is half a day; a changed password ends it at once.
const TOKEN_LIFE_S: i64 = 12 * 60 * 60;
/// Sessions of other coordinators that ended here and are remembered as ended.
const ENDED_MAX: usize = 100_000;

/// Who may come in.
pub(crate) struct Authority {
    catalog: Arc<dyn CatalogStore>,
    keys: KeyRing,
    oidc: Option<Oidc>,
    throttle: Throttle,
    /// Names this run of the process in the tokens it makes.
    issuer: String,
    /// API tokens that were dropped, by hash.
    dropped: Revocations,
    /// Sessions continued from elsewhere that are over, the oldest first.
    ended: Mutex<VecDeque<Uuid>>,
    /// What other coordinators may have changed, as it was read last.
    seen: RwLock<Option<Seen>>,
}

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub(crate) struct Admitted {
    pub(crate) user: SessionUser,
    /// The session to continue; a new one when there is none.
    pub(crate) session: Option<Uuid>,
    /// When the proof ends, in seconds since 1970.
    pub(crate) expires: Option<i64>,
    /// The user's state, and the API token's hash where one was the proof.
    standing: Standing,
    /// How often the API token had been dropped.
    dropped: u64,
    since: Instant,
}

impl Authority {
    pub(crate) fn new(catalog: Arc<dyn CatalogStore>, oidc: Option<OidcConfig>) -> Self {
        Self {
            oidc: oidc.map(Oidc::new),
            keys: KeyRing::new(Arc::clone(&catalog)),
            catalog,
            throttle: Throttle::new(),
            issuer: Uuid::now_v7().to_string(),
            dropped: Revocations::default(),
            ended: Mutex::default(),
            seen: RwLock::default(),
        }
    }

    /// Checks user and password. An API token of the user is as good as the password: many
    /// programs can send nothing else.
    ///
    /// # Errors
    /// `Unauthenticated` in the same words whatever is wrong.
    pub(crate) async fn by_password(
        &self,
        user: &str,
        password: &str,
        peer: &str,
    ) -> Result<Admitted> {
        if is_api_token(password) {
            let admitted = self.by_api_token(password, now()).await?;
            return match admitted.user.name == user {
                true => Ok(admitted),
                false => Err(wrong()),
            };
        }
        let known = check_password(&self.catalog, &self.throttle, user, password, peer).await?;
        Ok(self.admitted(known, None, None))
    }

    /// Checks a bearer token of any kind.
    ///
    /// # Errors
    /// `Unauthenticated` when it is forged, has ended, or its user has changed.
    pub(crate) async fn by_token(&self, token: &str) -> Result<Admitted> {
        let now = now();
        if is_api_token(token) {
            return self.by_api_token(token, now).await;
        }
        if !is_token(token) {
            return self.by_issuer(token).await;
        }
        let claims = self.keys.verify(token, now).await?;
        let session = claims.session_id()?;
        // A session of this process that is asked for by its token, and not known, has ended.
        if claims.issuer == self.issuer || self.ended.lock().contains(&session) {
            return Err(over());
        }
        self.resumed(&claims, session, now).await
    }

    /// Takes the names of a client's certificate, which has been verified.
    ///
    /// # Errors
    /// `Unauthenticated` when they are not mapped to a user, or to several.
    pub(crate) async fn by_certificate(&self, names: &[String]) -> Result<Admitted> {
        let user = self.catalog.user_of_certificate(names).await?;
        let user = user.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                format!(
                    "no user has the certificate {}: log in with a password, or have an \
                     administrator say ALTER USER … SET CERTIFICATE",
                    names.join(", ")
                ),
            )
        })?;
        Ok(self.admitted(user, None, None))
    }

    /// A bearer token for a session, which every process of the cluster accepts, and when it ends.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn issue(&self, session: Uuid, admitted: &Admitted) -> Result<(String, i64)> {
        let now = now();
        let ends = now + TOKEN_LIFE_S;
        let expires = admitted.expires.map_or(ends, |proof| proof.min(ends));
        let claims = Claims {
            key: 0,
            user: admitted.user.name.clone(),
            session: session.to_string(),
            issuer: self.issuer.clone(),
            issued: now,
            expires,
            standing: admitted.standing.to_text(),
        };
        Ok((self.keys.sign(claims, now).await?, expires))
    }

    /// A ticket under today's key, good for `life`.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn sign_ticket(&self, ticket: TaskTicket, life: Duration) -> Result<String> {
        let now = now();
        let life = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
        let expires = now.saturating_add(life);
        self.keys
            .sign_ticket(TaskTicket { expires, ..ticket }, now)
            .await
    }

    /// Whether what somebody was admitted by is still good. Who changed their own password in this
    /// session keeps it.
    pub(crate) fn still_admits(&self, admitted: &Admitted, changed_by_itself: bool) -> bool {
        let api_token = admitted.standing.api_token.as_ref();
        let here = api_token.is_none_or(|hash| self.dropped.current(hash) == admitted.dropped);
        let seen = self.seen.read();
        let seen = seen.as_ref().filter(|seen| seen.at > admitted.since);
        here && seen
            .is_none_or(|seen| seen.has(&admitted.user.name, &admitted.standing, changed_by_itself))
    }

    /// Looks which users and API tokens there are: sessions of those that other coordinators have
    /// changed or dropped end.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn look(&self) -> Result<()> {
        let at = Instant::now();
        let users = self.catalog.users().await?;
        let tokens = self.catalog.tokens().await?;
        *self.seen.write() = Some(Seen::new(at, users, tokens));
        Ok(())
    }

    /// Ends the sessions that an API token opened on this coordinator.
    pub(crate) fn dropped(&self, token: &ApiToken) {
        self.dropped.revoke(&token.hash);
    }

    /// Remembers that a session is over: its token does not open it again here.
    pub(crate) fn ended(&self, session: Uuid, admitted: &Admitted) {
        if admitted.session.is_none() {
            return;
        }
        let mut ended = self.ended.lock();
        if ended.len() == ENDED_MAX {
            ended.pop_front();
        }
        ended.push_back(session);
    }

    /// Makes and forgets keys as the days pass; gives those that executors check tokens by.
    ///
    /// # Errors
    /// When the catalog cannot be read or written.
    pub(crate) async fn rotate_keys(&self) -> Result<Vec<PublicKey>> {
        self.keys.rotate(now()).await
    }

    async fn by_api_token(&self, token: &str, now: i64) -> Result<Admitted> {
        let hash = hash(token);
        let kept = self.live_token(&hash, now).await?.ok_or_else(over)?;
        let user = self.catalog.user(&kept.user).await?.ok_or_else(over)?;
        Ok(self.admitted(user, Some(hash), kept.expires_at))
    }

    /// Tokens of an issuer name users that the catalog has: what they may see is kept there.
    async fn by_issuer(&self, token: &str) -> Result<Admitted> {
        let oidc = self.oidc.as_ref().ok_or_else(over)?;
        let named = oidc.verify(token).await?;
        let user = self.catalog.user(&named.user).await?.ok_or_else(over)?;
        Ok(self.admitted(user, None, Some(named.expires)))
    }

    async fn resumed(&self, claims: &Claims, session: Uuid, now: i64) -> Result<Admitted> {
        let user = self.catalog.user(&claims.user).await?.ok_or_else(over)?;
        let told = Standing::from_text(&claims.standing);
        if let Some(hash) = &told.api_token {
            let kept = self.live_token(hash, now).await?.ok_or_else(over)?;
            if kept.user != user.name {
                return Err(over());
            }
        }
        let admitted = self.admitted(user, told.api_token.clone(), Some(claims.expires));
        if admitted.standing != told {
            return Err(over());
        }
        Ok(Admitted {
            session: Some(session),
            ..admitted
        })
    }

    async fn live_token(&self, hash: &str, now: i64) -> Result<Option<ApiToken>> {
        let kept = self.catalog.token(hash).await?;
        Ok(kept.filter(|kept| kept.expires_at.is_none_or(|end| end > now)))
    }

    fn admitted(&self, user: User, api_token: Option<String>, expires: Option<i64>) -> Admitted {
        let dropped = api_token
            .as_ref()
            .map_or(0, |hash| self.dropped.current(hash));
        Admitted {
            standing: Standing::new(&user, api_token),
            user: SessionUser {
                name: user.name,
                admin: user.admin,
            },
            session: None,
            expires,
            dropped,
            since: Instant::now(),
        }
    }
}

fn now() -> i64 {
    chrono::Utc::now().timestamp()
}

fn over() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "the token is unknown or has expired: log in again",
    )
}

#[cfg(test)]
mod tests {
    use waterbuck_catalog::open_sqlite;

    use super::super::{create_first_admin, hash_password, new_api_token};
    use super::*;

    const PEER: &str = "10.0.0.1:1";

    struct Fixture {
        _directory: tempfile::TempDir,
        catalog: Arc<dyn CatalogStore>,
    }

    impl Fixture {
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let file = directory.path().join("catalog.sqlite");
            let data = directory.path().join("tables");
            let catalog = open_sqlite(&file, &data.to_string_lossy()).await.unwrap();
            create_first_admin(&catalog, Some("secret")).await.unwrap();
            Self {
                _directory: directory,
                catalog,
            }
        }

        fn coordinator(&self) -> Authority {
            Authority::new(Arc::clone(&self.catalog), None)
        }

        async fn put(&self, name: &str, password: &str) {
            let user = User {
                name: name.to_owned(),
                password_hash: hash_password(password).await.unwrap(),
                admin: false,
                certificate: None,
            };
            self.catalog.put_user(user).await.unwrap();
        }

        async fn api_token(&self, user: &str, expires_at: Option<i64>) -> (String, ApiToken) {
            let new = new_api_token("etl", user, now(), expires_at);
            self.catalog.create_token(new.kept.clone()).await.unwrap();
            (new.text, new.kept)
        }
    }

    fn refused(result: Result<Admitted>) {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Unauthenticated);
    }

    #[tokio::test]
    async fn a_session_goes_on_at_another_coordinator_until_its_user_changes() {
        let fixture = Fixture::new().await;
        fixture.put("ann", "first").await;
        let (one, other) = (fixture.coordinator(), fixture.coordinator());
        let admitted = one.by_password("ann", "first", PEER).await.unwrap();
        assert_eq!(admitted.session, None);
        let session = Uuid::now_v7();
        let (token, expires) = one.issue(session, &admitted).await.unwrap();
        assert!(expires > now());

        let there = other.by_token(&token).await.unwrap();
        assert_eq!(there.user.name, "ann");
        assert_eq!(there.session, Some(session));
        assert_eq!(there.expires, Some(expires));
        // Where it was made it is known, or has ended.
        refused(one.by_token(&token).await);
        fixture.put("ann", "second").await;
        refused(other.by_token(&token).await);
    }

    #[tokio::test]
    async fn a_session_that_ended_does_not_come_back() {
        let fixture = Fixture::new().await;
        let (one, other) = (fixture.coordinator(), fixture.coordinator());
        let admitted = one.by_password("admin", "secret", PEER).await.unwrap();
        let session = Uuid::now_v7();
        let (token, _) = one.issue(session, &admitted).await.unwrap();
        let there = other.by_token(&token).await.unwrap();
        other.ended(session, &there);
        refused(other.by_token(&token).await);
    }

    #[tokio::test]
    async fn api_tokens_admit_their_user_until_they_end() {
        let fixture = Fixture::new().await;
        fixture.put("ann", "first").await;
        let (one, other) = (fixture.coordinator(), fixture.coordinator());
        let (text, kept) = fixture.api_token("ann", None).await;
        let admitted = one.by_token(&text).await.unwrap();
        assert_eq!(admitted.user.name, "ann");
        assert!(one.by_password("ann", &text, PEER).await.is_ok());
        refused(one.by_password("admin", &text, PEER).await);
        refused(one.by_token(&format!("{text}x")).await);
        refused(one.by_token(&kept.hash).await);

        let (bearer, _) = one.issue(Uuid::now_v7(), &admitted).await.unwrap();
        assert!(other.by_token(&bearer).await.is_ok());
        assert!(one.still_admits(&admitted, false));
        fixture
            .catalog
            .drop_token("ann", "etl", false)
            .await
            .unwrap();
        one.dropped(&kept);
        assert!(!one.still_admits(&admitted, false));
        refused(one.by_token(&text).await);
        refused(other.by_token(&bearer).await);

        let (ended, _) = fixture.api_token("admin", Some(now() - 1)).await;
        refused(one.by_token(&ended).await);
    }

    #[tokio::test]
    async fn a_certificate_is_of_the_user_whom_it_is_mapped_to() {
        let fixture = Fixture::new().await;
        fixture.put("ann", "first").await;
        let (here, other) = (fixture.coordinator(), fixture.coordinator());
        let names = ["CN=ann".to_owned(), "DNS:ann.example.org".to_owned()];
        // Being called as a user is called is not enough.
        refused(here.by_certificate(&names).await);
        let map = async |user: &str, certificate: Option<&str>| {
            let mut user = fixture.catalog.user(user).await.unwrap().unwrap();
            user.certificate = certificate.map(str::to_owned);
            fixture.catalog.put_user(user).await
        };
        map("ann", Some("DNS:ann.example.org")).await.unwrap();
        let admitted = here.by_certificate(&names).await.unwrap();
        assert_eq!(admitted.user.name, "ann");
        refused(here.by_certificate(&names[..1]).await);
        let twice = map("admin", Some("DNS:ann.example.org")).await.unwrap_err();
        assert_eq!(twice.kind(), ErrorKind::AlreadyExists);
        let session = Uuid::now_v7();
        let (token, _) = here.issue(session, &admitted).await.unwrap();
        assert!(other.by_token(&token).await.is_ok());

        map("ann", None).await.unwrap();
        refused(here.by_certificate(&names).await);
        refused(other.by_token(&token).await);
        here.look().await.unwrap();
        assert!(!here.still_admits(&admitted, false));
        // A certificate that names two users is nobody's.
        map("ann", Some("CN=ann")).await.unwrap();
        map("admin", Some("DNS:ann.example.org")).await.unwrap();
        refused(here.by_certificate(&names).await);
    }

    #[tokio::test]
    async fn a_token_ends_no_later_than_what_it_was_given_for() {
        let fixture = Fixture::new().await;
        let one = fixture.coordinator();
        let soon = now() + 60;
        let (text, _) = fixture.api_token("admin", Some(soon)).await;
        let admitted = one.by_token(&text).await.unwrap();
        let (_, expires) = one.issue(Uuid::now_v7(), &admitted).await.unwrap();
        assert_eq!(expires, soon);
    }

    #[tokio::test]
    async fn what_another_coordinator_changed_ends_sessions_here() {
        let fixture = Fixture::new().await;
        fixture.put("ann", "first").await;
        fixture.put("bob", "first").await;
        let here = fixture.coordinator();
        let ann = here.by_password("ann", "first", PEER).await.unwrap();
        let bob = here.by_password("bob", "first", PEER).await.unwrap();
        let (text, _) = fixture.api_token("bob", None).await;
        let program = here.by_token(&text).await.unwrap();
        here.look().await.unwrap();
        let good = [&ann, &bob, &program].map(|admitted| here.still_admits(admitted, false));
        assert_eq!(good, [true; 3]);

        fixture.put("ann", "second").await;
        let drop = fixture.catalog.drop_token("bob", "etl", false);
        drop.await.unwrap();
        here.look().await.unwrap();
        let good = [&ann, &bob, &program].map(|admitted| here.still_admits(admitted, false));
        assert_eq!(good, [false, true, false]);
        assert!(here.still_admits(&ann, true));
        fixture.catalog.drop_user("ann", false).await.unwrap();
        here.look().await.unwrap();
        assert!(!here.still_admits(&ann, true));
    }
}
