//! How web servers are called: by addresses that nobody is to be led away from, and on to other
//! hosts only where that is allowed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use object_store::client::{HttpClient, HttpConnector};
use object_store::{ClientOptions, Error, HeaderMap, Result};
use reqwest::Client;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::{Action, Attempt, Policy};
use tokio::net::lookup_host;

use super::hosts::{Referrals, is_hidden_address};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// A file that is not there after so many referrals is nowhere.
const REFERRALS_MAX: usize = 10;

/// Makes the clients of web servers.
#[derive(Debug)]
pub(super) struct WebConnector {
    /// What every request says.
    pub(super) headers: HeaderMap,
    pub(super) referrals: Referrals,
}

impl HttpConnector for WebConnector {
    /// The options hold nothing that is not here.
    fn connect(&self, _options: &ClientOptions) -> Result<HttpClient> {
        let referrals = self.referrals.clone();
        let client = Client::builder()
            .user_agent(concat!("waterbuck/", env!("CARGO_PKG_VERSION")))
            .default_headers(self.headers.clone())
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(REQUEST_TIMEOUT)
            .http1_only()
            // The length of a file is that of the answer.
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .redirect(Policy::custom(move |attempt| referred(&referrals, attempt)))
            .dns_resolver(Arc::new(Resolver))
            .build();
        let unbuilt = |error: reqwest::Error| Error::Generic {
            store: "HTTP",
            source: Box::new(error),
        };
        Ok(HttpClient::new(client.map_err(unbuilt)?))
    }
}

/// What is done when a server answers that a file is elsewhere.
fn referred(referrals: &Referrals, attempt: Attempt<'_>) -> Action {
    if attempt.previous().len() > REFERRALS_MAX {
        return attempt.error("the server sends on without an end");
    }
    let asked = attempt.previous().first();
    let stays = asked.is_some_and(|asked| asked.host_str() == attempt.url().host_str());
    if stays || referrals.allow(attempt.url()) {
        return attempt.follow();
    }
    let host = attempt.url().host_str().unwrap_or_default().to_owned();
    attempt.error(format!(
        "the server sends on to the host \"{host}\", which may not be called: name it with \
         --allowed-hosts"
    ))
}

/// Looks names up; a name does not lead where its address could not be written.
struct Resolver;

type Fault = Box<dyn std::error::Error + Send + Sync>;

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|error| Box::new(error) as Fault)?.collect();
            if found.iter().any(|address| is_hidden_address(address.ip())) {
                let name = name.as_str();
                return Err(Fault::from(format!(
                    "the name \"{name}\" leads to an address that may not be called"
                )));
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
