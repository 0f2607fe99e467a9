//! `max_by(value, key)` and `min_by(value, key)`: the value of the row whose key is the greatest or
//! the least.
//!
//! Planning writes them as `first_value(value ORDER BY key) FILTER (WHERE key IS NOT NULL)`, whose
//! partial results executors know how to merge.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, not_impl_err};
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Expr, Signature, SortExpr,
    Volatility,
};

/// The function `max_by`.
pub(super) fn max_by() -> Arc<AggregateUDF> {
    let description = "Returns the value of the row whose key is the greatest; keys that are NULL do \
                       not count.";
    extreme_by(&EXTREMES[0], description, "max_by(value, key)")
}

/// The function `min_by`.
pub(super) fn min_by() -> Arc<AggregateUDF> {
    let description = "Returns the value of the row whose key is the least; keys that are NULL do not \
                       count.";
    extreme_by(&EXTREMES[1], description, "min_by(value, key)")
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    name: &'static str,
    alias: &'static str,
    ascending: bool,
}

static EXTREMES: [Extreme; 2] = [
    Extreme {
        name: "max_by",
        alias: "arg_max",
        ascending: false,
    },
    Extreme {
        name: "min_by",
        alias: "arg_min",
        ascending: true,
    },
];

fn extreme_by(extreme: &'static Extreme, description: &str, syntax: &str) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(ExtremeBy {
        extreme,
        aliases: vec![extreme.alias.to_owned()],
        signature: Signature::any(2, Volatility::Immutable),
        documentation: Documentation::builder(DOC_SECTION_OTHER, description, syntax).build(),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct ExtremeBy {
    extreme: &'static Extreme,
    aliases: Vec<String>,
    signature: Signature,
    documentation: Documentation,
}

impl AggregateUDFImpl for ExtremeBy {
    fn name(&self) -> &str {
        self.extreme.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value, _] = take_function_args(self.name(), types)?;
        Ok(value.clone())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let name = self.name();
        not_impl_err!("{name} over a window: write first_value(value) OVER (… ORDER BY key)")
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let extreme = self.extreme;
        Some(Box::new(move |function, _| first_by(extreme, function)))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}

/// What else the call is ordered by decides between equal keys.
fn first_by(extreme: &Extreme, function: AggregateFunction) -> Result<Expr> {
    let AggregateFunctionParams {
        args,
        filter,
        order_by,
        null_treatment,
        ..
    } = function.params;
    let [value, key] = take_function_args(extreme.name, args)?;
    let has_key = key.clone().is_not_null();
    let filter = match filter {
        Some(filter) => filter.and(has_key),
        None => has_key,
    };
    let mut order = vec![SortExpr::new(key, extreme.ascending, false)];
    order.extend(order_by);
    Ok(Expr::AggregateFunction(AggregateFunction::new_udf(
        first_value_udaf(),
        vec![value],
        false,
        Some(Box::new(filter)),
        order,
        null_treatment,
    )))
}
