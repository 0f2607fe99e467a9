//! What a client sends has an end, or it is an error.
//!
//! The gRPC library takes a call that the client breaks off for one whose messages have ended, and
//! the HTTP library one that is reset without a reason: half an upload would be a whole one. Here
//! the end of what is sent counts only when the client has said it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Status};
use tower::Service;

/// A service whose requests are errors when they break off.
#[derive(Debug, Clone)]
pub struct WholeRequests<S>(pub(super) S);

impl<S: NamedService> NamedService for WholeRequests<S> {
    const NAME: &'static str = S::NAME;
}

impl<S: Service<Request<Body>>> Service<Request<Body>> for WholeRequests<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let request = request.map(|body| {
            Body::new(WholeBody {
                body,
                has_ended: false,
            })
        });
        self.0.call(request)
    }
}

struct WholeBody {
    body: Body,
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
            Some(Ok(frame)) => return Poll::Ready(Some(Ok(frame))),
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
