//! The ordered rule lists of a session: DataFusion's, with rules of ours put in or in their place.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::{Analyzer, AnalyzerRule, Optimizer, OptimizerRule};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;

use super::aggregate_keys::AGGREGATE_KEYS;
use super::build_sides::BuildSides;
use super::checked_arithmetic::{CHECKED_ARITHMETIC, CheckedConstants};
use super::checked_sums::CHECKED_SUMS;
use super::checked_window_sums::CHECKED_WINDOW_SUMS;
use super::correlated_aggregates::CORRELATED_AGGREGATES;
use super::filter_barrier::FilterBarrier;
use super::filter_pushdown::PositionalFilterPushdown;
use super::group_names::AmbiguousGroupNames;
use super::implicit_groups::ImplicitGroups;
use super::large_limits::LargeLimits;
use super::null_safe_joins::OPEN_NULL_SAFE_JOINS;
use super::nullable_constants::NullableConstants;
use super::optional::Optional;
use super::outer_columns::OuterColumnTypes;
use super::self_equality::SELF_EQUALITY;
use super::subquery_predicates::SUBQUERY_PREDICATES;
use super::truth_tests::TRUTH_TESTS;
use super::union_names::UNION_BRANCH_NAMES;
use super::window_order::ExplicitWindowOrder;

type AnalysisRule = Arc<dyn AnalyzerRule + Send + Sync>;
type LogicalRule = Arc<dyn OptimizerRule + Send + Sync>;
type PhysicalRule = Arc<dyn PhysicalOptimizerRule + Send + Sync>;

/// The settings the rules are made for.
pub fn configure(options: &mut ConfigOptions) {
    // A scalar subquery becomes a join. As an expression of its own it has no columns, and a
    // condition without columns is pushed below aggregates, which then give a row too many.
    options
        .optimizer
        .enable_physical_uncorrelated_scalar_subquery = false;
    // The check compares what the logical and the physical plan know about NULLs; it can only
    // turn a right answer into an internal error.
    options.execution.skip_physical_aggregate_schema_check = true;
}

/// The complete analyzer rules, in order.
pub fn analyzer_rules() -> Vec<AnalysisRule> {
    let mut rules: Vec<AnalysisRule> = vec![Arc::new(ImplicitGroups)];
    rules.extend(Analyzer::new().rules);
    rules.push(Arc::new(OuterColumnTypes));
    rules.push(Arc::new(CheckedConstants));
    rules
}

/// The complete logical rules, in order.
pub fn logical_rules() -> Vec<LogicalRule> {
    let mut rules: Vec<LogicalRule> = vec![Arc::new(UNION_BRANCH_NAMES)];
    for rule in Optimizer::new().rules {
        match rule.name() {
            "replace_distinct_aggregate"
            | "eliminate_join"
            | "eliminate_duplicated_expr"
            | "optimize_projections" => {
                rules.extend([Arc::new(AGGREGATE_KEYS), rule]);
            }
            "rewrite_set_comparison" => rules.extend([Arc::new(SUBQUERY_PREDICATES), rule]),
            // An equality that all terms of an OR share is one once they are simplified.
            "simplify_expressions" => {
                rules.extend([rule, Arc::new(CORRELATED_AGGREGATES) as LogicalRule]);
            }
            "eliminate_cross_join" | "extract_equijoin_predicate" => {
                rules.extend([Arc::new(OPEN_NULL_SAFE_JOINS), rule]);
            }
            "push_down_filter" => {
                let (before, after) = (FilterBarrier::Raise, FilterBarrier::Remove);
                rules.extend([Arc::new(before), rule, Arc::new(after) as LogicalRule]);
            }
            _ => rules.push(rule),
        }
    }
    rules.push(Arc::new(OPEN_NULL_SAFE_JOINS));
    rules.push(Arc::new(ExtractEquijoinPredicate::new()));
    rules.push(Arc::new(TRUTH_TESTS));
    rules.push(Arc::new(SELF_EQUALITY));
    rules.push(Arc::new(CHECKED_SUMS));
    rules.push(Arc::new(CHECKED_WINDOW_SUMS));
    rules.push(Arc::new(CHECKED_ARITHMETIC));
    rules
}

/// The complete physical rules, in order.
pub fn physical_rules() -> Vec<PhysicalRule> {
    let mut rules: Vec<PhysicalRule> = Vec::new();
    for rule in PhysicalOptimizer::new().rules {
        match rule.name() {
            "FilterPushdown" => {
                rules.push(Arc::new(PositionalFilterPushdown::before_distribution()));
            }
            "FilterPushdown(Post)" => {
                rules.push(Arc::new(ExplicitWindowOrder));
                rules.push(Arc::new(PositionalFilterPushdown::of_dynamic_filters()));
            }
            "ProjectionPushdown" => rules.push(Arc::new(Optional(rule))),
            "EnsureRequirements" => {
                rules.push(Arc::new(NullableConstants));
                rules.extend([Arc::new(AmbiguousGroupNames), rule]);
            }
            _ => rules.push(rule),
        }
    }
    rules.push(Arc::new(LargeLimits));
    rules.push(Arc::new(BuildSides));
    rules
}

#[cfg(test)]
mod tests {
    use super::{logical_rules, physical_rules};

    #[test]
    fn every_rule_of_the_base_that_is_named_here_was_found() {
        let logical: Vec<String> = logical_rules()
            .iter()
            .map(|r| r.name().to_owned())
            .collect();
        for (ours, count) in [
            ("subquery_predicates", 1),
            ("correlated_aggregates", 1),
            ("aggregate_keys", 4),
            ("open_null_safe_joins", 3),
            ("raise_filter_barrier", 1),
        ] {
            assert_eq!(
                logical.iter().filter(|name| *name == ours).count(),
                count,
                "{ours}"
            );
        }
        let physical: Vec<String> = physical_rules()
            .iter()
            .map(|r| r.name().to_owned())
            .collect();
        for name in [
            "PositionalFilterPushdown",
            "PositionalFilterPushdown(Post)",
            "ExplicitWindowOrder",
            "AmbiguousGroupNames",
            "NullableConstants",
            "ProjectionPushdown",
        ] {
            assert!(physical.iter().any(|rule| rule == name), "{name}");
        }
        assert!(
            !physical
                .iter()
                .any(|rule| rule.starts_with("FilterPushdown"))
        );
    }
}
