//! `CREATE SECRET`, `DROP SECRET`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use waterbuck_catalog::{OnExisting, Secret};
use waterbuck_engine::sql::{CreateSecret, DropSecret};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::ddl::on_existing;
use crate::places::Places;
use crate::session::Outcome;
use crate::tables::parse_location;

/// `CREATE SECRET name (…)`.
pub(super) async fn create(context: &StatementContext, create: &CreateSecret) -> Result<Outcome> {
    context.admin_only("create secrets")?;
    let options: BTreeMap<String, String> = create
        .options
        .iter()
        .map(|(name, value)| (name.clone(), value.reveal().to_owned()))
        .collect();
    let secret = Secret {
        name: create.name.clone(),
        kind: create.kind.clone(),
        scope: create.scope.clone(),
        options,
    };
    crate::tables::check_secret(&secret)?;
    for (name, value) in &secret.options {
        check_option(&context.core().places, name, value)?;
    }
    let mode: OnExisting = on_existing(create.or_replace, create.if_not_exists);
    context.core().catalog.create_secret(secret, mode).await?;
    Ok(context.done())
}

/// Refuses an option that would be a way around what may be called and read.
fn check_option(places: &Places, name: &str, value: &str) -> Result<()> {
    if names_a_file(name) {
        return places.check(&parse_location(value)?, true);
    }
    if names_a_host(name) {
        return places.check_endpoint(value);
    }
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    if is_part_of_a_host(name) && !value.chars().all(is_plain) {
        return Err(Error::invalid(format!(
            "the option \"{name}\" becomes a part of a host's name: it has letters, digits, - and _ \
             alone"
        )));
    }
    let urls: Vec<String> = match serde_json::from_str::<Map<String, Value>>(value) {
        // The key of a service account says where it is exchanged.
        Ok(fields) => fields
            .values()
            .filter_map(|field| field.as_str().map(str::to_owned))
            .collect(),
        Err(_) => vec![value.to_owned()],
    };
    urls.iter()
        .filter(|url| url.contains("://"))
        .try_for_each(|url| places.check_endpoint(url))
}

/// Whether an option of a secret says where to call.
fn names_a_host(option: &str) -> bool {
    ["address", "endpoint", "host", "uri", "url"]
        .iter()
        .any(|word| option.ends_with(word))
        || option.contains("-address.")
}

/// Whether an option of a secret stands in the name of the host that is called.
fn is_part_of_a_host(option: &str) -> bool {
    ["account", "account_name", "region"]
        .iter()
        .any(|word| option.ends_with(word))
}

/// Whether an option of a secret names a file, whose contents are sent.
fn names_a_file(option: &str) -> bool {
    option.ends_with("_file")
        || option.ends_with("_path")
        || option.ends_with("application_credentials")
        || option.ends_with("service_account")
}

/// `DROP SECRET name`.
pub(super) async fn remove(context: &StatementContext, drop: &DropSecret) -> Result<Outcome> {
    context.admin_only("drop secrets")?;
    context
        .core()
        .catalog
        .drop_secret(&drop.name, drop.if_exists)
        .await?;
    Ok(context.done())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::PlacesConfig;

    #[test]
    fn options_are_no_way_around_what_may_be_called_and_read() {
        let config = PlacesConfig {
            locations: Some(vec!["/keys".to_owned()]),
            hosts: Some(vec!["s3.example.org".to_owned()]),
        };
        let places = Places::new(&config, "/srv/waterbuck/tables/").unwrap();
        for (name, value) in [
            ("endpoint", "https://s3.example.org:9000"),
            ("region", "eu-west-1"),
            ("account", "lake"),
            ("key_id", "AKIA"),
            ("secret", "a/b+c=="),
            ("service_account_path", "/keys/gcs.json"),
            (
                "service_account_key",
                r#"{"token_uri": "https://s3.example.org/token", "n": 1}"#,
            ),
        ] {
            assert!(check_option(&places, name, value).is_ok(), "{name} {value}");
        }
        for (name, value) in [
            ("endpoint", "https://elsewhere"),
            ("aws_container_credentials_relative_uri", "@elsewhere/x"),
            ("container_credentials_full_uri", "http://169.254.170.2/x"),
            ("dfs.namenode.rpc-address", "elsewhere:8020"),
            ("dfs.namenode.rpc-address.ns.nn1", "elsewhere:8020"),
            ("region", "elsewhere/#"),
            ("account_name", "elsewhere/?"),
            ("aws_web_identity_token_file", "/etc/passwd"),
            ("azure_federated_token_file", "/keys/../etc/passwd"),
            ("google_application_credentials", "/etc/passwd"),
            ("service_account_path", "/proc/self/environ"),
            ("google_service_account", "/etc/passwd"),
            (
                "service_account_key",
                r#"{"token_uri": "https://elsewhere/token"}"#,
            ),
            ("session_token", "https://elsewhere"),
        ] {
            assert!(
                check_option(&places, name, value).is_err(),
                "{name} {value}"
            );
        }
    }
}
