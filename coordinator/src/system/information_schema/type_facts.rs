//! Lengths and precisions of types, as the columns of `information_schema.columns` ask for them.

use arrow::datatypes::{DataType, IntervalUnit};

use waterbuck_engine::sql::fraction_digits;

/// What is known of a type; what does not apply to it or has no bound is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TypeFacts {
    /// The bytes of a binary of fixed size; texts have no bound.
    pub(super) length: Option<i64>,
    /// The digits of a number, in its radix.
    pub(super) numeric_precision: Option<i64>,
    pub(super) numeric_radix: Option<i64>,
    /// The digits behind the point, for exact numbers.
    pub(super) numeric_scale: Option<i64>,
    /// The digits of a second's fraction.
    pub(super) datetime_precision: Option<i64>,
    pub(super) interval_type: Option<&'static str>,
}

/// The facts of a type.
pub(super) fn type_facts(data_type: &DataType) -> TypeFacts {
    match data_type {
        DataType::Int8 | DataType::UInt8 => integer(8),
        DataType::Int16 | DataType::UInt16 => integer(16),
        DataType::Int32 | DataType::UInt32 => integer(32),
        DataType::Int64 | DataType::UInt64 => integer(64),
        DataType::Float16 => float(11),
        DataType::Float32 => float(24),
        DataType::Float64 => float(53),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => TypeFacts {
            numeric_precision: Some(i64::from(*precision)),
            numeric_radix: Some(10),
            numeric_scale: Some(i64::from(*scale)),
            ..TypeFacts::default()
        },
        DataType::FixedSizeBinary(bytes) => TypeFacts {
            length: Some(i64::from(*bytes)),
            ..TypeFacts::default()
        },
        DataType::Date32 | DataType::Date64 => datetime(0),
        DataType::Time32(unit)
        | DataType::Time64(unit)
        | DataType::Timestamp(unit, _)
        | DataType::Duration(unit) => datetime(fraction_digits(*unit)),
        DataType::Interval(unit) => interval(*unit),
        DataType::Dictionary(_, value) => type_facts(value),
        DataType::RunEndEncoded(_, values) => type_facts(values.data_type()),
        _ => TypeFacts::default(),
    }
}

fn integer(bits: i64) -> TypeFacts {
    TypeFacts {
        numeric_precision: Some(bits),
        numeric_radix: Some(2),
        numeric_scale: Some(0),
        ..TypeFacts::default()
    }
}

fn float(bits: i64) -> TypeFacts {
    TypeFacts {
        numeric_precision: Some(bits),
        numeric_radix: Some(2),
        ..TypeFacts::default()
    }
}

fn datetime(digits: u8) -> TypeFacts {
    TypeFacts {
        datetime_precision: Some(i64::from(digits)),
        ..TypeFacts::default()
    }
}

/// An interval that holds months, days and nanoseconds is of neither of the standard's two types.
fn interval(unit: IntervalUnit) -> TypeFacts {
    let (digits, interval_type) = match unit {
        IntervalUnit::YearMonth => (0, Some("YEAR TO MONTH")),
        IntervalUnit::DayTime => (3, Some("DAY TO SECOND")),
        IntervalUnit::MonthDayNano => (9, None),
    };
    TypeFacts {
        interval_type,
        ..datetime(digits)
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    #[test]
    fn numbers_tell_their_digits_and_radix() {
        let facts = |data_type| {
            let facts = type_facts(&data_type);
            let TypeFacts {
                numeric_precision,
                numeric_radix,
                numeric_scale,
                ..
            } = facts;
            (numeric_precision, numeric_radix, numeric_scale)
        };
        assert_eq!(facts(DataType::Int32), (Some(32), Some(2), Some(0)));
        assert_eq!(facts(DataType::UInt64), (Some(64), Some(2), Some(0)));
        assert_eq!(facts(DataType::Float64), (Some(53), Some(2), None));
        assert_eq!(
            facts(DataType::Decimal128(38, -2)),
            (Some(38), Some(10), Some(-2))
        );
        assert_eq!(facts(DataType::Utf8), (None, None, None));
    }

    #[test]
    fn times_tell_the_digits_of_their_fraction() {
        let digits = |data_type| type_facts(&data_type).datetime_precision;
        assert_eq!(digits(DataType::Date32), Some(0));
        assert_eq!(digits(DataType::Time64(TimeUnit::Nanosecond)), Some(9));
        let millis = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        assert_eq!(digits(millis), Some(3));
        assert_eq!(digits(DataType::Boolean), None);
        let months = type_facts(&DataType::Interval(IntervalUnit::YearMonth));
        assert_eq!(months.interval_type, Some("YEAR TO MONTH"));
    }

    #[test]
    fn only_a_fixed_size_is_a_length() {
        assert_eq!(type_facts(&DataType::FixedSizeBinary(16)).length, Some(16));
        assert_eq!(type_facts(&DataType::Utf8), TypeFacts::default());
    }
}
