//! Results with a line for every value, for rows too wide to read side by side.

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::format::ResultWriter;
use super::text;

#[derive(Default)]
pub(super) struct VerticalWriter {
    /// The names of the columns, padded to one width.
    names: Vec<String>,
    rows: u64,
}

impl ResultWriter for VerticalWriter {
    fn begin(&mut self, _out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| text::printable(field.name().replace('\n', " ")))
            .collect();
        let widest = names
            .iter()
            .map(|name| text::width(name))
            .max()
            .unwrap_or(0);
        let pad = |name: String| {
            let padding = " ".repeat(widest - text::width(&name));
            name + &padding
        };
        self.names = names.into_iter().map(pad).collect();
        Ok(())
    }

    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let formatters = text::formatters(batch, text::NULL)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            writeln!(out, "-[ row {} ]----------", self.rows)?;
            for (name, formatter) in self.names.iter().zip(&formatters) {
                let value = text::printable(text::value(formatter, row)?);
                let indented =
                    value.replace('\n', &format!("\n{} | ", " ".repeat(text::width(name))));
                writeln!(out, "{name} | {indented}")?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::sample;

    #[test]
    fn values_stand_below_each_other() {
        let expected = "
-[ row 1 ]----------
i  | -7
s  | a,\"b\"|\\tc日
   | second line
d  | -12.00
ts | 1970-01-01T00:00:00.500
";
        let batch = sample::simple().slice(2, 1);
        assert_eq!(
            format!("\n{}", sample::written(Format::Vertical, &batch)),
            expected
        );
    }
}
