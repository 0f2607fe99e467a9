//! The parameters of a statement: their types, and the values that take their places.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::metadata::ScalarAndMetadata;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::common::{DataFusionError, ParamValues};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;
use waterbuck_engine::{Error, Result};

use super::parameter_rows::bind_rows;
use crate::plan::plan_error;

/// The types of parameters by their names, `$1`, `$2`, …; none where none is known.
pub(super) type ParameterTypes = HashMap<String, Option<DataType>>;

/// LIMIT and OFFSET take whole numbers, which the planner does not tell of their parameters.
pub(super) fn type_limits(plan: LogicalPlan) -> Result<LogicalPlan, DataFusionError> {
    plan.transform_up_with_subqueries(|plan| {
        let LogicalPlan::Limit(mut limit) = plan else {
            return Ok(Transformed::no(plan));
        };
        let mut typed = false;
        for expr in [&mut limit.skip, &mut limit.fetch].into_iter().flatten() {
            if let Expr::Placeholder(parameter) = expr.as_mut()
                && parameter.field.is_none()
            {
                let field = Field::new(&parameter.id, DataType::Int64, true);
                parameter.field = Some(Arc::new(field));
                typed = true;
            }
        }
        let plan = LogicalPlan::Limit(limit);
        Ok(if typed {
            Transformed::yes(plan)
        } else {
            Transformed::no(plan)
        })
    })
    .data()
}

/// One field for each parameter, in order; of type `Null` where none is known.
pub(super) fn parameter_schema(plan: &LogicalPlan) -> Result<SchemaRef> {
    let types = parameter_types(plan)?;
    let fields = (1..=parameter_count(&types)?).map(|number| {
        let name = format!("${number}");
        let data_type = types.get(&name).cloned().flatten();
        Field::new(name, data_type.unwrap_or(DataType::Null), true)
    });
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// Puts values in the places of parameters: one row of them, or many, which become a relation.
pub(super) fn bind_parameters(
    sql: &str,
    plan: LogicalPlan,
    given: &[RecordBatch],
) -> Result<LogicalPlan> {
    let types = parameter_types(&plan)?;
    let wanted = parameter_count(&types)?;
    let Some(batch) = given.iter().find(|batch| batch.num_rows() > 0) else {
        if wanted == 0 {
            return Ok(plan);
        }
        return Err(Error::invalid(format!(
            "the statement has {wanted} parameters, none was given"
        )));
    };
    if batch.num_columns() != wanted {
        let given = batch.num_columns();
        let message = format!("the statement has {wanted} parameters, {given} were given");
        return Err(Error::invalid(message));
    }
    if given.iter().map(RecordBatch::num_rows).sum::<usize>() > 1 {
        return bind_rows(sql, plan, given, &types);
    }
    let value = |(index, column): (usize, &ArrayRef)| {
        let value = ScalarValue::try_from_array(column, 0)?;
        // Clients send what they have: text for anything, milliseconds for every timestamp.
        match types.get(&format!("${}", index + 1)) {
            Some(Some(wanted)) => value.cast_to(wanted),
            _ => Ok(value),
        }
        .map(ScalarAndMetadata::from)
    };
    let values = batch
        .columns()
        .iter()
        .enumerate()
        .map(value)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| plan_error("", error))?;
    plan.with_param_values(ParamValues::List(values))
        .map_err(|error| plan_error(sql, error))
}

/// A parameter that is used as two types has none: what is given is cast in each place. That of NULL,
/// which the planner gives to the operands of `$1 + $2`, is none either.
fn parameter_types(plan: &LogicalPlan) -> Result<ParameterTypes> {
    if let Ok(mut types) = plan.get_parameter_types() {
        for known in types.values_mut() {
            if known.as_ref().is_some_and(DataType::is_null) {
                *known = None;
            }
        }
        return Ok(types);
    }
    let names = plan.get_parameter_names();
    let names = names.map_err(|error| plan_error("", error))?;
    Ok(names.into_iter().map(|name| (name, None)).collect())
}

/// How many parameters a statement takes: those before the last that it does not use count.
fn parameter_count(types: &ParameterTypes) -> Result<usize> {
    const MAX: usize = 65_535;
    let mut count = 0;
    for name in types.keys() {
        let number = name
            .strip_prefix('$')
            .and_then(|digits| digits.parse().ok());
        match number {
            Some(number @ 1..=MAX) => count = count.max(number),
            _ => {
                return Err(Error::invalid(format!(
                    "\"{name}\" is no parameter: write ?, or $1, $2, … up to ${MAX}"
                )));
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use arrow::array::{Float64Array, Int64Array};
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn types(sql: &str) -> Result<Vec<DataType>> {
        let context = SessionContext::new();
        let plan = context.state().create_logical_plan(sql).await.expect(sql);
        let schema = parameter_schema(&type_limits(plan).expect(sql))?;
        let types = schema
            .fields()
            .iter()
            .map(|field| field.data_type().clone());
        Ok(types.collect())
    }

    #[tokio::test]
    async fn as_many_values_are_taken_as_there_are_parameters() {
        let context = SessionContext::new();
        for (sql, wanted) in [
            ("SELECT 1", 0),
            ("SELECT $1 * 2", 1),
            ("SELECT $1 * 2, $2", 2),
        ] {
            let plan = context.state().create_logical_plan(sql).await.expect(sql);
            for given in 0..4_usize {
                let column = || Arc::new(Int64Array::from(vec![7])) as ArrayRef;
                let columns = (0..given).map(|index| (index.to_string(), column()));
                let batches: Vec<_> = match given {
                    0 => vec![],
                    _ => vec![RecordBatch::try_from_iter(columns).expect("columns of one row")],
                };
                let bound = bind_parameters(sql, plan.clone(), &batches);
                assert_eq!(bound.is_ok(), given == wanted, "{sql} with {given} values");
            }
        }
    }

    #[tokio::test]
    async fn every_parameter_has_a_field() {
        use DataType::{Int64, Null};
        let t = "FROM (VALUES (1, 'a')) AS t(n, s)";
        for (sql, expected) in [
            (format!("SELECT n {t} WHERE n = $1"), vec![Int64]),
            (
                format!("SELECT n {t} WHERE n BETWEEN $2 AND $1"),
                vec![Int64, Int64],
            ),
            (
                format!("SELECT n {t} LIMIT $1 OFFSET $2"),
                vec![Int64, Int64],
            ),
            (
                format!("SELECT n {t} WHERE n = $3"),
                vec![Null, Null, Int64],
            ),
            (format!("SELECT n {t} WHERE n = $1 AND s = $1"), vec![Null]),
            ("SELECT $1".to_owned(), vec![Null]),
            ("SELECT 1".to_owned(), vec![]),
        ] {
            assert_eq!(types(&sql).await.expect(&sql), expected, "{sql}");
        }
        let named = types("SELECT $name").await.unwrap_err();
        assert!(named.to_string().contains("$name"), "{named}");
    }

    #[tokio::test]
    async fn parameters_without_a_type_take_that_of_their_values() {
        let context = SessionContext::new();
        let sql = "SELECT $1 + $2";
        let plan = context.state().create_logical_plan(sql).await.expect(sql);
        let number = |number: f64| Arc::new(Float64Array::from(vec![number])) as ArrayRef;
        let given = RecordBatch::try_from_iter([("$1", number(1.5)), ("$2", number(2.25))]);
        let bound = bind_parameters(sql, plan, &[given.expect("two columns")]).expect("bound");
        let frame = context.execute_logical_plan(bound).await.expect("planned");
        let rows = frame.collect().await.expect("run");
        let sum = ScalarValue::try_from_array(rows[0].column(0), 0).expect("a row");
        assert_eq!(sum, ScalarValue::Float64(Some(3.75)));
    }
}
