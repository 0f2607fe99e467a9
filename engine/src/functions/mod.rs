//! Functions that other databases have and DataFusion lacks, and further names of some it has.

mod dates;
mod extreme_by;
mod fit_column;
mod list;
mod mode;
mod names;
mod numbers;
mod rewritten;

#[cfg(test)]
mod tests;

pub use fit_column::fit_column;
pub(crate) use list::{aggregate_functions, scalar_functions};
