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

    #[test]
    fn values_of_all_kinds_are_exact() {
        let expected = "
-[ row 1 ]----------
yes      | true
large    | -9223372036854775808
unsigned | 18446744073709551615
float    | 0.1
whole    | 2.0
infinite | -inf
decimal  | 999999999999999999999999999999999999999999999999999999999999999999.9999999999
binary   | 00ff
date     | 1969-12-31
time     | 01:01:01.000001
instant  | 1970-01-01T00:00:00.000000001
zoned    | 1970-01-01T01:00:01+01:00
interval | 14 mons 3 days 1.500000000 secs
duration | PT1.5S
view     | a text that is longer than a view
";
        let shown = sample::written(Format::Vertical, &sample::scalars());
        assert_eq!(format!("\n{shown}"), expected);
    }
}
