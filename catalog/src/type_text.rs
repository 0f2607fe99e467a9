//! Arrow types as text, exactly.
//!
//! The readable form is Arrow's own (`Timestamp(µs, "UTC")`). Where Arrow cannot read back what it
//! wrote (odd field names), the IPC encoding of the type stands in its place, as hexadecimal digits
//! after `ipc:`. Metadata of nested fields is not part of a catalog type.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;
use waterbuck_engine::{Error, Result};

const IPC_PREFIX: &str = "ipc:";

/// The text of a type, which [`parse`] reads back to the same type without field metadata.
pub(crate) fn write(data_type: &DataType) -> String {
    let plain = without_metadata(data_type);
    let text = plain.to_string();
    if text.parse::<DataType>().is_ok_and(|read| read == plain) {
        return text;
    }
    let schema = Schema::new(vec![Field::new("", plain, true)]);
    let mut encoder = IpcSchemaEncoder::new();
    let bytes = encoder.schema_to_fb(&schema);
    let digits: String = bytes
        .finished_data()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{IPC_PREFIX}{digits}")
}

/// The type behind a text that [`write`] made.
pub(crate) fn parse(text: &str) -> Result<DataType> {
    let damaged = || {
        Error::data(format!(
            "the catalog holds an unknown column type \"{text}\""
        ))
    };
    let Some(digits) = text.strip_prefix(IPC_PREFIX) else {
        return text
            .parse::<DataType>()
            .map_err(|e| damaged().with_source(e));
    };
    let bytes = (0..digits.len())
        .step_by(2)
        .map(|at| {
            digits
                .get(at..at + 2)
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
        })
        .collect::<Option<Vec<u8>>>()
        .ok_or_else(damaged)?;
    let schema = root_as_schema(&bytes).map_err(|e| damaged().with_source(e.to_string()))?;
    let schema = fb_to_schema(schema);
    let field = schema.fields().first().ok_or_else(damaged)?;
    Ok(field.data_type().clone())
}

/// The type with the metadata of all nested fields removed.
pub(crate) fn without_metadata(data_type: &DataType) -> DataType {
    let plain = |field: &FieldRef| -> FieldRef {
        let inner = without_metadata(field.data_type());
        Arc::new(Field::new(field.name(), inner, field.is_nullable()))
    };
    match data_type {
        DataType::List(field) => DataType::List(plain(field)),
        DataType::LargeList(field) => DataType::LargeList(plain(field)),
        DataType::ListView(field) => DataType::ListView(plain(field)),
        DataType::LargeListView(field) => DataType::LargeListView(plain(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(plain(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        DataType::Dictionary(key, value) => {
            DataType::Dictionary(key.clone(), Box::new(without_metadata(value)))
        }
        DataType::RunEndEncoded(ends, values) => {
            DataType::RunEndEncoded(plain(ends), plain(values))
        }
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow::datatypes::{IntervalUnit, TimeUnit};

    use super::*;

    #[test]
    fn every_type_comes_back_as_it_was() {
        let odd = Field::new("it's \"odd\"\u{301}", DataType::Utf8View, false);
        for data_type in [
            DataType::Utf8View,
            DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into())),
            DataType::Decimal256(60, -3),
            DataType::Dictionary(Box::new(DataType::UInt16), Box::new(DataType::LargeUtf8)),
            DataType::Interval(IntervalUnit::MonthDayNano),
            DataType::List(Arc::new(odd.clone())),
            DataType::Struct(vec![odd.clone(), Field::new("b", DataType::Null, true)].into()),
            DataType::FixedSizeList(Arc::new(odd), 3),
            DataType::Map(
                Arc::new(Field::new(
                    "entries",
                    DataType::Struct(
                        vec![
                            Field::new("keys", DataType::Utf8, false),
                            Field::new("values", DataType::Float16, true),
                        ]
                        .into(),
                    ),
                    false,
                )),
                false,
            ),
        ] {
            let text = write(&data_type);
            assert_eq!(parse(&text).unwrap(), data_type, "{text}");
        }
    }

    #[test]
    fn metadata_of_nested_fields_is_left_out() {
        let metadata = HashMap::from([("PARQUET:field_id".to_owned(), "3".to_owned())]);
        let item = Field::new("item", DataType::Int32, true);
        let plain = DataType::List(Arc::new(item.clone()));
        let marked = DataType::List(Arc::new(item.with_metadata(metadata)));
        assert_eq!(write(&marked), write(&plain));
        assert_eq!(write(&plain), "List(Int32)");
    }

    #[test]
    fn damaged_text_is_an_error() {
        assert!(parse("Strong").is_err());
        assert!(parse("ipc:zz").is_err());
        assert!(parse("ipc:00").is_err());
    }
}
