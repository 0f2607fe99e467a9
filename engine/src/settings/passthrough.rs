//! DataFusion's own options, `datafusion.*` and `distributed.*`: which may be set and what they hold.
//!
//! An option that a documented setting governs answers to that setting's name, so that there is one
//! value and one place to look. Options that would break a promise (what a name means, how much
//! memory a process takes) are refused.

use datafusion::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion_distributed::DistributedConfig;

use crate::{Error, Result};

/// Options and the documented setting that governs each.
const ALIASES: &[(&str, &str)] = &[
    ("datafusion.catalog.default_schema", "schema"),
    ("datafusion.execution.batch_size", "batch_size"),
    (
        "datafusion.execution.target_partitions",
        "target_partitions",
    ),
    ("datafusion.execution.time_zone", "timezone"),
    (
        "datafusion.optimizer.hash_join_single_partition_threshold",
        "broadcast_limit",
    ),
    (
        "datafusion.sql_parser.recursion_limit",
        "max_expression_depth",
    ),
    ("distributed.broadcast_joins", "broadcast_joins"),
    ("distributed.compression", "exchange_compression"),
    (
        "distributed.file_scan_config_bytes_per_partition",
        "task_scan_bytes",
    ),
    ("distributed.max_tasks_per_stage", "max_tasks_per_stage"),
];

/// What begins like this is decided by Waterbuck.
const REFUSED: &[&str] = &[
    "datafusion.catalog.",
    "datafusion.runtime.",
    "datafusion.sql_parser.",
];

/// The documented setting that governs an option, or the name itself; in lower case.
pub(super) fn canonical(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let name = match name.as_str() {
        "time zone" | "time_zone" => "timezone",
        other => other,
    };
    ALIASES
        .iter()
        .find(|(option, _)| *option == name)
        .map_or(name, |(_, setting)| *setting)
        .into()
}

/// All options with DataFusion's and its distribution's own defaults.
pub(super) fn default_options() -> ConfigOptions {
    let mut options = ConfigOptions::new();
    options.extensions.insert(DistributedConfig::default());
    options
}

/// Sets one option, or says why not.
pub(super) fn set(options: &mut ConfigOptions, name: &str, value: &str) -> Result<()> {
    if REFUSED.iter().any(|prefix| name.starts_with(prefix)) {
        return Err(Error::invalid(format!(
            "setting \"{name}\" cannot be changed by a session"
        )));
    }
    options.set(name, value).map_err(|error| {
        let text = error.strip_backtrace();
        let text = text.lines().next().unwrap_or_default();
        let text = text.trim_start_matches("Invalid or Unsupported Configuration: ");
        Error::invalid(format!(
            "invalid value \"{value}\" for setting \"{name}\": {text}"
        ))
    })
}

/// One option's value as text, when it has one.
pub(super) fn get(options: &ConfigOptions, name: &str) -> Option<String> {
    entries(options)
        .into_iter()
        .find(|(key, ..)| key == name)
        .map(|(_, value, _)| value)
}

/// Name, value and description of every option a session may set.
pub(super) fn entries(options: &ConfigOptions) -> Vec<(String, String, &'static str)> {
    let distributed = options.extensions.get::<DistributedConfig>();
    // An extension's entries come without the extension's name.
    let distributed = distributed
        .map(ExtensionOptions::entries)
        .unwrap_or_default();
    let named = distributed.into_iter().map(|entry| ConfigEntry {
        key: format!("{}.{}", DistributedConfig::PREFIX, entry.key),
        ..entry
    });
    options
        .entries()
        .into_iter()
        .filter(|entry| entry.key.starts_with("datafusion."))
        .chain(named)
        .filter(|entry| !REFUSED.iter().any(|prefix| entry.key.starts_with(prefix)))
        .filter(|entry| !ALIASES.iter().any(|(option, _)| *option == entry.key))
        .map(|entry| {
            (
                entry.key,
                entry.value.unwrap_or_default(),
                entry.description,
            )
        })
        .collect()
}

/// Whether it is an option at all, be it one a session may set or not.
pub(super) fn exists(name: &str) -> bool {
    let options = default_options();
    // One of DataFusion's names sets several options and is none itself.
    name == "datafusion.optimizer.enable_dynamic_filter_pushdown"
        || REFUSED.iter().any(|prefix| name.starts_with(prefix))
        || entries(&options).iter().any(|(key, ..)| key == name)
}
