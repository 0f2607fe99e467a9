//! Partition columns: values that live in directory names, `year=2024/day=2024-05-01`.

use std::collections::BTreeSet;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use percent_encoding::percent_decode_str;
use waterbuck_engine::sql::sql_type;
use waterbuck_engine::{Error, Result};

/// The directory name of the NULL partition, as Hive writes it.
pub(super) const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A partition column and its type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct PartitionColumn {
    pub(super) name: String,
    pub(super) data_type: DataType,
}

/// A `key=value` directory, decoded; no value is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PartitionDirectory {
    pub(super) key: String,
    pub(super) value: Option<String>,
}

/// The type a column has inside the engine: text as views, which are cheap to repeat.
pub(super) fn engine_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
        DataType::Binary | DataType::LargeBinary => DataType::BinaryView,
        other => other.clone(),
    }
}

/// The `key=value` directories of a path below the table's location; the file name is not one.
pub(super) fn directories(relative: &str) -> Vec<PartitionDirectory> {
    let Some((directory, _)) = relative.rsplit_once('/') else {
        return Vec::new();
    };
    directory
        .split('/')
        .filter_map(|part| part.split_once('='))
        .map(|(key, value)| PartitionDirectory {
            key: decode(key),
            value: (value != NULL_PARTITION).then(|| decode(value)),
        })
        .collect()
}

/// Whether a path goes through a directory `name=…`.
pub(super) fn is_below_key(path: &str, name: &str) -> bool {
    directories(path)
        .iter()
        .any(|directory| directory.key == name)
}

/// The error of a column that is not in a file but in the name of its directory.
pub(super) fn undeclared(file: &str, name: &str) -> Error {
    Error::data(format!(
        "file \"{file}\" has no column \"{name}\" but lies in a directory \"{name}=…\"; declare \
         the table as PARTITIONED BY (\"{name}\")"
    ))
}

fn decode(text: &str) -> String {
    percent_decode_str(text)
        .decode_utf8()
        .map_or_else(|_| text.to_string(), |t| t.into_owned())
}

/// The values of the partition columns for a file.
///
/// # Errors
/// `Data` naming the file when a key is missing, the directory when a value does not parse.
pub(super) fn values(
    relative: &str,
    file: &str,
    columns: &[PartitionColumn],
) -> Result<Vec<ScalarValue>> {
    if columns.is_empty() {
        return Ok(Vec::new());
    }
    let found = directories(relative);
    columns
        .iter()
        .map(|column| {
            let directory = found
                .iter()
                .find(|d| d.key == column.name)
                .or_else(|| {
                    found
                        .iter()
                        .find(|d| d.key.eq_ignore_ascii_case(&column.name))
                })
                .ok_or_else(|| missing_key(file, &column.name))?;
            value(directory, file, column)
        })
        .collect()
}

fn missing_key(file: &str, name: &str) -> Error {
    Error::data(format!(
        "file \"{file}\" does not lie in a directory \"{name}=…\", but \"{name}\" is a partition \
         column of the table"
    ))
}

fn value(
    directory: &PartitionDirectory,
    file: &str,
    column: &PartitionColumn,
) -> Result<ScalarValue> {
    let data_type = engine_type(&column.data_type);
    let Some(text) = &directory.value else {
        return ScalarValue::try_from(&data_type).map_err(|error| {
            Error::unsupported(format!(
                "the partition column \"{}\" has a type that directory names cannot hold",
                column.name
            ))
            .with_source(error)
        });
    };
    if data_type == DataType::Utf8View {
        return Ok(ScalarValue::Utf8View(Some(text.clone())));
    }
    ScalarValue::try_from_string(text.clone(), &data_type).map_err(|_| {
        let parent = file.rsplit_once('/').map_or(file, |(parent, _)| parent);
        Error::data(format!(
            "directory \"{parent}\" holds \"{text}\" for the partition column \"{}\", which is no \
             value of type {}",
            column.name,
            sql_type(&data_type)
        ))
    })
}

/// Finds the partition columns of a set of files: name and file, relative to the location.
///
/// Values that are all whole numbers make an `Int64` column, all `YYYY-MM-DD` a `Date32` column,
/// anything else text.
///
/// # Errors
/// `Data` when files disagree about the keys.
pub(super) fn discover<'a>(
    files: impl Iterator<Item = (&'a str, String)>,
) -> Result<Vec<PartitionColumn>> {
    let mut keys: Option<(Vec<String>, String)> = None;
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    let mut last_directory = None;
    for (relative, file) in files {
        let directory = relative.rsplit_once('/').map(|(directory, _)| directory);
        if keys.is_some() && last_directory == Some(directory) {
            continue;
        }
        last_directory = Some(directory);
        let found = directories(relative);
        let names: Vec<String> = found.iter().map(|d| d.key.clone()).collect();
        match &keys {
            None => {
                seen = vec![BTreeSet::new(); names.len()];
                keys = Some((names, file));
            }
            Some((known, first)) if *known != names => {
                return Err(Error::data(format!(
                    "the files do not lie in the same kind of partition directories: \"{first}\" \
                     has the keys ({}), \"{file}\" has ({})",
                    known.join(", "),
                    names.join(", ")
                )));
            }
            Some(_) => {}
        }
        for (values, directory) in seen.iter_mut().zip(found) {
            values.extend(directory.value);
        }
    }
    let names = keys.map(|(names, _)| names).unwrap_or_default();
    Ok(names
        .into_iter()
        .zip(seen)
        .map(|(name, values)| PartitionColumn {
            name,
            data_type: type_of(&values),
        })
        .collect())
}

fn type_of(values: &BTreeSet<String>) -> DataType {
    let all = |test: fn(&str) -> bool| !values.is_empty() && values.iter().all(|v| test(v));
    if all(is_integer) {
        DataType::Int64
    } else if all(is_date) {
        DataType::Date32
    } else {
        DataType::Utf8
    }
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, data_type: DataType) -> PartitionColumn {
        PartitionColumn {
            name: name.into(),
            data_type,
        }
    }

    fn discovered(files: &[&str]) -> Result<Vec<PartitionColumn>> {
        discover(files.iter().map(|f| (*f, format!("/t/{f}"))))
    }

    #[test]
    fn values_are_typed_and_decoded() {
        let columns = [
            column("year", DataType::Int32),
            column("city", DataType::Utf8),
        ];
        let found = values(
            "year=2024/city=S%C3%A3o%20Paulo%2FBR/x.parquet",
            "/t",
            &columns,
        )
        .expect("values");
        assert_eq!(found[0], ScalarValue::Int32(Some(2024)));
        assert_eq!(found[1], ScalarValue::Utf8View(Some("São Paulo/BR".into())));
    }

    #[test]
    fn the_default_partition_is_null() {
        let columns = [
            column("day", DataType::Date32),
            column("city", DataType::Utf8),
        ];
        let path = format!("day={NULL_PARTITION}/city={NULL_PARTITION}/x.csv");
        let found = values(&path, "/t", &columns).expect("values");
        assert!(found.iter().all(ScalarValue::is_null));
        assert_eq!(found[0].data_type(), DataType::Date32);
    }

    #[test]
    fn a_bad_value_names_the_directory() {
        let file = "/data/t/year=abc/x.parquet";
        let error = values(
            "year=abc/x.parquet",
            file,
            &[column("year", DataType::Int64)],
        )
        .expect_err("bad");
        assert_eq!(
            error.to_string(),
            "directory \"/data/t/year=abc\" holds \"abc\" for the partition column \"year\", which \
             is no value of type BIGINT"
        );
        values("x.parquet", file, &[column("year", DataType::Int64)]).expect_err("no directory");
    }

    #[test]
    fn types_are_discovered() {
        let files = [
            "y=1/d=2024-01-02/c=x/f",
            "y=02/d=2024-02-30/c=7/f",
            "y=-3/d=2024-01-01/c=8/f",
        ];
        let found = discovered(&files).expect("columns");
        let types: Vec<_> = found.iter().map(|c| c.data_type.clone()).collect();
        assert_eq!(types, [DataType::Int64, DataType::Utf8, DataType::Utf8]);
        let found = discovered(&["d=2024-01-02/f", "d=2024-01-03/f"]).expect("columns");
        assert_eq!(found, [column("d", DataType::Date32)]);
        assert_eq!(discovered(&["a/b/f", "c/f"]).expect("columns"), []);
    }

    #[test]
    fn files_that_disagree_are_named() {
        let error = discovered(&["y=1/f", "m=2/f"])
            .expect_err("disagree")
            .to_string();
        assert!(
            error.contains("\"/t/y=1/f\" has the keys (y), \"/t/m=2/f\" has (m)"),
            "{error}"
        );
    }
}
