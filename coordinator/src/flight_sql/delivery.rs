//! How a client wants its results to travel: session options of the door's own.
//!
//! Without a word from the client rows go out as every driver can read them: in plain types and
//! not compressed.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::writer::IpcWriteOptions;
use tonic::metadata::MetadataMap;
use waterbuck_engine::{Error, Result};
use waterbuck_results::compression::Compression;

use super::backend::OptionValue;
use super::wire::{view_schema, wire_schema};
use crate::result_parts::Endpoints;

const COMPRESSION: &str = "result_compression";
const ENDPOINTS: &str = "result_endpoints";
const VIEWS: &str = "result_views";
/// The headers that stand for the options in one call.
const COMPRESSION_HEADER: &str = "x-result-compression";
const ENDPOINTS_HEADER: &str = "x-result-endpoints";

/// What a client asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Delivery {
    compression: Compression,
    endpoints: Endpoints,
    /// Whether texts and bytes go out as views.
    views: bool,
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
            ENDPOINTS => {
                let text = value.map(ToString::to_string);
                let parsed = text.map_or(Ok(Endpoints::One), |text| Endpoints::parse(&text));
                Some(parsed.map(|endpoints| self.endpoints = endpoints))
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
    pub(super) fn list(self) -> [(String, OptionValue); 3] {
        let compression = OptionValue::Text(self.compression.name().to_owned());
        let endpoints = OptionValue::Text(self.endpoints.name().to_owned());
        [
            (COMPRESSION.to_owned(), compression),
            (ENDPOINTS.to_owned(), endpoints),
            (VIEWS.to_owned(), OptionValue::Bool(self.views)),
        ]
    }

    /// The same, with what the headers of one call say.
    pub(super) fn with_headers(mut self, headers: &MetadataMap) -> Result<Self> {
        if let Some(value) = headers.get(COMPRESSION_HEADER) {
            self.compression = Compression::parse(value.to_str().unwrap_or("?"))?;
        }
        if let Some(value) = headers.get(ENDPOINTS_HEADER) {
            self.endpoints = Endpoints::parse(value.to_str().unwrap_or("?"))?;
        }
        Ok(self)
    }

    /// Where results are given out.
    pub(super) fn endpoints(self) -> Endpoints {
        self.endpoints
    }

    /// How messages are compressed.
    pub(super) fn compression(self) -> Compression {
        self.compression
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
        self.compression.write_options()
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
            (ENDPOINTS, text("executors")),
            (VIEWS, OptionValue::Bool(true)),
        ] {
            assert!(delivery.set(name, Some(&value)).unwrap().is_ok());
        }
        assert_eq!(delivery.list()[0].1, text("zstd"));
        assert_eq!(delivery.endpoints(), Endpoints::Executors);
        assert_eq!(delivery.list()[2].1, OptionValue::Bool(true));
        for name in [COMPRESSION, ENDPOINTS, VIEWS] {
            assert!(delivery.set(name, Some(&text("snappy"))).unwrap().is_err());
            assert!(delivery.set(name, None).unwrap().is_ok());
        }
        assert_eq!(delivery, Delivery::default());
        assert!(delivery.set("schema", None).is_none());
    }
}
