//! Names in the texts of the specification: change lists and view columns.

/// A name between double quotes, quotes in it doubled.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quoted names joined by commas; empty for none.
pub(super) fn quoted_list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(",")
}

/// The names behind what [`quoted_list`] made.
pub(super) fn unquoted_list(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = None::<String>;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match (&mut name, letter) {
            (None, '"') => name = Some(String::new()),
            (None, _) => {}
            (Some(open), '"') if letters.peek() == Some(&'"') => {
                letters.next();
                open.push('"');
            }
            (Some(_), '"') => names.extend(name.take()),
            (Some(open), other) => open.push(other),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_come_back() {
        for names in [vec![], vec!["a"], vec!["a b", "c\"d", "", "e,\"f\""]] {
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            assert_eq!(unquoted_list(&quoted_list(&names)), names);
        }
    }
}
