//! Results with columns of the same name.
//!
//! `SELECT a, a` and `SELECT *, a` are SQL, and DataFusion wants every column to have a name of its
//! own. Where it refuses a query for that, columns of its select list get names with a mark, which
//! is taken off the names of the result.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{Expr, Ident, Query, SelectItem, SetExpr, Statement};
use futures::StreamExt;

/// Between a name and the number of its column: the invisible separator.
const MARK: char = '\u{2063}';

/// Whether a query is refused because two columns of a select list have the same name.
pub(crate) fn is_same_name(error: &DataFusionError) -> bool {
    error
        .to_string()
        .contains("require unique expression names")
}

/// A query whose outermost select lists name every column; `None` for what is no query.
pub(crate) fn with_own_names(statement: &DFStatement) -> Option<DFStatement> {
    let mut statement = statement.clone();
    let DFStatement::Statement(inner) = &mut statement else {
        return None;
    };
    let Statement::Query(query) = inner.as_mut() else {
        return None;
    };
    name_query(query);
    Some(statement)
}

fn name_query(query: &mut Query) {
    name_body(&mut query.body);
}

fn name_body(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => name_columns(&mut select.projection),
        SetExpr::Query(query) => name_query(query),
        SetExpr::SetOperation { left, right, .. } => {
            name_body(left);
            name_body(right);
        }
        _ => {}
    }
}

fn name_columns(columns: &mut [SelectItem]) {
    let is_wildcard = |column: &SelectItem| {
        matches!(
            column,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    };
    // Which names a wildcard stands for is not known here.
    let unknown_names = columns.iter().any(is_wildcard);
    let mut seen = HashSet::new();
    for (number, column) in columns.iter_mut().enumerate() {
        let (expr, name, is_column) = match column {
            SelectItem::UnnamedExpr(expr) => match column_name(expr) {
                Some(name) => (expr.clone(), name, true),
                None => (expr.clone(), expr.to_string(), false),
            },
            SelectItem::ExprWithAlias { expr, alias } => (expr.clone(), normal(alias), true),
            _ => continue,
        };
        let is_new = seen.insert(name.clone());
        if is_column && is_new && !unknown_names {
            continue;
        }
        let alias = Ident::with_quote('"', format!("{name}{MARK}{number}"));
        *column = SelectItem::ExprWithAlias { expr, alias };
    }
}

fn column_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(normal(name)),
        Expr::CompoundIdentifier(names) => names.last().map(normal),
        _ => None,
    }
}

fn normal(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

/// The columns of a result under the names that the query gave them.
pub(crate) fn said_names(schema: &SchemaRef) -> SchemaRef {
    if !schema
        .fields()
        .iter()
        .any(|field| field.name().contains(MARK))
    {
        return Arc::clone(schema);
    }
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let name = field.name().split(MARK).next().unwrap_or_default();
            field.as_ref().clone().with_name(name)
        })
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// Rows under the names that the query gave their columns.
pub(crate) fn under_said_names(rows: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = said_names(&rows.schema());
    if Arc::ptr_eq(&schema, &rows.schema()) {
        return rows;
    }
    let named = Arc::clone(&schema);
    let rows = rows.map(move |batch| {
        let (_, columns, rows) = batch?.into_parts();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let named = Arc::clone(&named);
        Ok(RecordBatch::try_new_with_options(named, columns, &options)?)
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::parser::DFParser;

    use super::*;

    fn named(sql: &str) -> String {
        let statement = DFParser::parse_sql(sql).expect("the query is right");
        let statement = with_own_names(&statement[0]).expect("it is a query");
        statement.to_string().replace(MARK, "#")
    }

    #[test]
    fn later_columns_of_the_same_name_are_marked() {
        assert_eq!(
            named("SELECT id, T.ID, id + 1, x AS id FROM t"),
            "SELECT id, T.ID AS \"id#1\", id + 1 AS \"id + 1#2\", x AS \"id#3\" FROM t"
        );
        assert_eq!(
            named("SELECT *, id FROM t UNION ALL SELECT 1, 1"),
            "SELECT *, id AS \"id#1\" FROM t UNION ALL SELECT 1 AS \"1#0\", 1 AS \"1#1\""
        );
    }

    #[test]
    fn the_mark_is_taken_off() {
        let field = |name: String| Field::new(name, arrow::datatypes::DataType::Int64, true);
        let fields = vec![field("id".to_owned()), field(format!("id{MARK}1"))];
        let schema = said_names(&Arc::new(Schema::new(fields)));
        let names: Vec<_> = schema.fields().iter().map(|field| field.name()).collect();
        assert_eq!(names, ["id", "id"]);
    }
}
