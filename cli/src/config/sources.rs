//! The places where settings are written, each as a layer of text values that knows its name for
//! error messages.

use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile};
use waterbuck_engine::{Error, Result};

use crate::args::ServeArgs;

/// Every setting there is.
const KEYS: [&str; 31] = [
    "advertise-address",
    "allowed-hosts",
    "allowed-locations",
    "audit-log",
    "cluster-ca",
    "cluster-cert",
    "cluster-key",
    "cluster-token",
    "coordinator",
    "data-dir",
    "flight-port",
    "host",
    "insecure-plaintext",
    "log",
    "max-queued-queries",
    "max-running-queries",
    "memory-limit",
    "oidc-algorithms",
    "oidc-audience",
    "oidc-issuer",
    "oidc-keys",
    "oidc-user-claim",
    "reader-timeout",
    "result-timeout",
    "session-timeout",
    "spill-dir",
    "spill-limit",
    "tls-cert",
    "tls-client-ca",
    "tls-key",
    "web-port",
];

/// The settings of a TOML file, all of which must exist.
pub(super) fn file_layer(path: &Path) -> Result<Figment> {
    let layer = Figment::from(Toml::file_exact(path));
    let value: Dict = layer.extract().map_err(|error| {
        Error::invalid(format!(
            "configuration file \"{}\" cannot be read",
            path.display()
        ))
        .with_source(error)
    })?;
    for key in value.keys() {
        if !KEYS.contains(&key.as_str()) {
            return Err(Error::invalid(format!(
                "configuration file \"{}\" has an unknown key \"{key}\"{}",
                path.display(),
                nearest(key)
                    .map(|near| format!(", did you mean \"{near}\"?"))
                    .unwrap_or_default()
            )));
        }
    }
    Ok(layer)
}

fn nearest(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase().replace('_', "-");
    KEYS.into_iter()
        .map(|known| (strsim::jaro_winkler(known, &key), known))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

fn variable_name(key: &str) -> String {
    format!("WATERBUCK_{}", key.to_uppercase().replace('-', "_"))
}

/// The settings in the environment. A variable set to nothing is as good as unset, as in most shells' scripts.
pub(super) fn variables_layer(variable: &dyn Fn(&str) -> Option<String>) -> Figment {
    let mut layer = Figment::new();
    for key in KEYS {
        let name = variable_name(key);
        if let Some(text) = variable(&name).filter(|text| !text.is_empty()) {
            layer = layer.merge(Source::new(
                format!("variable {name}"),
                key,
                Value::from(text),
            ));
        }
    }
    layer
}

/// The settings given as flags.
pub(super) fn flags_layer(flags: &ServeArgs) -> Figment {
    let path = |path: &Option<PathBuf>| path.as_ref().map(|p| p.to_string_lossy().into_owned());
    let list = |texts: &[String]| Some(texts.join(",")).filter(|list| !list.is_empty());
    let texts = [
        ("advertise-address", flags.advertise_address.clone()),
        ("allowed-hosts", list(&flags.allowed_hosts)),
        ("allowed-locations", list(&flags.allowed_locations)),
        ("audit-log", path(&flags.audit_log)),
        ("cluster-ca", path(&flags.tls.cluster_ca)),
        ("cluster-cert", path(&flags.tls.cluster_cert)),
        ("cluster-key", path(&flags.tls.cluster_key)),
        ("cluster-token", flags.cluster_token.clone()),
        ("coordinator", list(&flags.coordinator)),
        ("data-dir", path(&flags.config.data_dir)),
        (
            "flight-port",
            flags.flight_port.map(|port| port.to_string()),
        ),
        ("host", flags.host.clone()),
        (
            "insecure-plaintext",
            flags.tls.insecure_plaintext.then(|| "true".to_owned()),
        ),
        ("log", flags.config.log.clone()),
        (
            "max-queued-queries",
            flags.max_queued_queries.map(|count| count.to_string()),
        ),
        (
            "max-running-queries",
            flags.max_running_queries.map(|count| count.to_string()),
        ),
        ("memory-limit", flags.config.memory_limit.clone()),
        ("oidc-algorithms", flags.oidc.algorithms.clone()),
        ("oidc-audience", flags.oidc.audience.clone()),
        ("oidc-issuer", flags.oidc.issuer.clone()),
        ("oidc-keys", flags.oidc.keys.clone()),
        ("oidc-user-claim", flags.oidc.user_claim.clone()),
        ("reader-timeout", flags.reader_timeout.clone()),
        ("result-timeout", flags.result_timeout.clone()),
        ("session-timeout", flags.session_timeout.clone()),
        ("spill-dir", path(&flags.config.spill_dir)),
        ("spill-limit", flags.config.spill_limit.clone()),
        ("tls-cert", path(&flags.tls.tls_cert)),
        ("tls-client-ca", path(&flags.tls.tls_client_ca)),
        ("tls-key", path(&flags.tls.tls_key)),
        ("web-port", flags.web_port.map(|port| port.to_string())),
    ];
    let mut layer = Figment::new();
    for (key, text) in texts {
        if let Some(text) = text {
            layer = layer.merge(Source::new(format!("flag --{key}"), key, Value::from(text)));
        }
    }
    layer
}

/// One value with the name of the place it was read from, for error messages.
struct Source {
    place: String,
    value: Serialized<Value>,
}

impl Source {
    fn new(place: String, key: &str, value: Value) -> Self {
        Self {
            place,
            value: Serialized::default(key, value),
        }
    }
}

impl figment::Provider for Source {
    fn metadata(&self) -> figment::Metadata {
        figment::Metadata::named(self.place.clone())
    }

    fn data(&self) -> Result<figment::value::Map<Profile, Dict>, figment::Error> {
        self.value.data()
    }
}
