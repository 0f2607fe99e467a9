//! One path of a location: a file, a directory or a pattern.

use std::fmt;

use glob::{MatchOptions, Pattern};
use object_store::path::Path;
use waterbuck_engine::{Error, Result};

/// `*` and `?` never cross a `/`; only `**` does.
const MATCHING: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: false,
};

/// Alternatives written as `{a,b}` may not multiply beyond this many paths.
const MAX_ALTERNATIVES: usize = 10_000;

/// One file, directory or pattern of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// The longest directory or file path without a wildcard.
    pub(super) base: Path,
    /// The pattern over whole paths on the store, when there is a wildcard.
    pub(super) pattern: Option<Pattern>,
    /// Written with a trailing `/`: certainly not a file.
    pub(super) directory: bool,
}

impl Target {
    /// Whether a path on the store belongs to this target.
    pub(super) fn matches(&self, path: &Path) -> bool {
        self.pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches_with(path.as_ref(), MATCHING))
    }
}

/// Reads one path; a `literal` one has no wildcards whatever it holds.
///
/// # Errors
/// `InvalidQuery` for a malformed pattern or path.
pub(super) fn target(path: &str, literal: bool, text: &str) -> Result<Target> {
    let bad = |error: &dyn fmt::Display| {
        Error::invalid(format!("the location \"{text}\" is not usable: {error}"))
    };
    let relative = path.trim_start_matches('/');
    if literal || !relative.contains(['*', '?', '[']) {
        let base = Path::parse(relative.trim_end_matches('/')).map_err(|error| bad(&error))?;
        return Ok(Target {
            base,
            pattern: None,
            directory: path.ends_with('/'),
        });
    }
    // A pattern that ends in a directory means everything below it.
    let whole = if relative.ends_with('/') {
        format!("{relative}**/*")
    } else {
        relative.into()
    };
    let pattern = Pattern::new(&whole).map_err(|error| bad(&error))?;
    let fixed: Vec<&str> = relative
        .split('/')
        .take_while(|part| !part.contains(['*', '?', '[']))
        .collect();
    let base = Path::parse(fixed.join("/")).map_err(|error| bad(&error))?;
    Ok(Target {
        base,
        pattern: Some(pattern),
        directory: true,
    })
}

/// Writes `a{b,c}d` out as `abd`, `acd`; braces nest.
///
/// # Errors
/// `InvalidQuery` when that makes too many paths.
pub(super) fn expand_alternatives(text: &str, location: &str) -> Result<Vec<String>> {
    let mut done = Vec::new();
    let mut open = vec![text.to_string()];
    while let Some(next) = open.pop() {
        let Some((start, end)) = innermost_braces(&next) else {
            done.push(next);
            continue;
        };
        for choice in next[start + 1..end].split(',') {
            open.push(format!("{}{choice}{}", &next[..start], &next[end + 1..]));
        }
        if open.len() + done.len() > MAX_ALTERNATIVES {
            return Err(Error::invalid(format!(
                "the location \"{location}\" stands for more than {MAX_ALTERNATIVES} paths"
            )));
        }
    }
    done.sort();
    done.dedup();
    Ok(done)
}

fn innermost_braces(text: &str) -> Option<(usize, usize)> {
    let end = text.find('}').filter(|end| text[..*end].contains('{'))?;
    let start = text[..end].rfind('{')?;
    Some((start, end))
}
