//! Columns of a system table from its rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray, new_null_array};
use arrow::datatypes::DataType;

/// One text for each row.
pub(super) fn text<'r, R>(rows: &'r [R], get: impl Fn(&'r R) -> Option<&'r str>) -> ArrayRef {
    Arc::new(rows.iter().map(get).collect::<StringArray>())
}

/// One text for each row, made for it.
pub(super) fn made<R>(rows: &[R], get: impl Fn(&R) -> String) -> ArrayRef {
    Arc::new(rows.iter().map(get).map(Some).collect::<StringArray>())
}

/// One number for each row.
pub(super) fn number<R>(rows: &[R], get: impl Fn(&R) -> Option<i64>) -> ArrayRef {
    Arc::new(rows.iter().map(get).collect::<Int64Array>())
}

/// `YES` or `NO` for each row.
pub(super) fn yes_no<R>(rows: &[R], get: impl Fn(&R) -> bool) -> ArrayRef {
    let word = |row: &R| Some(if get(row) { "YES" } else { "NO" });
    Arc::new(rows.iter().map(word).collect::<StringArray>())
}

/// The same text in every row.
pub(super) fn always<R>(rows: &[R], value: &'static str) -> ArrayRef {
    Arc::new(rows.iter().map(|_| Some(value)).collect::<StringArray>())
}

/// A column of text that the standard has and nothing here fills.
pub(super) fn unknown<R>(rows: &[R]) -> ArrayRef {
    new_null_array(&DataType::Utf8, rows.len())
}
