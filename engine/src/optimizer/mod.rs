//! The optimizer rules of a Waterbuck session: DataFusion's lists with the faults of the base
//! corrected. Each rule of ours says which fault it closes.

mod column_routes;
mod distinct_precedence;
mod filter_pushdown;
mod rules;

pub use distinct_precedence::restore_distinct_precedence;
pub use filter_pushdown::PositionalFilterPushdown;
pub use rules::physical_rules;
