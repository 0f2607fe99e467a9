//! Walks the tokens of one statement: words, names and literals for our own grammar, queries and
//! expressions by the SQL parser.

use datafusion::common::{SchemaReference, TableReference};
use datafusion::sql::planner::{IdentNormalizer, object_name_to_table_reference};
use datafusion::sql::sqlparser::ast::{DataType, Expr, Ident, ObjectName, Query as SqlQuery};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::balance::balance_chains;
use super::called_words::name_called_words;
use super::exact_numbers::keep_digits;
use super::fault::{Fault, Parsed};
use super::fetch_clause::fetch_as_limit;
use super::inspect::inspect;
use super::interval_numbers::quote_intervals;
use super::limits::ParseLimits;
use super::list_aggregates::order_list_aggregates;
use super::merged_columns::merge_columns;
use super::number_tokens::cut_number;
use super::patterns::write_patterns;
use super::refused_exprs::refuse_exprs;
use super::source::{DIALECT, Places};
use crate::Error;

/// How much deeper the parser recurses than the text is nested.
const PARSER_LEVELS: usize = 6;

pub(super) struct Cursor<'a> {
    /// Only for what has no method here.
    pub(super) parser: Parser<'static>,
    text: &'a str,
    limits: &'a ParseLimits,
}

impl<'a> Cursor<'a> {
    /// `tokens` are those of `text`, with places that count from its start.
    pub(super) fn new(
        mut tokens: Vec<TokenWithSpan>,
        text: &'a str,
        limits: &'a ParseLimits,
    ) -> Self {
        name_called_words(&mut tokens);
        let parser = Parser::new(&DIALECT)
            .with_tokens_with_locations(tokens)
            .with_recursion_limit(limits.depth * PARSER_LEVELS + 50);
        Self {
            parser,
            text,
            limits,
        }
    }

    /// Whether the next words are these; quoted names are no words.
    pub(super) fn at(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(n, word)| is_word(&self.parser.peek_nth_token_ref(n).token, word))
    }

    /// Whether the next token is this one.
    pub(super) fn at_token(&self, token: &Token) -> bool {
        self.parser.peek_token_ref().token == *token
    }

    /// Takes the next words when they are these.
    pub(super) fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.at(words);
        if found {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        found
    }

    /// Takes the next word when it is one of these.
    pub(super) fn eat_any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.eat(&[word]))
    }

    pub(super) fn eat_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expect(&mut self, words: &[&str]) -> Parsed<()> {
        for word in words {
            if !self.eat(&[word]) {
                return self.expected(word);
            }
        }
        Ok(())
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Parsed<()> {
        self.parser.expect_token(token)?;
        Ok(())
    }

    /// Fails at the next token.
    pub(super) fn expected<T>(&self, what: &str) -> Parsed<T> {
        Ok(self
            .parser
            .expected_ref(what, self.parser.peek_token_ref())?)
    }

    pub(super) fn at_end(&self) -> bool {
        self.at_token(&Token::EOF)
    }

    /// Fails unless the statement ends here.
    pub(super) fn end(&self) -> Parsed<()> {
        if self.at_end() {
            Ok(())
        } else {
            self.expected("the end of the statement")
        }
    }

    pub(super) fn if_exists(&mut self) -> bool {
        self.eat(&["IF", "EXISTS"])
    }

    pub(super) fn if_not_exists(&mut self) -> bool {
        self.eat(&["IF", "NOT", "EXISTS"])
    }

    /// A name: lower case unless quoted.
    pub(super) fn name(&mut self) -> Parsed<String> {
        if matches!(
            self.parser.peek_token_ref().token,
            Token::SingleQuotedString(_)
        ) {
            return self.expected("a name");
        }
        Ok(lower_unless_quoted(self.parser.parse_identifier()?))
    }

    /// Names between parentheses.
    pub(super) fn names(&mut self) -> Parsed<Vec<String>> {
        self.expect_token(&Token::LParen)?;
        let names = self.comma_separated(Self::name)?;
        self.expect_token(&Token::RParen)?;
        Ok(names)
    }

    pub(super) fn comma_separated<T>(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat_token(&Token::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// A table's name with up to three parts.
    pub(super) fn table(&mut self) -> Parsed<TableReference> {
        let start = self.parser.peek_token_ref().clone();
        let name = self.parser.parse_object_name(false)?;
        table_reference(name).or_else(|_| {
            Ok(self
                .parser
                .expected_ref("a name such as schema.table", &start)?)
        })
    }

    /// The name of a table that is to be made: never a path.
    pub(super) fn new_table(&mut self) -> Parsed<TableReference> {
        if matches!(
            self.parser.peek_token_ref().token,
            Token::SingleQuotedString(_)
        ) {
            return self.expected("a name");
        }
        self.table()
    }

    /// A schema's name, with or without the catalog's.
    pub(super) fn schema(&mut self) -> Parsed<SchemaReference> {
        let first = self.name()?;
        if !self.eat_token(&Token::Period) {
            return Ok(SchemaReference::Bare {
                schema: first.into(),
            });
        }
        let schema = self.name()?;
        Ok(SchemaReference::Full {
            schema: schema.into(),
            catalog: first.into(),
        })
    }

    /// A text literal.
    pub(super) fn string(&mut self) -> Parsed<String> {
        if !matches!(
            self.parser.peek_token_ref().token,
            Token::SingleQuotedString(_)
                | Token::DoubleQuotedString(_)
                | Token::EscapedStringLiteral(_)
                | Token::UnicodeStringLiteral(_)
                | Token::DollarQuotedString(_)
        ) {
            return self.expected("a text in single quotes");
        }
        if let Token::DollarQuotedString(text) = &self.parser.peek_token_ref().token {
            let text = text.value.clone();
            self.parser.advance_token();
            return Ok(text);
        }
        Ok(self.parser.parse_literal_string()?)
    }

    pub(super) fn data_type(&mut self) -> Parsed<DataType> {
        Ok(self.parser.parse_data_type()?)
    }

    pub(super) fn at_query(&self) -> bool {
        ["SELECT", "WITH", "VALUES", "FROM", "TABLE"]
            .iter()
            .any(|word| self.at(&[word]))
            || self.at_token(&Token::LParen)
    }

    /// A query, checked against the limits and for doing nothing but reading.
    pub(super) fn query(&mut self) -> Parsed<Box<SqlQuery>> {
        if !self.at_query() {
            return self.expected("a query");
        }
        let mut query = self.with_whole_numbers(Parser::parse_query)?;
        balance_chains(query.as_mut());
        keep_digits(query.as_mut());
        inspect(query.as_ref(), self.limits)?;
        refuse_exprs(query.as_ref())?;
        fetch_as_limit(query.as_mut())?;
        quote_intervals(query.as_mut())?;
        order_list_aggregates(query.as_mut());
        write_patterns(query.as_mut())?;
        merge_columns(query.as_mut())?;
        Ok(query)
    }

    /// An expression, checked in the same way.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        let mut expr = self.with_whole_numbers(Parser::parse_expr)?;
        balance_chains(&mut expr);
        keep_digits(&mut expr);
        inspect(&expr, self.limits)?;
        refuse_exprs(&expr)?;
        fetch_as_limit(&mut expr)?;
        quote_intervals(&mut expr)?;
        order_list_aggregates(&mut expr);
        write_patterns(&mut expr)?;
        merge_columns(&mut expr)?;
        Ok(expr)
    }

    /// What `parse` reads, unless a number in it runs into a word. That is said before all else.
    fn with_whole_numbers<T>(
        &mut self,
        parse: impl FnOnce(&mut Parser<'static>) -> Result<T, ParserError>,
    ) -> Parsed<T> {
        let start = self.parser.index();
        let parsed = parse(&mut self.parser);
        for at in start..self.parser.index() {
            let next = self.parser.token_at(at + 1);
            if let Some(number) = cut_number(self.parser.token_at(at), &next.token) {
                let expected = format!(
                    "a blank behind the number {number} (a name that begins with a digit is written in \
                     double quotes)"
                );
                return Ok(self.parser.expected_ref(&expected, next)?);
            }
        }
        Ok(parsed?)
    }

    /// Where the next token stands, to be given to [`text_between`](Self::text_between).
    pub(super) fn mark(&self) -> Location {
        let place = self.parser.peek_token_ref().span.start;
        if place.line == 0 {
            Location {
                line: u64::MAX,
                column: 1,
            }
        } else {
            place
        }
    }

    /// The source text from `start` to the last token taken.
    pub(super) fn text_between(&self, start: Location) -> &'a str {
        let mut places = Places::new(self.text);
        let start = places.offset(start);
        let end = places.offset(self.parser.get_current_token().span.end);
        &self.text[start..end.max(start)]
    }

    /// The source text from here to the end, which is taken.
    pub(super) fn rest(&mut self) -> &'a str {
        let start = self.mark();
        while !self.at_end() {
            self.parser.advance_token();
        }
        &self.text[Places::new(self.text).offset(start)..]
    }
}

/// Whether a token is an unquoted word, whatever its case.
pub(super) fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Word(found)
        if found.quote_style.is_none() && found.value.eq_ignore_ascii_case(word))
}

/// A name as DataFusion takes it.
pub(super) fn lower_unless_quoted(ident: Ident) -> String {
    IdentNormalizer::new(true).normalize(ident)
}

/// A table's name as DataFusion takes it.
pub(super) fn table_reference(name: ObjectName) -> Result<TableReference, Error> {
    object_name_to_table_reference(name, true).map_err(|e| Error::invalid(e.strip_backtrace()))
}

/// A syntax failure with a message that has no place yet.
pub(super) fn syntax<T>(message: impl Into<String>) -> Parsed<T> {
    Err(Fault::Syntax(ParserError::ParserError(message.into())))
}
