//! Builds the object store behind a URL, with a secret or with the environment's credentials.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdfs_native_object_store::HdfsObjectStoreBuilder;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::http::HttpBuilder;
use object_store::local::LocalFileSystem;
use object_store::{HeaderMap, HeaderValue, ObjectStore, RetryConfig};
use url::Url;
use waterbuck_engine::{Error, Result};

use super::hosts::Referrals;
use super::secret::Secret;
use super::web_client::WebConnector;
use super::whole_files::WholeFiles;

/// A store that does not answer is reported after this long, not after minutes of retries.
const RETRY_TIMEOUT: Duration = Duration::from_secs(20);
const MAX_RETRIES: usize = 4;

/// Builds the store of a scheme-and-authority URL.
///
/// # Errors
/// `InvalidQuery` for an option the store does not know or a scheme without a store.
pub(super) fn build_store(
    url: &Url,
    secret: Option<&Secret>,
    referrals: &Referrals,
) -> Result<Arc<dyn ObjectStore>> {
    let options = secret.map(|secret| &secret.options);
    Ok(match Secret::kind_for_scheme(url.scheme()) {
        Some("s3") => Arc::new(s3(url, options)?),
        Some("gcs") => Arc::new(gcs(url, options)?),
        Some("azure") => Arc::new(azure(url, options)?),
        Some("http") => Arc::new(WholeFiles::new(http(url, options, referrals)?)),
        Some("hdfs") => Arc::new(hdfs(url, options)?),
        _ if url.scheme() == "file" => Arc::new(LocalFileSystem::new()),
        _ => {
            return Err(Error::invalid(format!(
                "there is no file storage behind \"{url}\""
            )));
        }
    })
}

fn s3(url: &Url, options: Option<&Options>) -> Result<impl ObjectStore> {
    let mut builder = match options {
        Some(_) => AmazonS3Builder::new(),
        None => AmazonS3Builder::from_env(),
    };
    builder = builder
        .with_url(url.as_str().trim_end_matches('/'))
        .with_retry(retry());
    let mut secure = true;
    for (name, value) in options.into_iter().flatten() {
        match name.as_str() {
            "use_ssl" => secure = flag(name, value)?,
            "url_style" => {
                builder =
                    builder.with_virtual_hosted_style_request(value.eq_ignore_ascii_case("vhost"));
            }
            name => {
                let key = match name {
                    "key_id" => AmazonS3ConfigKey::AccessKeyId,
                    "secret" => AmazonS3ConfigKey::SecretAccessKey,
                    name => known(name, "s3", AmazonS3ConfigKey::from_str(name).ok())?,
                };
                builder = builder.with_config(key, value);
            }
        }
    }
    if let Some(endpoint) = builder.get_config_value(&AmazonS3ConfigKey::Endpoint) {
        let endpoint = match endpoint.contains("://") {
            true => endpoint,
            false => format!("{}://{endpoint}", if secure { "https" } else { "http" }),
        };
        if endpoint.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_endpoint(endpoint);
    }
    builder.build().map_err(|error| unbuildable(url, error))
}

fn gcs(url: &Url, options: Option<&Options>) -> Result<impl ObjectStore> {
    let mut builder = match options {
        Some(_) => GoogleCloudStorageBuilder::new(),
        None => GoogleCloudStorageBuilder::from_env(),
    };
    builder = builder
        .with_url(url.as_str().trim_end_matches('/'))
        .with_retry(retry());
    for (name, value) in options.into_iter().flatten() {
        let key = known(name, "gcs", GoogleConfigKey::from_str(name).ok())?;
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|error| unbuildable(url, error))
}

fn azure(url: &Url, options: Option<&Options>) -> Result<impl ObjectStore> {
    let mut builder = match options {
        Some(_) => MicrosoftAzureBuilder::new(),
        None => MicrosoftAzureBuilder::from_env(),
    };
    builder = builder
        .with_url(url.as_str().trim_end_matches('/'))
        .with_retry(retry());
    for (name, value) in options.into_iter().flatten() {
        let key = match name.as_str() {
            "account" => AzureConfigKey::AccountName,
            "key" => AzureConfigKey::AccessKey,
            "sas" => AzureConfigKey::SasKey,
            name => known(name, "azure", AzureConfigKey::from_str(name).ok())?,
        };
        if matches!(key, AzureConfigKey::Endpoint) && value.starts_with("http://") {
            builder = builder.with_allow_http(true);
        }
        builder = builder.with_config(key, value);
    }
    builder.build().map_err(|error| unbuildable(url, error))
}

fn http(url: &Url, options: Option<&Options>, referrals: &Referrals) -> Result<impl ObjectStore> {
    let mut headers = HeaderMap::new();
    let empty = BTreeMap::new();
    let options = options.unwrap_or(&empty);
    for name in options.keys() {
        let served = ["user", "password", "token", "bearer_token"].contains(&name.as_str());
        known(name, "http", served.then_some(()))?;
    }
    let get = |name: &str| options.get(name);
    let authorization = match (get("token").or_else(|| get("bearer_token")), get("user")) {
        (Some(token), _) => Some(format!("Bearer {token}")),
        (None, Some(user)) => {
            let password = get("password").map(String::as_str).unwrap_or_default();
            Some(format!(
                "Basic {}",
                STANDARD.encode(format!("{user}:{password}"))
            ))
        }
        (None, None) => None,
    };
    if let Some(text) = authorization {
        let mut value = HeaderValue::from_str(&text)
            .map_err(|_| Error::invalid("the http secret holds a character no header may hold"))?;
        value.set_sensitive(true);
        headers.insert("authorization", value);
    }
    HttpBuilder::new()
        .with_url(url.as_str())
        .with_http_connector(WebConnector {
            headers,
            referrals: referrals.clone(),
        })
        .with_retry(retry())
        .build()
        .map_err(|error| unbuildable(url, error))
}

/// Name services and Kerberos come from the Hadoop configuration (`HADOOP_CONF_DIR`,
/// `HADOOP_HOME`), the user from `HADOOP_USER_NAME`; a secret may add Hadoop properties.
fn hdfs(url: &Url, options: Option<&Options>) -> Result<impl ObjectStore> {
    let mut builder = HdfsObjectStoreBuilder::new();
    if url.host_str().is_some_and(|host| !host.is_empty()) {
        builder = builder.with_url(url.as_str().trim_end_matches('/'));
    }
    if let Some(options) = options {
        for name in options.keys() {
            known(name, "hdfs", name.contains('.').then_some(()))?;
        }
        builder = builder.with_config(options.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    builder.build().map_err(|error| unbuildable(url, error))
}

type Options = BTreeMap<String, String>;

fn retry() -> RetryConfig {
    RetryConfig {
        max_retries: MAX_RETRIES,
        retry_timeout: RETRY_TIMEOUT,
        ..Default::default()
    }
}

fn flag(name: &str, value: &str) -> Result<bool> {
    value.trim().to_ascii_lowercase().parse().map_err(|_| {
        Error::invalid(format!(
            "the secret's option \"{name}\" is neither true nor false"
        ))
    })
}

fn known<T>(name: &str, kind: &str, key: Option<T>) -> Result<T> {
    key.ok_or_else(|| Error::invalid(format!("a secret of type {kind} has no option \"{name}\"")))
}

fn unbuildable(url: &Url, error: object_store::Error) -> Error {
    Error::invalid(format!("the storage \"{url}\" cannot be set up")).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(url: &str, kind: &str, options: &[(&str, &str)]) -> Result<Arc<dyn ObjectStore>> {
        let options = options
            .iter()
            .map(|(k, v)| (k.to_string(), v.to_string()))
            .collect();
        let secret = Secret {
            kind: kind.into(),
            scope: None,
            options,
        };
        let url = Url::parse(url).expect("url");
        build_store(&url, Some(&secret), &Referrals::Public)
    }

    #[test]
    fn every_scheme_has_a_store() {
        let s3 = [
            ("key_id", "a"),
            ("secret", "b"),
            ("endpoint", "localhost:9000"),
            ("use_ssl", "false"),
            ("url_style", "path"),
            ("region", "eu-central-1"),
        ];
        build("s3://bucket/", "s3", &s3).expect("s3");
        build("gs://bucket/", "gcs", &[("skip_signature", "true")]).expect("gcs");
        let azure = [("account", "me"), ("key", "c2VjcmV0")];
        build("az://container/", "azure", &azure).expect("azure");
        build(
            "abfss://c@me.dfs.core.windows.net/",
            "azure",
            &[("key", "c2VjcmV0")],
        )
        .expect("abfss");
        build("https://host/", "http", &[("token", "x")]).expect("http");
    }

    #[test]
    fn an_unknown_option_is_named() {
        let error = build("s3://bucket/", "s3", &[("colour", "red")]).expect_err("refused");
        assert_eq!(
            error.to_string(),
            "a secret of type s3 has no option \"colour\""
        );
        build("http://host/", "http", &[("region", "x")]).expect_err("refused");
    }
}
