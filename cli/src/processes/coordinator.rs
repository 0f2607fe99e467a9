//! `waterbuck server` and `waterbuck coordinator`.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tonic::service::interceptor::InterceptedService;
use tracing::info;
use waterbuck_coordinator::flight_sql::{FlightConfig, incoming, service, transport};
use waterbuck_coordinator::{Coordinator, Door, create_first_admin, describe_run_error};
use waterbuck_engine::monitor::Report;
use waterbuck_engine::{Error, Result};
use waterbuck_transport::{Incoming, mark_peer};

use super::node::{Node, open_catalog};
use super::ready::{Ports, announce, withdraw};
use super::signals::stop_requested;
use super::web::WebPort;
use crate::config::Config;
use crate::output;

const FLIGHT_FILE: &str = "flight.addr";
const WEB_FILE: &str = "web.addr";

/// Runs everything in one process until it is told to stop.
///
/// # Errors
/// When the process cannot start, or its listener breaks.
pub(crate) async fn run_server(config: &Config) -> Result<()> {
    run(config, true).await
}

/// Runs a coordinator until it is told to stop.
///
/// # Errors
/// When the process cannot start, or its listener breaks.
pub(crate) async fn run_coordinator(config: &Config) -> Result<()> {
    run(config, false).await
}

async fn run(config: &Config, local: bool) -> Result<()> {
    let ports = Ports::open(config).await?;
    let data_dir = config.data_dir();
    let catalog = open_catalog(data_dir).await?;
    let given = std::env::var("WATERBUCK_ADMIN_PASSWORD").ok();
    let generated = create_first_admin(&catalog, given.as_deref()).await?;
    let node = Node::new(config, &config.spill_dir())?;
    let coordinator = node.coordinator(catalog, config, local)?;
    let (flight_address, web_address) = (ports.flight.address()?, ports.web.address()?);
    output::line(format_args!("flight listening on {flight_address}"));
    output::line(format_args!("web listening on {web_address}"));
    if let Some(password) = generated {
        output::line(format_args!(
            "first user: admin, password: {password} (shown only once)"
        ));
    }
    announce(data_dir, WEB_FILE, &web_address)?;
    announce(data_dir, FLIGHT_FILE, &flight_address)?;
    info!(%flight_address, %web_address, "ready");
    let result = serve(&coordinator, ports, flight_limits(config)).await;
    withdraw(data_dir, FLIGHT_FILE);
    withdraw(data_dir, WEB_FILE);
    coordinator.shutdown().await;
    result
}

/// The limits of the door: the defaults, and what was said otherwise.
fn flight_limits(config: &Config) -> FlightConfig {
    let limits = FlightConfig::new(describe_run_error);
    let timeouts = &config.timeouts;
    FlightConfig {
        session_idle: timeouts.session.unwrap_or(limits.session_idle),
        result_expiry: timeouts.result.unwrap_or(limits.result_expiry),
        reader_stall: timeouts.reader.unwrap_or(limits.reader_stall),
        ..limits
    }
}

async fn serve(coordinator: &Arc<Coordinator>, ports: Ports, limits: FlightConfig) -> Result<()> {
    let Ports { flight, web } = ports;
    let stop = CancellationToken::new();
    let door = service(Arc::new(Door(Arc::clone(coordinator))), limits)?;
    let connections = Incoming::new(incoming(flight.listener), flight.tls);
    let flight = transport()
        .add_service(InterceptedService::new(door, mark_peer))
        .serve_with_incoming_shutdown(connections, stop.cancelled());
    let (watched, stopping) = (Arc::clone(coordinator), stop.clone());
    let _web = WebPort::open(web, move || Report {
        ready: !stopping.is_cancelled(),
        gauges: watched.gauges(),
    })?;
    tokio::pin!(flight);
    tokio::select! {
        result = &mut flight => {
            return result.map_err(|error| Error::unavailable("the listener broke").with_source(error));
        }
        stopped = stop_requested() => stopped?,
    }
    info!("stopping");
    for query in coordinator.queries().all() {
        query.cancel.cancel();
    }
    stop.cancel();
    // Clients that keep their connections open do not keep the process alive.
    let _late = tokio::time::timeout(std::time::Duration::from_secs(5), flight).await;
    Ok(())
}
