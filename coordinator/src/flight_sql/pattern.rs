//! The search patterns of metadata calls.

/// Whether `name` is like `pattern`, where `%` stands for any text, `_` for any character, and `\`
/// takes its meaning from the character after it. Upper and lower case differ. Takes time
/// proportional to the product of both lengths at worst.
pub(super) fn matches(pattern: &str, name: &str) -> bool {
    let pattern = parse(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut in_name) = (0, 0);
    // Where to go on after a mismatch: behind the last `%`, which then swallows one more.
    let mut retry = None;
    while in_name < name.len() {
        match pattern.get(at) {
            Some(Part::Text) => {
                retry = Some((at + 1, in_name));
                at += 1;
            }
            Some(Part::One) => {
                at += 1;
                in_name += 1;
            }
            Some(Part::Char(c)) if *c == name[in_name] => {
                at += 1;
                in_name += 1;
            }
            _ => {
                let Some((after, swallowed)) = retry else {
                    return false;
                };
                retry = Some((after, swallowed + 1));
                (at, in_name) = (after, swallowed + 1);
            }
        }
    }
    pattern[at..].iter().all(|part| *part == Part::Text)
}

#[derive(PartialEq)]
enum Part {
    Char(char),
    One,
    Text,
}

fn parse(pattern: &str) -> Vec<Part> {
    let mut chars = pattern.chars();
    let mut parts = Vec::with_capacity(pattern.len());
    while let Some(c) = chars.next() {
        parts.push(match c {
            '%' => Part::Text,
            '_' => Part::One,
            '\\' => Part::Char(chars.next().unwrap_or('\\')),
            c => Part::Char(c),
        });
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_follow_sql_like() {
        for (pattern, name, expected) in [
            ("%", "", true),
            ("", "", true),
            ("", "a", false),
            ("a%", "abc", true),
            ("%c", "abc", true),
            ("%b%", "abc", true),
            ("a_c", "abc", true),
            ("a_c", "ac", false),
            ("a\\_c", "abc", false),
            ("a\\_c", "a_c", true),
            ("100\\%", "100%", true),
            ("100\\%", "1000", false),
            ("\\\\", "\\", true),
            ("a\\", "a\\", true),
            ("A", "a", false),
            ("_", "é", true),
            ("%ab%ab", "abxabyab", true),
            ("%%x", "aax", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern:?} on {name:?}");
        }
    }

    #[test]
    fn many_wildcards_end_in_time() {
        let pattern = "%a".repeat(500) + "b";
        assert!(!matches(&pattern, &"a".repeat(2000)));
    }
}
