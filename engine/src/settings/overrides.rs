//! A session's settings: the server's values, and what the session set in their place.

use std::collections::BTreeMap;

use datafusion::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion_distributed::DistributedConfig;

use super::definitions::{SETTINGS, Setting, Values};
use super::passthrough;
use crate::{Error, Result};

/// The values of all settings in one session.
///
/// Starts from Waterbuck's defaults; [`set_default`](Self::set_default) puts the server's
/// configuration in their place, and [`set`](Self::set) the session's wishes above both.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    defaults: Values,
    values: Values,
    default_options: BTreeMap<String, String>,
    options: BTreeMap<String, String>,
}

/// One line of `SHOW SETTINGS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The name.
    pub name: String,
    /// What holds in this session.
    pub value: String,
    /// What holds after `RESET`.
    pub default: String,
    /// What it does.
    pub description: String,
}

impl Settings {
    /// Every setting at its default.
    pub fn new() -> Self {
        Self::default()
    }

    /// The documented settings, typed.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Changes what holds where a session sets nothing, as a server's configuration does.
    pub fn set_default(&mut self, name: &str, value: &str) -> Result<()> {
        let name = passthrough::canonical(name);
        if let Some(setting) = Setting::find(&name) {
            let overridden = setting.get(&self.values) != setting.get(&self.defaults);
            setting.set(&mut self.defaults, value)?;
            if !overridden {
                setting.copy(&self.defaults, &mut self.values);
            }
            return Ok(());
        }
        check_option(&name, value)?;
        self.default_options.insert(name, value.to_string());
        Ok(())
    }

    /// `SET name = value`: nothing changes when the name or the value is wrong.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let name = passthrough::canonical(name);
        if let Some(setting) = Setting::find(&name) {
            return setting.set(&mut self.values, value);
        }
        check_option(&name, value)?;
        self.options.insert(name, value.to_string());
        Ok(())
    }

    /// `RESET name`.
    pub fn reset(&mut self, name: &str) -> Result<()> {
        let name = passthrough::canonical(name);
        if let Some(setting) = Setting::find(&name) {
            setting.copy(&self.defaults, &mut self.values);
            return Ok(());
        }
        if self.options.remove(&name).is_none() && !passthrough::exists(&name) {
            return Err(unknown(&name));
        }
        Ok(())
    }

    /// `RESET ALL`: the current schema stays, for it is where the session is and not how it works.
    pub fn reset_all(&mut self) {
        let schema = std::mem::take(&mut self.values.schema);
        self.values = self.defaults.clone();
        self.values.schema = schema;
        self.options.clear();
    }

    /// `SHOW name`: the value as text.
    pub fn get(&self, name: &str) -> Result<String> {
        let name = passthrough::canonical(name);
        match Setting::find(&name) {
            Some(setting) => Ok(setting.get(&self.values)),
            None => passthrough::get(&self.config_options(), &name).ok_or_else(|| unknown(&name)),
        }
    }

    /// `SHOW SETTINGS`: the documented settings and the options this session or server changed.
    pub fn list(&self) -> Vec<SettingRow> {
        let documented = SETTINGS.iter().map(|setting| SettingRow {
            name: setting.name.to_string(),
            value: setting.get(&self.values),
            default: setting.get(&self.defaults),
            description: setting.description.to_string(),
        });
        let changed = |row: &SettingRow| {
            self.options.contains_key(&row.name) || self.default_options.contains_key(&row.name)
        };
        documented
            .chain(self.list_options().into_iter().filter(changed))
            .collect()
    }

    /// Every option of DataFusion and its distribution that a session may set.
    pub fn list_options(&self) -> Vec<SettingRow> {
        let mut defaults = passthrough::default_options();
        apply_options(&mut defaults, &self.default_options);
        let mut current = defaults.clone();
        apply_options(&mut current, &self.options);
        passthrough::entries(&current)
            .into_iter()
            .zip(passthrough::entries(&defaults))
            .map(|((name, value, description), (_, default, _))| SettingRow {
                name,
                value,
                default,
                description: description.to_string(),
            })
            .collect()
    }

    /// Carries the settings DataFusion and its distribution act on into `options`.
    pub fn apply(&self, options: &mut ConfigOptions) {
        let values = &self.values;
        options.catalog.default_schema.clone_from(&values.schema);
        if let Ok(rows) = ConfigNonZeroUsize::try_new(values.batch_size) {
            options.execution.batch_size = rows;
        }
        options.execution.time_zone = Some(values.timezone.clone());
        if values.target_partitions > 0 {
            options.execution.target_partitions = values.target_partitions;
        }
        options.optimizer.hash_join_single_partition_threshold = clamp(values.broadcast_limit);
        options.sql_parser.collect_spans = true;
        options.sql_parser.enable_ident_normalization = true;
        if options.extensions.get::<DistributedConfig>().is_none() {
            options.extensions.insert(DistributedConfig::default());
        }
        if let Some(distributed) = options.extensions.get_mut::<DistributedConfig>() {
            distributed.broadcast_joins = values.broadcast_joins;
            distributed
                .compression
                .clone_from(&values.exchange_compression);
            distributed.file_scan_config_bytes_per_partition = clamp(values.task_scan_bytes);
            distributed.max_tasks_per_stage = values.max_tasks_per_stage;
        }
        apply_options(options, &self.default_options);
        apply_options(options, &self.options);
    }

    fn config_options(&self) -> ConfigOptions {
        let mut options = passthrough::default_options();
        apply_options(&mut options, &self.default_options);
        apply_options(&mut options, &self.options);
        options
    }
}

/// Applies options that were checked when they were set.
fn apply_options(options: &mut ConfigOptions, values: &BTreeMap<String, String>) {
    for (name, value) in values {
        if let Err(error) = passthrough::set(options, name, value) {
            tracing::warn!(%name, %error, "an option that was accepted can no longer be set");
        }
    }
}

fn check_option(name: &str, value: &str) -> Result<()> {
    let mut options = passthrough::default_options();
    match passthrough::set(&mut options, name, value) {
        Err(_) if !passthrough::exists(name) => Err(unknown(name)),
        outcome => outcome,
    }
}

fn unknown(name: &str) -> Error {
    let options = passthrough::default_options();
    let options = passthrough::entries(&options);
    let names = SETTINGS
        .iter()
        .map(|setting| setting.name)
        .chain(options.iter().map(|(name, ..)| name.as_str()));
    let hint = match crate::names::nearest(name, names) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => "; SHOW SETTINGS lists them".to_string(),
    };
    Error::not_found(format!("setting \"{name}\" does not exist{hint}"))
}

fn clamp(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn a_session_overrides_the_server_and_resets_to_it() {
        let mut settings = Settings::new();
        settings.set_default("query_timeout", "1h").unwrap();
        assert_eq!(settings.get("query_timeout").unwrap(), "1h");
        settings.set("Query_Timeout", "30s").unwrap();
        assert_eq!(settings.values().query_timeout.as_secs(), 30);
        settings.set_default("query_timeout", "2h").unwrap();
        assert_eq!(settings.get("query_timeout").unwrap(), "30s");
        settings.reset("query_timeout").unwrap();
        assert_eq!(settings.get("query_timeout").unwrap(), "2h");
    }

    #[test]
    fn options_of_datafusion_and_its_distribution_are_checked_and_applied() {
        let mut settings = Settings::new();
        settings
            .set("datafusion.execution.coalesce_batches", "false")
            .unwrap();
        settings.set("distributed.partial_reduce", "true").unwrap();
        settings
            .set(
                "datafusion.optimizer.enable_dynamic_filter_pushdown",
                "false",
            )
            .unwrap();
        settings.set("batch_size", "100").unwrap();
        let mut options = ConfigOptions::new();
        settings.apply(&mut options);
        assert!(!options.execution.coalesce_batches);
        assert!(!options.optimizer.enable_join_dynamic_filter_pushdown);
        assert_eq!(options.execution.batch_size.get(), 100);
        assert!(
            options
                .extensions
                .get::<DistributedConfig>()
                .unwrap()
                .partial_reduce
        );
        assert_eq!(settings.get("distributed.partial_reduce").unwrap(), "true");
        assert!(
            settings
                .set("datafusion.execution.coalesce_batches", "perhaps")
                .is_err()
        );
        assert!(
            settings
                .list()
                .iter()
                .any(|row| row.name == "distributed.partial_reduce")
        );
        settings.reset_all();
        assert_eq!(settings, Settings::new());
    }

    #[test]
    fn an_option_that_a_setting_governs_is_that_setting() {
        let mut settings = Settings::new();
        settings
            .set("datafusion.execution.batch_size", "77")
            .unwrap();
        assert_eq!(settings.values().batch_size, 77);
        assert_eq!(settings.get("batch_size").unwrap(), "77");
        settings.set("TIME ZONE", "UTC").unwrap();
        assert_eq!(settings.get("timezone").unwrap(), "+00:00");
    }

    #[test]
    fn unknown_names_are_errors_with_the_nearest_name() {
        let mut settings = Settings::new();
        for (wrong, right) in [
            ("query_timout", "query_timeout"),
            ("batchsize", "batch_size"),
            (
                "datafusion.execution.colaesce_batches",
                "datafusion.execution.coalesce_batches",
            ),
            ("distributed.partial_reduc", "distributed.partial_reduce"),
        ] {
            let error = settings.set(wrong, "1").unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(
                error
                    .message()
                    .contains(&format!("did you mean \"{right}\"?")),
                "{error}"
            );
        }
        assert!(settings.get("nonsense_of_all_kinds").is_err());
        assert!(settings.reset("nonsense").is_err());
        let error = settings
            .set("datafusion.runtime.memory_limit", "1G")
            .unwrap_err();
        assert!(error.message().contains("cannot be changed"), "{error}");
    }

    #[test]
    fn a_wrong_value_changes_nothing_and_says_why() {
        let mut settings = Settings::new();
        let error = settings.set("result_hold_bytes", "much").unwrap_err();
        assert_eq!(
            error.message(),
            "invalid value for setting \"result_hold_bytes\": \"much\" is not a size; \
             write it as \"64MiB\""
        );
        assert_eq!(settings, Settings::new());
    }

    #[test]
    fn the_list_shows_values_and_defaults() {
        let mut settings = Settings::new();
        settings.set("max_metadata_age", "1m").unwrap();
        let row = settings
            .list()
            .into_iter()
            .find(|row| row.name == "max_metadata_age")
            .unwrap();
        assert_eq!((row.value.as_str(), row.default.as_str()), ("1m", "5s"));
        assert!(settings.list_options().len() > 50);
    }
}
