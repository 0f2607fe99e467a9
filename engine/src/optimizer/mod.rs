//! The optimizer rules of a Waterbuck session: DataFusion's lists with the faults of the base
//! corrected. Each rule of ours says which fault it closes.

mod aggregate_body;
mod aggregate_keys;
mod build_sides;
mod checked_arithmetic;
mod checked_sums;
mod checked_window_sums;
mod column_routes;
mod correlated_aggregates;
#[cfg(test)]
mod correlated_tests;
mod correlation;
mod decimal_room;
mod distinct_precedence;
mod filter_barrier;
mod filter_pushdown;
mod forget_constants;
mod group_names;
mod implicit_groups;
mod large_limits;
mod node_rule;
mod null_safe_joins;
mod nullable_constants;
mod optional;
mod outer_columns;
mod refusals;
mod rules;
mod self_equality;
mod set_test;
mod subquery_predicates;
#[cfg(test)]
mod subquery_tests;
#[cfg(test)]
pub(crate) mod testing;
mod truth_tests;
mod union_names;
mod window_order;

pub use build_sides::{BuildSideLimits, BuildSides};
pub use checked_arithmetic::{CheckedConstants, checked_functions};
pub use distinct_precedence::restore_distinct_precedence;
pub use filter_barrier::FilterBarrier;
pub use filter_pushdown::PositionalFilterPushdown;
pub use forget_constants::{ForgetConstantsCodec, ForgetConstantsExec};
pub use group_names::AmbiguousGroupNames;
pub use implicit_groups::ImplicitGroups;
pub use nullable_constants::NullableConstants;
pub use outer_columns::OuterColumnTypes;
pub use refusals::refusal;
pub use rules::{analyzer_rules, configure, logical_rules, physical_rules};
pub use window_order::ExplicitWindowOrder;
