//! Opens connections to the other processes of the cluster.

use std::error::Error as _;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint};
use tower::Service;
use url::{Host, Url};
use waterbuck_engine::{Error, Result};

use crate::files::{TlsFiles, authorities, provider};
use crate::reload::Reloading;

/// Said by a process of the cluster in its handshake, for the certificate it can verify; what is
/// spoken afterwards is HTTP/2 as with all others.
pub(crate) const CLUSTER_PROTOCOL: &[u8] = b"waterbuck-cluster";
const GRPC_PROTOCOL: &[u8] = b"h2";

/// Opens connections to the other processes of the cluster: to `https` in TLS, to `http` in plain
/// text, which does not leave the machine unless it was asked for.
#[derive(Default)]
pub struct Dialer {
    tls: Option<Arc<Reloading<ClientConfig>>>,
    is_plaintext_allowed: bool,
}

impl Dialer {
    /// A dialer that shows and verifies certificates as `files` say. `is_plaintext_allowed` lets
    /// plain text go to other machines.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn new(files: &TlsFiles, is_plaintext_allowed: bool) -> Result<Self> {
        let tls = match &files.cluster_ca {
            None => None,
            Some(_) => {
                let kept = files.clone();
                let config = Reloading::new(files.all(), move || client_config(&kept))?;
                Some(Arc::new(config))
            }
        };
        Ok(Self {
            tls,
            is_plaintext_allowed,
        })
    }

    /// Whether this process may connect to `url` at all.
    ///
    /// # Errors
    /// When it has no certificates for TLS, or when plain text would leave the machine.
    pub fn check(&self, url: &Url) -> Result<()> {
        if url.scheme() == "https" {
            return match self.tls {
                Some(_) => Ok(()),
                None => Err(Error::invalid(format!(
                    "\"{url}\" speaks TLS, and there is nothing to verify its certificate by: give \
                     --cluster-ca"
                ))),
            };
        }
        if self.is_plaintext_allowed || is_loopback(url) {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "\"{url}\" is on another machine and speaks plain text: use TLS (grpc+tls://), or ask \
             for plain text with --insecure-plaintext"
        )))
    }

    /// Connects to `url`, with the settings that `tune` makes.
    ///
    /// # Errors
    /// Those of [`Self::check`], and [`waterbuck_engine::ErrorKind::Unavailable`] when nothing
    /// answers there or the two do not trust each other.
    pub async fn connect(
        &self,
        url: &Url,
        tune: impl FnOnce(Endpoint) -> Endpoint,
    ) -> Result<Channel> {
        self.check(url)?;
        let failed = |error: tonic::transport::Error| {
            Error::unavailable(format!("\"{url}\" cannot be reached")).with_source(cause(&error))
        };
        // TLS is the connector's business: the library would want its own for https.
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or_default();
        let endpoint = Endpoint::from_shared(format!("http://{host}:{port}")).map_err(failed)?;
        let endpoint = tune(endpoint);
        let channel = match &self.tls {
            Some(tls) if url.scheme() == "https" => {
                let connector = TlsConnection(Arc::clone(tls));
                endpoint.connect_with_connector(connector).await
            }
            _ => endpoint.connect().await,
        };
        channel.map_err(failed)
    }
}

/// The text of the innermost cause: the outer ones only say that something failed.
fn cause(error: &tonic::transport::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = error.to_string();
        next = error.source();
    }
    text
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn client_config(files: &TlsFiles) -> Result<ClientConfig> {
    let accepted: Vec<_> = files.cluster_ca.as_deref().into_iter().collect();
    let config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::internal("TLS has no version").with_source(error))?
        .with_root_certificates(authorities(&accepted)?);
    let mut config = match &files.cluster_identity {
        None => config.with_no_client_auth(),
        Some(identity) => {
            let (chain, key) = identity.read()?;
            config.with_client_auth_cert(chain, key).map_err(|error| {
                let certificate = identity.certificate.display();
                let message = format!("certificate \"{certificate}\" does not fit its key");
                Error::invalid(message).with_source(error)
            })?
        }
    };
    config.alpn_protocols = vec![CLUSTER_PROTOCOL.to_vec(), GRPC_PROTOCOL.to_vec()];
    Ok(config)
}

/// Connects in TLS, each time with the certificates of that moment.
struct TlsConnection(Arc<Reloading<ClientConfig>>);

impl Service<Uri> for TlsConnection {
    type Response = TokioIo<TlsStream<TcpStream>>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<Self::Response>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = TlsConnector::from(self.0.current());
        Box::pin(async move {
            // An IPv6 address is in brackets.
            let host = uri.host().unwrap_or_default();
            let host = host
                .trim_start_matches('[')
                .trim_end_matches(']')
                .to_owned();
            let port = uri.port_u16().unwrap_or(443);
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            let stream = connector.connect(name, stream).await?;
            Ok(TokioIo::new(stream))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures::StreamExt;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;
    use tonic::transport::server::{Connected, TcpIncoming};

    use waterbuck_engine::client_certificate::ClientCertificate;
    use waterbuck_engine::cluster_access::ClusterMember;

    use super::*;
    use crate::connection::mark_peer;
    use crate::incoming::Incoming;
    use crate::listener_tls::ListenerTls;
    use crate::testing::Authority;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    /// Whether a connection is a member's, and who the certificate of a client names first.
    type Told = (bool, Option<String>);

    /// A listener with `files` that tells of each connection.
    async fn listening(files: &TlsFiles) -> (JoinSet<()>, SocketAddr, mpsc::Receiver<Told>) {
        let tls = ListenerTls::for_grpc(files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut incoming = Incoming::new(TcpIncoming::from(listener), tls);
        let (told, heard) = mpsc::channel(8);
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let mut open = Vec::new();
            while let Some(Ok(connection)) = incoming.next().await {
                let mut request = tonic::Request::new(());
                request.extensions_mut().insert(connection.connect_info());
                let request = mark_peer(request).unwrap();
                assert_eq!(request.remote_addr(), connection.peer().address());
                let is_member = request.extensions().get::<ClusterMember>().is_some();
                let client = request.extensions().get::<ClientCertificate>();
                let name = client.map(|client| client.names[0].clone());
                told.send((is_member, name)).await.unwrap();
                open.push(connection);
            }
        });
        (serving, address, heard)
    }

    async fn connected(
        dialer: &Dialer,
        address: SocketAddr,
    ) -> io::Result<TokioIo<TlsStream<TcpStream>>> {
        let tls = dialer.tls.as_ref().unwrap();
        let uri = format!("http://{address}").parse().unwrap();
        TlsConnection(Arc::clone(tls)).call(uri).await
    }

    fn mutual(authority: &Authority, name: &str) -> TlsFiles {
        TlsFiles {
            cluster_identity: Some(authority.identity(name)),
            cluster_ca: Some(authority.file()),
            ..TlsFiles::default()
        }
    }

    #[tokio::test]
    async fn members_know_each_other_by_their_certificates() {
        let authority = Authority::new();
        let (_serving, address, mut heard) = listening(&mutual(&authority, "server")).await;
        let member = Dialer::new(&mutual(&authority, "member"), false).unwrap();
        let _members = connected(&member, address).await.unwrap();
        assert_eq!(heard.recv().await, Some((true, None)));
        let stranger = TlsFiles {
            cluster_ca: Some(authority.file()),
            ..TlsFiles::default()
        };
        let stranger = Dialer::new(&stranger, false).unwrap();
        let _strangers = connected(&stranger, address).await.unwrap();
        assert_eq!(heard.recv().await, Some((false, None)));
    }

    #[tokio::test]
    async fn a_clients_certificate_makes_nobody_a_member() {
        let (cluster, clients) = (Authority::new(), Authority::new());
        let files = TlsFiles {
            client_ca: Some(clients.file()),
            ..mutual(&cluster, "server")
        };
        let (_serving, address, mut heard) = listening(&files).await;
        let client = TlsFiles {
            cluster_identity: Some(clients.identity("client")),
            cluster_ca: Some(cluster.file()),
            ..TlsFiles::default()
        };
        let client = Dialer::new(&client, false).unwrap();
        let _clients = connected(&client, address).await.unwrap();
        let named = Some("CN=client".to_owned());
        assert_eq!(heard.recv().await, Some((false, named)));
        // Nor is a member a client, whatever its certificate names.
        let member = Dialer::new(&mutual(&cluster, "client"), false).unwrap();
        let _members = connected(&member, address).await.unwrap();
        assert_eq!(heard.recv().await, Some((true, None)));
    }

    #[tokio::test]
    async fn a_certificate_of_another_authority_is_refused_by_both_ends() {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let (_serving, address, mut heard) = listening(&mutual(&ours, "server")).await;
        let suspicious = Dialer::new(&mutual(&theirs, "member"), false).unwrap();
        let error = connected(&suspicious, address).await.err().unwrap();
        assert!(error.to_string().contains("certificate"), "{error}");
        let forged = TlsFiles {
            cluster_identity: Some(theirs.identity("forged")),
            cluster_ca: Some(ours.file()),
            ..TlsFiles::default()
        };
        let forged = Dialer::new(&forged, false).unwrap();
        // In TLS 1.3 a client learns only after its own handshake that it is refused.
        let mut stream = connected(&forged, address).await.unwrap().into_inner();
        assert!(stream.read(&mut [0]).await.is_err());
        assert!(heard.try_recv().is_err(), "no connection was given out");
    }

    #[tokio::test]
    async fn members_see_the_certificate_of_their_own_authority() {
        let (cluster, public) = (Authority::new(), Authority::new());
        let files = TlsFiles {
            identity: Some(public.identity("public")),
            ..mutual(&cluster, "server")
        };
        let (_serving, address, mut heard) = listening(&files).await;
        let member = Dialer::new(&mutual(&cluster, "member"), false).unwrap();
        let _members = connected(&member, address).await.unwrap();
        assert_eq!(heard.recv().await, Some((true, None)));
    }

    #[test]
    fn plain_text_stays_on_the_machine_unless_it_is_asked_for() {
        let closed = Dialer::default();
        for near in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
            assert!(closed.check(&url(near)).is_ok(), "{near}");
        }
        let far = url("http://10.0.0.1:1");
        let error = closed.check(&far).unwrap_err().to_string();
        assert!(error.contains("--insecure-plaintext"), "{error}");
        let asked = Dialer::new(&TlsFiles::default(), true).unwrap();
        assert!(asked.check(&far).is_ok());
    }

    #[test]
    fn tls_needs_an_authority() {
        let error = Dialer::default().check(&url("https://127.0.0.1:1"));
        assert!(error.unwrap_err().to_string().contains("--cluster-ca"));
    }
}
