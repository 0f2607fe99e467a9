//! Sizes as people write them: `64MiB`, `2GB`, `70%`.

use std::fmt;

/// The memory that queries may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MemoryLimit {
    Bytes(u64),
    /// A share, 1 to 100, of what the machine or the cgroup has.
    Percent(u8),
}

impl MemoryLimit {
    /// Reads `70%`, or a size as [`parse_bytes`] does; the error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(number) = text.trim().strip_suffix('%') else {
            return match parse_bytes(text)? {
                0 => Err("must be more than 0".to_owned()),
                bytes => Ok(Self::Bytes(bytes)),
            };
        };
        match number.trim().parse() {
            Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
            _ => Err(format!("\"{text}\" is not a share from 1% to 100%")),
        }
    }

    /// The limit in bytes where the machine or the cgroup has `available_bytes`.
    pub(crate) fn resolve(self, available_bytes: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => available_bytes / 100 * u64::from(percent),
        }
    }
}

impl fmt::Display for MemoryLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => write!(f, "{bytes}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

/// Reads a size: a number, whole or with a fraction, and a unit (`KiB`, `MiB`, `GiB`, `TiB` of
/// 1024; `kB`, `MB`, `GB`, `TB` of 1000; `K`, `M`, `G`, `T` as 1024; nothing or `B` for bytes).
/// Upper and lower case are the same. The error says what is wrong.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, String> {
    let malformed = || format!("\"{text}\" is not a size such as 512MiB or 8GB");
    let trimmed = text.trim();
    let unit_at = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(unit_at);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        _ => return Err(malformed()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse().map_err(|_| malformed())?;
    // Twelve digits of a fraction are more than a byte of any unit.
    let digits: String = fraction.chars().take(12).collect();
    let numerator: u128 = if digits.is_empty() {
        0
    } else {
        digits.parse().map_err(|_| malformed())?
    };
    let denominator = 10u128.pow(u32::try_from(digits.len()).unwrap_or(12));
    let bytes = whole
        .checked_mul(u128::from(factor))
        .map(|bytes| bytes + numerator * u128::from(factor) / denominator);
    bytes
        .and_then(|bytes| u64::try_from(bytes).ok())
        .ok_or_else(|| format!("\"{text}\" is more than 2^64 bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("4096"), Ok(4096));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes(" 1.5 GiB "), Ok(3 << 29));
        assert_eq!(parse_bytes("2gb"), Ok(2_000_000_000));
        assert_eq!(parse_bytes("7k"), Ok(7168));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MiB",
            "1.2.3",
            "-1",
            "10 parsecs",
            "1e3",
            "99999999999999TiB",
            ".",
        ] {
            assert!(parse_bytes(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn memory_is_bytes_or_a_share() {
        assert_eq!(MemoryLimit::parse("8GiB"), Ok(MemoryLimit::Bytes(8 << 30)));
        assert_eq!(MemoryLimit::parse("70 %"), Ok(MemoryLimit::Percent(70)));
        assert_eq!(MemoryLimit::Percent(70).resolve(1000), 700);
        for text in ["0", "0%", "101%", "-5%", "much"] {
            assert!(MemoryLimit::parse(text).is_err(), "{text:?}");
        }
    }
}
