//! Everything the program writes: results to standard output, the rest to standard error.

mod csv;
mod format;
mod json;
mod markdown;
mod notice;
mod table;
mod text;
mod vertical;

pub(crate) use format::Format;
pub(crate) use notice::{error, line, notice, warning};
pub(crate) use text::{count, duration, size};

#[cfg(test)]
mod sample;
