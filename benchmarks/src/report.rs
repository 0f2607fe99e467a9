//! How reports are written: JSON, or columns of text.

use std::io::Write;

use serde_json::Value;
use waterbuck_engine::{Error, Result};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// Aligned columns, for people.
    Table,
    /// One JSON object.
    Json,
}

/// Writes a JSON report.
pub(crate) fn write_json(out: &mut dyn Write, report: &Value) -> Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)
        .map_err(|error| Error::unavailable("the report cannot be written").with_source(error))?;
    writeln!(out).map_err(unwritten)
}

/// Writes columns, the first one aligned at the left and the others at the right.
pub(crate) fn write_columns(
    out: &mut dyn Write,
    header: &[String],
    rows: &[Vec<String>],
) -> Result<()> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widths = cells
            .chain(header.get(column))
            .map(|cell| cell.chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in std::iter::once(header).chain(rows.iter().map(Vec::as_slice)) {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if column == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        writeln!(out, "{}", line.trim_end()).map_err(unwritten)?;
    }
    Ok(())
}

/// Writes one line.
pub(crate) fn write_line(out: &mut dyn Write, line: impl std::fmt::Display) -> Result<()> {
    writeln!(out, "{line}").map_err(unwritten)
}

/// Seconds as milliseconds with a digit that matters; a dash for what was not measured.
pub(crate) fn millis(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 0.01 => format!("{:.2}", seconds * 1e3),
        Some(seconds) => format!("{:.1}", seconds * 1e3),
    }
}

/// A ratio with two decimals; a dash for what was not measured.
pub(crate) fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"))
}

/// A number in a unit such as millions; a dash for what was not measured.
pub(crate) fn count(value: Option<f64>, unit: f64) -> String {
    match value.map(|value| value / unit) {
        None => "-".to_owned(),
        Some(value) if value < 1000.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

fn unwritten(error: std::io::Error) -> Error {
    Error::unavailable("the report cannot be written").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut out = vec![];
        let rows = [
            vec!["q1".to_owned(), "10.0".to_owned()],
            vec!["q10".to_owned(), "-".to_owned()],
        ];
        write_columns(&mut out, &["query".to_owned(), "ms".to_owned()], &rows).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "query    ms\nq1     10.0\nq10       -\n"
        );
    }
}
