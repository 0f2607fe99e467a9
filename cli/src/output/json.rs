//! Results as JSON: every row an object with all columns, NULL as `null`.
//!
//! Decimals and large integers are numbers with all their digits; infinities and not-a-number,
//! which JSON has no words for, are `null`; binary data is hexadecimal text.

use std::collections::HashSet;
use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::{RecordBatch, StructArray};
use arrow::datatypes::{Field, FieldRef, Fields, SchemaRef};
use arrow::json::writer::{EncoderOptions, make_encoder};

use super::format::ResultWriter;
use super::text;

const BUFFER_BYTES: usize = 64 << 10;

pub(super) struct JsonWriter {
    is_array: bool,
    fields: Fields,
    has_rows: bool,
}

impl JsonWriter {
    /// One array that holds all rows.
    pub(super) fn array() -> Self {
        Self {
            is_array: true,
            fields: Fields::empty(),
            has_rows: false,
        }
    }

    /// One row a line.
    pub(super) fn lines() -> Self {
        Self {
            is_array: false,
            ..Self::array()
        }
    }

    fn separate(&mut self, buffer: &mut Vec<u8>) {
        if self.is_array {
            buffer.extend_from_slice(if self.has_rows { b",\n" } else { b"\n" });
        }
        self.has_rows = true;
    }
}

impl ResultWriter for JsonWriter {
    fn begin(&mut self, out: &mut dyn Write, schema: &SchemaRef) -> io::Result<()> {
        self.fields = distinct(schema.fields());
        if self.is_array {
            write!(out, "[")
        } else {
            Ok(())
        }
    }

    fn write(&mut self, out: &mut dyn Write, batch: &RecordBatch) -> io::Result<()> {
        let rows = StructArray::try_new_with_length(
            typed_as(&self.fields, batch),
            batch.columns().to_vec(),
            None,
            batch.num_rows(),
        )
        .map_err(text::unwritable)?;
        let field: FieldRef = Arc::new(Field::new_struct("", rows.fields().clone(), false));
        let options = EncoderOptions::default().with_explicit_nulls(true);
        let mut encoder = make_encoder(&field, &rows, &options).map_err(text::unwritable)?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        for row in 0..batch.num_rows() {
            self.separate(&mut buffer);
            encoder.encode(row, &mut buffer);
            if !self.is_array {
                buffer.push(b'\n');
            }
            if buffer.len() >= BUFFER_BYTES {
                out.write_all(&buffer)?;
                buffer.clear();
            }
        }
        out.write_all(&buffer)
    }

    fn finish(&mut self, out: &mut dyn Write) -> io::Result<()> {
        match (self.is_array, self.has_rows) {
            (false, _) => Ok(()),
            (true, false) => writeln!(out, "]"),
            (true, true) => writeln!(out, "\n]"),
        }
    }
}

/// The fields under names that are all different: most readers of JSON keep only the last value
/// of a key, so a second `id` becomes `id_2`.
fn distinct(fields: &Fields) -> Fields {
    let mut taken: HashSet<String> = fields.iter().map(|field| field.name().clone()).collect();
    let mut seen = HashSet::new();
    let mut renamed = |field: &FieldRef| {
        if seen.insert(field.name().clone()) {
            return Arc::clone(field);
        }
        let numbered = (2..).map(|number: u32| format!("{}_{number}", field.name()));
        let free = numbered.into_iter().find(|name| taken.insert(name.clone()));
        Arc::new(
            field
                .as_ref()
                .clone()
                .with_name(free.unwrap_or_else(|| field.name().clone())),
        )
    };
    fields.iter().map(&mut renamed).collect()
}

/// The names of `fields` with the types that the batch has.
fn typed_as(fields: &Fields, batch: &RecordBatch) -> Fields {
    let columns = batch.schema_ref().fields().iter().zip(fields);
    columns
        .map(|(field, named)| field.as_ref().clone().with_name(named.name()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::format::Format;
    use super::super::sample;

    #[test]
    fn an_array_holds_all_rows() {
        let shown = sample::written(Format::Json, &sample::simple());
        let expected = r#"
[
{"i":1,"s":"plain","d":1.50,"ts":"2024-02-29T12:00:00"},
{"i":null,"s":null,"d":null,"ts":null},
{"i":-7,"s":"a,\"b\"|\tc日\nsecond line","d":-12.00,"ts":"1970-01-01T00:00:00.500"}
]
"#;
        assert_eq!(format!("\n{shown}"), expected);
    }

    #[test]
    fn lines_hold_a_row_each() {
        let shown = sample::written(Format::Ndjson, &sample::nested());
        let expected = r#"
{"l":[1,null],"st":{"x":1,"y":null},"m":{"k":"v"}}
{"l":null,"st":null,"m":null}
"#;
        assert_eq!(format!("\n{shown}"), expected);
    }

    #[test]
    fn an_empty_result_is_an_empty_array() {
        let empty = sample::simple().slice(0, 0);
        assert_eq!(sample::written(Format::Json, &empty), "[]\n");
        assert_eq!(sample::written(Format::Ndjson, &empty), "");
    }

    #[test]
    fn columns_of_one_name_are_told_apart() {
        let shown = sample::written(Format::Ndjson, &sample::same_names());
        assert_eq!(shown, "{\"a\":1,\"a_2\":2,\"a_3\":3}\n");
    }

    #[test]
    fn values_of_all_kinds_are_exact() {
        let expected = r#"
{"yes":true,"large":-9223372036854775808,"unsigned":18446744073709551615,"float":0.1,
"whole":2.0,"infinite":null,"decimal":999999999999999999999999999999999999999999999999999999999999999999.9999999999,
"binary":"00ff","date":"1969-12-31","time":"01:01:01.000001",
"instant":"1970-01-01T00:00:00.000000001","zoned":"1970-01-01T01:00:01+01:00",
"interval":"14 mons 3 days 1.500000000 secs","duration":"PT1.5S",
"view":"a text that is longer than a view"}
"#;
        let shown = sample::written(Format::Ndjson, &sample::scalars());
        assert_eq!(shown.trim_end(), expected.replace('\n', ""));
    }
}
