//! Many rows of parameters as one plan.
//!
//! ```text
//!                               Projection s
//!                                 Sort row
//! Projection s                      Projection s, row, "parameter 1"
//!   Filter n = $1     becomes         Filter n = "parameter 1"
//!     TableScan t                       CrossJoin
//!                                         rows of parameters: row, "parameter 1"
//!                                         TableScan t
//! ```
//! The rows join what stands below the lowest parameter, and the optimizer makes of filters over
//! that what it makes of any join. This is right where every operator above treats each row by
//! itself; LIMIT, aggregates and the like would treat the rows of all sets of parameters together,
//! and are refused.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DataFusionError, TableReference};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, Projection, SortExpr, Values,
};
use waterbuck_engine::{Error, Result};

use super::parameters::ParameterTypes;
use crate::plan::plan_error;

/// The relation of the parameters, and its first column, which counts the rows.
const RELATION: &str = "rows of parameters";
const ROW: &str = "row of parameters";

/// Runs `plan` for every row of `given` at once: the rows of the first set of parameters come
/// first, in the plan's own order.
///
/// # Errors
/// Values that do not fit; plans that cannot run for all rows at once.
pub(super) fn bind_rows(
    sql: &str,
    plan: LogicalPlan,
    given: &[RecordBatch],
    types: &ParameterTypes,
) -> Result<LogicalPlan> {
    let fail = |error| plan_error(sql, error);
    let rows = Rows::new(given, types).map_err(fail)?;
    let wanted: Vec<Expr> = plan
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column)
        .collect();
    let carried = rows.carry(sql, plan)?;
    let mut builder = LogicalPlanBuilder::from(carried.plan);
    if !carried.sorted {
        let row = Expr::Column(carried.row).sort(true, false);
        builder = builder.sort(vec![row]).map_err(fail)?;
    }
    let bound = builder
        .project(wanted)
        .and_then(LogicalPlanBuilder::build)
        .map_err(fail)?;
    // What is left stands in subqueries of expressions.
    match has_parameters(&bound).map_err(fail)? {
        true => Err(rows.refused("in a subquery")),
        false => Ok(bound),
    }
}

/// The rows of parameters as a relation.
struct Rows {
    count: usize,
    scan: LogicalPlan,
    row: Column,
    parameters: BTreeMap<String, Column>,
}

/// A plan that has the columns of the parameters beside its own.
struct Carried {
    plan: LogicalPlan,
    row: Column,
    parameters: BTreeMap<String, Column>,
    /// Whether its rows come by the rows of parameters.
    sorted: bool,
}

impl Rows {
    fn new(given: &[RecordBatch], types: &ParameterTypes) -> Result<Self, DataFusionError> {
        let mut batches = Vec::with_capacity(given.len());
        let mut count = 0;
        for batch in given.iter().filter(|batch| batch.num_rows() > 0) {
            batches.push(relation(batch, count, types)?);
            count += batch.num_rows();
        }
        let Some(first) = batches.first() else {
            return Err(DataFusionError::Internal(
                "no rows of parameters".to_owned(),
            ));
        };
        let schema = first.schema();
        let names = schema.fields().iter().skip(1).map(|field| field.name());
        let parameters = names
            .enumerate()
            .map(|(index, name)| (format!("${}", index + 1), qualified(name)))
            .collect();
        let table = MemTable::try_new(schema, vec![batches])?;
        let scan = LogicalPlanBuilder::scan(
            TableReference::bare(RELATION),
            provider_as_source(Arc::new(table)),
            None,
        );
        Ok(Self {
            count,
            scan: scan.and_then(LogicalPlanBuilder::build)?,
            row: qualified(ROW),
            parameters,
        })
    }

    fn refused(&self, place: &str) -> Error {
        Error::unsupported(format!(
            "{} rows of parameters cannot be one plan: a parameter stands {place}, where all rows \
             would be taken together; run the statement for one row after the other",
            self.count
        ))
    }

    fn carry(&self, sql: &str, plan: LogicalPlan) -> Result<Carried> {
        let fail = |error| plan_error(sql, error);
        if !has_parameters(&plan).map_err(fail)? {
            let joined = LogicalPlanBuilder::from(self.scan.clone())
                .cross_join(plan)
                .and_then(LogicalPlanBuilder::build);
            return Ok(Carried {
                plan: joined.map_err(fail)?,
                row: self.row.clone(),
                parameters: self.parameters.clone(),
                sorted: false,
            });
        }
        let place = match plan {
            LogicalPlan::Values(values) => return self.values(&values).map_err(fail),
            LogicalPlan::Projection(Projection { expr, input, .. }) => {
                let below = self.carry(sql, Arc::unwrap_or_clone(input))?;
                return below.project(expr).map_err(fail);
            }
            LogicalPlan::Filter(filter) => {
                let below = self.carry(sql, Arc::unwrap_or_clone(filter.input))?;
                return below.filter(filter.predicate).map_err(fail);
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let below = self.carry(sql, Arc::unwrap_or_clone(alias.input))?;
                return below.rename(&alias.alias).map_err(fail);
            }
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let below = self.carry(sql, Arc::unwrap_or_clone(sort.input))?;
                let mut keys = vec![Expr::Column(below.row.clone()).sort(true, false)];
                for key in sort.expr {
                    let expr = below.replaced(key.expr, false).map_err(fail)?;
                    keys.push(expr.sort(key.asc, key.nulls_first));
                }
                return below.sort(keys).map_err(fail);
            }
            LogicalPlan::Limit(_) | LogicalPlan::Sort(_) => "below LIMIT or OFFSET",
            LogicalPlan::Aggregate(_) => "below an aggregate or GROUP BY",
            LogicalPlan::Distinct(_) => "below DISTINCT",
            LogicalPlan::Window(_) => "below a window function",
            LogicalPlan::Join(_) => "in a join",
            LogicalPlan::Union(_) => "in a part of UNION",
            LogicalPlan::RecursiveQuery(_) => "in a recursive query",
            _ => "inside a part of the statement",
        };
        Err(self.refused(place))
    }

    /// One row of VALUES for every row of parameters; several rows of VALUES side by side.
    fn values(&self, values: &Values) -> Result<Carried, DataFusionError> {
        let names: Vec<_> = values.schema.columns();
        let own = self.unqualified();
        let mut whole: Option<LogicalPlanBuilder> = None;
        for row in &values.values {
            let mut exprs = Vec::with_capacity(names.len() + own.len());
            for (expr, name) in row.iter().zip(&names) {
                let value = replace(&self.parameters, expr.clone())?;
                exprs.push(value.alias(&name.name));
            }
            exprs.extend(own.iter().cloned());
            let part = LogicalPlanBuilder::from(self.scan.clone()).project(exprs)?;
            whole = Some(match whole {
                None => part,
                Some(whole) => whole.union(part.build()?)?,
            });
        }
        let Some(whole) = whole else {
            return Err(DataFusionError::Internal("VALUES without rows".to_owned()));
        };
        let plain = |column: &Column| Column::from_name(&column.name);
        let parameters = self.parameters.iter();
        Ok(Carried {
            plan: whole.build()?,
            row: plain(&self.row),
            parameters: parameters
                .map(|(name, column)| (name.clone(), plain(column)))
                .collect(),
            sorted: false,
        })
    }

    /// The relation's columns under names without the relation.
    fn unqualified(&self) -> Vec<Expr> {
        let columns = std::iter::once(&self.row).chain(self.parameters.values());
        columns
            .map(|column| Expr::Column(column.clone()).alias(&column.name))
            .collect()
    }
}

impl Carried {
    fn columns(&self) -> Vec<Expr> {
        let columns = std::iter::once(&self.row).chain(self.parameters.values());
        columns.cloned().map(Expr::Column).collect()
    }

    fn project(self, exprs: Vec<Expr>) -> Result<Self, DataFusionError> {
        let own = exprs.into_iter().map(|expr| self.replaced(expr, true));
        let mut exprs = own.collect::<Result<Vec<_>, _>>()?;
        exprs.extend(self.columns());
        let plan = LogicalPlanBuilder::from(self.plan)
            .project(exprs)?
            .build()?;
        Ok(Self { plan, ..self })
    }

    fn filter(self, predicate: Expr) -> Result<Self, DataFusionError> {
        let predicate = self.replaced(predicate, false)?;
        let plan = LogicalPlanBuilder::from(self.plan)
            .filter(predicate)?
            .build()?;
        Ok(Self { plan, ..self })
    }

    /// An alias gives its name to all columns; the order below it is nobody's business above.
    fn rename(self, alias: &TableReference) -> Result<Self, DataFusionError> {
        let plan = LogicalPlanBuilder::from(self.plan)
            .alias(alias.clone())?
            .build()?;
        let renamed = |column: Column| Column::new(Some(alias.clone()), column.name);
        let parameters = self.parameters.into_iter();
        Ok(Self {
            plan,
            row: renamed(self.row),
            parameters: parameters
                .map(|(name, column)| (name, renamed(column)))
                .collect(),
            sorted: false,
        })
    }

    fn sort(self, keys: Vec<SortExpr>) -> Result<Self, DataFusionError> {
        let plan = LogicalPlanBuilder::from(self.plan).sort(keys)?.build()?;
        Ok(Self {
            plan,
            sorted: true,
            ..self
        })
    }

    /// An expression with columns in the places of parameters; under its old name where others
    /// know it by that.
    fn replaced(&self, expr: Expr, is_named: bool) -> Result<Expr, DataFusionError> {
        if !is_named {
            return replace(&self.parameters, expr);
        }
        let name = NamePreserver::new_for_projection().save(&expr);
        Ok(name.restore(replace(&self.parameters, expr)?))
    }
}

fn replace(parameters: &BTreeMap<String, Column>, expr: Expr) -> Result<Expr, DataFusionError> {
    expr.transform_up(|expr| {
        let Expr::Placeholder(parameter) = &expr else {
            return Ok(Transformed::no(expr));
        };
        Ok(match parameters.get(&parameter.id) {
            Some(column) => Transformed::yes(Expr::Column(column.clone())),
            None => Transformed::no(expr),
        })
    })
    .data()
}

fn has_parameters(plan: &LogicalPlan) -> Result<bool, DataFusionError> {
    Ok(!plan.get_parameter_names()?.is_empty())
}

fn qualified(name: &str) -> Column {
    Column::new(Some(TableReference::bare(RELATION)), name)
}

/// A batch of parameters in the types that the plan wants, its rows counted on from `before`.
fn relation(
    batch: &RecordBatch,
    before: usize,
    types: &ParameterTypes,
) -> Result<RecordBatch, DataFusionError> {
    let start = i64::try_from(before).unwrap_or(i64::MAX);
    let numbers = (start..).take(batch.num_rows());
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from_iter_values(numbers))];
    let mut fields = vec![Field::new(ROW, DataType::Int64, false)];
    for (index, column) in batch.columns().iter().enumerate() {
        let number = index + 1;
        let column = match types.get(&format!("${number}")) {
            // A value that does not fit must fail rather than turn into NULL.
            Some(Some(wanted)) => cast_with_options(
                column,
                wanted,
                &CastOptions {
                    safe: false,
                    ..CastOptions::default()
                },
            )?,
            _ => Arc::clone(column),
        };
        let name = format!("parameter {number}");
        fields.push(Field::new(name, column.data_type().clone(), true));
        columns.push(column);
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, StringArray};
    use arrow::datatypes::Int64Type;
    use datafusion::prelude::SessionContext;
    use waterbuck_engine::ErrorKind;

    use super::super::parameters::bind_parameters;
    use super::*;

    const T: &str = "(VALUES (1, 'a'), (2, 'b'), (3, 'b')) AS t(n, s)";

    /// The first column of the answer for several rows of parameters, as numbers.
    async fn numbers(sql: &str, rows: &[(i64, &str)]) -> Result<Vec<Option<i64>>> {
        let context = SessionContext::new();
        let plan = context.state().create_logical_plan(sql).await.expect(sql);
        let names: Vec<_> = plan
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        let batches: Vec<_> = rows.chunks(2).map(given).collect();
        let bound = bind_parameters(sql, plan, &batches)?;
        let kept: Vec<_> = bound
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().clone())
            .collect();
        assert_eq!(kept, names, "{sql}");
        let frame = context.execute_logical_plan(bound).await.expect(sql);
        let mut answer = vec![];
        for batch in frame.collect().await.expect(sql) {
            let column = arrow::compute::cast(batch.column(0), &DataType::Int64).expect(sql);
            answer.extend(column.as_primitive::<Int64Type>().iter());
        }
        Ok(answer)
    }

    fn given(rows: &[(i64, &str)]) -> RecordBatch {
        let numbers = Int64Array::from_iter_values(rows.iter().map(|row| row.0));
        let texts = StringArray::from_iter_values(rows.iter().map(|row| row.1));
        let columns = [
            ("a", Arc::new(numbers) as ArrayRef),
            ("b", Arc::new(texts) as ArrayRef),
        ];
        RecordBatch::try_from_iter(columns).expect("two columns")
    }

    #[tokio::test]
    async fn the_rows_of_each_set_of_parameters_follow_those_of_the_one_before() {
        let rows = [(3, "b"), (1, "b"), (2, "a")];
        for (sql, expected) in [
            (
                format!("SELECT n FROM {T} WHERE n >= $1 AND s = $2 ORDER BY n DESC"),
                vec![3, 3, 2],
            ),
            (
                format!("SELECT n + $1 AS m, $2 FROM {T} WHERE s = $2 AND n < 3"),
                vec![5, 3, 3],
            ),
            (
                format!("SELECT x.n FROM (SELECT n FROM {T} WHERE n = $1 AND $2 <> '') AS x"),
                vec![3, 1, 2],
            ),
            (
                format!(
                    "SELECT u.c FROM (SELECT s, count(*) AS c FROM {T} GROUP BY s) u WHERE u.s = $2 AND $1 > 0"
                ),
                vec![2, 2, 1],
            ),
            ("SELECT $1 * 2, $2".to_owned(), vec![6, 2, 4]),
            ("VALUES ($1, $2)".to_owned(), vec![3, 1, 2]),
            (
                "VALUES ($1, $2), ($1, 'x')".to_owned(),
                vec![3, 3, 1, 1, 2, 2],
            ),
        ] {
            let expected: Vec<_> = expected.into_iter().map(Some).collect();
            assert_eq!(numbers(&sql, &rows).await.expect(&sql), expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn what_takes_all_rows_together_is_refused_by_name() {
        let rows = [(3, "b"), (1, "a")];
        for (rest, word) in [
            ("SELECT n FROM t WHERE n > $1 AND s > $2 LIMIT 1", "LIMIT"),
            (
                "SELECT count(*) FROM t WHERE n > $1 AND s > $2",
                "aggregate",
            ),
            (
                "SELECT DISTINCT n FROM t WHERE n > $1 AND s > $2",
                "DISTINCT",
            ),
            (
                "SELECT n FROM t WHERE n IN (SELECT n FROM t WHERE n = $1 AND s = $2)",
                "subquery",
            ),
            (
                "SELECT n FROM t WHERE n = $1 UNION ALL SELECT n FROM t WHERE s = $2",
                "UNION",
            ),
        ] {
            let sql = format!("WITH t AS (SELECT * FROM {T}) {rest}");
            let refused = numbers(&sql, &rows).await.expect_err(&sql);
            assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
            assert!(refused.to_string().contains(word), "{refused}");
        }
    }

    #[tokio::test]
    async fn values_that_do_not_fit_are_errors() {
        let sql = format!("SELECT n FROM {T} WHERE n = arrow_cast($2, 'Int64') AND n = $1");
        assert!(numbers(&sql, &[(1, "1"), (2, "2")]).await.is_ok());
        let sql = format!("SELECT n FROM {T} WHERE n = $2 AND $1 = 1");
        assert!(numbers(&sql, &[(1, "1"), (1, "x")]).await.is_err());
    }
}
