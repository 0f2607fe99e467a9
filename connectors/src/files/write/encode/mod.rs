//! Batches into the bytes of a file, one encoder per format.

mod avro;
mod coalesced;
mod compress;
mod encoder;
mod ipc;
mod parquet;
mod statistics;
mod text;

pub(super) use compress::Compressor;
pub(super) use encoder::{Encoder, encoder};
