//! How the messages of a result are compressed.

use arrow::error::ArrowError;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use waterbuck_engine::{Error, Result};

/// A compression of Arrow's IPC messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// None, which every client reads.
    #[default]
    None,
    /// LZ4 frames.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Compression {
    /// Its name, as clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The compression of that name, in any case.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(text: &str) -> Result<Self> {
        let known = [Self::None, Self::Lz4, Self::Zstd];
        let named = known
            .into_iter()
            .find(|known| text.eq_ignore_ascii_case(known.name()));
        named.ok_or_else(|| {
            Error::invalid(format!(
                "\"{text}\" is no compression of results: they are none, lz4 and zstd"
            ))
        })
    }

    /// How messages are written.
    ///
    /// # Errors
    /// When the library cannot compress so.
    pub fn write_options(self) -> Result<IpcWriteOptions, ArrowError> {
        IpcWriteOptions::default().try_with_compression(match self {
            Self::None => None,
            Self::Lz4 => Some(CompressionType::LZ4_FRAME),
            Self::Zstd => Some(CompressionType::ZSTD),
        })
    }
}
