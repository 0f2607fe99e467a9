//! Compression of text files as a stream, in step with their encoding.

use async_compression::tokio::write::{BzEncoder, GzipEncoder, XzEncoder, ZstdEncoder};
use datafusion::common::parsers::CompressionTypeVariant;
use tokio::io::{AsyncWrite, AsyncWriteExt, Result};

/// Compresses into memory, so none of its operations waits.
pub(in super::super) struct Compressor(Option<Box<dyn CompressedBytes>>);

/// An encoder whose output can be fetched before its end.
trait CompressedBytes: AsyncWrite + Send + Unpin {
    fn output(&mut self) -> &mut Vec<u8>;
}

impl CompressedBytes for GzipEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl CompressedBytes for BzEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl CompressedBytes for XzEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl CompressedBytes for ZstdEncoder<Vec<u8>> {
    fn output(&mut self) -> &mut Vec<u8> {
        self.get_mut()
    }
}

impl Compressor {
    pub(in super::super) fn new(compression: CompressionTypeVariant) -> Self {
        Self(match compression {
            CompressionTypeVariant::UNCOMPRESSED => None,
            CompressionTypeVariant::GZIP => Some(Box::new(GzipEncoder::new(Vec::new()))),
            CompressionTypeVariant::BZIP2 => Some(Box::new(BzEncoder::new(Vec::new()))),
            CompressionTypeVariant::XZ => Some(Box::new(XzEncoder::new(Vec::new()))),
            CompressionTypeVariant::ZSTD => Some(Box::new(ZstdEncoder::new(Vec::new()))),
        })
    }

    /// Takes plain bytes, returns the compressed bytes that are final.
    pub(in super::super) async fn compress(&mut self, plain: Vec<u8>) -> Result<Vec<u8>> {
        let Some(encoder) = &mut self.0 else {
            return Ok(plain);
        };
        encoder.write_all(&plain).await?;
        Ok(std::mem::take(encoder.output()))
    }

    /// Ends the stream and returns its last bytes.
    pub(in super::super) async fn finish(&mut self) -> Result<Vec<u8>> {
        let Some(encoder) = &mut self.0 else {
            return Ok(Vec::new());
        };
        encoder.shutdown().await?;
        Ok(std::mem::take(encoder.output()))
    }
}
