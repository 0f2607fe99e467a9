//! Shows a place in a text: the line, windowed, and a caret under the column.

/// Columns of the window around the place.
const WINDOW: usize = 80;
/// What stands for text left out.
const ELLIPSIS: &str = "…";

/// `message`, the line of `sql` and a caret under `column`. Lines and columns count from 1; columns
/// in characters. A place outside the text gives the message alone.
///
/// ```text
/// unknown column "pric"
/// 2 | SELECT pric FROM orders
///   |        ^
/// ```
pub fn caret(sql: &str, line: u64, column: u64, message: &str) -> String {
    caret_numbered(sql, line, column, line, message)
}

/// As [`caret`], showing `shown_line` as the line's number: for a text that is part of a longer one.
pub(super) fn caret_numbered(
    sql: &str,
    line: u64,
    column: u64,
    shown_line: u64,
    message: &str,
) -> String {
    let text = usize::try_from(line)
        .ok()
        .and_then(|line| line.checked_sub(1))
        .and_then(|index| sql.split('\n').nth(index));
    let Some(text) = text else {
        return message.to_string();
    };
    let column = usize::try_from(column).unwrap_or(1).max(1) - 1;
    let text = text.trim_end_matches('\r');
    let (excerpt, indent) = window(text, column.min(text.chars().count()));
    let gutter = shown_line.to_string();
    format!(
        "{message}\n{gutter} | {excerpt}\n{} | {}^",
        " ".repeat(gutter.len()),
        " ".repeat(indent)
    )
}

/// The part of a line around a character, and how many columns stand before that character.
fn window(line: &str, index: usize) -> (String, usize) {
    // Only the neighbourhood is looked at: a line may be megabytes long.
    let first = index.saturating_sub(WINDOW);
    let cells: Vec<char> = line
        .chars()
        .skip(first)
        .take(3 * WINDOW)
        .map(printable)
        .collect();
    let index = (index - first).min(cells.len());
    let mut start = index;
    let mut before = 0;
    while start > 0 && before + width(cells[start - 1]) <= WINDOW / 2 {
        start -= 1;
        before += width(cells[start]);
    }
    let mut end = index;
    let mut total = before;
    while end < cells.len() && total + width(cells[end]) <= WINDOW {
        total += width(cells[end]);
        end += 1;
    }
    let cut_left = start > 0 || first > 0;
    let cut_right = end < cells.len();
    let mut excerpt = String::new();
    if cut_left {
        excerpt.push_str(ELLIPSIS);
    }
    excerpt.extend(&cells[start..end]);
    if cut_right {
        excerpt.push_str(ELLIPSIS);
    }
    (excerpt, before + usize::from(cut_left))
}

/// Tabs and control characters become one blank, so that the caret stays in its column.
fn printable(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Columns a terminal gives to a character.
fn width(c: char) -> usize {
    match u32::from(c) {
        // Combining marks, joiners and variation selectors.
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f => 0,
        // Hangul, CJK and its punctuation, full-width forms, emoji.
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe4f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_stands_under_the_column() {
        assert_eq!(
            caret("SELECT 1\nFROM\twhere", 2, 6, "wrong"),
            "wrong\n2 | FROM where\n  |      ^"
        );
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(caret("漢字 x", 1, 4, "m"), "m\n1 | 漢字 x\n  |      ^");
    }

    #[test]
    fn long_lines_are_windowed_around_the_place() {
        let line = format!("{}HERE{}", "a".repeat(500), "b".repeat(500));
        let shown = caret(&line, 1, 501, "m");
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].chars().count() <= WINDOW + 6, "{shown}");
        let at = lines[2].chars().position(|c| c == '^').unwrap();
        assert_eq!(lines[1].chars().nth(at), Some('H'));
        assert!(lines[1].ends_with(ELLIPSIS) && lines[1].contains("| …"));
    }

    #[test]
    fn the_end_of_the_text_can_be_pointed_at() {
        assert_eq!(caret("SELECT", 1, 7, "m"), "m\n1 | SELECT\n  |       ^");
        assert_eq!(caret("SELECT", 1, 900, "m"), "m\n1 | SELECT\n  |       ^");
        assert_eq!(caret("SELECT", 9, 1, "m"), "m");
        assert_eq!(caret("", 1, 1, "m"), "m\n1 | \n  | ^");
    }
}
