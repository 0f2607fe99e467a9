//! One connection that was taken in, and what is known of its other end.

use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::{Connected, TcpConnectInfo};
use tonic::{Request, Status};
use waterbuck_engine::client_certificate::ClientCertificate;
use waterbuck_engine::cluster_access::ClusterMember;

/// A connection after its handshake.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: PeerInfo,
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
        Self {
            stream: Stream::Plain(stream),
            peer,
        }
    }

    pub(crate) fn tls(stream: TlsStream<TcpStream>, shown: Shown) -> Self {
        let peer = PeerInfo {
            tcp: stream.get_ref().0.connect_info(),
            shown,
        };
        Self {
            stream: Stream::Tls(Box::new(stream)),
            peer,
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
        match &mut self.get_mut().stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
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
