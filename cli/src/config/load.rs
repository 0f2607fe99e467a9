//! Merges the sources of a configuration: defaults, then the TOML file, then `WATERBUCK_*`
//! variables, then flags; the later one wins.
//!
//! A setting is spelled the same everywhere: `flight-port` in the file, `WATERBUCK_FLIGHT_PORT` in
//! the environment, `--flight-port` as a flag. An unknown key of the file is an error, because a
//! misspelt limit that is silently ignored is worse than none; of other `WATERBUCK_*` variables
//! there is only a warning, because scripts and other tools may have theirs.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::value::Value;
use tracing_subscriber::EnvFilter;
use waterbuck_coordinator::{AdmissionLimits, OidcConfig, PlacesConfig};
use waterbuck_engine::settings::parse_duration;
use waterbuck_engine::{Error, Result};

use super::exposure::check as check_exposure;
use super::settings::{Config, Role, Timeouts};
use super::sources::{file_layer, flags_layer, unknown_variables, variables_layer};
use super::units::{MemoryLimit, parse_bytes};
use crate::args::{ConfigFlags, ServeArgs};

const DEFAULT_FILE: &str = "waterbuck.toml";

/// The configuration of a process of `role` started with `flags`, in the current directory and
/// environment. Errors name the setting and where its value comes from.
pub(crate) fn load(role: Role, flags: &ServeArgs) -> Result<Config> {
    load_from(
        role,
        flags,
        &|name| std::env::var(name).ok(),
        Path::new("."),
    )
}

/// What to warn of before anything is started: variables that look like settings and are none.
pub(crate) fn warnings() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    unknown_variables(names)
}

fn load_from(
    role: Role,
    flags: &ServeArgs,
    variable: &dyn Fn(&str) -> Option<String>,
    directory: &Path,
) -> Result<Config> {
    let mut layers = Figment::new();
    if let Some(path) = config_file(&flags.config, variable, directory)? {
        layers = layers.merge(file_layer(&path)?);
    }
    let layers = layers
        .merge(variables_layer(variable))
        .merge(flags_layer(flags));
    Merged { layers }.config(role)
}

/// The file to read: the one that was named must exist, the default one may.
fn config_file(
    flags: &ConfigFlags,
    variable: &dyn Fn(&str) -> Option<String>,
    directory: &Path,
) -> Result<Option<PathBuf>> {
    let named = flags.config.clone().or_else(|| {
        variable("WATERBUCK_CONFIG")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    });
    match named {
        Some(path) if path.is_file() => Ok(Some(path)),
        Some(path) => Err(Error::not_found(format!(
            "configuration file \"{}\" does not exist",
            path.display()
        ))),
        None => Ok(Some(directory.join(DEFAULT_FILE)).filter(|path| path.is_file())),
    }
}

/// All layers in order, read setting by setting.
pub(super) struct Merged {
    layers: Figment,
}

impl Merged {
    fn config(&self, role: Role) -> Result<Config> {
        let config = Config {
            data_dir: self.text("data-dir")?.map(PathBuf::from),
            host: self.text("host")?.unwrap_or_else(|| "127.0.0.1".to_owned()),
            flight_port: self.port("flight-port")?.unwrap_or(role.flight_port()),
            web_port: self.port("web-port")?.unwrap_or(role.web_port()),
            advertise_address: self.text("advertise-address")?,
            public_url: self.text("public-url")?,
            coordinator: self.coordinators()?,
            cluster_token: self
                .text("cluster-token")?
                .filter(|token| !token.is_empty()),
            tls: self.tls()?,
            insecure_plaintext: self.switch("insecure-plaintext")?,
            audit_log: self.text("audit-log")?.map(PathBuf::from),
            places: PlacesConfig {
                locations: self.list("allowed-locations", "paths and URLs")?,
                hosts: self.list("allowed-hosts", "names of hosts")?,
            },
            oidc: self.oidc()?,
            admission: self.admission()?,
            timeouts: Timeouts {
                session: self.parsed("session-timeout", timeout)?,
                result: self.parsed("result-timeout", timeout)?,
                reader: self.parsed("reader-timeout", timeout)?,
            },
            memory_limit: self.parsed("memory-limit", MemoryLimit::parse)?,
            spill_dir: self.text("spill-dir")?.map(PathBuf::from),
            spill_limit_bytes: self.parsed("spill-limit", parse_bytes)?,
            log: self
                .parsed("log", log_filter)?
                .unwrap_or_else(|| "info".to_owned()),
        };
        check_exposure(role, &config)?;
        Ok(config)
    }

    fn switch(&self, key: &str) -> Result<bool> {
        if let Ok(Value::Bool(_, is_on)) = self.layers.find_value(key) {
            return Ok(is_on);
        }
        let is_on = self.parsed(key, |text| match text {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err(format!("\"{text}\" is neither true nor false")),
        })?;
        Ok(is_on.unwrap_or(false))
    }

    /// The value as text: numbers of the file and text of the environment are read alike.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>> {
        match self.layers.find_value(key) {
            Err(_) => Ok(None),
            Ok(Value::String(_, text)) => Ok(Some(text)),
            Ok(Value::Num(_, number)) => match (number.to_u128(), number.to_i128()) {
                (Some(number), _) => Ok(Some(number.to_string())),
                (None, Some(number)) => Ok(Some(number.to_string())),
                (None, None) => Err(self.wrong(key, "give a whole number, or text in quotes")),
            },
            Ok(_) => Err(self.wrong(key, "give a number, or text in quotes")),
        }
    }

    fn parsed<T>(&self, key: &str, parse: fn(&str) -> Result<T, String>) -> Result<Option<T>> {
        let text = self.text(key)?;
        text.map(|text| parse(&text).map_err(|reason| self.wrong(key, reason)))
            .transpose()
    }

    fn port(&self, key: &str) -> Result<Option<u16>> {
        self.parsed(key, |text| {
            text.parse()
                .map_err(|_| format!("\"{text}\" is not a port from 0 to 65535"))
        })
    }

    fn admission(&self) -> Result<AdmissionLimits> {
        let count = |key| {
            self.parsed(key, |text| {
                text.parse::<usize>()
                    .ok()
                    .filter(|count| (1..=AdmissionLimits::MOST).contains(count))
                    .ok_or_else(|| {
                        let most = AdmissionLimits::MOST;
                        format!("\"{text}\" is not a number from 1 to {most}")
                    })
            })
        };
        let default = AdmissionLimits::default();
        Ok(AdmissionLimits {
            running: count("max-running-queries")?.unwrap_or(default.running),
            waiting: count("max-queued-queries")?.unwrap_or(default.waiting),
        })
    }

    /// All of issuer, audience and keys, or nothing.
    fn oidc(&self) -> Result<Option<OidcConfig>> {
        let Some(issuer) = self.text("oidc-issuer")? else {
            return Ok(None);
        };
        let needed = |key: &str| {
            let missing = || Error::invalid(format!("\"oidc-issuer\" needs \"{key}\" beside it"));
            self.text(key)?.ok_or_else(missing)
        };
        let keys = needed("oidc-keys")?;
        let mut oidc = OidcConfig::new(&issuer, &needed("oidc-audience")?, &keys)
            .map_err(|error| self.wrong("oidc-keys", error))?;
        if let Some(names) = self.text("oidc-algorithms")? {
            oidc = oidc
                .with_algorithms(&names)
                .map_err(|error| self.wrong("oidc-algorithms", error))?;
        }
        if let Some(claim) = self.text("oidc-user-claim")? {
            oidc = oidc.with_user_claim(&claim);
        }
        Ok(Some(oidc))
    }

    /// A list in the file, or texts separated by commas anywhere.
    fn list(&self, key: &str, what: &str) -> Result<Option<Vec<String>>> {
        match self.layers.find_value(key) {
            Ok(Value::Array(_, values)) => values
                .into_iter()
                .map(|value| value.into_string())
                .collect::<Option<Vec<_>>>()
                .map(Some)
                .ok_or_else(|| self.wrong(key, format!("give {what} in quotes"))),
            Ok(_) => {
                let text = self.text(key)?.unwrap_or_default();
                Ok(Some(
                    text.split(',').map(|part| part.trim().to_owned()).collect(),
                ))
            }
            Err(_) => Ok(None),
        }
    }

    /// The coordinators of an executor.
    fn coordinators(&self) -> Result<Vec<String>> {
        let key = "coordinator";
        let default = || {
            vec![format!(
                "grpc://127.0.0.1:{}",
                Role::Coordinator.flight_port()
            )]
        };
        let urls = self.list(key, "URLs")?.unwrap_or_else(default);
        if urls.is_empty() || urls.iter().any(String::is_empty) {
            return Err(self.wrong(key, "give at least one URL such as grpc://127.0.0.1:32010"));
        }
        Ok(urls)
    }

    pub(super) fn wrong(&self, key: &str, reason: impl Display) -> Error {
        let place = self
            .layers
            .find_metadata(key)
            .map_or_else(String::new, |metadata| {
                match metadata
                    .source
                    .as_ref()
                    .and_then(|source| source.file_path())
                {
                    Some(path) => format!(" of file \"{}\"", path.display()),
                    None => format!(" of {}", metadata.name),
                }
            });
        Error::invalid(format!("setting \"{key}\"{place} is wrong: {reason}"))
    }
}

/// A time that is not nothing.
fn timeout(text: &str) -> Result<Duration, String> {
    match parse_duration(text) {
        Ok(time) if time.is_zero() => Err("must be more than 0".to_owned()),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// The text, if it is a filter of `tracing`.
fn log_filter(text: &str) -> Result<String, String> {
    match EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("\"{text}\" is no log filter ({error})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Case {
        directory: tempfile::TempDir,
        flags: ServeArgs,
        variables: Vec<(&'static str, &'static str)>,
    }

    fn case(toml: &str) -> Case {
        let directory = tempfile::tempdir().unwrap();
        if !toml.is_empty() {
            std::fs::write(directory.path().join(DEFAULT_FILE), toml).unwrap();
        }
        Case {
            directory,
            flags: ServeArgs::default(),
            variables: vec![],
        }
    }

    impl Case {
        fn variable(mut self, name: &'static str, value: &'static str) -> Self {
            self.variables.push((name, value));
            self
        }

        fn load(&self, role: Role) -> Result<Config> {
            let variable = |name: &str| {
                let found = self.variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            load_from(role, &self.flags, &variable, self.directory.path())
        }

        fn error(&self) -> String {
            self.load(Role::Server).unwrap_err().to_string()
        }
    }

    #[test]
    fn without_sources_the_defaults_hold() {
        let config = case("").load(Role::Server).unwrap();
        assert_eq!((config.flight_port, config.web_port), (32010, 32080));
        assert_eq!(config.host, "127.0.0.1");
        assert_eq!(config.memory_limit(), MemoryLimit::Percent(70));
        assert_eq!(config.data_dir(), Path::new("waterbuck-data"));
        assert_eq!(config.spill_dir(), Path::new("waterbuck-data/spill"));
        let executor = case("").load(Role::Executor).unwrap();
        assert_eq!(executor.flight_port, 32011);
        assert_eq!(executor.coordinator, ["grpc://127.0.0.1:32010"]);
    }

    #[test]
    fn flags_beat_variables_beat_the_file() {
        let mut case = case("flight-port = 1\nweb-port = 2\nhost = 'file'\ndata-dir = 'd'")
            .variable("WATERBUCK_WEB_PORT", "3")
            .variable("WATERBUCK_HOST", "variable")
            .variable("WATERBUCK_INSECURE_PLAINTEXT", "true");
        case.flags.host = Some("flag".to_owned());
        let config = case.load(Role::Server).unwrap();
        assert_eq!((config.flight_port, config.web_port), (1, 3));
        assert_eq!(config.host, "flag");
        assert_eq!(config.data_dir(), Path::new("d"));
    }

    #[test]
    fn text_that_looks_like_a_number_stays_text() {
        let config = case("")
            .variable("WATERBUCK_CLUSTER_TOKEN", "007")
            .load(Role::Server);
        assert_eq!(config.unwrap().cluster_token.as_deref(), Some("007"));
    }

    #[test]
    fn sizes_are_text_or_numbers() {
        let config = case("memory-limit = '50%'\nspill-limit = 1024")
            .load(Role::Server)
            .unwrap();
        assert_eq!(config.memory_limit(), MemoryLimit::Percent(50));
        assert_eq!(config.spill_limit_bytes, Some(1024));
    }

    #[test]
    fn times_have_units() {
        let config = case("reader-timeout = '90s'").load(Role::Server);
        let timeouts = config.unwrap().timeouts;
        assert_eq!(timeouts.reader, Some(Duration::from_secs(90)));
        assert_eq!(timeouts.session, None);
        for wrong in ["0s", "soon", "5"] {
            let error = case(&format!("result-timeout = '{wrong}'")).error();
            assert!(error.contains("\"result-timeout\" of file"), "{error}");
        }
    }

    #[test]
    fn certificates_come_in_pairs() {
        let config = case("tls-cert = 'c'\ntls-key = 'k'\ntls-client-ca = 'a'")
            .variable("WATERBUCK_CLUSTER_CA", "b")
            .load(Role::Server)
            .unwrap();
        let identity = config.tls.identity.unwrap();
        assert_eq!(identity.key, Path::new("k"));
        assert_eq!(config.tls.cluster_ca.as_deref(), Some(Path::new("b")));
        for (alone, other) in [
            ("tls-cert", "--tls-key"),
            ("tls-key", "--tls-cert"),
            ("cluster-key", "--cluster-cert"),
            ("tls-client-ca", "--tls-cert"),
        ] {
            let error = case(&format!("{alone} = 'x'")).error();
            assert!(error.contains(alone) && error.contains(other), "{error}");
        }
        let error = case("tls-client-auth = 'optional'").error();
        assert!(error.contains("--tls-client-ca"), "{error}");
        let clients = "tls-cert = 'c'\ntls-key = 'k'\ntls-client-ca = 'a'\ntls-client-auth =";
        for (mode, optional) in [("required", false), ("optional", true)] {
            let config = case(&format!("{clients} '{mode}'")).load(Role::Server);
            assert_eq!(config.unwrap().tls.client_optional, optional);
        }
        let error = case(&format!("{clients} 'sometimes'")).error();
        assert!(error.contains("\"optional\""), "{error}");
        let error = case("cluster-cert = 'c'\ncluster-key = 'k'").error();
        assert!(error.contains("--cluster-ca"), "{error}");
    }

    #[test]
    fn a_switch_is_a_boolean_or_its_text() {
        let config = case("insecure-plaintext = true").load(Role::Server);
        assert!(config.unwrap().insecure_plaintext);
        let config =
            case("insecure-plaintext = true").variable("WATERBUCK_INSECURE_PLAINTEXT", "0");
        assert!(!config.load(Role::Server).unwrap().insecure_plaintext);
        let error = case("insecure-plaintext = 'maybe'").error();
        assert!(error.contains("neither true nor false"), "{error}");
    }

    #[test]
    fn coordinators_are_a_list_or_text() {
        let urls = ["grpc://a:1", "grpc://b:2"];
        let listed = case("coordinator = ['grpc://a:1', 'grpc://b:2']").load(Role::Executor);
        assert_eq!(listed.unwrap().coordinator, urls);
        let spelled = case("").variable("WATERBUCK_COORDINATOR", "grpc://a:1, grpc://b:2");
        assert_eq!(spelled.load(Role::Executor).unwrap().coordinator, urls);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_the_nearest_one() {
        let error = case("flight_prt = 1").error();
        assert!(
            error.contains("unknown key \"flight_prt\", did you mean \"flight-port\"?"),
            "{error}"
        );
        assert!(error.contains("line 1 of configuration file"), "{error}");
        assert!(!case("zzz = 1").error().contains("did you mean"));
        for toml in [
            "host = 'h'\n\n'hots' = 'x'",
            "# hots\nweb-port = 1\n[hots]\nx = 1",
        ] {
            let error = case(toml).error();
            assert!(error.contains("line 3 of configuration file"), "{error}");
        }
    }

    #[test]
    fn a_wrong_value_is_named_with_its_place() {
        let error = case("web-port = 70000").error();
        assert!(error.contains("\"web-port\" of file"), "{error}");
        assert!(error.contains("\"70000\" is not a port"), "{error}");
        let error = case("").variable("WATERBUCK_MEMORY_LIMIT", "lots").error();
        assert!(error.contains("variable WATERBUCK_MEMORY_LIMIT"), "{error}");
        assert!(case("log = 'a=b=c'").error().contains("no log filter"));
        assert!(case("host = true").error().contains("\"host\""));
        assert!(case("host = ").error().contains("cannot be read"));
    }

    #[test]
    fn an_issuer_needs_its_audience_and_keys() {
        let whole =
            "oidc-issuer = 'https://i'\noidc-audience = 'w'\noidc-keys = 'https://i/keys'\n";
        assert!(case("").load(Role::Server).unwrap().oidc.is_none());
        assert!(case(whole).load(Role::Server).unwrap().oidc.is_some());
        let error = case("oidc-issuer = 'https://i'\noidc-keys = 'k'").error();
        assert!(error.contains("needs \"oidc-audience\""), "{error}");
        let error = case(&format!("{whole}oidc-algorithms = 'HS256'")).error();
        assert!(error.contains("\"oidc-algorithms\" of file"), "{error}");
    }

    #[test]
    fn places_are_free_unless_they_are_listed() {
        let places = case("").load(Role::Server).unwrap().places;
        assert_eq!(places, PlacesConfig::default());
        let listed = "allowed-locations = ['/data', 's3://lake/']\nallowed-hosts = 'a, b'";
        let places = case(listed).load(Role::Server).unwrap().places;
        assert_eq!(places.locations.unwrap(), ["/data", "s3://lake/"]);
        assert_eq!(places.hosts.unwrap(), ["a", "b"]);
    }

    #[test]
    fn a_named_file_must_exist() {
        let mut case = case("");
        case.flags.config.config = Some(PathBuf::from("/nowhere/w.toml"));
        assert!(case.error().contains("\"/nowhere/w.toml\" does not exist"));
    }
}
