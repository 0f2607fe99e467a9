//! How a client wants its results to travel: session options of the door's own.
//!
//! Without a word from the client rows go out as every driver can read them: in plain types and
//! not compressed.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use tonic::metadata::MetadataMap;
use waterbuck_engine::{Error, Result};

use super::backend::OptionValue;
use super::wire::{view_schema, wire_schema};

const COMPRESSION: &str = "result_compression";
const VIEWS: &str = "result_views";
/// The header that stands for the option in one call.
const COMPRESSION_HEADER: &str = "x-result-compression";

/// What a client asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    compression: Compression,
    /// Whether texts and bytes go out as views.
    views: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Compression {
    #[default]
    None,
    Lz4,
    Zstd,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    fn parse(text: &str) -> Result<Self> {
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
}

impl Delivery {
    /// Sets an option, or restores its default; `None` for an option that is not the door's.
    pub(super) fn set(&mut self, name: &str, value: Option<&OptionValue>) -> Option<Result<()>> {
        match name {
            COMPRESSION => {
                let text = value.map(ToString::to_string);
                let parsed = text.map_or(Ok(Compression::None), |text| Compression::parse(&text));
                Some(parsed.map(|compression| self.compression = compression))
            }
            VIEWS => {
                let parsed = match value.map(ToString::to_string).as_deref() {
                    None | Some("false") => Ok(false),
                    Some("true") => Ok(true),
                    Some(other) => Err(Error::invalid(format!(
                        "{VIEWS} is true or false, not \"{other}\""
                    ))),
                };
                Some(parsed.map(|views| self.views = views))
            }
            _ => None,
        }
    }

    /// The options with their values.
    pub(super) fn list(self) -> [(String, OptionValue); 2] {
        let compression = OptionValue::Text(self.compression.name().to_owned());
        [
            (COMPRESSION.to_owned(), compression),
            (VIEWS.to_owned(), OptionValue::Bool(self.views)),
        ]
    }

    /// The same, with what the headers of one call say.
    pub(super) fn with_headers(mut self, headers: &MetadataMap) -> Result<Self> {
        if let Some(value) = headers.get(COMPRESSION_HEADER) {
            self.compression = Compression::parse(value.to_str().unwrap_or("?"))?;
        }
        Ok(self)
    }

    /// The columns of a result as they are sent.
    pub(super) fn schema(self, schema: SchemaRef) -> SchemaRef {
        match self.views {
            true => view_schema(schema),
            false => wire_schema(schema),
        }
    }

    /// How messages are written.
    pub(super) fn write_options(self) -> Result<IpcWriteOptions, ArrowError> {
        IpcWriteOptions::default().try_with_compression(match self.compression {
            Compression::None => None,
            Compression::Lz4 => Some(CompressionType::LZ4_FRAME),
            Compression::Zstd => Some(CompressionType::ZSTD),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_set_reset_and_refused() {
        let mut delivery = Delivery::default();
        let text = |text: &str| OptionValue::Text(text.to_owned());
        for (name, value) in [
            (COMPRESSION, text("ZSTD")),
            (VIEWS, OptionValue::Bool(true)),
        ] {
            assert!(delivery.set(name, Some(&value)).unwrap().is_ok());
        }
        assert_eq!(delivery.list()[0].1, text("zstd"));
        assert_eq!(delivery.list()[1].1, OptionValue::Bool(true));
        for name in [COMPRESSION, VIEWS] {
            assert!(delivery.set(name, Some(&text("snappy"))).unwrap().is_err());
            assert!(delivery.set(name, None).unwrap().is_ok());
        }
        assert_eq!(delivery, Delivery::default());
        assert!(delivery.set("schema", None).is_none());
    }
}
