//! What a statement gave: rows as text, in the forms that comparisons need.

use arrow::{
    array::{Array, RecordBatch},
    datatypes::{DataType, SchemaRef},
    util::display::{ArrayFormatter, FormatOptions},
};

/// The whole result of one statement.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The columns; empty for a statement that has no result set.
    pub schema: SchemaRef,
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// The rows an update says it changed, if it says so.
    pub updated: Option<u64>,
    /// The id the server gave the query.
    pub query_id: Option<String>,
}

impl Answer {
    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// Every value as text: `NULL` for NULL, `(empty)` for an empty string, floats in the
    /// shortest form that reads back equal.
    pub fn rows(&self) -> Vec<Vec<String>> {
        self.batches.iter().flat_map(batch_rows).collect()
    }

    /// [`Self::rows`] in an order of its own, for results that have none.
    pub fn sorted_rows(&self) -> Vec<Vec<String>> {
        let mut rows = self.rows();
        rows.sort();
        rows
    }

    /// The only value of a result of one row and one column.
    ///
    /// # Panics
    /// When the result has another shape.
    pub fn value(&self) -> String {
        let rows = self.rows();
        assert!(
            rows.len() == 1 && rows[0].len() == 1,
            "not a single value: {rows:?}"
        );
        rows[0][0].clone()
    }

    /// The position of a column, by its name in any case.
    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.schema
            .fields()
            .iter()
            .position(|field| field.name().eq_ignore_ascii_case(name))
    }

    /// The values of a column as text.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn column(&self, name: &str) -> Vec<String> {
        let index = self.column_index(name);
        let index = index.unwrap_or_else(|| self.no_column(name));
        self.rows()
            .into_iter()
            .map(|mut row| row.swap_remove(index))
            .collect()
    }

    #[expect(
        clippy::panic,
        reason = "a test that asks for a column that is not there has failed"
    )]
    fn no_column(&self, name: &str) -> ! {
        let names: Vec<_> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name())
            .collect();
        panic!("no column {name:?} among {names:?}")
    }
}

fn batch_rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    let columns = batch.columns();
    let row = |index| {
        columns
            .iter()
            .map(|column| cell(column.as_ref(), index))
            .collect()
    };
    (0..batch.num_rows()).map(row).collect()
}

fn cell(column: &dyn Array, index: usize) -> String {
    if column.is_null(index) || column.data_type() == &DataType::Null {
        return "NULL".to_owned();
    }
    let options = FormatOptions::new().with_null("NULL");
    let text = ArrayFormatter::try_new(column, &options)
        .and_then(|formatter| formatter.value(index).try_to_string());
    match text {
        Ok(text) if text.is_empty() => "(empty)".to_owned(),
        Ok(text) if column.data_type().is_floating() => float(&text),
        Ok(text) => text,
        Err(error) => format!("<{error}>"),
    }
}

/// Whole floats lose their `.0`, so that `sum` over integers and over floats read alike.
fn float(text: &str) -> String {
    text.strip_suffix(".0").unwrap_or(text).to_owned()
}
