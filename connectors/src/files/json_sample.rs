//! Finds the columns of a JSON file from its first lines, and the line that is wrong.
//!
//! Arrow parses every line by itself and says "line 1" of all of them, so the lines are counted
//! here.

use std::cell::Cell;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::reader::infer_json_schema_from_iterator;
use datafusion::common::DataFusionError;
use serde_json::Value;

/// The columns of the first `records` objects in `lines`, one object a line.
///
/// # Errors
/// `JsonError` naming the line that is no JSON object, or whose values do not go with those of the
/// lines before it.
pub(super) fn json_columns(lines: &[u8], records: usize) -> Result<Schema, DataFusionError> {
    let reached = Cell::new(0_usize);
    let values = lines
        .split(|byte| *byte == b'\n')
        .enumerate()
        .map(|(index, line)| (index + 1, line.trim_ascii_end()))
        .filter(|(_, line)| !line.is_empty())
        .take(records)
        .map(|(number, line)| {
            reached.set(number);
            let value: Value = serde_json::from_slice(line).map_err(|error| {
                let column = error.column();
                let text = error.to_string();
                let place = format!(" at line {} column {column}", error.line());
                let text = text.strip_suffix(&place).unwrap_or(&text);
                wrong(format!("{text} at line {number}, column {column}"))
            })?;
            match value {
                Value::Object(_) => Ok(value),
                _ => Err(wrong(format!("line {number} is no JSON object"))),
            }
        });
    // What is wrong with a line itself is in words of ours; what remains are values of kinds that
    // no column has, which Arrow prints as it holds them.
    let failed = Cell::new(false);
    let values = values.inspect(|value| failed.set(value.is_err()));
    infer_json_schema_from_iterator(values).map_err(|error| match failed.get() {
        true => error.into(),
        false => wrong(format!(
            "line {} holds a plain value, a list or an object in a field that held another of \
             these before",
            reached.get()
        ))
        .into(),
    })
}

fn wrong(text: String) -> ArrowError {
    ArrowError::JsonError(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(lines: &str) -> String {
        let error = json_columns(lines.as_bytes(), 100).expect_err("wrong");
        error.strip_backtrace()
    }

    #[test]
    fn the_wrong_line_is_named_by_its_place_in_the_file() {
        let error = failure("{\"x\": 1}\n\n{\"x\": 2}\r\n{\"x\": oops}\n");
        assert!(
            error.contains("expected value at line 4, column 7"),
            "{error}"
        );
        assert!(!error.contains("line 1"), "{error}");
        let error = failure("{\"x\": 1}\n{\"x\": \n");
        assert!(error.contains("at line 2, column"), "{error}");
        let error = failure("{\"x\": 1}\n[1]\n");
        assert!(error.contains("line 2 is no JSON object"), "{error}");
    }

    #[test]
    fn values_that_do_not_fit_together_name_the_second_line() {
        let error = failure("{\"x\": {\"y\": 1}}\n{\"z\": 1}\n{\"x\": 1}\n{\"x\": 2}\n");
        assert!(error.contains("line 3 holds"), "{error}");
        assert!(!error.contains("Scalar"), "{error}");
    }

    #[test]
    fn lines_beyond_the_wanted_ones_are_not_looked_at() {
        let columns = json_columns(b"\n{\"x\": 1}\nnonsense\n", 1).expect("one line");
        assert_eq!(columns.fields().len(), 1);
    }
}
