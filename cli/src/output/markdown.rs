//! Results as a table for Markdown, as most renderers read it.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::format::ResultWriter;
use super::text;

pub(super) struct MarkdownWriter;

impl ResultWriter for MarkdownWriter {
    fn begin(&mut self, out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
        if schema.fields().is_empty() {
            return Ok(());
        }
        let fields = schema.fields().iter();
        line(out, fields.clone().map(|field| escaped(field.name())))?;
        let rule = |is_numeric: bool| if is_numeric { "---:" } else { "---" };
        line(
            out,
            fields.map(|field| rule(text::is_numeric(field.data_type())).to_owned()),
        )
    }

    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let formatters = text::formatters(batch, text::NULL)?;
        for row in 0..batch.num_rows() {
            let values = formatters
                .iter()
                .map(|formatter| text::value(formatter, row));
            let cells = values
                .map(|value| Ok(escaped(&value?)))
                .collect::<io::Result<Vec<_>>>()?;
            line(out, cells.into_iter())?;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

fn line(out: &mut dyn Write, cells: impl Iterator<Item = String>) -> io::Result<()> {
    for cell in cells {
        write!(out, "| {cell} ")?;
    }
    writeln!(out, "|")
}

/// The text as one cell: a bar would end it and a line break the row.
fn escaped(value: &str) -> String {
    let one_line = value
        .replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace("\r\n", "<br>");
    text::printable(one_line.replace('\n', "<br>"))
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::sample;

    #[test]
    fn cells_stay_in_their_row() {
        let expected = "
| i | s | d | ts |
| ---: | --- | ---: | --- |
| 1 | plain | 1.50 | 2024-02-29T12:00:00 |
| NULL | NULL | NULL | NULL |
| -7 | a,\"b\"\\|\\tc日<br>second line | -12.00 | 1970-01-01T00:00:00.500 |
";
        assert_eq!(
            format!("\n{}", sample::written(Format::Markdown, &sample::simple())),
            expected
        );
    }
}
