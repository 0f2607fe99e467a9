//! The documented settings: one [`Values`] field and one [`SETTINGS`] row each.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use arrow::array::timezone::Tz;

use super::units::{format_bytes, format_duration, parse_bytes, parse_duration};
use crate::{Error, Result};

/// The value of every documented setting, in its own type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Oldest listing or footer a query may be planned with.
    pub max_metadata_age: Duration,
    /// Longest a statement may run; zero for no limit.
    pub query_timeout: Duration,
    /// Memory of one query on one executor, in bytes; zero for a fair share.
    pub memory_limit: u64,
    /// Spilled bytes of one query on one executor; zero for the executor's quota.
    pub spill_limit: u64,
    /// Result bytes held back while a lost executor can still be made good.
    pub result_hold_bytes: u64,
    /// How long results are held back for the same reason.
    pub result_hold_time: Duration,
    /// Run a query again when an executor is lost.
    pub retry_lost_executor: bool,
    /// Rows in a batch.
    pub batch_size: usize,
    /// Partitions in each task; zero for one per core.
    pub target_partitions: usize,
    /// Bytes a partition is expected to scan, from which task counts follow.
    pub task_scan_bytes: u64,
    /// Rows that a query must read for a stage above an exchange to have more than one task.
    pub stage_min_rows: usize,
    /// Most tasks in one stage; zero for one per executor.
    pub max_tasks_per_stage: usize,
    /// Let a small build side be sent whole to every task.
    pub broadcast_joins: bool,
    /// Largest build side that counts as small, in bytes.
    pub broadcast_limit: u64,
    /// How data between executors is compressed: `lz4`, `zstd` or `none`.
    pub exchange_compression: String,
    /// Longest SQL text, in bytes.
    pub max_sql_length: u64,
    /// Deepest nesting of an expression or query.
    pub max_expression_depth: usize,
    /// Most elements of one `IN (…)` list.
    pub max_in_list: usize,
    /// The session's time zone.
    pub timezone: String,
    /// The schema of names that have none.
    pub schema: String,
}

impl Default for Values {
    fn default() -> Self {
        Self {
            max_metadata_age: Duration::from_secs(5),
            query_timeout: Duration::ZERO,
            memory_limit: 0,
            spill_limit: 0,
            result_hold_bytes: 64 << 20,
            result_hold_time: Duration::from_secs(2),
            retry_lost_executor: true,
            batch_size: 8192,
            target_partitions: 0,
            task_scan_bytes: 16 << 20,
            stage_min_rows: 8192,
            max_tasks_per_stage: 0,
            broadcast_joins: true,
            broadcast_limit: 16 << 20,
            exchange_compression: "lz4".to_string(),
            max_sql_length: 16 << 20,
            max_expression_depth: 100,
            max_in_list: 200_000,
            timezone: "+00:00".to_string(),
            schema: "main".to_string(),
        }
    }
}

/// Where a setting's value lives and what it may be.
pub(super) enum Field {
    Switch(fn(&mut Values) -> &mut bool),
    Count(fn(&mut Values) -> &mut usize, RangeInclusive<usize>),
    Bytes(fn(&mut Values) -> &mut u64, RangeInclusive<u64>),
    Time(fn(&mut Values) -> &mut Duration),
    Text(fn(&mut Values) -> &mut String, fn(&str) -> Result<String>),
}

/// One documented setting.
pub struct Setting {
    /// Its name in `SET name = value`.
    pub name: &'static str,
    /// What it does, for `SHOW SETTINGS` and the reference.
    pub description: &'static str,
    pub(super) field: Field,
}

const DAY: Duration = Duration::from_secs(86_400);
const ANY_BYTES: RangeInclusive<u64> = 0..=u64::MAX;

/// All documented settings, by name.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "batch_size",
        description: "rows in a batch between operators",
        field: Field::Count(|v| &mut v.batch_size, 1..=1 << 20),
    },
    Setting {
        name: "broadcast_joins",
        description: "send a small build side of a join whole to every task",
        field: Field::Switch(|v| &mut v.broadcast_joins),
    },
    Setting {
        name: "broadcast_limit",
        description: "largest build side of a join that is not split by key",
        field: Field::Bytes(|v| &mut v.broadcast_limit, ANY_BYTES),
    },
    Setting {
        name: "exchange_compression",
        description: "compression of data between executors: lz4, zstd or none",
        field: Field::Text(|v| &mut v.exchange_compression, check_compression),
    },
    Setting {
        name: "max_expression_depth",
        description: "deepest nesting of parentheses, CASE, functions and queries in a statement",
        field: Field::Count(|v| &mut v.max_expression_depth, 10..=200),
    },
    Setting {
        name: "max_in_list",
        description: "most elements of one IN (…) list",
        field: Field::Count(|v| &mut v.max_in_list, 1..=500_000),
    },
    Setting {
        name: "max_metadata_age",
        description: "oldest file listing and file metadata a query may be planned with; \
                      0 looks at the storage every time",
        field: Field::Time(|v| &mut v.max_metadata_age),
    },
    Setting {
        name: "max_sql_length",
        description: "longest SQL text; one sent over Flight SQL is at most 64MiB long all the same",
        field: Field::Bytes(|v| &mut v.max_sql_length, 1024..=1 << 30),
    },
    Setting {
        name: "max_tasks_per_stage",
        description: "most tasks in one stage of a query; 0 for one per executor",
        field: Field::Count(|v| &mut v.max_tasks_per_stage, 0..=100_000),
    },
    Setting {
        name: "memory_limit",
        description: "memory one query may use on each executor; 0 for a fair share of it",
        field: Field::Bytes(|v| &mut v.memory_limit, ANY_BYTES),
    },
    Setting {
        name: "query_timeout",
        description: "longest a statement may run; 0 for no limit",
        field: Field::Time(|v| &mut v.query_timeout),
    },
    Setting {
        name: "result_hold_bytes",
        description: "result bytes held back so that a query can be run again unnoticed \
                      when an executor is lost; 0 holds nothing",
        field: Field::Bytes(|v| &mut v.result_hold_bytes, 0..=16 << 30),
    },
    Setting {
        name: "result_hold_time",
        description: "how long results are held back for the same reason; 0 holds nothing",
        field: Field::Time(|v| &mut v.result_hold_time),
    },
    Setting {
        name: "retry_lost_executor",
        description: "run a query again on the same snapshot when an executor is lost",
        field: Field::Switch(|v| &mut v.retry_lost_executor),
    },
    Setting {
        name: "schema",
        description: "the schema of names written without one; USE sets it too",
        field: Field::Text(|v| &mut v.schema, check_schema),
    },
    Setting {
        name: "spill_limit",
        description: "bytes one query may spill on each executor; 0 for the executor's quota",
        field: Field::Bytes(|v| &mut v.spill_limit, ANY_BYTES),
    },
    Setting {
        name: "stage_min_rows",
        description: "rows a query must read for its later stages to have more than one task",
        field: Field::Count(|v| &mut v.stage_min_rows, 0..=1 << 40),
    },
    Setting {
        name: "target_partitions",
        description: "partitions a task works on at once; 0 for one per core",
        field: Field::Count(|v| &mut v.target_partitions, 0..=4096),
    },
    Setting {
        name: "task_scan_bytes",
        description: "bytes each partition is expected to scan: smaller spreads a query over \
                      more tasks",
        field: Field::Bytes(|v| &mut v.task_scan_bytes, 1..=1 << 40),
    },
    Setting {
        name: "timezone",
        description: "time zone of timestamps with a time zone, such as +02:00 or Europe/Berlin",
        field: Field::Text(|v| &mut v.timezone, check_timezone),
    },
];

impl Setting {
    /// The documented setting called `name`, which is in lower case.
    pub fn find(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// Its type in a word: `switch`, `count`, `size`, `duration`, `text`.
    pub fn type_name(&self) -> &'static str {
        match self.field {
            Field::Switch(_) => "switch",
            Field::Count(..) => "count",
            Field::Bytes(..) => "size",
            Field::Time(_) => "duration",
            Field::Text(..) => "text",
        }
    }

    pub(super) fn get(&self, values: &Values) -> String {
        let mut values = values.clone();
        match &self.field {
            Field::Switch(at) => if *at(&mut values) { "on" } else { "off" }.to_string(),
            Field::Count(at, _) => at(&mut values).to_string(),
            Field::Bytes(at, _) => format_bytes(*at(&mut values)),
            Field::Time(at) => format_duration(*at(&mut values)),
            Field::Text(at, _) => at(&mut values).clone(),
        }
    }

    pub(super) fn set(&self, values: &mut Values, text: &str) -> Result<()> {
        self.try_set(values, text.trim()).map_err(|error| {
            Error::invalid(format!(
                "invalid value for setting \"{}\": {error}",
                self.name
            ))
        })
    }

    fn try_set(&self, values: &mut Values, text: &str) -> Result<()> {
        match &self.field {
            Field::Switch(at) => *at(values) = parse_switch(text)?,
            Field::Count(at, range) => {
                let count = text
                    .parse::<usize>()
                    .map_err(|_| Error::invalid(format!("\"{text}\" is not a whole number")))?;
                check_range(&count, range, |n| n.to_string())?;
                *at(values) = count;
            }
            Field::Bytes(at, range) => {
                let bytes = parse_bytes(text)?;
                check_range(&bytes, range, |n| format_bytes(*n))?;
                *at(values) = bytes;
            }
            Field::Time(at) => {
                let time = parse_duration(text)?;
                check_range(&time, &(Duration::ZERO..=DAY * 365), |t| {
                    format_duration(*t)
                })?;
                *at(values) = time;
            }
            Field::Text(at, check) => *at(values) = check(text)?,
        }
        Ok(())
    }

    pub(super) fn copy(&self, from: &Values, to: &mut Values) {
        let mut from = from.clone();
        match &self.field {
            Field::Switch(at) => *at(to) = *at(&mut from),
            Field::Count(at, _) => *at(to) = *at(&mut from),
            Field::Bytes(at, _) => *at(to) = *at(&mut from),
            Field::Time(at) => *at(to) = *at(&mut from),
            Field::Text(at, _) => at(to).clone_from(at(&mut from)),
        }
    }
}

fn check_range<T: PartialOrd>(
    value: &T,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<()> {
    if range.contains(value) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} is not between {} and {}",
        show(value),
        show(range.start()),
        show(range.end())
    )))
}

fn parse_switch(text: &str) -> Result<bool> {
    match text.to_ascii_lowercase().as_str() {
        "on" | "true" | "yes" | "1" => Ok(true),
        "off" | "false" | "no" | "0" => Ok(false),
        _ => Err(Error::invalid(format!(
            "\"{text}\" is neither \"on\" nor \"off\""
        ))),
    }
}

fn check_compression(text: &str) -> Result<String> {
    let name = text.to_ascii_lowercase();
    if matches!(name.as_str(), "lz4" | "zstd" | "none") {
        return Ok(name);
    }
    Err(Error::invalid(format!(
        "\"{text}\" is not one of lz4, zstd, none"
    )))
}

fn check_schema(text: &str) -> Result<String> {
    if text.is_empty() {
        return Err(Error::invalid("a schema needs a name"));
    }
    Ok(text.to_string())
}

fn check_timezone(text: &str) -> Result<String> {
    let name = match text.to_ascii_lowercase().as_str() {
        "utc" | "z" | "gmt" => "+00:00",
        _ => text,
    };
    Tz::from_str(name).map_err(|_| {
        Error::invalid(format!(
            "\"{text}\" is not a time zone; write it as \"+02:00\" or \"Europe/Berlin\""
        ))
    })?;
    Ok(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_listed_by_name_and_described() {
        assert!(SETTINGS.is_sorted_by_key(|setting| setting.name));
        assert!(
            SETTINGS
                .iter()
                .all(|setting| !setting.description.is_empty())
        );
    }

    #[test]
    fn every_default_is_a_value_that_can_be_set() {
        for setting in SETTINGS {
            let mut values = Values::default();
            let text = setting.get(&values);
            setting.set(&mut values, &text).unwrap();
            assert_eq!(values, Values::default(), "{}", setting.name);
        }
    }

    #[test]
    fn values_outside_the_bounds_name_the_bounds() {
        let mut values = Values::default();
        let setting = Setting::find("batch_size").unwrap();
        let error = setting.set(&mut values, "0").unwrap_err();
        assert_eq!(
            error.message(),
            "invalid value for setting \"batch_size\": 0 is not between 1 and 1048576"
        );
        let error = Setting::find("timezone")
            .unwrap()
            .set(&mut values, "Mars/Olympus");
        assert!(error.unwrap_err().message().contains("Europe/Berlin"));
        assert_eq!(values, Values::default());
    }
}
