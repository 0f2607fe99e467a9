//! Messages of Arrow and DataFusion with types by the names SQL gives them.
//!
//! The messages name types as Arrow does (`Utf8View`, `Timestamp(µs)`) and print constants with
//! their types (`Int64(1)`). What stands in quotes is the user's own and is left as it is.

use datafusion::arrow::datatypes::DataType;

use super::type_names::sql_type;

/// Types that are a word by themselves and no word of English.
const WORDS: [&str; 19] = [
    "Boolean",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float16",
    "Float32",
    "Float64",
    "Utf8",
    "LargeUtf8",
    "Utf8View",
    "LargeBinary",
    "BinaryView",
    "Date32",
    "Date64",
];

/// `text` with the Arrow types in it replaced by their SQL names, and typed constants by their
/// values.
pub fn with_sql_types(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let rest = &text[at..];
        let inside_a_word = out.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let (shown, length) = match next {
            _ if inside_a_word => (None, next.len_utf8()),
            '\'' | '"' => quoted(rest, out.ends_with("type ")),
            'A'..='Z' => match leading_type(rest) {
                Some((shown, length)) => (Some(shown), length),
                None => (None, 1),
            },
            _ => (None, next.len_utf8()),
        };
        match shown {
            Some(shown) => out.push_str(&shown),
            None => out.push_str(&rest[..length]),
        }
        at += length;
    }
    out
}

/// Something in quotes at the start of `text`: what to show in its place, if not itself, and its
/// length. Only behind the word "type" can it be the name of one.
fn quoted(text: &str, names_a_type: bool) -> (Option<String>, usize) {
    let Some(end) = text[1..].find(&text[..1]) else {
        return (None, 1);
    };
    let inner = &text[1..=end];
    let shown = match leading_type(inner) {
        Some((shown, length)) if names_a_type && length == inner.len() => Some(shown),
        _ => None,
    };
    (shown, end + 2)
}

/// A type or a typed constant at the start of `text`: what to show in its place, and its length.
fn leading_type(text: &str) -> Option<(String, usize)> {
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let end = end.unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let parentheses = rest.starts_with('(').then(|| matching(rest)).flatten();
    if WORDS.contains(&word) {
        return match parentheses {
            Some(length) => Some((rest[1..length - 1].to_owned(), end + length)),
            None => Some((sql_type(&word.parse::<DataType>().ok()?), end)),
        };
    }
    let end = end + parentheses?;
    let data_type = text[..end].parse::<DataType>().ok()?;
    Some((sql_type(&data_type), end))
}

/// The length of the parentheses at the start of `text`, with all that is inside of them.
fn matching(text: &str) -> Option<usize> {
    let (mut depth, mut in_quotes) = (0_usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_quotes = !in_quotes,
            '(' if !in_quotes => depth += 1,
            ')' if !in_quotes => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_take_their_sql_names() {
        for (message, shown) in [
            (
                "cannot cast string 'Int64' to value of Int64 type",
                "cannot cast string 'Int64' to value of BIGINT type",
            ),
            (
                "Can't cast value 300 to type Int8",
                "Can't cast value 300 to type TINYINT",
            ),
            (
                "Error while parsing value 'x' as type 'Float64' for column 1",
                "Error while parsing value 'x' as type DOUBLE for column 1",
            ),
            (
                "cannot coerce Timestamp(µs) + Timestamp(Microsecond, None)",
                "cannot coerce TIMESTAMP(6) + TIMESTAMP(6)",
            ),
            (
                "f does not take (Utf8View, List(Int32), Decimal128(10, 2))",
                "f does not take (VARCHAR, ARRAY<INT>, DECIMAL(10, 2))",
            ),
            ("Struct(\"a)\": Utf8) is none", "STRUCT<a) VARCHAR> is none"),
            ("Int64(1) + Utf8(\"x\")", "1 + \"x\""),
        ] {
            assert_eq!(with_sql_types(message), shown);
        }
    }

    #[test]
    fn other_words_stay() {
        for message in [
            "column \"Int64\" does not exist; there are \"Utf8\", \"é\"",
            "a Binary operator, a List of Struct, MyInt64, Int64s, Int64_x",
            "Timestamp (no type), List(of things), the user's and 'unclosed",
            "",
        ] {
            assert_eq!(with_sql_types(message), message);
        }
    }
}
