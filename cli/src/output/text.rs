//! Values, numbers, sizes and times as text.

use std::io;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unicode_width::UnicodeWidthChar;

/// How a NULL looks where people read.
pub(super) const NULL: &str = "NULL";

/// Formatters of a batch's columns that show `null` for NULL, inside nested values too.
pub(super) fn formatters<'a>(
    batch: &'a RecordBatch,
    null: &'a str,
) -> io::Result<Vec<ArrayFormatter<'a>>> {
    let options = FormatOptions::new()
        .with_display_error(false)
        .with_null(null);
    let columns = batch.columns().iter();
    columns
        .map(|column| ArrayFormatter::try_new(column, &options).map_err(unwritable))
        .collect()
}

/// The text of one value.
pub(super) fn value(formatter: &ArrayFormatter<'_>, row: usize) -> io::Result<String> {
    formatter.value(row).try_to_string().map_err(unwritable)
}

pub(super) fn unwritable(error: ArrowError) -> io::Error {
    io::Error::other(error)
}

/// Whether values of the type are aligned at the right.
pub(super) fn is_numeric(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, value) => is_numeric(value),
        DataType::RunEndEncoded(_, values) => is_numeric(values.data_type()),
        other => other.is_numeric(),
    }
}

/// The text without characters that would move a terminal's cursor or change its state; line
/// breaks stay.
pub(super) fn printable(text: String) -> String {
    let is_harmless = |c: char| c == '\n' || !c.is_control();
    if text.chars().all(is_harmless) {
        return text;
    }
    text.chars()
        .fold(String::with_capacity(text.len() + 8), |mut shown, c| {
            if is_harmless(c) {
                shown.push(c)
            } else {
                shown.extend(c.escape_default())
            }
            shown
        })
}

/// The columns of a terminal that one line of text takes.
pub(super) fn width(line: &str) -> usize {
    line.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A number with a space between the thousands: `1 234 567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes in the unit that suits it: `64.0 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut scaled = bytes as f64 / 1024.0;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if scaled < 1023.95 {
            break;
        }
        scaled /= 1024.0;
        unit = larger;
    }
    format!("{scaled:.1} {unit}")
}

/// A time in the unit that suits it: `8.3 ms`, `120 ms`, `3.42 s`, `2 min 05 s`.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.009_95 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.999_5 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 59.995 {
        format!("{seconds:.2} s")
    } else {
        let whole = seconds.round() as u64;
        format!("{} min {:02} s", whole / 60, whole % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_234_567), "1 234 567");
    }

    #[test]
    fn sizes_and_times_suit_their_unit() {
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(64 << 20), "64.0 MiB");
        assert_eq!(size((1 << 30) - 1), "1.0 GiB");
        assert_eq!(duration(Duration::from_micros(8300)), "8.3 ms");
        assert_eq!(duration(Duration::from_millis(120)), "120 ms");
        assert_eq!(duration(Duration::from_millis(3421)), "3.42 s");
        assert_eq!(duration(Duration::from_secs(125)), "2 min 05 s");
    }

    #[test]
    fn control_characters_are_made_visible() {
        assert_eq!(
            printable("a\tb\u{1b}[2J\nc".to_owned()),
            "a\\tb\\u{1b}[2J\nc"
        );
        assert_eq!(width("aé日"), 4);
    }
}
