//! The connections of a listener, each given out when its handshake is over.
//!
//! Handshakes run beside one another and do not hold up those that come later. A peer that does not
//! finish its own is dropped after a time, or earlier, when too many others are unfinished: then the
//! oldest goes, so that those who stall do not keep out those who do not.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::Stream;
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Sleep, sleep, timeout};
use tonic::transport::server::TcpIncoming;
use tracing::{debug, warn};

use crate::connection::Connection;
use crate::listener_tls::ListenerTls;

const LIMITS: Limits = Limits {
    unfinished: 256,
    time: Duration::from_secs(10),
};
/// How long nothing is accepted when the process has no file left for a connection.
const PAUSE: Duration = Duration::from_secs(1);

/// How many handshakes may be unfinished, and how long.
#[derive(Debug, Clone, Copy)]
struct Limits {
    unfinished: usize,
    time: Duration,
}

/// The connections of one listener, in TLS or in plain text. It never ends and never fails.
pub struct Incoming {
    sockets: TcpIncoming,
    tls: Option<Arc<ListenerTls>>,
    limits: Limits,
    handshakes: JoinSet<Option<Connection>>,
    /// The oldest first; some of them may have finished.
    unfinished: VecDeque<AbortHandle>,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Incoming {
    /// The connections of `sockets`; without `tls` in plain text.
    pub fn new(sockets: TcpIncoming, tls: Option<Arc<ListenerTls>>) -> Self {
        Self::with_limits(sockets, tls, LIMITS)
    }

    fn with_limits(sockets: TcpIncoming, tls: Option<Arc<ListenerTls>>, limits: Limits) -> Self {
        Self {
            sockets,
            tls,
            limits,
            handshakes: JoinSet::new(),
            unfinished: VecDeque::new(),
            pause: None,
        }
    }

    /// The connection, if it needs no handshake; else one is begun.
    fn take(&mut self, stream: TcpStream) -> Option<Connection> {
        let Some(tls) = &self.tls else {
            return Some(Connection::plain(stream));
        };
        let (tls, time) = (Arc::clone(tls), self.limits.time);
        self.make_room();
        let handshake = self.handshakes.spawn(shake_hands(stream, tls, time));
        self.unfinished.push_back(handshake);
        None
    }

    fn make_room(&mut self) {
        if self.unfinished.len() < self.limits.unfinished {
            return;
        }
        self.unfinished.retain(|handshake| !handshake.is_finished());
        if self.unfinished.len() >= self.limits.unfinished
            && let Some(oldest) = self.unfinished.pop_front()
        {
            oldest.abort();
        }
    }

    /// A peer that has gone already is of no interest; anything else lasts for a while.
    fn not_accepted(&mut self, error: &std::io::Error) {
        let has_gone = matches!(
            error.kind(),
            ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset | ErrorKind::Interrupted
        );
        if !has_gone {
            warn!(%error, "no connection can be accepted");
            self.pause = Some(Box::pin(sleep(PAUSE)));
        }
    }
}

impl Stream for Incoming {
    type Item = Result<Connection, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match this.handshakes.poll_join_next(context) {
                Poll::Ready(Some(Ok(Some(connection)))) => {
                    return Poll::Ready(Some(Ok(connection)));
                }
                Poll::Ready(Some(_failed)) => continue,
                Poll::Ready(None) | Poll::Pending => {}
            }
            if let Some(pause) = &mut this.pause {
                ready!(pause.as_mut().poll(context));
                this.pause = None;
            }
            match ready!(Pin::new(&mut this.sockets).poll_next(context)) {
                Some(Ok(stream)) => {
                    if let Some(connection) = this.take(stream) {
                        return Poll::Ready(Some(Ok(connection)));
                    }
                }
                Some(Err(error)) => this.not_accepted(&error),
                None => return Poll::Ready(None),
            }
        }
    }
}

async fn shake_hands(
    stream: TcpStream,
    tls: Arc<ListenerTls>,
    time: Duration,
) -> Option<Connection> {
    let peer = stream.peer_addr().ok();
    match timeout(time, tls.accept(stream)).await {
        Ok(Ok((stream, shown))) => Some(Connection::tls(stream, shown)),
        Ok(Err(error)) => {
            debug!(?peer, %error, "TLS handshake failed");
            None
        }
        Err(_elapsed) => {
            debug!(?peer, "TLS handshake not finished in time");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::StreamExt;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::*;
    use crate::files::TlsFiles;
    use crate::testing::Authority;

    /// A listener that takes in connections until it is dropped, and its address.
    async fn listening(limits: Limits) -> (JoinSet<()>, std::net::SocketAddr) {
        let authority = Authority::new();
        let files = TlsFiles {
            identity: Some(authority.identity("server")),
            ..TlsFiles::default()
        };
        let tls = ListenerTls::for_grpc(&files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = Incoming::with_limits(TcpIncoming::from(listener), tls, limits);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _files_stay = authority;
            while incoming.next().await.is_some() {}
        });
        (serving, address)
    }

    /// Whether the other end closes the connection within five seconds.
    async fn is_closed(stream: &mut TcpStream) -> bool {
        let mut byte = [0];
        let read = timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
        matches!(read, Ok(Ok(0) | Err(_)))
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_dropped_in_time() {
        let (_serving, address) = listening(Limits {
            unfinished: 8,
            time: Duration::from_millis(50),
        })
        .await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert!(is_closed(&mut silent).await);
    }

    #[tokio::test]
    async fn of_too_many_unfinished_handshakes_the_oldest_goes() {
        let (_serving, address) = listening(Limits {
            unfinished: 2,
            time: Duration::from_secs(600),
        })
        .await;
        let mut silent = Vec::new();
        for _ in 0..3 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(is_closed(&mut silent[0]).await);
        let mut byte = [0];
        let newest = timeout(Duration::from_millis(100), silent[2].read(&mut byte)).await;
        assert!(newest.is_err(), "the newest is still waited for");
    }
}
