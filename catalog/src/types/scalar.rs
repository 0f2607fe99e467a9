//! The specification's names of types without parts.

use arrow::datatypes::{DataType, IntervalUnit, TimeUnit};

/// The name of a type; the type itself when it has none.
pub(super) fn scalar_name(data_type: &DataType) -> Result<String, DataType> {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        // A column of which only NULL is known takes what DuckDB gives it.
        DataType::Int32 | DataType::Null => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 | DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Timestamp(TimeUnit::Second, None) => "timestamp_s",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "timestamp_ms",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp_ns",
        DataType::Interval(_) => "interval",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "blob",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 && *scale >= 0 =>
        {
            return Ok(format!("decimal({precision},{scale})"));
        }
        DataType::Dictionary(_, value) => return scalar_name(value),
        DataType::RunEndEncoded(_, values) => return scalar_name(values.data_type()),
        other => return Err(other.clone()),
    };
    Ok(name.to_owned())
}

/// The type of a name; none when this version does not read it.
pub(super) fn scalar_type(name: &str) -> Option<DataType> {
    if let Some(arguments) = name
        .strip_prefix("decimal(")
        .and_then(|n| n.strip_suffix(')'))
    {
        let (precision, scale) = arguments.split_once(',')?;
        let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        return Some(DataType::Decimal128(precision, scale));
    }
    Some(match name {
        "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_s" => DataType::Timestamp(TimeUnit::Second, None),
        "timestamp_ms" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "varchar" | "json" => DataType::Utf8,
        "blob" => DataType::Binary,
        "uuid" => DataType::FixedSizeBinary(16),
        _ => return None,
    })
}
