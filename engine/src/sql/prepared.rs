//! `PREPARE`, `EXECUTE`, `DEALLOCATE`: queries that a session keeps under a name.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Query as SqlQuery, Statement as SqlStatement, UnaryOperator, Value,
    ValueWithSpan, Visit, VisitMut, Visitor, VisitorMut,
};

use super::statement::query_statement;
use crate::{Error, Result};

/// A statement about a named query of the session.
#[derive(Debug, Clone)]
pub enum Prepared {
    /// `PREPARE name [(type, …)] AS query`.
    Prepare {
        /// The name it is kept under.
        name: String,
        /// What is kept.
        query: Box<PreparedQuery>,
    },
    /// `EXECUTE name [(value, …)]`.
    Execute {
        /// The name of the query.
        name: String,
        /// A constant for each parameter.
        arguments: Vec<Expr>,
    },
    /// `DEALLOCATE name`, or `DEALLOCATE ALL` when there is no name.
    Deallocate {
        /// The name of the query.
        name: Option<String>,
    },
}

/// A query with parameters `$1`, `$2`, ….
#[derive(Debug, Clone)]
pub struct PreparedQuery {
    statement: DFStatement,
    types: Vec<DataType>,
    parameters: usize,
}

impl PreparedQuery {
    /// A query whose parameters have the declared types; those beyond have the types of what they
    /// are given.
    ///
    /// # Errors
    /// When a parameter has a name in place of a number.
    pub(super) fn new(query: Box<SqlQuery>, types: Vec<DataType>) -> Result<Self> {
        let mut parameters = Parameters { last: types.len() };
        if let ControlFlow::Break(error) = query.visit(&mut parameters) {
            return Err(*error);
        }
        Ok(Self {
            statement: query_statement(query),
            types,
            parameters: parameters.last,
        })
    }

    /// The query itself, with its parameters.
    pub fn statement(&self) -> &DFStatement {
        &self.statement
    }

    /// The query with `arguments` in place of its parameters.
    ///
    /// # Errors
    /// When there are more or fewer of them than parameters, or one is no constant.
    pub fn with_arguments(&self, arguments: &[Expr]) -> Result<DFStatement> {
        if arguments.len() != self.parameters {
            return Err(Error::invalid(format!(
                "the prepared statement has {} parameters, {} were given",
                self.parameters,
                arguments.len()
            )));
        }
        if let Some(other) = arguments.iter().find(|argument| !is_constant(argument)) {
            return Err(Error::unsupported(format!(
                "EXECUTE takes constants only, not {other}"
            )));
        }
        let typed = arguments.iter().enumerate();
        let arguments = typed
            .map(|(position, argument)| self.typed(position, argument))
            .collect();
        let mut statement = self.statement.clone();
        if let DFStatement::Statement(inner) = &mut statement {
            let inner: &mut SqlStatement = inner.as_mut();
            let ControlFlow::Continue(()) = inner.visit(&mut Replace(arguments));
        }
        Ok(statement)
    }

    fn typed(&self, position: usize, argument: &Expr) -> Expr {
        let expr = Box::new(argument.clone());
        match self.types.get(position) {
            Some(data_type) => Expr::Cast {
                kind: CastKind::Cast,
                expr,
                data_type: data_type.clone(),
                array: false,
                format: None,
            },
            None => Expr::Nested(expr),
        }
    }
}

/// The number of the parameter `$1`, `$2`, …, counted from 0.
fn position(parameter: &str) -> Option<usize> {
    let number = parameter.strip_prefix('$')?.parse::<usize>().ok()?;
    number.checked_sub(1)
}

/// A value that is the same wherever it stands.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => !matches!(value.value, Value::Placeholder(_)),
        Expr::TypedString(_) => true,
        Expr::Interval(interval) => is_constant(&interval.value),
        Expr::Nested(inner)
        | Expr::Cast { expr: inner, .. }
        | Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr: inner,
        } => is_constant(inner),
        Expr::Array(array) => array.elem.iter().all(is_constant),
        _ => false,
    }
}

/// Counts parameters.
struct Parameters {
    last: usize,
}

impl Visitor for Parameters {
    type Break = Box<Error>;

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Self::Break> {
        let Value::Placeholder(name) = &value.value else {
            return ControlFlow::Continue(());
        };
        match position(name) {
            Some(position) => {
                self.last = self.last.max(position + 1);
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(Box::new(Error::invalid(format!(
                "the parameters of a prepared statement are $1, $2, …, not {name}"
            )))),
        }
    }
}

/// Puts values in place of parameters.
struct Replace(Vec<Expr>);

impl VisitorMut for Replace {
    type Break = std::convert::Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(name) = &value.value
            && let Some(argument) = position(name).and_then(|position| self.0.get(position))
        {
            *expr = argument.clone();
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::sql::{ParseLimits, Statement, parse_one};

    fn parsed(sql: &str) -> Prepared {
        match parse_one(sql, &ParseLimits::default()).unwrap().statement {
            Statement::Prepared(prepared) => prepared,
            other => unreachable!("{}", other.kind_name()),
        }
    }

    fn executed(prepare: &str, execute: &str) -> Result<String> {
        let (Prepared::Prepare { query, .. }, Prepared::Execute { arguments, .. }) =
            (parsed(prepare), parsed(execute))
        else {
            unreachable!("{prepare}; {execute}")
        };
        Ok(query.with_arguments(&arguments)?.to_string())
    }

    #[test]
    fn arguments_stand_where_the_parameters_stood() {
        let prepare = "PREPARE p (INT) AS SELECT $2, a - $1 FROM t WHERE b IN (SELECT $1) LIMIT $2";
        assert_eq!(
            executed(prepare, "EXECUTE p (-1, DATE '2024-02-29')").unwrap(),
            "SELECT (DATE '2024-02-29'), a - CAST(-1 AS INT) FROM t \
             WHERE b IN (SELECT CAST(-1 AS INT)) LIMIT (DATE '2024-02-29')"
        );
        assert_eq!(
            executed("PREPARE p AS SELECT 1", "EXECUTE p").unwrap(),
            "SELECT 1"
        );
    }

    #[test]
    fn arguments_must_fit_the_parameters() {
        let prepare = "PREPARE p AS SELECT $2";
        for (execute, kind) in [
            ("EXECUTE p (1)", ErrorKind::InvalidQuery),
            ("EXECUTE p (1, 2, 3)", ErrorKind::InvalidQuery),
            ("EXECUTE p (1, a)", ErrorKind::Unsupported),
            ("EXECUTE p (1, random())", ErrorKind::Unsupported),
            ("EXECUTE p (1, $1)", ErrorKind::Unsupported),
        ] {
            let error = executed(prepare, execute).expect_err(execute);
            assert_eq!(error.kind(), kind, "{execute}: {error}");
        }
        let named = parse_one("PREPARE p AS SELECT $a", &ParseLimits::default());
        assert_eq!(named.unwrap_err().kind(), ErrorKind::InvalidQuery);
    }
}
