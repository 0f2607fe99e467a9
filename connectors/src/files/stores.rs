//! The object stores of a process: built on first use, shared by all queries.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::execution::object_store::ObjectStoreRegistry;
use object_store::ObjectStore;
use parking_lot::RwLock;
use url::{Position, Url};
use waterbuck_engine::Result;

use super::hosts::Referrals;
use super::secret::{Secret, best_secret};
use super::store_builder::build_store;

/// More distinct stores than this are not kept; building one again is cheap.
const MAX_STORES: usize = 1024;

/// Builds and keeps stores by URL and secret.
///
/// Used directly as a registry it takes credentials from the environment; [`Stores::for_query`]
/// gives a registry that prefers the user's secrets.
#[derive(Default)]
pub struct Stores {
    /// Stores by URL, one entry per secret they were built with.
    built: RwLock<HashMap<String, Vec<Built>>>,
    /// Stores handed in by hand; they win over anything built.
    registered: RwLock<HashMap<String, Arc<dyn ObjectStore>>>,
    /// Whom web servers may send us on to.
    referrals: Referrals,
}

struct Built {
    secret: Option<Secret>,
    store: Arc<dyn ObjectStore>,
}

impl Stores {
    /// No stores yet.
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// No stores yet, and web servers that may send us on to `referrals` alone.
    pub fn referring(referrals: Referrals) -> Arc<Self> {
        Arc::new(Self {
            referrals,
            ..Self::default()
        })
    }

    /// A registry for one query: every store is built with the best fitting of `secrets`, and with
    /// the environment's credentials where none fits.
    pub fn for_query(self: &Arc<Self>, secrets: Vec<Secret>) -> Arc<dyn ObjectStoreRegistry> {
        Arc::new(QueryStores {
            stores: Arc::clone(self),
            secrets,
        })
    }

    /// The store behind the scheme and authority of `url`.
    ///
    /// # Errors
    /// `InvalidQuery` when the scheme has no store or the secret an unknown option.
    pub fn store(&self, url: &Url, secrets: &[Secret]) -> Result<Arc<dyn ObjectStore>> {
        let key = key(url);
        if let Some(store) = self.registered.read().get(&key) {
            return Ok(Arc::clone(store));
        }
        let base = store_base(url);
        let secret = best_secret(secrets, &base);
        if let Some(built) = self.built.read().get(&key)
            && let Some(found) = built.iter().find(|built| built.secret.as_ref() == secret)
        {
            return Ok(Arc::clone(&found.store));
        }
        let store = build_store(&base, secret, &self.referrals)?;
        let mut built = self.built.write();
        if built.values().map(Vec::len).sum::<usize>() >= MAX_STORES {
            built.clear();
        }
        let entry = Built {
            secret: secret.cloned(),
            store: Arc::clone(&store),
        };
        built.entry(key).or_default().push(entry);
        Ok(store)
    }
}

/// The URL by which the secret of a store is picked.
pub(super) fn store_base(url: &Url) -> Url {
    Url::parse(&key(url)).unwrap_or_else(|_| url.clone())
}

/// Scheme, user (the container of `abfss`), host and port; no path.
fn key(url: &Url) -> String {
    format!("{}/", &url[..Position::BeforePath])
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores")
            .field("built", &self.built.read().keys().collect::<Vec<_>>())
            .field(
                "registered",
                &self.registered.read().keys().collect::<Vec<_>>(),
            )
            .finish()
    }
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.registered.write().insert(key(url), store)
    }

    fn get_store(&self, url: &Url) -> datafusion::common::Result<Arc<dyn ObjectStore>> {
        Ok(self.store(url, &[])?)
    }
}

#[derive(Debug)]
struct QueryStores {
    stores: Arc<Stores>,
    secrets: Vec<Secret>,
}

impl ObjectStoreRegistry for QueryStores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.stores.register_store(url, store)
    }

    fn get_store(&self, url: &Url) -> datafusion::common::Result<Arc<dyn ObjectStore>> {
        Ok(self.stores.store(url, &self.secrets)?)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_store_is_built_once_per_secret() {
        let stores = Stores::new();
        let url = Url::parse("s3://bucket/").expect("url");
        let secret = |key: &str| Secret {
            kind: "s3".into(),
            scope: None,
            options: BTreeMap::from([
                ("key_id".to_string(), key.to_string()),
                ("secret".to_string(), "s".to_string()),
            ]),
        };
        let first = stores.store(&url, &[secret("a")]).expect("store");
        let again = stores.store(&url, &[secret("a")]).expect("store");
        let other = stores.store(&url, &[secret("b")]).expect("store");
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &other));
    }

    #[test]
    fn a_registered_store_wins() {
        let stores = Stores::new();
        let memory: Arc<dyn ObjectStore> = Arc::new(object_store::memory::InMemory::new());
        let url = Url::parse("s3://bucket/x/y").expect("url");
        stores.register_store(&url, Arc::clone(&memory));
        let found = stores.for_query(vec![]).get_store(&url).expect("store");
        assert!(Arc::ptr_eq(&found, &memory));
    }
}
