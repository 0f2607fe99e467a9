//! The configuration of a process: what can be set, where it may be written, and its units.

mod load;
mod settings;
mod units;

pub use load::load;
pub use settings::{Config, Role};
pub use units::{MemoryLimit, parse_bytes};
