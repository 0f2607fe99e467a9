//! Everything the program writes: results to standard output, the rest to standard error.

mod csv;
mod format;
mod json;
mod markdown;
mod notice;
mod table;
mod text;
mod vertical;

pub use format::{Format, ResultWriter};
pub use notice::{error, notice};
pub use text::{count, duration, size};

#[cfg(test)]
mod sample;
