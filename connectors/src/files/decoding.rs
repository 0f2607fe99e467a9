//! Bytes of text files to batches, with the place of what cannot be decoded.

use std::io::BufRead;

use bytes::{Buf, Bytes};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json;
use datafusion::common::DataFusionError;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

type Result<T> = std::result::Result<T, DataFusionError>;
/// The bytes of a file, decompressed.
pub(super) type ByteStream = BoxStream<'static, Result<Bytes>>;
/// The rows of a file.
pub(super) type BatchStream = BoxStream<'static, Result<RecordBatch>>;

/// The reader of a format.
pub(super) enum TextDecoder {
    Csv(Box<csv::reader::Decoder>),
    Json(Box<json::reader::Decoder>),
}

impl TextDecoder {
    fn decode(&mut self, bytes: &[u8]) -> std::result::Result<usize, ArrowError> {
        match self {
            Self::Csv(decoder) => decoder.decode(bytes),
            Self::Json(decoder) => decoder.decode(bytes),
        }
    }

    fn flush(&mut self) -> std::result::Result<Option<RecordBatch>, ArrowError> {
        match self {
            Self::Csv(decoder) => decoder.flush(),
            Self::Json(decoder) => decoder.flush(),
        }
    }
}

struct Decoding {
    bytes: ByteStream,
    decoder: TextDecoder,
    chunk: Bytes,
    ended: bool,
    /// Line ends that the decoder has taken.
    lines: usize,
    /// Whether it has taken a part of the next line.
    inside_a_line: bool,
    starts_inside: bool,
}

/// Decodes batch by batch; an error says where, as far as the reader knows.
pub(super) fn decode(bytes: ByteStream, decoder: TextDecoder, starts_inside: bool) -> BatchStream {
    let state = Decoding {
        bytes,
        decoder,
        chunk: Bytes::new(),
        ended: false,
        lines: 0,
        inside_a_line: false,
        starts_inside,
    };
    stream::try_unfold(state, |mut state| async move {
        let batch = state.next().await?;
        Ok(batch.map(|batch| (batch, state)))
    })
    .boxed()
}

impl Decoding {
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            while self.chunk.is_empty() && !self.ended {
                match self.bytes.next().await.transpose()? {
                    Some(chunk) => self.chunk = chunk,
                    None => self.ended = true,
                }
            }
            let next = self.next_piece()?;
            let used = self
                .decoder
                .decode(&self.chunk[..next])
                .map_err(|error| self.located(error, "at"))?;
            if used > 0 {
                let ended = self.chunk[used - 1] == b'\n';
                self.lines += usize::from(ended);
                self.inside_a_line = !ended;
            }
            self.chunk.advance(used);
            if used > 0 {
                continue;
            }
            // Either a batch is full or the file is at its end.
            let batch = self.decoder.flush();
            if let Some(batch) = batch.map_err(|error| self.located(error, "at or before"))? {
                return Ok(Some(batch));
            }
            if self.ended && self.chunk.is_empty() {
                return Ok(None);
            }
        }
    }

    /// How many bytes the decoder gets at once. CSV errors name a line; JSON errors name none, so
    /// JSON is decoded line by line, for the last one to be the wrong one.
    fn next_piece(&self) -> Result<usize> {
        let mut rest: &[u8] = &self.chunk;
        match self.decoder {
            TextDecoder::Csv(_) => Ok(rest.len()),
            TextDecoder::Json(_) => Ok(rest.skip_until(b'\n')?),
        }
    }

    /// CSV errors name a line, counted from where the reader began. JSON errors are `at` the line
    /// being decoded, or for values that do not fit their column somewhere in the batch before it.
    fn located(&self, error: ArrowError, at: &str) -> DataFusionError {
        let inside = if self.starts_inside {
            " behind a place inside the file"
        } else {
            ""
        };
        match (&self.decoder, error) {
            (TextDecoder::Csv(_), ArrowError::ParseError(text)) => {
                ArrowError::CsvError(format!("{}{inside}", counted_from_one(&text)))
            }
            (TextDecoder::Csv(_), ArrowError::CsvError(text)) => {
                ArrowError::CsvError(format!("{text}{inside}"))
            }
            (TextDecoder::Json(_), ArrowError::JsonError(text)) => {
                let begun = at == "at" || self.inside_a_line;
                let line = self.lines + usize::from(begun);
                ArrowError::JsonError(format!("{text}, {at} line {line}{inside}"))
            }
            (_, error) => error,
        }
        .into()
    }
}

/// The reader counts lines from zero where a value does not parse.
fn counted_from_one(text: &str) -> String {
    const MARK: &str = " at line ";
    let Some(at) = text.find(MARK).map(|at| at + MARK.len()) else {
        return text.to_string();
    };
    let digits = text[at..].bytes().take_while(u8::is_ascii_digit).count();
    match text[at..at + digits].parse::<u64>() {
        Ok(line) => format!("{}{}{}", &text[..at], line + 1, &text[at + digits..]),
        Err(_) => text.to_string(),
    }
}
