//! The places where settings are written, each as a layer of text values that knows its name for
//! error messages.

use std::path::{Path, PathBuf};

use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile};
use waterbuck_engine::{Error, Result};

use crate::args::ServeArgs;

/// Every setting there is.
const KEYS: [&str; 33] = [
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
    "public-url",
    "reader-timeout",
    "result-timeout",
    "session-timeout",
    "spill-dir",
    "spill-limit",
    "tls-cert",
    "tls-client-auth",
    "tls-client-ca",
    "tls-key",
    "web-port",
];

/// Variables with our prefix that are no settings: what must not stand in a file, and what tests,
/// benchmarks and scripts have.
const OTHER_VARIABLES: [&str; 11] = [
    "WATERBUCK_ADMIN_PASSWORD",
    "WATERBUCK_BENCH_PYTHON",
    "WATERBUCK_BIN",
    "WATERBUCK_BLESS",
    "WATERBUCK_CI_CACHE",
    "WATERBUCK_CONFIG",
    "WATERBUCK_PASSWORD",
    "WATERBUCK_SEED",
    "WATERBUCK_SLT",
    "WATERBUCK_TEST_CACHE",
    "WATERBUCK_TEST_PYTHON",
];

const PREFIX: &str = "WATERBUCK_";

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
            let line = line_of(path, key).map(|line| format!("line {line} of "));
            let spelled = key.to_lowercase().replace('_', "-");
            return Err(Error::invalid(format!(
                "{}configuration file \"{}\" has an unknown key \"{key}\"{}",
                line.unwrap_or_default(),
                path.display(),
                did_you_mean(nearest(&spelled, KEYS))
            )));
        }
    }
    Ok(layer)
}

/// The line at which a key of a TOML file, or the table of that name, begins.
fn line_of(path: &Path, key: &str) -> Option<usize> {
    let text = std::fs::read_to_string(path).ok()?;
    let names_key = |line: &str| {
        let line = line.trim_start_matches([' ', '\t', '[', '"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| {
            let rest = rest.trim_start_matches(['"', '\'']).trim_start();
            rest.starts_with(['=', '.', ']'])
        })
    };
    let index = text.lines().position(names_key)?;
    Some(index + 1)
}

fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(similarity, _)| *similarity > 0.7)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

fn did_you_mean(near: Option<&str>) -> String {
    near.map(|near| format!(", did you mean \"{near}\"?"))
        .unwrap_or_default()
}

fn variable_name(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('-', "_"))
}

/// A warning for each of the variables `names` that has our prefix and means nothing, for it may be
/// a misspelt one. It is no error: scripts and other tools may have theirs.
pub(super) fn unknown_variables(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let settings = KEYS.map(variable_name);
    let settings = settings.iter().map(String::as_str);
    // All begin alike, which would make all of them near.
    let known: Vec<&str> = settings
        .chain(OTHER_VARIABLES)
        .filter_map(|name| name.strip_prefix(PREFIX))
        .collect();
    let mut warnings = Vec::new();
    for name in names {
        let Some(rest) = name.strip_prefix(PREFIX) else {
            continue;
        };
        if !known.contains(&rest) {
            let near = nearest(rest, known.iter().copied());
            let near = near.map(|near| format!("{PREFIX}{near}"));
            warnings.push(format!(
                "the environment variable \"{name}\" is not known{}",
                did_you_mean(near.as_deref())
            ));
        }
    }
    warnings.sort();
    warnings
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
        ("public-url", flags.public_url.clone()),
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
        ("tls-client-auth", flags.tls.tls_client_auth.clone()),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn warnings(names: &[&str]) -> Vec<String> {
        unknown_variables(names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_misspelt_variable_is_told_of_with_the_nearest_one() {
        let told = warnings(&["PATH", "WATERBUCK_FLIGHT_PRT", "WATERBUCK_ZQX"]);
        let [misspelt, other] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert!(misspelt.contains("\"WATERBUCK_FLIGHT_PRT\" is not known"));
        assert!(misspelt.ends_with("did you mean \"WATERBUCK_FLIGHT_PORT\"?"));
        assert!(other.ends_with("\"WATERBUCK_ZQX\" is not known"), "{other}");
    }

    #[test]
    fn what_is_known_is_not_told_of() {
        let settings = KEYS.map(variable_name);
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        assert_eq!(warnings(&settings), Vec::<String>::new());
        assert_eq!(warnings(&OTHER_VARIABLES), Vec::<String>::new());
    }
}
