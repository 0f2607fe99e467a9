//! Where an issuer's keys are read: a JSON Web Key Set in a file or on the web.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use url::{Host, Url};
use waterbuck_engine::{Error, Result};

/// A larger set of keys is not read.
const KEYS_BYTES_MAX: usize = 1 << 20;
const KEYS_TIMEOUT: Duration = Duration::from_secs(10);

/// A file or a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeySource {
    File(PathBuf),
    Web(Url),
}

impl KeySource {
    /// A path or URL.
    ///
    /// # Errors
    /// When the keys would come over plain HTTP from another machine.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        let url = Url::parse(text)
            .map_err(|error| Error::invalid(format!("\"{text}\" is no URL")).with_source(error))?;
        let here = match url.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => ip.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        };
        if url.scheme() == "https" || (url.scheme() == "http" && here) {
            return Ok(Self::Web(url));
        }
        Err(Error::invalid(format!(
            "keys cannot be trusted that come from \"{text}\": give an https:// URL or a file"
        )))
    }

    /// The keys as they are now.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be read, or are no keys.
    pub(super) async fn read(&self) -> Result<JwkSet> {
        let (shown, bytes) = match self {
            Self::File(path) => {
                let shown = path.display().to_string();
                let bytes = tokio::fs::read(path)
                    .await
                    .map_err(|error| unreadable(&shown).with_source(error))?;
                (shown, bytes)
            }
            Self::Web(url) => {
                let bytes = fetch(url)
                    .await
                    .map_err(|error| unreadable(url.as_str()).with_source(error))?;
                (url.to_string(), bytes)
            }
        };
        if bytes.len() > KEYS_BYTES_MAX {
            return Err(unreadable(&shown));
        }
        serde_json::from_slice(&bytes).map_err(|error| unreadable(&shown).with_source(error))
    }
}

/// At most one byte more than is read.
async fn fetch(url: &Url) -> Result<Vec<u8>, reqwest::Error> {
    let client = reqwest::Client::builder()
        .timeout(KEYS_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let answer = client.get(url.clone()).send().await?;
    let mut answer = answer.error_for_status()?;
    let mut bytes = vec![];
    while let Some(chunk) = answer.chunk().await? {
        let room = (KEYS_BYTES_MAX + 1).saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if bytes.len() > KEYS_BYTES_MAX {
            break;
        }
    }
    Ok(bytes)
}

fn unreadable(source: &str) -> Error {
    Error::unavailable(format!(
        "the issuer's keys cannot be read from \"{source}\""
    ))
}
