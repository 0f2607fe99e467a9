//! A query's rows on their way to a client, from whichever process gives them out.
//!
//! ```text
//! rows ─► plain types (wire) ─► batches that travel well (coalesce) ─► messages (encode)
//!                                                     errors ─► statuses (status)
//! ```

mod coalesce;
pub mod compression;
pub mod deadline;
pub mod encode;
mod error_details;
pub mod merge;
pub mod reading;
pub mod status;
pub mod wire;
#[cfg(test)]
mod wire_tests;
