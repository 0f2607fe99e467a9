//! Credentials for a part of the storage, and the rule that picks them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

/// Named credentials as the catalog keeps them.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// `s3`, `gcs`, `azure`, `http` or `hdfs`.
    pub kind: String,
    /// The URL prefix the secret serves; without one it serves everything of its kind.
    pub scope: Option<String>,
    /// Key names in lower case, such as `key_id`, `secret`, `region`, `endpoint`.
    pub options: BTreeMap<String, String>,
}

/// Never shows a value: a secret may reach a log through the `Debug` of something that holds it.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("kind", &self.kind)
            .field("scope", &self.scope)
            .field("options", &self.options.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl Secret {
    /// The kind of secret that a store of this scheme takes.
    pub(super) fn kind_for_scheme(scheme: &str) -> Option<&'static str> {
        Some(match scheme {
            "s3" | "s3a" => "s3",
            "gs" => "gcs",
            "az" | "azure" | "adl" | "abfs" | "abfss" => "azure",
            "http" | "https" => "http",
            "hdfs" | "viewfs" => "hdfs",
            _ => return None,
        })
    }

    /// How well the secret fits a store: the length of its scope, none if it does not fit.
    ///
    /// A scope with a path serves its whole bucket or host, as one store is built per bucket.
    fn fit(&self, store: &Url) -> Option<usize> {
        let kind = Self::kind_for_scheme(store.scheme())?;
        let own = match self.kind.to_ascii_lowercase() {
            own if own == "gs" => "gcs".to_string(),
            own => own,
        };
        if own != kind {
            return None;
        }
        let Some(scope) = self.scope.as_deref().filter(|scope| !scope.is_empty()) else {
            return Some(0);
        };
        let store = store.as_str().trim_end_matches('/');
        let on_store = scope
            .strip_prefix(store)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let above_store = store.starts_with(scope);
        (on_store || above_store).then_some(scope.len())
    }
}

/// The secret whose scope is the longest that fits; the first of equals.
pub(super) fn best_secret<'a>(secrets: &'a [Secret], store: &Url) -> Option<&'a Secret> {
    let mut best: Option<(usize, &Secret)> = None;
    for secret in secrets {
        if let Some(fit) = secret.fit(store)
            && best.is_none_or(|(known, _)| fit > known)
        {
            best = Some((fit, secret));
        }
    }
    best.map(|(_, secret)| secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(kind: &str, scope: Option<&str>) -> Secret {
        Secret {
            kind: kind.into(),
            scope: scope.map(Into::into),
            options: BTreeMap::new(),
        }
    }

    #[test]
    fn the_longest_scope_wins() {
        let all = [
            secret("s3", None),
            secret("s3", Some("s3://sales")),
            secret("s3", Some("s3://sa")),
            secret("gcs", Some("s3://sales")),
        ];
        let pick = |url: &str| best_secret(&all, &Url::parse(url).expect("url"));
        assert_eq!(
            pick("s3://sales/").expect("fits").scope.as_deref(),
            Some("s3://sales")
        );
        assert_eq!(pick("s3://other/").expect("fits").scope, None);
        assert_eq!(pick("az://sales/"), None);
        assert_eq!(pick("file:///"), None);
    }

    #[test]
    fn debug_hides_values() {
        let mut secret = secret("s3", None);
        secret.options.insert("secret".into(), "hunter2".into());
        assert!(!format!("{secret:?}").contains("hunter2"));
    }
}
