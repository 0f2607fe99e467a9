//! A session's settings as DataFusion's configuration.

use datafusion::prelude::SessionConfig;
use datafusion_distributed::DistributedConfig;
use url::{Host, Url};
use waterbuck_engine::Result;
use waterbuck_engine::settings::{Settings, Values};

/// Puts `settings` into `config`, for a query that uses `executors`.
///
/// # Errors
/// Never at present: settings are checked when they are set.
pub(crate) fn apply_settings(
    config: &mut SessionConfig,
    settings: &Settings,
    executors: &[Url],
) -> Result<()> {
    settings.apply(config.options_mut());
    let untouched =
        settings.values().exchange_compression == Values::default().exchange_compression;
    if untouched && executors.iter().all(is_loopback) {
        // Inside one machine compressing costs more than copying.
        if let Some(distributed) = config
            .options_mut()
            .extensions
            .get_mut::<DistributedConfig>()
        {
            "none".clone_into(&mut distributed.compression);
        }
    }
    Ok(())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
