//! Engines to compare with, each in a process of its own and driven by lines of JSON, so that its
//! memory is measured apart and its threads rest while another engine is timed.

mod child;
mod datafusion;
mod message;

pub(crate) use child::Peer;
pub use datafusion::run_peer;
