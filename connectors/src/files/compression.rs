//! The compression of whole text files.

use std::str::FromStr;

use datafusion::common::parsers::CompressionTypeVariant;
use object_store::ObjectMeta;

use super::options::{FormatOptions, compression_of_path};

/// Reads the name of a compression, as written in options.
pub(super) fn parse_compression(name: &str) -> Option<CompressionTypeVariant> {
    match name.trim().to_ascii_lowercase().as_str() {
        "none" | "" => Some(CompressionTypeVariant::UNCOMPRESSED),
        "gz" => Some(CompressionTypeVariant::GZIP),
        "bz2" => Some(CompressionTypeVariant::BZIP2),
        "zst" => Some(CompressionTypeVariant::ZSTD),
        name => CompressionTypeVariant::from_str(name).ok(),
    }
}

/// The compression of a text file: as the table says, else as the name says.
pub(super) fn compression(meta: &ObjectMeta, options: &FormatOptions) -> CompressionTypeVariant {
    options
        .compression
        .unwrap_or_else(|| compression_of_path(meta.location.as_ref()))
}
