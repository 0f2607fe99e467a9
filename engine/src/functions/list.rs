//! What every session registers.

use std::sync::Arc;

use datafusion::functions::math::signum;
use datafusion::functions_aggregate::string_agg::string_agg_udaf;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};

use super::rewritten::{Rule, rewritten};
use super::{dates, extreme_by, fit_column, mode, names, numbers};

/// The scalar functions.
pub(crate) fn scalar_functions() -> Vec<Arc<ScalarUDF>> {
    let rules: [&'static [Rule]; 3] = [dates::RULES, names::RULES, numbers::RULES];
    let mut functions: Vec<Arc<ScalarUDF>> = rules.into_iter().flatten().map(rewritten).collect();
    functions.push(fit_column::function());
    functions.push(Arc::new(signum().as_ref().clone().with_aliases(["sign"])));
    functions
}

/// The aggregate functions.
pub(crate) fn aggregate_functions() -> Vec<Arc<AggregateUDF>> {
    let listagg = string_agg_udaf().as_ref().clone().with_aliases(["listagg"]);
    vec![
        extreme_by::max_by(),
        extreme_by::min_by(),
        mode::mode(),
        Arc::new(listagg),
    ]
}
