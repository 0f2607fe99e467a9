//! One connection that was taken in, and what is known of its other end.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic::{Request, Status};
use waterbuck_engine::client_certificate::ClientCertificate;
use waterbuck_engine::cluster_access::ClusterMember;

/// How long a peer may take to say what it is: an open port is no place to wait.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// The bytes that every HTTP/2 connection begins with. After them pings find out who is there.
const PREFACE_BYTES: usize = 24;

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: PeerInfo,
    /// Until the peer has said what it is.
    beginning: Option<Beginning>,
}

/// How much a peer has not said yet, and when it is too late for that.
#[derive(Debug)]
struct Beginning {
    missing: usize,
    end: Pin<Box<Sleep>>,
}

#[derive(Debug)]
enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct PeerInfo {
    tcp: TcpConnectInfo,
    shown: Shown,
}

/// What a certificate has shown of the other end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    /// It is of the cluster.
    pub(crate) is_member: bool,
    /// It is who the certificate of a client names.
    pub(crate) client: Option<ClientCertificate>,
}

impl PeerInfo {
    /// The address of the other end, unless it has gone.
    pub fn address(&self) -> Option<SocketAddr> {
        self.tcp.remote_addr()
    }
}

impl Connection {
    pub(crate) fn plain(stream: TcpStream) -> Self {
        let peer = PeerInfo {
            tcp: stream.connect_info(),
            shown: Shown::default(),
        };
        Self::new(Stream::Plain(stream), peer, SILENCE_MAX)
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>, shown: Shown) -> Self {
        let peer = PeerInfo {
            tcp: stream.get_ref().0.connect_info(),
            shown,
        };
        Self::new(Stream::Tls(Box::new(stream)), peer, SILENCE_MAX)
    }

    fn new(stream: Stream, peer: PeerInfo, silence_max: Duration) -> Self {
        Self {
            stream,
            peer,
            beginning: Some(Beginning {
                missing: PREFACE_BYTES,
                end: Box::pin(sleep(silence_max)),
            }),
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &PeerInfo {
        &self.peer
    }
}

impl Connected for Connection {
    type ConnectInfo = PeerInfo;

    fn connect_info(&self) -> PeerInfo {
        self.peer.clone()
    }
}

/// An interceptor that tells services who calls: the address where [`Request::remote_addr`] looks
/// for it, and what a certificate has shown: [`ClusterMember`], [`ClientCertificate`].
///
/// # Errors
/// None; interceptors have this signature.
pub fn mark_peer(mut request: Request<()>) -> Result<Request<()>, Status> {
    if let Some(peer) = request.extensions().get::<PeerInfo>().cloned() {
        if peer.shown.is_member {
            request.extensions_mut().insert(ClusterMember);
        }
        if let Some(client) = peer.shown.client {
            request.extensions_mut().insert(client);
        }
        request.extensions_mut().insert(peer.tcp);
    }
    Ok(request)
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = match &mut this.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        };
        let Some(beginning) = &mut this.beginning else {
            return read;
        };
        if read.is_pending() {
            ready!(beginning.end.as_mut().poll(context));
            let silent = "the peer has not said what it is";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, silent)));
        }
        let said = buffer.filled().len() - before;
        beginning.missing = beginning.missing.saturating_sub(said);
        if beginning.missing == 0 {
            this.beginning = None;
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::time::timeout;

    use super::*;

    /// Both ends of a connection, of which the first has to say what it is within `silence_max`.
    async fn pair(silence_max: Duration) -> (TcpStream, Connection) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (peer, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let taken = Connection::plain(accepted.unwrap().0);
        let taken = Connection::new(taken.stream, taken.peer, silence_max);
        (peer.unwrap(), taken)
    }

    #[tokio::test]
    async fn a_peer_that_does_not_say_what_it_is_is_left() {
        for said in [&b""[..], b"PRI * HTTP/2.0"] {
            let (mut peer, mut taken) = pair(Duration::from_millis(50)).await;
            peer.write_all(said).await.unwrap();
            let mut rest = Vec::new();
            let error = taken.read_to_end(&mut rest).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert_eq!(rest, said);
        }
    }

    #[tokio::test]
    async fn a_peer_that_has_said_what_it_is_may_be_silent() {
        let (mut peer, mut taken) = pair(Duration::from_millis(20)).await;
        let mut preface = [b'x'; PREFACE_BYTES];
        peer.write_all(&preface).await.unwrap();
        taken.read_exact(&mut preface).await.unwrap();
        let more = timeout(Duration::from_millis(200), taken.read_u8()).await;
        assert!(more.is_err(), "it is waited for");
    }
}
