//! `current_user()` and its like with parentheses: the parser takes such a word for the whole call.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Makes plain names of those of these words that a parenthesis follows.
pub(super) fn name_called_words(tokens: &mut [TokenWithSpan]) {
    for at in 1..tokens.len() {
        if !matches!(tokens[at].token, Token::LParen) {
            continue;
        }
        if let Token::Word(word) = &mut tokens[at - 1].token
            && matches!(
                word.keyword,
                Keyword::CURRENT_CATALOG | Keyword::CURRENT_USER
            )
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{ParseLimits, Statement, parse_one};

    #[test]
    fn calls_may_have_parentheses() {
        let sql = "SELECT current_catalog(), current_catalog, current_user(), current_user";
        let parsed = parse_one(sql, &ParseLimits::default()).unwrap();
        let Statement::Query(query) = parsed.statement else {
            panic!("a query");
        };
        assert_eq!(query.to_string(), sql);
    }
}
