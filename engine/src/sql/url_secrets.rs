//! Secrets in URLs. They do not belong there and are refused, but the texts in which they stand are
//! logged and listed.

use std::borrow::Cow;

/// What takes the place of a secret.
const HIDDEN: &str = "…";

/// The parameters by which URLs are signed, in lower case.
const SIGNATURES: [&str; 9] = [
    "awsaccesskeyid",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-credential",
    "x-goog-signature",
];

/// The text without the passwords and signatures of the URLs in it.
pub fn without_url_secrets(text: &str) -> Cow<'_, str> {
    const SCHEME_END: &str = "://";
    if !text.contains(SCHEME_END) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(SCHEME_END) {
        let (before, url) = rest.split_at(at + SCHEME_END.len());
        let (url, after) = url.split_at(url.find(ends_url).unwrap_or(url.len()));
        shown.push_str(before);
        push_url(&mut shown, url);
        rest = after;
    }
    shown.push_str(rest);
    Cow::Owned(shown)
}

fn ends_url(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '\'' | '"' | '`' | '<' | '>' | '(' | ')' | ';')
}

/// A URL behind its scheme.
fn push_url(shown: &mut String, url: &str) {
    let (place, query) = match url.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (url, None),
    };
    match password(place) {
        Some((start, end)) => {
            shown.push_str(&place[..start]);
            shown.push_str(HIDDEN);
            shown.push_str(&place[end..]);
        }
        None => shown.push_str(place),
    }
    for (index, parameter) in query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .enumerate()
    {
        shown.push(if index == 0 { '?' } else { '&' });
        match parameter.split_once('=') {
            Some((name, _)) if SIGNATURES.contains(&name.to_lowercase().as_str()) => {
                shown.push_str(name);
                shown.push('=');
                shown.push_str(HIDDEN);
            }
            _ => shown.push_str(parameter),
        }
    }
}

/// Where a password begins and ends: between a `:` and the `@`, unless the `:` stands before a port
/// and the `@` in the path.
fn password(place: &str) -> Option<(usize, usize)> {
    let end = place.rfind('@')?;
    let start = place[..end].find(':')? + 1;
    let host_end = place.find('/').unwrap_or(place.len());
    let up_to_path = place.get(start..host_end)?;
    let is_port = host_end < end && up_to_path.bytes().all(|byte| byte.is_ascii_digit());
    (!is_port).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_and_signatures_are_hidden() {
        for (text, shown) in [
            ("SELECT 1", "SELECT 1"),
            (
                "FROM 'https://h:80/a@b?x=1&y'",
                "FROM 'https://h:80/a@b?x=1&y'",
            ),
            ("'s3://key:hush@b/x' t", "'s3://key:…@b/x' t"),
            ("'s3://key:hu/sh@b/x'", "'s3://key:…@b/x'"),
            ("'s3://key:hu@sh@b'", "'s3://key:…@b'"),
            ("abfss://box@account/x", "abfss://box@account/x"),
            (
                "'http://h/x?a=1&SIG=hush&b=2', 'http://u:hush@h'",
                "'http://h/x?a=1&SIG=…&b=2', 'http://u:…@h'",
            ),
            (
                "http://h?X-Amz-Signature=hush",
                "http://h?X-Amz-Signature=…",
            ),
            ("://", "://"),
        ] {
            assert_eq!(without_url_secrets(text), shown);
        }
    }
}
