//! The keys that sign bearer tokens: one for each day, the same on every coordinator.
//!
//! ```text
//!   day          d-2        d-1          d         d+1
//!   key       forgotten   checks   signs, checks    checks, once another clock has made it
//! ```
//! Of several coordinators that meet a new day together one stores its key, and all use that one.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::info;
use waterbuck_catalog::CatalogStore;
use waterbuck_engine::Result;
use waterbuck_engine::bearer::{
    CLOCK_LEEWAY_S, Claims, PublicKey, SigningKey, TokenVerifier, claimed_key,
};
use waterbuck_engine::ticket::TaskTicket;

/// How long one key signs. A token must not live longer.
const KEY_LIFE_S: i64 = 24 * 60 * 60;
const KEY_PREFIX: &str = "login.key.";

/// The keys of this coordinator's cluster.
pub(super) struct KeyRing {
    catalog: Arc<dyn CatalogStore>,
    held: Mutex<BTreeMap<i64, Arc<SigningKey>>>,
    verifier: TokenVerifier,
}

impl KeyRing {
    pub(super) fn new(catalog: Arc<dyn CatalogStore>) -> Self {
        Self {
            catalog,
            held: Mutex::default(),
            verifier: TokenVerifier::default(),
        }
    }

    /// Signs a token at `now`.
    pub(super) async fn sign(&self, claims: Claims, now: i64) -> Result<String> {
        self.today(now).await?.sign(claims)
    }

    /// Signs a ticket at `now`.
    pub(super) async fn sign_ticket(&self, ticket: TaskTicket, now: i64) -> Result<String> {
        ticket.sign(self.today(now).await?.as_ref())
    }

    /// What a token says, when it is genuine and in force.
    pub(super) async fn verify(&self, token: &str, now: i64) -> Result<Claims> {
        // Only keys that may be in use are looked for: strangers cannot make the catalog work.
        if let Some(id) = claimed_key(token)
            && !self.verifier.knows(id)
            && (day(now) - 1..=day(now + CLOCK_LEEWAY_S)).contains(&id)
            && let Some(text) = self.catalog.setting(&name(id)).await?
        {
            self.hold(id, &text, now)?;
        }
        self.verifier.verify(token, now)
    }

    /// Makes today's key if nobody has, forgets old ones, and gives those that tokens are checked
    /// by.
    pub(super) async fn rotate(&self, now: i64) -> Result<Vec<PublicKey>> {
        let yesterday = day(now) - 1;
        self.today(now).await?;
        if let Some(text) = self.catalog.setting(&name(yesterday)).await? {
            self.hold(yesterday, &text, now)?;
        }
        self.catalog
            .drop_settings(&name(0), &name(yesterday))
            .await?;
        Ok(self.held.lock().values().map(|key| key.public()).collect())
    }

    async fn today(&self, now: i64) -> Result<Arc<SigningKey>> {
        let today = day(now);
        if let Some(key) = self.held.lock().get(&today) {
            return Ok(Arc::clone(key));
        }
        let made = SigningKey::generate()?;
        let kept = self.catalog.setting_or_insert(&name(today), &made).await?;
        info!(key = today, "signing key of the day");
        self.hold(today, &kept, now)
    }

    /// Uses a key, and forgets those whose tokens have all ended.
    fn hold(&self, id: i64, text: &str, now: i64) -> Result<Arc<SigningKey>> {
        let key = Arc::new(SigningKey::from_text(id, text)?);
        let mut held = self.held.lock();
        held.insert(id, Arc::clone(&key));
        held.retain(|id, _| *id >= day(now) - 1);
        let public: Vec<PublicKey> = held.values().map(|key| key.public()).collect();
        self.verifier.set_keys(&public);
        Ok(key)
    }
}

fn day(now: i64) -> i64 {
    now.div_euclid(KEY_LIFE_S)
}

/// Names are ordered as the days are.
fn name(day: i64) -> String {
    format!("{KEY_PREFIX}{day:010}")
}

#[cfg(test)]
mod tests {
    use waterbuck_catalog::open_sqlite;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    async fn catalog(directory: &tempfile::TempDir) -> Arc<dyn CatalogStore> {
        let data = directory.path().join("tables");
        open_sqlite(
            &directory.path().join("catalog.sqlite"),
            &data.to_string_lossy(),
        )
        .await
        .unwrap()
    }

    fn claims(now: i64) -> Claims {
        Claims {
            key: 0,
            user: "ann".to_owned(),
            session: String::new(),
            issuer: String::new(),
            issued: now,
            expires: now + KEY_LIFE_S / 2,
            standing: String::new(),
        }
    }

    #[tokio::test]
    async fn coordinators_of_one_catalog_take_each_others_tokens() {
        let directory = tempfile::tempdir().unwrap();
        let one = KeyRing::new(catalog(&directory).await);
        let other = KeyRing::new(catalog(&directory).await);
        let token = one.sign(claims(NOW), NOW).await.unwrap();
        assert_eq!(other.verify(&token, NOW).await.unwrap().user, "ann");
        assert_eq!(
            one.rotate(NOW).await.unwrap(),
            other.rotate(NOW).await.unwrap()
        );
        let elsewhere = tempfile::tempdir().unwrap();
        let stranger = KeyRing::new(catalog(&elsewhere).await);
        stranger.rotate(NOW).await.unwrap();
        assert!(stranger.verify(&token, NOW).await.is_err());
    }

    #[tokio::test]
    async fn keys_change_every_day_and_old_ones_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = catalog(&directory).await;
        let ring = KeyRing::new(Arc::clone(&catalog));
        let late = (day(NOW) + 1) * KEY_LIFE_S - 1;
        let token = ring.sign(claims(late), late).await.unwrap();
        let second = ring.rotate(late + 1).await.unwrap();
        assert_eq!(second.len(), 2);
        assert!(ring.verify(&token, late + 1).await.is_ok());
        let third = ring.rotate(late + 1 + KEY_LIFE_S).await.unwrap();
        assert_eq!(third.len(), 2);
        assert!(!third.contains(&second[0]));
        assert_eq!(catalog.setting(&name(day(late))).await.unwrap(), None);
    }
}
