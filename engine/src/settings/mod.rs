//! What a session can `SET`: documented settings with types and bounds, and DataFusion's own.

mod definitions;
mod overrides;
mod passthrough;
mod units;

pub use definitions::{SETTINGS, Setting, Values};
pub use overrides::{SettingRow, Settings};
pub use units::{format_bytes, format_duration, parse_bytes, parse_duration};
