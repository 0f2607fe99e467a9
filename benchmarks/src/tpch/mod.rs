//! TPC-H: its tables as Parquet files and its queries.

mod data;
mod layout;
mod queries;
mod rows;

pub(crate) use data::create_parquet;
pub use data::{DataSet, ensure};
pub use layout::{Layout, Table};
pub use queries::{QUERIES, Query};
