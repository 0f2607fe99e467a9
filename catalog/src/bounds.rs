//! The bounds of a column in a file: reading their text, comparing them, writing them as the spec
//! wants them.
//!
//! A bound that is not certainly a literal of the column's type counts as unknown. Where the spec's
//! type is coarser than Arrow's, a minimum is rounded down and a maximum up.

use std::cmp::Ordering;

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

/// Longer texts prune little and would make the catalog the larger store.
const TEXT_BYTES_MAX: usize = 512;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

/// Which end of the range a bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Min,
    Max,
}

/// A bound: its canonical text and its place in the order of its type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bound {
    pub(crate) text: String,
    key: Key,
}

/// Whole numbers, decimals (scaled), booleans, dates (days) and times (nanoseconds) are one kind.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    Whole(i128),
    Float(f64),
    Text,
}

impl Bound {
    /// The bound behind `text`, or none when it is unknown.
    pub(crate) fn read(data_type: &DataType, end: End, text: &str) -> Option<Self> {
        match data_type {
            DataType::Boolean => {
                let value = match text {
                    "0" | "false" => false,
                    "1" | "true" => true,
                    _ => return None,
                };
                Some(Self::whole(
                    i128::from(value),
                    i128::from(value).to_string(),
                ))
            }
            data_type if data_type.is_integer() => {
                let value: i128 = text.parse().ok()?;
                Some(Self::whole(value, value.to_string()))
            }
            DataType::Float16 | DataType::Float32 => {
                let value: f32 = text.parse().ok()?;
                Self::float(f64::from(value), value.to_string())
            }
            DataType::Float64 => {
                let value: f64 = text.parse().ok()?;
                Self::float(value, value.to_string())
            }
            DataType::Decimal32(_, scale)
            | DataType::Decimal64(_, scale)
            | DataType::Decimal128(_, scale)
            | DataType::Decimal256(_, scale) => decimal(text, *scale),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
                let kept = text.len() <= TEXT_BYTES_MAX && !text.contains('\0');
                kept.then(|| Self {
                    text: text.to_owned(),
                    key: Key::Text,
                })
            }
            DataType::Date32 | DataType::Date64 => date(text),
            DataType::Time32(_) | DataType::Time64(_) => time(text, end),
            DataType::Timestamp(unit, zone) => timestamp(text, *unit, zone.is_some(), end),
            DataType::Dictionary(_, value) => Self::read(value, end, text),
            DataType::RunEndEncoded(_, values) => Self::read(values.data_type(), end, text),
            _ => None,
        }
    }

    /// The outer one of two bounds of the same type and end.
    pub(crate) fn widest(self, other: Self, end: End) -> Self {
        let order = match (&self.key, &other.key) {
            (Key::Whole(a), Key::Whole(b)) => a.cmp(b),
            (Key::Float(a), Key::Float(b)) => a.total_cmp(b),
            _ => self.text.cmp(&other.text),
        };
        let outer = if end == End::Min {
            Ordering::Less
        } else {
            Ordering::Greater
        };
        if order == outer { self } else { other }
    }

    fn whole(value: i128, text: String) -> Self {
        Self {
            text,
            key: Key::Whole(value),
        }
    }

    fn float(value: f64, text: String) -> Option<Self> {
        value.is_finite().then_some(Self {
            text,
            key: Key::Float(value),
        })
    }
}

/// Whether values of the type may be NaN.
pub(crate) fn may_be_nan(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => may_be_nan(value),
        DataType::RunEndEncoded(_, values) => may_be_nan(values.data_type()),
        other => other.is_floating(),
    }
}

fn decimal(text: &str, scale: i8) -> Option<Bound> {
    let scale = usize::try_from(scale).ok()?;
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || fraction.len() > scale || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let unscaled: i128 = format!("{whole}{fraction:0<scale$}").parse().ok()?;
    let (unscaled, sign_text) = (sign * unscaled, if sign * unscaled < 0 { "-" } else { "" });
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale == 0 { "" } else { "." };
    Some(Bound::whole(
        unscaled,
        format!("{sign_text}{whole}{point}{fraction}"),
    ))
}

fn date(text: &str) -> Option<Bound> {
    let day = text.split_once('T').map_or(text, |(day, _)| day);
    let date = plain_date(day)?;
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Some(Bound::whole(i128::from(days), date.to_string()))
}

/// Four-digit years only: others are written in ways that readers disagree about.
fn plain_date(text: &str) -> Option<NaiveDate> {
    (text.len() == 10)
        .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
        .flatten()
}

fn time(text: &str, end: End) -> Option<Bound> {
    let time = NaiveTime::parse_from_str(text, "%H:%M:%S%.f").ok()?;
    let nanos = i128::from(time.num_seconds_from_midnight()) * NANOS_PER_SECOND
        + i128::from(time.nanosecond());
    let nanos = to_micros(nanos, end);
    let (rounded, subsecond) = split(nanos)?;
    let time = NaiveTime::from_num_seconds_from_midnight_opt(rounded.try_into().ok()?, subsecond)?;
    Some(Bound::whole(nanos, fraction(time.format("%H:%M:%S%.6f"))))
}

fn timestamp(text: &str, unit: TimeUnit, zoned: bool, end: End) -> Option<Bound> {
    let (date, rest) = text.split_once(['T', ' '])?;
    let date = plain_date(date)?;
    let (clock, zone) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    if zoned == zone.is_empty() {
        return None;
    }
    let clock = NaiveTime::parse_from_str(clock.trim_end(), "%H:%M:%S%.f").ok()?;
    let local = NaiveDateTime::new(date, clock);
    let zone = if zoned { offset(zone)? } else { offset("Z")? };
    let utc = local.and_local_timezone(zone).single()?.to_utc();
    let nanos =
        i128::from(utc.timestamp()) * NANOS_PER_SECOND + i128::from(utc.timestamp_subsec_nanos());
    // Only `timestamp_ns` is finer than microseconds, and it has no zone.
    let fine = unit == TimeUnit::Nanosecond && !zoned;
    let nanos = if fine { nanos } else { to_micros(nanos, end) };
    let (seconds, subsecond) = split(nanos)?;
    let utc = DateTime::from_timestamp(seconds, subsecond)?;
    let text = fraction(utc.format("%Y-%m-%d %H:%M:%S%.9f"));
    let text = if zoned { format!("{text}+00") } else { text };
    Some(Bound::whole(nanos, text))
}

/// `Z`, `+01`, `+0100` or `+01:00`.
fn offset(text: &str) -> Option<FixedOffset> {
    if text == "Z" {
        return FixedOffset::east_opt(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let digits = digits.replace(':', "");
    let number = |part: &str| part.parse::<i32>().ok();
    let seconds = match digits.len() {
        2 => number(&digits)? * 3600,
        4 => number(digits.get(..2)?)? * 3600 + number(digits.get(2..)?)? * 60,
        _ => return None,
    };
    FixedOffset::east_opt(if sign == "-" { -seconds } else { seconds })
}

/// Nanoseconds to whole microseconds, outwards.
fn to_micros(nanos: i128, end: End) -> i128 {
    let below = nanos.div_euclid(1000) * 1000;
    if end == End::Min || below == nanos {
        below
    } else {
        below + 1000
    }
}

/// Whole seconds and the nanoseconds after them.
fn split(nanos: i128) -> Option<(i64, u32)> {
    let seconds = i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).ok()?;
    Some((
        seconds,
        u32::try_from(nanos.rem_euclid(NANOS_PER_SECOND)).ok()?,
    ))
}

/// A time's text without the zeros, and without the point, that end its fraction.
fn fraction(text: impl ToString) -> String {
    let text = text.to_string();
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;
    use arrow::compute::{CastOptions, cast_with_options};

    use super::*;

    fn canonical(data_type: &DataType, end: End, text: &str) -> Option<String> {
        Bound::read(data_type, end, text).map(|bound| bound.text)
    }

    fn micros(zone: Option<&str>) -> DataType {
        DataType::Timestamp(TimeUnit::Microsecond, zone.map(Into::into))
    }

    #[test]
    fn bounds_are_written_as_the_spec_wants_them() {
        let min = |data_type: &DataType, text: &str| canonical(data_type, End::Min, text);
        assert_eq!(min(&DataType::Boolean, "true").as_deref(), Some("1"));
        assert_eq!(min(&DataType::Int8, "-7").as_deref(), Some("-7"));
        assert_eq!(
            min(&DataType::Decimal128(10, 2), "-0.5").as_deref(),
            Some("-0.50")
        );
        assert_eq!(
            min(&DataType::Decimal128(10, 2), "12").as_deref(),
            Some("12.00")
        );
        assert_eq!(
            min(&DataType::Decimal128(10, 0), "-12").as_deref(),
            Some("-12")
        );
        assert_eq!(min(&DataType::Float32, "0.1").as_deref(), Some("0.1"));
        assert_eq!(
            min(&DataType::Date32, "2024-02-29").as_deref(),
            Some("2024-02-29")
        );
        assert_eq!(
            min(&micros(None), "2024-01-01T10:11:12.500").as_deref(),
            Some("2024-01-01 10:11:12.5")
        );
        assert_eq!(
            min(&micros(None), "2024-01-01 10:00:00").as_deref(),
            Some("2024-01-01 10:00:00")
        );
        assert_eq!(
            min(&micros(Some("Europe/Berlin")), "2024-01-01T10:00:00+01:00").as_deref(),
            Some("2024-01-01 09:00:00+00")
        );
    }

    #[test]
    fn what_is_finer_than_the_spec_is_rounded_outwards() {
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
        let text = "2024-01-01T00:00:00.123456789Z";
        assert_eq!(
            canonical(&nanos, End::Min, text).as_deref(),
            Some("2024-01-01 00:00:00.123456+00")
        );
        assert_eq!(
            canonical(&nanos, End::Max, text).as_deref(),
            Some("2024-01-01 00:00:00.123457+00")
        );
        let time = DataType::Time64(TimeUnit::Nanosecond);
        assert_eq!(canonical(&time, End::Max, "23:59:59.9999999"), None);
    }

    #[test]
    fn what_is_not_a_literal_of_the_type_is_unknown() {
        for (data_type, text) in [
            (DataType::Int32, "1.5"),
            (DataType::Boolean, "yes"),
            (DataType::Float64, "NaN"),
            (DataType::Float64, "inf"),
            (DataType::Decimal128(10, 2), "1.005"),
            (DataType::Decimal128(10, 2), "1e3"),
            (DataType::Date32, "19723"),
            (DataType::Date32, "+12024-01-01"),
            (micros(None), "2024-01-01T00:00:00Z"),
            (micros(Some("UTC")), "2024-01-01T00:00:00"),
            (DataType::Binary, "abc"),
            (DataType::Utf8, "a\0b"),
        ] {
            assert_eq!(
                canonical(&data_type, End::Min, text),
                None,
                "{data_type} {text}"
            );
        }
        assert_eq!(canonical(&DataType::Utf8, End::Max, &"x".repeat(513)), None);
    }

    #[test]
    fn the_outer_bound_wins_in_the_order_of_the_type() {
        let widest = |data_type: &DataType, end, a: &str, b: &str| {
            let a = Bound::read(data_type, end, a).unwrap();
            a.widest(Bound::read(data_type, end, b).unwrap(), end).text
        };
        assert_eq!(widest(&DataType::Int32, End::Min, "9", "10"), "9");
        assert_eq!(widest(&DataType::Int32, End::Max, "9", "10"), "10");
        assert_eq!(widest(&DataType::Int32, End::Min, "-9", "-10"), "-10");
        assert_eq!(widest(&DataType::Utf8, End::Max, "9", "10"), "9");
        assert_eq!(widest(&DataType::Float64, End::Min, "-1.5", "0.25"), "-1.5");
        assert_eq!(
            widest(&DataType::Decimal128(5, 1), End::Max, "9.9", "10"),
            "10.0"
        );
        assert_eq!(
            widest(
                &micros(Some("UTC")),
                End::Max,
                "2024-01-01T00:30:00+01:00",
                "2023-12-31T23:31:00Z"
            ),
            "2023-12-31 23:31:00+00"
        );
    }

    #[test]
    fn canonical_text_is_a_literal_for_arrow() {
        for (data_type, text) in [
            (DataType::Boolean, "true"),
            (DataType::Decimal128(10, 2), "-1.5"),
            (DataType::Date32, "2024-01-01"),
            (DataType::Time64(TimeUnit::Microsecond), "10:11:12.5"),
            (micros(None), "2024-01-01T10:11:12.5"),
            (micros(Some("UTC")), "2024-01-01T10:11:12.5+01:00"),
            (micros(Some("UTC")), "2024-01-01T10:00:00Z"),
        ] {
            let text = canonical(&data_type, End::Min, text).unwrap();
            let options = CastOptions {
                safe: false,
                ..CastOptions::default()
            };
            let strings = StringArray::from(vec![text.as_str()]);
            cast_with_options(&strings, &data_type, &options).unwrap();
        }
    }
}
