//! Answers of different engines in one form, and whether two of them agree.
//!
//! Engines differ in how they type a result: an average of decimals is a decimal here and a float
//! there. Values therefore travel as exact texts, or as floats where the engine gave a float, and
//! two values agree when they are equal within what the less exact of the two can say.

use std::cmp::Ordering;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use waterbuck_engine::{Error, Result};

/// Floats are sums in an unspecified order: their last digits are noise.
const RELATIVE_TOLERANCE: f64 = 1e-9;

/// One value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    /// SQL's NULL.
    Null,
    /// A floating-point number.
    Float(f64),
    /// Anything else as its exact text: an integer, decimal, date or string.
    Text(String),
}

/// A whole result.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Answer {
    /// The rows in the order the engine gave them.
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Answer {
    /// The rows of a result.
    ///
    /// # Errors
    /// When a type has no text.
    pub(crate) fn of(batches: &[RecordBatch]) -> Result<Self> {
        let mut rows = vec![];
        for batch in batches {
            let columns = batch.columns().iter().map(|column| cells(column.as_ref()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let row = |index: usize| columns.iter().map(|cells| cells[index].clone()).collect();
            rows.extend((0..batch.num_rows()).map(row));
        }
        Ok(Self { rows })
    }

    /// What differs between this answer and the `other`, if anything does. Answers whose order is
    /// not `ordered` by the query to the last row are sorted first.
    pub(crate) fn difference(&self, other: &Self, ordered: bool) -> Option<String> {
        if self.rows.len() != other.rows.len() {
            return Some(format!(
                "{} rows against {}",
                self.rows.len(),
                other.rows.len()
            ));
        }
        let (mut left, mut right) = (self.rows.clone(), other.rows.clone());
        if !ordered {
            let inexact = inexact_columns(&left, &right);
            left.sort_by(|a, b| compare(a, b, &inexact));
            right.sort_by(|a, b| compare(a, b, &inexact));
        }
        left.iter()
            .zip(&right)
            .enumerate()
            .find_map(|(index, (left, right))| {
                if left.len() != right.len() {
                    return Some(format!("{} columns against {}", left.len(), right.len()));
                }
                let column = left.iter().zip(right).position(|(a, b)| !a.agrees(b))?;
                let (a, b) = (&left[column], &right[column]);
                let (row, column) = (index + 1, column + 1);
                Some(format!("row {row}, column {column}: {a:?} against {b:?}"))
            })
    }
}

impl Cell {
    fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Text(a), Self::Text(b)) => a == b || canonical(a) == canonical(b),
            (Self::Float(a), Self::Float(b)) => near(*a, *b, 0.0),
            (Self::Float(a), Self::Text(b)) | (Self::Text(b), Self::Float(a)) => {
                let last_digit = last_digit(b);
                b.parse().is_ok_and(|b: f64| near(*a, b, last_digit))
            }
            _ => false,
        }
    }
}

fn near(a: f64, b: f64, absolute: f64) -> bool {
    let tolerance = RELATIVE_TOLERANCE * a.abs().max(b.abs()) + absolute;
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance
}

/// The value of one in the last place of a decimal: it may have been cut or rounded there.
fn last_digit(decimal: &str) -> f64 {
    let digits = decimal
        .split_once('.')
        .map_or(0, |(_, digits)| digits.len());
    10_f64.powi(-i32::try_from(digits).unwrap_or(0))
}

/// A number without the zeros that say nothing; other texts as they are.
fn canonical(text: &str) -> &str {
    let is_decimal = text.contains('.')
        && text
            .strip_prefix('-')
            .unwrap_or(text)
            .bytes()
            .all(|b| b.is_ascii_digit() || b == b'.');
    if is_decimal {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

/// For each column, whether a row gives a float there, which is no good to sort by.
fn inexact_columns(left: &[Vec<Cell>], right: &[Vec<Cell>]) -> Vec<bool> {
    let columns = left.first().map_or(0, Vec::len);
    let is_float = |column: usize| {
        let mut rows = left.iter().chain(right);
        rows.any(|row| matches!(row.get(column), Some(Cell::Float(_))))
    };
    (0..columns).map(is_float).collect()
}

fn compare(left: &[Cell], right: &[Cell], inexact: &[bool]) -> Ordering {
    let exact = |row: &[Cell]| -> Vec<String> {
        let cells = row.iter().zip(inexact).filter(|(_, inexact)| !**inexact);
        cells.map(|(cell, _)| cell.sort_text()).collect()
    };
    exact(left).cmp(&exact(right)).then_with(|| {
        let numbers = |row: &[Cell]| row.iter().map(Cell::number).collect::<Vec<_>>();
        numbers(left)
            .partial_cmp(&numbers(right))
            .unwrap_or(Ordering::Equal)
    })
}

impl Cell {
    fn sort_text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Float(number) => number.to_string(),
            Self::Text(text) => format!("+{}", canonical(text)),
        }
    }

    fn number(&self) -> f64 {
        match self {
            Self::Float(number) => *number,
            Self::Text(text) => text.parse().unwrap_or(0.0),
            Self::Null => 0.0,
        }
    }
}

fn cells(column: &dyn Array) -> Result<Vec<Cell>> {
    let broken = |error| Error::internal("a column has no text").with_source(error);
    if column.data_type().is_floating() {
        let floats = cast(column, &DataType::Float64).map_err(broken)?;
        let floats = floats.as_primitive::<Float64Type>();
        return Ok(floats
            .iter()
            .map(|value| value.map_or(Cell::Null, Cell::Float))
            .collect());
    }
    let options = FormatOptions::new().with_display_error(false);
    let formatter = ArrayFormatter::try_new(column, &options).map_err(broken)?;
    let cell = |row: usize| {
        if column.is_null(row) {
            return Ok(Cell::Null);
        }
        formatter
            .value(row)
            .try_to_string()
            .map(Cell::Text)
            .map_err(broken)
    };
    (0..column.len()).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(json: &str) -> Answer {
        serde_json::from_str(json).unwrap()
    }

    fn same(left: &str, right: &str, ordered: bool) -> bool {
        answer(left).difference(&answer(right), ordered).is_none()
    }

    #[test]
    fn decimals_are_exact_and_floats_are_not() {
        assert!(same(r#"[["1.50"]]"#, r#"[["1.5"]]"#, true));
        assert!(!same(r#"[["1.50"]]"#, r#"[["1.51"]]"#, true));
        assert!(same("[[1.0000000001]]", "[[1.0]]", true));
        assert!(!same("[[1.00001]]", "[[1.0]]", true));
    }

    #[test]
    fn a_decimal_against_a_float_is_as_exact_as_its_digits() {
        assert!(same(r#"[["25.522006"]]"#, "[[25.522005853257337]]", true));
        assert!(!same(r#"[["25.522009"]]"#, "[[25.522005853257337]]", true));
        assert!(!same(r#"[["7"]]"#, "[[9.0]]", true));
    }

    #[test]
    fn order_counts_only_where_the_query_gives_it() {
        let (left, right) = (r#"[["a",1.5],["b",2.5]]"#, r#"[["b",2.5],["a",1.5]]"#);
        assert!(!same(left, right, true));
        assert!(same(left, right, false));
    }

    #[test]
    fn nulls_rows_and_columns_count() {
        assert!(same("[[null]]", "[[null]]", true));
        assert!(!same("[[null]]", r#"[[""]]"#, true));
        assert!(!same(r#"[["a"]]"#, r#"[["a"],["a"]]"#, false));
        assert!(!same(r#"[["a"]]"#, r#"[["a","b"]]"#, false));
    }
}
