//! Results as separated values, for other programs.
//!
//! Comma-separated values follow RFC 4180, with the line ends of Unix: a value is quoted where it
//! must be, NULL is nothing at all, and an empty text is `""`, so that the two can be told apart.
//! Tab-separated values have no quotes: NULL is `\N`, and a backslash stands before what would be
//! mistaken (`\t`, `\n`, `\r`, `\\`). Nested values are JSON in both.

use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::SchemaRef;
use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use arrow::util::display::ArrayFormatter;

use super::format::ResultWriter;
use super::text;

pub(super) struct CsvWriter {
    dialect: Dialect,
}

#[derive(Clone, Copy)]
enum Dialect {
    Comma,
    Tab,
}

impl CsvWriter {
    pub(super) fn comma() -> Self {
        Self {
            dialect: Dialect::Comma,
        }
    }

    pub(super) fn tab() -> Self {
        Self {
            dialect: Dialect::Tab,
        }
    }
}

impl ResultWriter for CsvWriter {
    fn begin(&mut self, out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
        let mut line = String::new();
        for (at, field) in schema.fields().iter().enumerate() {
            self.dialect.separate(at, &mut line);
            self.dialect.push_value(field.name(), &mut line);
        }
        writeln!(out, "{line}")
    }

    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let schema = batch.schema();
        let mut columns = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .zip(text::formatters(batch, "")?)
            .map(|((field, array), formatter)| {
                let content = if field.data_type().is_nested() {
                    Content::Json(make_encoder(field, array, &options).map_err(text::unwritable)?)
                } else {
                    Content::Plain(formatter)
                };
                Ok(Column {
                    nulls: array.logical_nulls(),
                    content,
                })
            })
            .collect::<io::Result<Vec<_>>>()?;
        let mut line = String::new();
        for row in 0..batch.num_rows() {
            line.clear();
            for (at, column) in columns.iter_mut().enumerate() {
                self.dialect.separate(at, &mut line);
                match column.value(row)? {
                    Some(value) => self.dialect.push_value(&value, &mut line),
                    None => self.dialect.push_null(&mut line),
                }
            }
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    }

    fn finish(&mut self, _out: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }
}

impl Dialect {
    fn separate(self, at: usize, line: &mut String) {
        if at > 0 {
            line.push(match self {
                Self::Comma => ',',
                Self::Tab => '\t',
            });
        }
    }

    fn push_null(self, line: &mut String) {
        if let Self::Tab = self {
            line.push_str("\\N");
        }
    }

    fn push_value(self, value: &str, line: &mut String) {
        match self {
            Self::Comma if value.is_empty() || value.contains([',', '"', '\n', '\r']) => {
                line.push('"');
                line.push_str(&value.replace('"', "\"\""));
                line.push('"');
            }
            Self::Comma => line.push_str(value),
            Self::Tab => value.chars().for_each(|c| match c {
                '\t' => line.push_str("\\t"),
                '\n' => line.push_str("\\n"),
                '\r' => line.push_str("\\r"),
                '\\' => line.push_str("\\\\"),
                c => line.push(c),
            }),
        }
    }
}

struct Column<'a> {
    nulls: Option<arrow::buffer::NullBuffer>,
    content: Content<'a>,
}

enum Content<'a> {
    Plain(ArrayFormatter<'a>),
    Json(NullableEncoder<'a>),
}

impl Column<'_> {
    fn value(&mut self, row: usize) -> io::Result<Option<String>> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(None);
        }
        match &mut self.content {
            Content::Plain(formatter) => text::value(formatter, row).map(Some),
            Content::Json(encoder) => {
                let mut json = Vec::new();
                encoder.encode(row, &mut json);
                String::from_utf8(json).map(Some).map_err(io::Error::other)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::sample;

    #[test]
    fn commas_follow_the_rfc() {
        let expected = "
i,s,d,ts
1,plain,1.50,2024-02-29T12:00:00
,,,
-7,\"a,\"\"b\"\"|\tc日
second line\",-12.00,1970-01-01T00:00:00.500
";
        assert_eq!(
            format!("\n{}", sample::written(Format::Csv, &sample::simple())),
            expected
        );
    }

    #[test]
    fn tabs_are_escaped() {
        let expected = "
i\ts\td\tts
1\tplain\t1.50\t2024-02-29T12:00:00
\\N\t\\N\t\\N\t\\N
-7\ta,\"b\"|\\tc日\\nsecond line\t-12.00\t1970-01-01T00:00:00.500
";
        assert_eq!(
            format!("\n{}", sample::written(Format::Tsv, &sample::simple())),
            expected
        );
    }

    #[test]
    fn an_empty_text_is_not_null() {
        assert_eq!(
            sample::written(Format::Csv, &sample::texts(&[Some(""), None])),
            "t\n\"\"\n\n"
        );
    }

    #[test]
    fn nested_values_are_json() {
        let shown = sample::written(Format::Csv, &sample::nested());
        let expected = "
l,st,m
\"[1,null]\",\"{\"\"x\"\":1,\"\"y\"\":null}\",\"{\"\"k\"\":\"\"v\"\"}\"
,,
";
        assert_eq!(format!("\n{shown}"), expected);
    }
}
