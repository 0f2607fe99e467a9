//! The names of merged columns, put in words that the planner resolves rightly.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query as SqlQuery, TableFactor, VisitMut, VisitorMut,
};

use super::cursor::lower_unless_quoted;
use super::merged_columns::refused;
use crate::Error;

/// A column that a join makes of one of each side.
#[derive(Debug, Clone)]
pub(super) struct MergedColumn {
    /// Its name, in its final case.
    pub(super) name: String,
    /// What it is.
    pub(super) value: Expr,
}

/// Replaces the names of merged columns where they stand without a table.
pub(super) struct MergedNames<'a> {
    columns: &'a [MergedColumn],
    /// Queries around the expression that is visited.
    depth: usize,
}

impl<'a> MergedNames<'a> {
    pub(super) fn new(columns: &'a [MergedColumn]) -> Self {
        Self { columns, depth: 0 }
    }

    /// The column that `expr` names, if it is nothing but a name.
    pub(super) fn find(&self, expr: &Expr) -> Option<&'a MergedColumn> {
        let Expr::Identifier(ident) = expr else {
            return None;
        };
        let name = Self::normal(ident);
        self.columns.iter().find(|column| column.name == name)
    }

    /// Puts the values in place of the names inside `tree`.
    ///
    /// # Errors
    /// When a subquery uses such a name, which may be that of a column of its own.
    pub(super) fn replace<T: VisitMut>(&mut self, tree: &mut T) -> Result<(), Error> {
        match tree.visit(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(*error),
        }
    }

    /// The same in what a table of FROM may see of the tables before it.
    pub(super) fn replace_in_table(&mut self, table: &mut TableFactor) -> Result<(), Error> {
        match table {
            TableFactor::Derived { lateral: false, .. } | TableFactor::NestedJoin { .. } => Ok(()),
            table => self.replace(table),
        }
    }

    /// The last part of a name, in its final case.
    pub(super) fn last_name(expr: &Expr) -> Option<String> {
        match expr {
            Expr::Identifier(ident) => Some(Self::normal(ident)),
            Expr::CompoundIdentifier(parts) => parts.last().map(Self::normal),
            _ => None,
        }
    }

    /// A name in its final case.
    pub(super) fn normal(ident: &Ident) -> String {
        lower_unless_quoted(ident.clone())
    }
}

impl VisitorMut for MergedNames<'_> {
    type Break = Box<Error>;

    fn pre_visit_query(&mut self, _: &mut SqlQuery) -> ControlFlow<Self::Break> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut SqlQuery) -> ControlFlow<Self::Break> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Some(column) = self.find(expr) {
            if self.depth > 0 {
                return ControlFlow::Break(Box::new(refused(&format!(
                    "a subquery names \"{}\" without its table",
                    column.name
                ))));
            }
            *expr = column.value.clone();
        }
        ControlFlow::Continue(())
    }
}

/// A name that is in its final case already.
pub(super) fn quoted(name: &str) -> Ident {
    Ident::with_quote('"', name)
}
