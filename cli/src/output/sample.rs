//! Results for the tests of the formats.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::{cast, concat};
use arrow::datatypes::*;

use super::format::Format;

/// The batch as `format` writes it, in two halves as if it had come so.
pub(super) fn written(format: Format, batch: &RecordBatch) -> String {
    let mut out = Vec::new();
    let mut writer = format.writer();
    let half = batch.num_rows() / 2;
    writer.begin(&mut out, &batch.schema()).unwrap();
    writer.write(&mut out, &batch.slice(0, half)).unwrap();
    writer
        .write(&mut out, &batch.slice(half, batch.num_rows() - half))
        .unwrap();
    writer.finish(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

pub(super) fn simple() -> RecordBatch {
    let text = "a,\"b\"|\tc日\nsecond line";
    let decimals = Decimal128Array::from(vec![Some(150), None, Some(-1200)]);
    let instants = vec![Some(1_709_208_000_000), None, Some(500)];
    batch(vec![
        (
            "i",
            Arc::new(Int32Array::from(vec![Some(1), None, Some(-7)])),
        ),
        (
            "s",
            Arc::new(StringArray::from(vec![Some("plain"), None, Some(text)])),
        ),
        (
            "d",
            Arc::new(decimals.with_precision_and_scale(10, 2).unwrap()),
        ),
        ("ts", Arc::new(TimestampMillisecondArray::from(instants))),
    ])
}

pub(super) fn nested() -> RecordBatch {
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None]);
    lists.append_null();
    let x: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None]));
    let y: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, None]));
    let fields: Fields = vec![
        Field::new("x", DataType::Int32, true),
        Field::new("y", DataType::Utf8, true),
    ]
    .into();
    let structs = StructArray::new(fields, vec![x, y], Some(vec![true, false].into()));
    let mut maps = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    maps.keys().append_value("k");
    maps.values().append_value("v");
    maps.append(true).unwrap();
    maps.append(false).unwrap();
    batch(vec![
        ("l", Arc::new(lists.finish())),
        ("st", Arc::new(structs)),
        ("m", Arc::new(maps.finish())),
    ])
}

/// One row with a value of each kind of type.
pub(super) fn scalars() -> RecordBatch {
    let berlin = TimestampMicrosecondArray::from(vec![1_000_000]).with_timezone("Europe/Berlin");
    let digits = "9".repeat(76);
    let months = IntervalMonthDayNano::new(14, 3, 1_500_000_000);
    batch(vec![
        ("yes", Arc::new(BooleanArray::from(vec![true]))),
        ("large", Arc::new(Int64Array::from(vec![i64::MIN]))),
        ("unsigned", Arc::new(UInt64Array::from(vec![u64::MAX]))),
        ("float", Arc::new(Float64Array::from(vec![0.1]))),
        ("whole", Arc::new(Float64Array::from(vec![2.0]))),
        (
            "infinite",
            Arc::new(Float64Array::from(vec![f64::NEG_INFINITY])),
        ),
        (
            "decimal",
            Arc::new(Decimal256Array::from_iter_values(i256::from_string(
                &digits,
            ))),
        ),
        (
            "binary",
            Arc::new(BinaryArray::from(vec![b"\x00\xff".as_slice()])),
        ),
        ("date", Arc::new(Date32Array::from(vec![-1]))),
        (
            "time",
            Arc::new(Time64MicrosecondArray::from(vec![3_661_000_001])),
        ),
        ("instant", Arc::new(TimestampNanosecondArray::from(vec![1]))),
        ("zoned", Arc::new(berlin)),
        (
            "interval",
            Arc::new(IntervalMonthDayNanoArray::from(vec![months])),
        ),
        (
            "duration",
            Arc::new(DurationMillisecondArray::from(vec![1500])),
        ),
        (
            "view",
            Arc::new(StringViewArray::from(vec![
                "a text that is longer than a view",
            ])),
        ),
    ])
}

pub(super) fn texts(values: &[Option<&str>]) -> RecordBatch {
    batch(vec![("t", Arc::new(StringArray::from(values.to_vec())))])
}

pub(super) fn numbers(rows: i64) -> RecordBatch {
    batch(vec![("n", Arc::new(Int64Array::from_iter_values(0..rows)))])
}

pub(super) fn same_names() -> RecordBatch {
    let column = |value: i32| -> ArrayRef { Arc::new(Int32Array::from(vec![value])) };
    batch(vec![("a", column(1)), ("a", column(2)), ("a", column(3))])
}

/// Every format with every type a result can have, each with a value, where one can be made of the
/// number 1, and a NULL.
pub(super) fn every_format_and_type() -> Vec<(Format, RecordBatch)> {
    let units = [
        TimeUnit::Second,
        TimeUnit::Millisecond,
        TimeUnit::Microsecond,
        TimeUnit::Nanosecond,
    ];
    let item = || Arc::new(Field::new("item", DataType::Int32, true));
    let mut types = vec![
        DataType::Null,
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt8,
        DataType::UInt16,
        DataType::UInt32,
        DataType::UInt64,
        DataType::Float16,
        DataType::Float32,
        DataType::Float64,
        DataType::Utf8,
        DataType::LargeUtf8,
        DataType::Utf8View,
        DataType::Binary,
        DataType::LargeBinary,
        DataType::BinaryView,
        DataType::FixedSizeBinary(2),
        DataType::Date32,
        DataType::Date64,
        DataType::Time32(TimeUnit::Second),
        DataType::Time32(TimeUnit::Millisecond),
        DataType::Time64(TimeUnit::Microsecond),
        DataType::Time64(TimeUnit::Nanosecond),
        DataType::Interval(IntervalUnit::YearMonth),
        DataType::Interval(IntervalUnit::DayTime),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Decimal128(38, 10),
        DataType::Decimal256(76, 10),
        DataType::List(item()),
        DataType::LargeList(item()),
        DataType::FixedSizeList(item(), 2),
        DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8)),
    ];
    for unit in units {
        types.push(DataType::Timestamp(unit, None));
        types.push(DataType::Timestamp(unit, Some("+02:00".into())));
        types.push(DataType::Timestamp(unit, Some("Europe/Berlin".into())));
        types.push(DataType::Duration(unit));
    }
    let batches = types
        .into_iter()
        .map(|data_type| batch(vec![("v", one_and_null(&data_type))]));
    let batches: Vec<_> = batches.chain([simple(), nested()]).collect();
    let formats = Format::names()
        .into_iter()
        .filter_map(|name| Format::named(&name));
    formats
        .flat_map(|format| batches.iter().map(move |batch| (format, batch.clone())))
        .collect()
}

fn one_and_null(data_type: &DataType) -> ArrayRef {
    let one: [ArrayRef; 2] = [
        Arc::new(Int32Array::from(vec![1])),
        Arc::new(StringArray::from(vec!["1"])),
    ];
    let mut values = one.iter().filter_map(|one| cast(one, data_type).ok());
    let null = new_null_array(data_type, 1);
    match values.find(|value| value.is_valid(0)) {
        Some(value) => concat(&[&value, &null]).unwrap(),
        None => null,
    }
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    let fields = columns
        .iter()
        .map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    RecordBatch::try_new(
        schema,
        columns.into_iter().map(|(_, column)| column).collect(),
    )
    .unwrap()
}
