//! Sizes and durations as people write them: `64MiB`, `1.5GB`, `30s`, `250ms`.

use std::time::Duration;

use crate::{Error, Result};

const BYTE_UNITS: &[(&str, u64)] = &[
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
];

/// Units with their length in microseconds.
const TIME_UNITS: &[(&str, u64)] = &[
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("sec", 1_000_000),
    ("m", 60_000_000),
    ("min", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Reads a size: a number with a unit, or a number of bytes. `KiB`, `MiB` count in 1024s as do bare
/// `K`, `M`; `KB`, `MB` count in 1000s.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let (number, unit) = split_number(text);
    let factor = match unit.as_str() {
        "" => Some(1),
        unit => factor_of(BYTE_UNITS, unit),
    };
    factor
        .and_then(|factor| scale(number, factor))
        .ok_or_else(|| Error::invalid(format!("\"{text}\" is not a size; write it as \"64MiB\"")))
}

/// Reads a duration: a number with a unit; only `0` may stand without one.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let (number, unit) = split_number(text);
    let factor = match unit.as_str() {
        "" if scale(number, 1) == Some(0) => Some(1),
        unit => factor_of(TIME_UNITS, unit),
    };
    factor
        .and_then(|factor| scale(number, factor))
        .map(Duration::from_micros)
        .ok_or_else(|| {
            Error::invalid(format!(
                "\"{text}\" is not a duration; write it as \"30s\" or \"250ms\""
            ))
        })
}

/// Writes a size in the largest unit that divides it.
pub fn format_bytes(bytes: u64) -> String {
    for (unit, factor) in [
        ("TiB", 1_u64 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ] {
        if bytes != 0 && bytes.is_multiple_of(factor) {
            return format!("{}{unit}", bytes / factor);
        }
    }
    format!("{bytes}B")
}

/// Writes a duration in the largest unit that divides it.
pub fn format_duration(duration: Duration) -> String {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return "0s".to_string();
    }
    for (unit, factor) in [
        ("d", 86_400_000_000_u64),
        ("h", 3_600_000_000),
        ("m", 60_000_000),
        ("s", 1_000_000),
        ("ms", 1_000),
    ] {
        if micros.is_multiple_of(factor) {
            return format!("{}{unit}", micros / factor);
        }
    }
    format!("{micros}us")
}

fn split_number(text: &str) -> (&str, String) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim().to_ascii_lowercase())
}

fn factor_of(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units
        .iter()
        .find(|(name, _)| *name == unit)
        .map(|(_, factor)| *factor)
}

/// `number × factor` exactly where the number is whole, rounded down where it has a fraction.
fn scale(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.contains('.') || fraction.len() > 9 {
        return None;
    }
    let mut total = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    if !fraction.is_empty() {
        let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(factor);
        total += parts / 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    }
    u64::try_from(total).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_in_both_families_of_units() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("2k", 2048),
            ("1.5GB", 1_500_000_000),
            ("0.5KiB", 512),
            ("3TB", 3_000_000_000_000),
        ] {
            assert_eq!(parse_bytes(text).unwrap(), bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_an_example() {
        for text in [
            "",
            "MiB",
            "-1",
            "1.2.3MB",
            "12 parsecs",
            "99999999999999TiB",
            "1e9",
        ] {
            let error = parse_bytes(text).unwrap_err();
            assert!(error.message().contains("64MiB"), "{text}: {error}");
        }
    }

    #[test]
    fn durations_need_a_unit_unless_they_are_zero() {
        assert_eq!(parse_duration("0").unwrap(), Duration::ZERO);
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("1.5 h").unwrap(), Duration::from_secs(5400));
        assert_eq!(parse_duration("2min").unwrap(), Duration::from_secs(120));
        assert!(parse_duration("30").is_err());
        assert!(parse_duration("5 weeks").is_err());
    }

    #[test]
    fn what_is_written_can_be_read_back() {
        for bytes in [0, 1, 1000, 1024, 3 << 20, 5 << 30, (1 << 40) + 1, u64::MAX] {
            assert_eq!(parse_bytes(&format_bytes(bytes)).unwrap(), bytes);
        }
        for micros in [
            0,
            1,
            1500,
            2_000_000,
            90_000_000,
            7_200_000_000,
            86_400_000_000,
        ] {
            let duration = Duration::from_micros(micros);
            assert_eq!(
                parse_duration(&format_duration(duration)).unwrap(),
                duration
            );
        }
        assert_eq!(format_bytes(64 << 20), "64MiB");
        assert_eq!(format_duration(Duration::from_secs(90)), "90s");
    }
}
