//! Results as aligned columns, numbers at the right:
//!
//! ```text
//!  id | name | price
//! ----+------+-------
//!   1 | ann  |  2.50
//!   2 | NULL |  NULL
//! ```
//!
//! Widths come from the first rows, held back up to a bound, so that a result of any size is
//! written in bounded memory; a later value that is wider pushes its line out.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::format::ResultWriter;
use super::text;

const HELD_ROWS_MAX: usize = 10_000;
const HELD_BYTES_MAX: usize = 64 << 20;

#[derive(Default)]
pub(super) struct TableWriter {
    columns: Vec<Column>,
    held: Vec<Vec<String>>,
    held_bytes: usize,
    has_header: bool,
}

struct Column {
    name: String,
    is_numeric: bool,
    width: usize,
}

impl ResultWriter for TableWriter {
    fn begin(&mut self, _out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
        let fields = schema.fields().iter();
        self.columns = fields
            .map(|field| {
                let name = text::printable(field.name().replace('\n', " "));
                let width = text::width(&name);
                Column {
                    name,
                    is_numeric: text::is_numeric(field.data_type()),
                    width,
                }
            })
            .collect();
        Ok(())
    }

    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let formatters = text::formatters(batch, text::NULL)?;
        for row in 0..batch.num_rows() {
            let cells = formatters
                .iter()
                .map(|formatter| Ok(text::printable(text::value(formatter, row)?)))
                .collect::<io::Result<Vec<_>>>()?;
            if self.has_header {
                self.row(out, &cells)?;
                continue;
            }
            self.held_bytes += cells.iter().map(String::len).sum::<usize>();
            self.held.push(cells);
            if self.held.len() >= HELD_ROWS_MAX || self.held_bytes >= HELD_BYTES_MAX {
                self.release(out)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.has_header {
            Ok(())
        } else {
            self.release(out)
        }
    }
}

impl TableWriter {
    /// Settles the widths and writes the header and the rows held so far.
    fn release(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        for cells in &held {
            for (column, cell) in self.columns.iter_mut().zip(cells) {
                column.width = cell
                    .split('\n')
                    .map(text::width)
                    .fold(column.width, usize::max);
            }
        }
        self.has_header = true;
        if self.columns.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = self
            .columns
            .iter()
            .map(|column| column.name.clone())
            .collect();
        self.row(out, &names)?;
        let rules: Vec<_> = self
            .columns
            .iter()
            .map(|column| "-".repeat(column.width + 2))
            .collect();
        writeln!(out, "{}", rules.join("+"))?;
        held.iter().try_for_each(|cells| self.row(out, cells))
    }

    /// A row takes as many lines as its highest cell.
    fn row(&self, out: &mut dyn Write, cells: &[String]) -> io::Result<()> {
        let mut lines: Vec<_> = cells.iter().map(|cell| cell.split('\n')).collect();
        let height = cells
            .iter()
            .map(|cell| cell.split('\n').count())
            .max()
            .unwrap_or(0);
        for _ in 0..height {
            let mut line = String::new();
            for (at, (column, cell)) in self.columns.iter().zip(&mut lines).enumerate() {
                line.push_str(if at == 0 { " " } else { " | " });
                let content = cell.next().unwrap_or("");
                let padding = column.width.saturating_sub(text::width(content));
                let (left, right) = if column.is_numeric {
                    (padding, 0)
                } else {
                    (0, padding)
                };
                line.extend(std::iter::repeat_n(' ', left));
                line.push_str(content);
                line.extend(std::iter::repeat_n(' ', right));
            }
            writeln!(out, "{}", line.trim_end_matches(' '))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::sample;

    #[test]
    fn columns_are_aligned() {
        let expected = "
    i | s           |      d | ts
------+-------------+--------+-------------------------
    1 | plain       |   1.50 | 2024-02-29T12:00:00
 NULL | NULL        |   NULL | NULL
   -7 | a,\"b\"|\\tc日 | -12.00 | 1970-01-01T00:00:00.500
      | second line |        |
";
        assert_eq!(
            format!("\n{}", sample::written(Format::Table, &sample::simple())),
            expected
        );
    }

    #[test]
    fn nested_values_show_their_nulls() {
        let shown = sample::written(Format::Table, &sample::nested());
        assert!(shown.contains("[1, NULL]"), "{shown}");
        assert!(shown.contains("{x: 1, y: NULL}"), "{shown}");
    }

    #[test]
    fn an_empty_result_has_its_header() {
        let shown = sample::written(Format::Table, &sample::simple().slice(0, 0));
        assert_eq!(shown, " i | s | d | ts\n---+---+---+----\n");
    }

    #[test]
    fn every_type_can_be_written() {
        for (format, batch) in sample::every_format_and_type() {
            assert!(!sample::written(format, &batch).is_empty());
        }
    }

    #[test]
    fn a_large_result_is_written_as_it_comes() {
        let shown = sample::written(Format::Table, &sample::numbers(25_000));
        assert_eq!(shown.lines().count(), 25_002);
        assert_eq!(shown.lines().last(), Some(" 24999"));
    }
}
