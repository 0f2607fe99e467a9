//! SQL types as drivers know them: names, sizes and the rows of GetXdbcTypeInfo.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, IntervalUnit, SchemaRef};
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder};
use arrow_flight::sql::{Nullable, Searchable, XdbcDataType, XdbcDatetimeSubcode};
use waterbuck_engine::{Error, Result};

/// The types that a column may have.
pub(super) struct TypeInfo {
    data: XdbcTypeInfoData,
}

impl TypeInfo {
    pub(super) fn new() -> Result<Self, FlightError> {
        let mut builder = XdbcTypeInfoDataBuilder::new();
        all_types()
            .into_iter()
            .for_each(|info| builder.append(info));
        Ok(Self {
            data: builder.build()?,
        })
    }

    /// The columns of GetXdbcTypeInfo.
    pub(super) fn schema(&self) -> SchemaRef {
        self.data.schema()
    }

    /// The rows of GetXdbcTypeInfo, of one type if it is given.
    pub(super) fn rows(&self, data_type: Option<i32>) -> Result<RecordBatch> {
        self.data
            .record_batch(data_type)
            .map_err(|e| Error::internal("the types cannot be listed").with_source(e))
    }
}

/// The SQL name of a column's type.
pub(super) fn type_name(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Null => "NULL",
        DataType::Boolean => "BOOLEAN",
        DataType::Int8 => "TINYINT",
        DataType::Int16 => "SMALLINT",
        DataType::Int32 => "INTEGER",
        DataType::Int64 => "BIGINT",
        DataType::UInt8 => "TINYINT UNSIGNED",
        DataType::UInt16 => "SMALLINT UNSIGNED",
        DataType::UInt32 => "INTEGER UNSIGNED",
        DataType::UInt64 => "BIGINT UNSIGNED",
        DataType::Float16 | DataType::Float32 => "REAL",
        DataType::Float64 => "DOUBLE",
        DataType::Decimal32(_, _)
        | DataType::Decimal64(_, _)
        | DataType::Decimal128(_, _)
        | DataType::Decimal256(_, _) => "DECIMAL",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "BYTEA",
        DataType::Date32 | DataType::Date64 => "DATE",
        DataType::Time32(_) | DataType::Time64(_) => "TIME",
        DataType::Timestamp(_, None) => "TIMESTAMP",
        DataType::Timestamp(_, Some(_)) => "TIMESTAMP WITH TIME ZONE",
        DataType::Duration(_) | DataType::Interval(_) => "INTERVAL",
        DataType::List(_)
        | DataType::LargeList(_)
        | DataType::ListView(_)
        | DataType::LargeListView(_)
        | DataType::FixedSizeList(_, _) => "ARRAY",
        DataType::Struct(_) => "STRUCT",
        DataType::Map(_, _) => "MAP",
        DataType::Union(_, _) => "UNION",
        DataType::Dictionary(_, values) => type_name(values),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
    }
}

/// Decimal digits of numbers, characters of dates and times; `None` where there is no bound.
pub(super) fn precision(data_type: &DataType) -> Option<u32> {
    Some(match data_type {
        DataType::Boolean => 1,
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::Int64 => 19,
        DataType::UInt64 => 20,
        DataType::Float16 => 4,
        DataType::Float32 => 7,
        DataType::Float64 => 15,
        DataType::Decimal32(precision, _)
        | DataType::Decimal64(precision, _)
        | DataType::Decimal128(precision, _)
        | DataType::Decimal256(precision, _) => u32::from(*precision),
        DataType::Date32 | DataType::Date64 => 10,
        DataType::Time32(_) | DataType::Time64(_) => 18,
        DataType::Timestamp(_, None) => 29,
        DataType::Timestamp(_, Some(_)) => 35,
        DataType::Interval(IntervalUnit::YearMonth) => 9,
        DataType::FixedSizeBinary(size) => u32::try_from(*size).ok()?,
        _ => return None,
    })
}

/// Digits behind the point, for types that have them.
pub(super) fn decimal_scale(data_type: &DataType) -> Option<i8> {
    match data_type {
        DataType::Int8
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt8
        | DataType::UInt16
        | DataType::UInt32
        | DataType::UInt64 => Some(0),
        DataType::Decimal32(_, scale)
        | DataType::Decimal64(_, scale)
        | DataType::Decimal128(_, scale)
        | DataType::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// Every type, ordered by the number of its kind as ODBC wants it.
fn all_types() -> Vec<XdbcTypeInfo> {
    let mut types = numbers();
    types.extend(texts());
    types.extend(times());
    types.extend(same_under_other_codes(&types));
    types.sort_by_key(|info| info.data_type as i32);
    types
}

/// Drivers ask by codes of which several mean one type here: each is answered.
fn same_under_other_codes(types: &[XdbcTypeInfo]) -> Vec<XdbcTypeInfo> {
    let codes = [
        ("VARCHAR", XdbcDataType::XdbcChar),
        ("VARCHAR", XdbcDataType::XdbcLongvarchar),
        ("VARCHAR", XdbcDataType::XdbcWchar),
        ("VARCHAR", XdbcDataType::XdbcWvarchar),
        ("BYTEA", XdbcDataType::XdbcBinary),
        ("BYTEA", XdbcDataType::XdbcLongvarbinary),
        ("DECIMAL", XdbcDataType::XdbcNumeric),
        ("DOUBLE", XdbcDataType::XdbcFloat),
    ];
    codes
        .into_iter()
        .filter_map(|(name, code)| {
            let info = types.iter().find(|info| info.type_name == name)?;
            Some(XdbcTypeInfo {
                data_type: code,
                sql_data_type: code,
                ..info.clone()
            })
        })
        .collect()
}

fn numbers() -> Vec<XdbcTypeInfo> {
    let number = |name: &str, data_type, digits, unsigned| XdbcTypeInfo {
        column_size: Some(digits),
        searchable: Searchable::Basic,
        unsigned_attribute: Some(unsigned),
        auto_increment: Some(false),
        num_prec_radix: Some(10),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        fixed_prec_scale: true,
        ..base(name, data_type)
    };
    let float = |name: &str, data_type, digits| XdbcTypeInfo {
        minimum_scale: None,
        maximum_scale: None,
        fixed_prec_scale: false,
        ..number(name, data_type, digits, false)
    };
    vec![
        XdbcTypeInfo {
            column_size: Some(1),
            searchable: Searchable::Basic,
            ..base("BOOLEAN", XdbcDataType::XdbcBit)
        },
        number("TINYINT", XdbcDataType::XdbcTinyint, 3, false),
        number("TINYINT UNSIGNED", XdbcDataType::XdbcTinyint, 3, true),
        number("SMALLINT", XdbcDataType::XdbcSmallint, 5, false),
        number("SMALLINT UNSIGNED", XdbcDataType::XdbcSmallint, 5, true),
        number("INTEGER", XdbcDataType::XdbcInteger, 10, false),
        number("INTEGER UNSIGNED", XdbcDataType::XdbcInteger, 10, true),
        number("BIGINT", XdbcDataType::XdbcBigint, 19, false),
        number("BIGINT UNSIGNED", XdbcDataType::XdbcBigint, 20, true),
        float("REAL", XdbcDataType::XdbcReal, 7),
        float("DOUBLE", XdbcDataType::XdbcDouble, 15),
        XdbcTypeInfo {
            create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
            maximum_scale: Some(76),
            fixed_prec_scale: false,
            ..number("DECIMAL", XdbcDataType::XdbcDecimal, 76, false)
        },
    ]
}

fn texts() -> Vec<XdbcTypeInfo> {
    vec![
        XdbcTypeInfo {
            column_size: Some(i32::MAX),
            literal_prefix: Some("'".to_owned()),
            literal_suffix: Some("'".to_owned()),
            case_sensitive: true,
            ..base("VARCHAR", XdbcDataType::XdbcVarchar)
        },
        XdbcTypeInfo {
            column_size: Some(i32::MAX),
            literal_prefix: Some("X'".to_owned()),
            literal_suffix: Some("'".to_owned()),
            searchable: Searchable::Basic,
            ..base("BYTEA", XdbcDataType::XdbcVarbinary)
        },
    ]
}

fn times() -> Vec<XdbcTypeInfo> {
    let time = |name: &str, data_type, size, subcode, prefix: &str| XdbcTypeInfo {
        column_size: Some(size),
        literal_prefix: Some(format!("{prefix} '")),
        literal_suffix: Some("'".to_owned()),
        searchable: Searchable::Basic,
        sql_data_type: XdbcDataType::XdbcDatetime,
        datetime_subcode: Some(subcode),
        ..base(name, data_type)
    };
    let fraction = |info: XdbcTypeInfo| XdbcTypeInfo {
        minimum_scale: Some(0),
        maximum_scale: Some(9),
        ..info
    };
    vec![
        time(
            "DATE",
            XdbcDataType::XdbcDate,
            10,
            // The format gives the code 1, ODBC's "date", the name "year".
            XdbcDatetimeSubcode::XdbcSubcodeYear,
            "DATE",
        ),
        fraction(time(
            "TIME",
            XdbcDataType::XdbcTime,
            18,
            XdbcDatetimeSubcode::XdbcSubcodeTime,
            "TIME",
        )),
        fraction(time(
            "TIMESTAMP",
            XdbcDataType::XdbcTimestamp,
            29,
            XdbcDatetimeSubcode::XdbcSubcodeTimestamp,
            "TIMESTAMP",
        )),
        fraction(time(
            "TIMESTAMP WITH TIME ZONE",
            XdbcDataType::XdbcTimestamp,
            35,
            XdbcDatetimeSubcode::XdbcSubcodeTimestampWithTimezone,
            "TIMESTAMP",
        )),
        XdbcTypeInfo {
            literal_prefix: Some("INTERVAL '".to_owned()),
            literal_suffix: Some("'".to_owned()),
            searchable: Searchable::Basic,
            ..base("INTERVAL", XdbcDataType::XdbcInterval)
        },
    ]
}

fn base(name: &str, data_type: XdbcDataType) -> XdbcTypeInfo {
    XdbcTypeInfo {
        type_name: name.to_owned(),
        local_type_name: Some(name.to_owned()),
        data_type,
        sql_data_type: data_type,
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        ..XdbcTypeInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_a_type_is_answered() {
        let info = TypeInfo::new().unwrap();
        for code in [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 91, 92, 93] {
            assert!(info.rows(Some(code)).unwrap().num_rows() > 0, "{code}");
        }
        for code in -9..=-1 {
            assert!(info.rows(Some(code)).unwrap().num_rows() > 0, "{code}");
        }
        // No type is an unknown one, and dates and times have codes of their own.
        for code in [0, 9, 4711] {
            assert_eq!(info.rows(Some(code)).unwrap().num_rows(), 0, "{code}");
        }
    }
}
