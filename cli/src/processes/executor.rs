//! `waterbuck executor`.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;
use url::Url;
use waterbuck_engine::{Error, Result};
use waterbuck_executor::{ExecutorServer, ServeConfig};

use super::node::Node;
use super::ready::{Ports, announce, withdraw};
use super::signals::stop_requested;
use super::web::WebPort;
use crate::config::Config;
use crate::output;

const EXCHANGE_FILE: &str = "executor.addr";
const WEB_FILE: &str = "executor-web.addr";
const DRAIN_TIMEOUT: Duration = Duration::from_secs(600);

/// Runs an executor until it is told to stop; then it drains and leaves.
///
/// # Errors
/// When the process cannot start, or its listener breaks.
pub(crate) async fn run_executor(config: &Config) -> Result<()> {
    let node = Node::new(config, &config.spill_dir())?;
    let Ports { flight, web } = Ports::open(config).await?;
    let (address, web_address) = (flight.address()?, web.address()?);
    let advertise = advertised(config, &address)?;
    let coordinators = config
        .coordinator
        .iter()
        .map(|text| exchange_url(text))
        .collect::<Result<Vec<_>>>()?;
    for url in &coordinators {
        node.channels.dialer().check(url)?;
    }
    let serve = ServeConfig {
        public_url: public_url(config, &advertise)?,
        advertise: advertise.clone(),
        coordinators,
        drain_timeout: DRAIN_TIMEOUT,
        tls: flight.tls,
    };
    let server = ExecutorServer::new(node.executor, serve);
    let sender = Arc::clone(server.sender());
    let _web = WebPort::open(web, move || sender.report())?;
    output::line(format_args!("flight listening on {address}"));
    output::line(format_args!("web listening on {web_address}"));
    announce(config.data_dir(), WEB_FILE, &web_address)?;
    announce(config.data_dir(), EXCHANGE_FILE, &address)?;
    info!(%advertise, %web_address, "executor ready");
    let drain = CancellationToken::new();
    let mut watch = JoinSet::new();
    let told = drain.clone();
    watch.spawn(async move {
        let stopped = stop_requested().await;
        told.cancel();
        stopped
    });
    let result = server.run(flight.listener, drain).await;
    withdraw(config.data_dir(), EXCHANGE_FILE);
    withdraw(config.data_dir(), WEB_FILE);
    result
}

/// Where the other processes reach this one: `advertise-address`, with the port that was opened
/// where it names none. It says whether they are to speak TLS.
fn advertised(config: &Config, address: &str) -> Result<Url> {
    let port = address.rsplit_once(':').map_or("", |(_, port)| port);
    let place = match &config.advertise_address {
        Some(named) if has_port(named) => named.clone(),
        Some(named) => format!("{named}:{port}"),
        None => address.to_owned(),
    };
    let scheme = match config.tls.shown() {
        Some(_) => "https",
        None => "http",
    };
    exchange_url(&format!("{scheme}://{place}"))
}

/// Where clients reach this executor, as Flight writes locations; `None` if they do not.
fn public_url(config: &Config, advertise: &Url) -> Result<Option<String>> {
    let named = match config.public_url.as_deref() {
        Some("none") => return Ok(None),
        Some(named) => exchange_url(named)?,
        None => advertise.clone(),
    };
    let scheme = match named.scheme() {
        "https" => "grpc+tls",
        _ => "grpc+tcp",
    };
    let place = named.authority();
    let port = named.port_or_known_default();
    let location = match (named.port(), port) {
        (None, Some(port)) => format!("{scheme}://{place}:{port}"),
        _ => format!("{scheme}://{place}"),
    };
    Ok(Some(location))
}

fn has_port(place: &str) -> bool {
    place.rsplit_once(':').is_some_and(|(_, port)| {
        !port.is_empty() && port.chars().all(|digit| digit.is_ascii_digit())
    })
}

/// `grpc://host:port`, `http://host:port` or `host:port` as the URL that gRPC dials; `grpc+tls://`
/// and `https://` ask for TLS.
fn exchange_url(text: &str) -> Result<Url> {
    let (scheme, place) = match text.split_once("://") {
        Some(("grpc+tls" | "https", place)) => ("https", place),
        Some((_, place)) => ("http", place),
        None => ("http", text),
    };
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    Url::parse(&format!("{scheme}://{}", place.trim_end_matches('/')))
        .map_err(|error| Error::invalid(format!("\"{text}\" is no address")).with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::ServeArgs;
    use crate::config::{Role, load};

    #[test]
    fn clients_are_told_the_public_address_in_flights_words() {
        let advertise = exchange_url("10.0.0.7:32011").unwrap();
        for (named, expected) in [
            (None, Some("grpc+tcp://10.0.0.7:32011")),
            (Some("none"), None),
            (
                Some("grpc+tls://db.example.org:9"),
                Some("grpc+tls://db.example.org:9"),
            ),
            (
                Some("grpc+tls://db.example.org"),
                Some("grpc+tls://db.example.org:443"),
            ),
        ] {
            let flags = ServeArgs {
                public_url: named.map(str::to_owned),
                ..ServeArgs::default()
            };
            let config = load(Role::Executor, &flags).unwrap();
            assert_eq!(
                public_url(&config, &advertise).unwrap().as_deref(),
                expected
            );
        }
    }

    #[test]
    fn addresses_are_taken_in_every_spelling() {
        for text in ["grpc://admin:x@db:1", "http://db:1/", "db:1"] {
            assert_eq!(exchange_url(text).unwrap().as_str(), "http://db:1/");
        }
        for text in ["grpc+tls://db:1", "https://db:1/"] {
            assert_eq!(exchange_url(text).unwrap().as_str(), "https://db:1/");
        }
    }
}
