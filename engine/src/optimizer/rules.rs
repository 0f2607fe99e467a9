//! The ordered rule lists of a session.

use std::sync::Arc;

use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::filter_pushdown::PositionalFilterPushdown;

type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The complete physical rules, in order.
pub fn physical_rules() -> Vec<PhysicalRule> {
    let mut rules: Vec<PhysicalRule> = Vec::new();
    for rule in PhysicalOptimizer::new().rules {
        match rule.name() {
            "FilterPushdown" => rules.push(Arc::new(PositionalFilterPushdown::before_distribution())),
            "FilterPushdown(Post)" => rules.push(Arc::new(PositionalFilterPushdown::of_dynamic_filters())),
            _ => rules.push(rule),
        }
    }
    rules
}
