//! The names that completion offers, as a query any engine of ours answers.

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;

/// Every name there is, in one column: schemas, tables with and without their schema, columns.
pub(crate) const NAMES_SQL: &str = "\
    SELECT table_schema FROM information_schema.columns UNION \
    SELECT table_name FROM information_schema.columns UNION \
    SELECT table_schema || '.' || table_name FROM information_schema.columns UNION \
    SELECT column_name FROM information_schema.columns \
    LIMIT 100000";

/// The values of the first column, without NULLs; nothing where it is no text.
pub(crate) fn text_column(batches: &[RecordBatch]) -> Vec<String> {
    let mut values = vec![];
    for batch in batches {
        let Some(Ok(column)) = batch
            .columns()
            .first()
            .map(|column| cast(column, &DataType::Utf8))
        else {
            continue;
        };
        values.extend(
            column
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned),
        );
    }
    values
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, StringViewArray};

    use super::*;

    #[test]
    fn the_first_column_is_taken() {
        let column: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("b")]));
        let batch = RecordBatch::try_from_iter([("name", column)]).unwrap();
        assert_eq!(text_column(&[batch]), ["a", "b"]);
        assert!(text_column(&[]).is_empty());
    }
}
