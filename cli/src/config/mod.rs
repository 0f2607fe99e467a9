//! The configuration of a process: what can be set, where it may be written, and its units.

mod certificates;
mod exposure;
mod load;
mod settings;
mod sources;
mod units;

pub(crate) use load::{load, warnings};
pub(crate) use settings::{Config, Role};
