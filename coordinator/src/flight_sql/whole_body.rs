//! What a client sends has an end, or it is an error, and no message in it is longer than allowed.
//!
//! The gRPC library takes a call that the client breaks off for one whose messages have ended, and
//! the HTTP library one that is reset without a reason: half an upload would be a whole one. Here
//! the end of what is sent counts only when the client has said it. And a message that is too long
//! is refused by the library in words of its own: here it meets ours first.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;
use waterbuck_engine::{Error, ErrorKind};

use super::status::status;

/// A service whose requests are errors when they break off or when a message is too long.
#[derive(Debug, Clone)]
pub struct WholeRequests<S> {
    pub(super) service: S,
    pub(super) message_bytes_max: usize,
}

impl<S: NamedService> NamedService for WholeRequests<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for WholeRequests<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let messages = MessageLengths::new(self.message_bytes_max);
        let request = request.map(|body| {
            Body::new(WholeBody {
                body,
                messages,
                has_ended: false,
            })
        });
        self.service.call(request)
    }
}

struct WholeBody {
    body: Body,
    messages: MessageLengths,
    has_ended: bool,
}

impl HttpBody for WholeBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        match ready!(Pin::new(&mut self.body).poll_frame(context)) {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref()
                    && let Err(error) = self.messages.check(data)
                {
                    return Poll::Ready(Some(Err(status(&error))));
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            // "Cancelled" is what would be taken for the end.
            Some(Err(status)) if status.code() != Code::Cancelled => {
                return Poll::Ready(Some(Err(status)));
            }
            Some(Err(_)) | None => {}
        }
        self.has_ended = true;
        if self.body.is_end_stream() {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Err(Status::aborted(
            "the client broke off before it had sent all",
        ))))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The bytes before each message: whether it is compressed, and its length in four bytes.
const PREFIX_BYTES: usize = 5;

/// Finds the lengths of the messages in a body that comes in pieces of any size.
struct MessageLengths {
    bytes_max: usize,
    prefix: [u8; PREFIX_BYTES],
    /// How much of the prefix of the next message has come.
    prefix_bytes: usize,
    /// What is still to come of the message under way.
    message_bytes: usize,
}

impl MessageLengths {
    fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            prefix: [0; PREFIX_BYTES],
            prefix_bytes: 0,
            message_bytes: 0,
        }
    }

    fn check(&mut self, mut piece: &[u8]) -> Result<(), Error> {
        loop {
            let passed = self.message_bytes.min(piece.len());
            self.message_bytes -= passed;
            piece = &piece[passed..];
            let Some((first, rest)) = piece.split_first() else {
                return Ok(());
            };
            piece = rest;
            self.prefix[self.prefix_bytes] = *first;
            self.prefix_bytes += 1;
            if self.prefix_bytes == PREFIX_BYTES {
                let [_, a, b, c, d] = self.prefix;
                self.prefix_bytes = 0;
                self.message_bytes = u32::from_be_bytes([a, b, c, d]) as usize;
                if self.message_bytes > self.bytes_max {
                    return Err(self.too_long());
                }
            }
        }
    }

    fn too_long(&self) -> Error {
        Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "the call sends {} bytes in one message and the server takes at most {}: a SQL \
                 text may be as long as the setting \"max_sql_length\" allows, but never longer \
                 than a message; put long data into a file or table, and send rows in smaller \
                 batches",
                self.message_bytes, self.bytes_max
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX_BYTES + length as usize, 0xFF);
        bytes
    }

    #[test]
    fn messages_are_measured_however_they_are_cut() {
        let within = [message(3), message(0), message(10)].concat();
        let beyond = [within.clone(), message(11)].concat();
        for piece_bytes in 1..=beyond.len() {
            let checked = |bytes: &[u8]| {
                let mut lengths = MessageLengths::new(10);
                let mut pieces = bytes.chunks(piece_bytes);
                pieces.try_for_each(|piece| lengths.check(piece))
            };
            checked(&within).expect("all are within the limit");
            let error = checked(&beyond).expect_err("the last is not");
            assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        }
    }
}
