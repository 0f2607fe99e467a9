//! The processes of a cluster, each wired from its concrete parts.

mod coordinator;
mod embedded;
mod executor;
mod node;
mod ready;
mod signals;

pub use coordinator::{run_coordinator, run_server};
pub use embedded::open_embedded;
pub use executor::run_executor;
