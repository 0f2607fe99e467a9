//! What a task carries to its executor besides its plan: the query it belongs to, its limits, the
//! session options that differ from the defaults and the secrets of the stores it reads and writes.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use datafusion::common::DataFusionError;
use datafusion::common::extensions_options;
use datafusion::config::{ConfigExtension, ConfigOptions};
use datafusion::prelude::SessionConfig;

use crate::cluster::TASK_HEADERS_BYTES_MAX;
use crate::{Error, Result};

/// Encoded they take twice as many bytes, which leaves half of the headers to everything else.
const SECRETS_BYTES_MAX: usize = TASK_HEADERS_BYTES_MAX as usize / 4;

/// What the options are where nobody sets them; every query is compared with it.
static DEFAULTS: LazyLock<BTreeMap<String, Option<String>>> = LazyLock::new(|| {
    let entries = ConfigOptions::default().entries().into_iter();
    entries.map(|entry| (entry.key, entry.value)).collect()
});

extensions_options! {
    /// Options of one query that travel with every task, as gRPC metadata.
    pub struct TaskOptions {
        /// The id of the query the task belongs to.
        pub query_id: String, default = String::new()
        /// Bytes of memory the query may hold on one node; 0 means the node's whole budget.
        pub memory_limit: usize, default = 0
        /// Bytes of spill files the query may have on one node; 0 means the node's whole quota.
        pub spill_limit: u64, default = 0
        /// `datafusion.*` options that differ from the defaults, as a hex-encoded JSON object.
        pub overrides: String, default = String::new()
        /// Secrets for object stores, as hex-encoded JSON.
        pub secrets: String, default = String::new()
    }
}

impl ConfigExtension for TaskOptions {
    const PREFIX: &'static str = "waterbuck";
}

impl TaskOptions {
    /// The task options inside a session's configuration, or the defaults when it has none.
    pub fn of(config: &ConfigOptions) -> Self {
        config.extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Records which `datafusion.*` options of `config` differ from the defaults.
    #[must_use]
    pub fn with_overrides_of(mut self, config: &SessionConfig) -> Self {
        let changed: BTreeMap<String, String> = config
            .options()
            .entries()
            .into_iter()
            .filter(|entry| entry.key.starts_with("datafusion."))
            .filter(|entry| DEFAULTS.get(&entry.key) != Some(&entry.value))
            .filter_map(|entry| entry.value.map(|value| (entry.key, value)))
            .collect();
        self.overrides = encode_hex(&serde_json::to_vec(&changed).unwrap_or_default());
        self
    }

    /// Applies the recorded overrides to the configuration of the session a task runs in.
    ///
    /// # Errors
    /// When the recorded text is damaged or names an option this version does not know.
    pub fn apply_overrides(&self, config: &mut SessionConfig) -> Result<(), DataFusionError> {
        if self.overrides.is_empty() {
            return Ok(());
        }
        let bytes = decode_hex(&self.overrides)?;
        let changed: BTreeMap<String, String> = serde_json::from_slice(&bytes)
            .map_err(|error| DataFusionError::Configuration(error.to_string()))?;
        for (key, value) in changed {
            config.options_mut().set(&key, &value)?;
        }
        Ok(())
    }

    /// Stores `secrets` (JSON) so that gRPC metadata can carry it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidQuery`] when they are larger than the headers of a task may be.
    pub fn with_secrets(mut self, secrets: &[u8]) -> Result<Self> {
        if secrets.len() > SECRETS_BYTES_MAX {
            return Err(Error::invalid(format!(
                "the secrets of the storage this query uses take {} bytes, and a task carries at \
                 most {SECRETS_BYTES_MAX}: use one secret for several buckets, or several queries",
                secrets.len()
            )));
        }
        self.secrets = encode_hex(secrets);
        Ok(self)
    }

    /// The JSON given to [`Self::with_secrets`]; empty when there was none.
    ///
    /// # Errors
    /// When the recorded text is damaged.
    pub fn secrets(&self) -> Result<Vec<u8>, DataFusionError> {
        decode_hex(&self.secrets)
    }
}

/// Header values must be visible ASCII, whatever an option holds.
fn encode_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a String cannot fail");
            text
        })
}

fn decode_hex(text: &str) -> Result<Vec<u8>, DataFusionError> {
    let damaged = || DataFusionError::Configuration("damaged task options".to_owned());
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_utf8| damaged())?;
            u8::from_str_radix(pair, 16).map_err(|_digit| damaged())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[test]
    fn changed_options_reach_the_other_side() {
        let mut sender = SessionConfig::new().with_batch_size(17);
        sender.options_mut().execution.time_zone = Some("+02:00".to_owned());
        let options = TaskOptions::default().with_overrides_of(&sender);
        let mut receiver = SessionConfig::new();
        options.apply_overrides(&mut receiver).unwrap();
        assert_eq!(receiver.batch_size(), 17);
        assert_eq!(
            receiver.options().execution.time_zone.as_deref(),
            Some("+02:00")
        );
    }

    #[test]
    fn secrets_that_no_header_can_carry_are_refused() {
        let most = vec![b'x'; SECRETS_BYTES_MAX];
        let options = TaskOptions::default().with_secrets(&most).unwrap();
        assert_eq!(options.secrets().unwrap(), most);
        assert!(options.secrets.len() <= TASK_HEADERS_BYTES_MAX as usize / 2);
        let more = [most, vec![b'x']].concat();
        let error = TaskOptions::default().with_secrets(&more).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidQuery);
    }

    #[test]
    fn damaged_overrides_are_an_error() {
        let options = TaskOptions {
            overrides: "zz".to_owned(),
            ..TaskOptions::default()
        };
        assert!(options.apply_overrides(&mut SessionConfig::new()).is_err());
    }
}
