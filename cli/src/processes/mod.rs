//! The processes of a cluster, each wired from its concrete parts.

mod coordinator;
mod embedded;
mod executor;
mod node;
mod ready;
mod signals;
mod web;

pub(crate) use coordinator::{run_coordinator, run_server};
pub(crate) use embedded::open_embedded;
pub(crate) use executor::run_executor;
