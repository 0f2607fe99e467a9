//! Numbers that the tokenizer cuts in two.
//!
//! It ends a number at the first character that is no digit, so that `1_000` would be a 1 with the
//! name `_000` and `123abc` a 123 with the name `abc`. Here the groups of digits that SQL:2023 allows
//! become one number again; a query in which a number still runs into a word is refused.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// The same tokens with `1_000` and `1_000.5` as one number each, without the underscores.
pub(super) fn join_digit_groups(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        let whole = joined
            .last()
            .and_then(|last| whole_number(&last.token, &token.token));
        if let Some(number) = whole
            && let Some(last) = joined.last_mut()
        {
            last.token = number;
            last.span.end = token.span.end;
            continue;
        }
        joined.push(token);
    }
    joined
}

/// The number that `start` and the token right behind it are together.
fn whole_number(start: &Token, next: &Token) -> Option<Token> {
    let Token::Number(digits, false) = start else {
        return None;
    };
    let is_exponent = digits.contains(['e', 'E']);
    match next {
        Token::Word(word) if word.quote_style.is_none() => {
            let ends_with_digit = digits.ends_with(|last: char| last.is_ascii_digit());
            let groups = digit_groups(&word.value, !is_exponent).filter(|_| ends_with_digit)?;
            Some(Token::Number(format!("{digits}{groups}"), false))
        }
        // Two numbers touch only where groups of digits stood before the point.
        Token::Number(fraction, long)
            if fraction.starts_with('.') && !is_exponent && !digits.contains('.') =>
        {
            Some(Token::Number(format!("{digits}{fraction}"), *long))
        }
        _ => None,
    }
}

/// The digits of `_000_000`, and where it may have one its exponent.
fn digit_groups(word: &str, may_have_exponent: bool) -> Option<String> {
    let (groups, exponent) = match word.split_once(['e', 'E']) {
        Some((groups, exponent)) if may_have_exponent => (groups, Some(exponent)),
        Some(_) => return None,
        None => (word, None),
    };
    let are_digits =
        |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let mut digits = String::with_capacity(word.len());
    for group in groups.strip_prefix('_')?.split('_') {
        if !are_digits(group) {
            return None;
        }
        digits.push_str(group);
    }
    if let Some(exponent) = exponent {
        if !are_digits(exponent) {
            return None;
        }
        digits.push('e');
        digits.push_str(exponent);
    }
    Some(digits)
}

/// The number that `token` is, when it runs into the one right behind it.
pub(super) fn cut_number(token: &TokenWithSpan, next: &Token) -> Option<String> {
    let runs_on = match next {
        Token::Word(word) => word.quote_style.is_none(),
        Token::Number(..) => true,
        _ => false,
    };
    match &token.token {
        Token::Number(digits, long) if runs_on => {
            let suffix = if *long { "L" } else { "" };
            Some(format!("{digits}{suffix}"))
        }
        // Of `X'ff'` the end is seen.
        Token::HexStringLiteral(digits) if runs_on => {
            let (start, end) = (token.span.start.column, token.span.end.column);
            let width = usize::try_from(end.checked_sub(start)?).ok()?;
            (width == digits.len() + "0x".len()).then(|| format!("0x{digits}"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{ParseLimits, Statement, parse_one};

    fn parsed(sql: &str) -> String {
        match parse_one(sql, &ParseLimits::default()).unwrap().statement {
            Statement::Query(query) => query.to_string(),
            other => other.kind_name().to_owned(),
        }
    }

    #[test]
    fn groups_of_digits_are_one_number() {
        for (written, number) in [
            ("1_000", "1000"),
            ("12_345_678", "12345678"),
            ("1_000.5", "1000.5"),
            ("1_000.2_5", "1000.25"),
            ("0.000_1", "0.0001"),
            ("1_0e3", "10e3"),
            ("1_000 _000", "1000 AS _000"),
            ("a_1_000", "a_1_000"),
            ("'1_000'", "'1_000'"),
        ] {
            let sql = format!("SELECT {written}");
            assert_eq!(parsed(&sql), format!("SELECT {number}"), "{written}");
        }
    }

    #[test]
    fn a_number_that_runs_into_a_word_is_an_error_with_its_place() {
        for written in [
            "123abc", "1_000_", "1__0", "1_a", "1e5x", "1e", "1.5x", "1Lx", "0xfg", "1.2.3",
            "1and 2",
        ] {
            let sql = format!("SELECT {written}");
            let error = parse_one(&sql, &ParseLimits::default()).expect_err(written);
            let message = error.message();
            assert!(
                message.contains("line 1, column ") && message.contains("the number "),
                "{written}: {message}"
            );
        }
        let error = parse_one("SELECT a,\n  123abc FROM t", &ParseLimits::default()).unwrap_err();
        assert!(error.message().contains("line 2, column 6"), "{error}");
    }

    #[test]
    fn sizes_and_durations_outside_queries_stay_words() {
        for sql in ["SET memory_limit = 64MiB", "KILL QUERY 0193_000-1ab"] {
            parse_one(sql, &ParseLimits::default()).expect(sql);
        }
    }
}
