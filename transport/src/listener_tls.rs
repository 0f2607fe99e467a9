//! TLS as a listener speaks it: what it shows, and whom it takes in.

use std::path::Path;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::server::TlsStream;
use waterbuck_engine::{Error, Result};

use crate::certificate_names::client_certificate;
use crate::connection::Shown;
use crate::dialer::CLUSTER_PROTOCOL;
use crate::files::{TlsFiles, authorities, provider};
use crate::reload::Reloading;

const GRPC_PROTOCOL: &[u8] = b"h2";
const WEB_PROTOCOL: &[u8] = b"http/1.1";

/// TLS of one listener, with certificates that are read again when they change.
pub struct ListenerTls {
    door: Reloading<Door>,
}

impl ListenerTls {
    /// For a gRPC listener of clients and of the cluster; `None` if there is no certificate to
    /// show, which means plain text.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn for_grpc(files: &TlsFiles) -> Result<Option<Arc<Self>>> {
        Self::open(files.clone(), GRPC_PROTOCOL)
    }

    /// For the web port, which asks nobody for a certificate.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn for_web(files: &TlsFiles) -> Result<Option<Arc<Self>>> {
        let shown = TlsFiles {
            identity: files.shown().cloned(),
            ..TlsFiles::default()
        };
        Self::open(shown, WEB_PROTOCOL)
    }

    fn open(files: TlsFiles, protocol: &'static [u8]) -> Result<Option<Arc<Self>>> {
        if files.shown().is_none() {
            return Ok(None);
        }
        let door = Reloading::new(files.all(), move || Door::open(&files, protocol))?;
        Ok(Some(Arc::new(Self { door })))
    }

    /// Shakes hands over `stream`; also tells what the peer has shown.
    pub(crate) async fn accept(
        &self,
        stream: TcpStream,
    ) -> std::io::Result<(TlsStream<TcpStream>, Shown)> {
        let door = self.door.current();
        let acceptor = TlsAcceptor::from(Arc::clone(&door.config));
        let stream = acceptor.accept(stream).await?;
        let (_, session) = stream.get_ref();
        let shown = door.shown(session.peer_certificates());
        Ok((stream, shown))
    }
}

/// What was made of one state of the files.
struct Door {
    config: Arc<ServerConfig>,
    members: Option<Arc<dyn ClientCertVerifier>>,
    clients: Option<Arc<dyn ClientCertVerifier>>,
}

impl Door {
    fn open(files: &TlsFiles, protocol: &[u8]) -> Result<Self> {
        let shown = files
            .shown()
            .ok_or_else(|| Error::internal("a TLS listener has no certificate"))?;
        let to_others = shown.certified_key()?;
        let to_members = match &files.cluster_identity {
            Some(identity) => identity.certified_key()?,
            None => Arc::clone(&to_others),
        };
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("TLS has no version").with_source(error))?;
        let config = match callers(files)? {
            Some(verifier) => config.with_client_cert_verifier(verifier),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(Arc::new(ByCaller {
            to_members,
            to_others,
        }));
        config.alpn_protocols = vec![protocol.to_vec()];
        let members = files.member_ca().map(|ca| verifier(&[ca], true));
        let clients = files.client_ca.as_deref();
        let clients = clients.map(|ca| verifier(&[ca], true));
        Ok(Self {
            config: Arc::new(config),
            members: members.transpose()?,
            clients: clients.transpose()?,
        })
    }

    /// What the chain shows by the authority it leads to: the cluster's own, that of clients, or both.
    /// The handshake has verified that it leads to one of them, and that the peer has its key.
    fn shown(&self, chain: Option<&[CertificateDer<'_>]>) -> Shown {
        let Some([certificate, rest @ ..]) = chain else {
            return Shown::default();
        };
        let leads_to = |authority: &Option<Arc<dyn ClientCertVerifier>>| {
            authority.as_ref().is_some_and(|authority| {
                let verified = authority.verify_client_cert(certificate, rest, UnixTime::now());
                verified.is_ok()
            })
        };
        let is_client = leads_to(&self.clients);
        Shown {
            is_member: leads_to(&self.members),
            client: is_client.then(|| client_certificate(certificate)).flatten(),
        }
    }
}

/// Verifies the certificates of all who may call; `None` if nobody is asked for one.
fn callers(files: &TlsFiles) -> Result<Option<Arc<dyn ClientCertVerifier>>> {
    let accepted: Vec<_> = files
        .client_ca
        .as_deref()
        .into_iter()
        .chain(files.member_ca())
        .collect();
    if accepted.is_empty() {
        return Ok(None);
    }
    // Without authorities of clients those come in by password, and only members have certificates.
    let is_mandatory = files.client_ca.is_some() && !files.client_optional;
    verifier(&accepted, is_mandatory).map(Some)
}

fn verifier(files: &[&Path], is_mandatory: bool) -> Result<Arc<dyn ClientCertVerifier>> {
    let builder = WebPkiClientVerifier::builder_with_provider(authorities(files)?, provider());
    let builder = if is_mandatory {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().map_err(|error| {
        Error::invalid("the authorities of client certificates cannot be used").with_source(error)
    })
}

/// Processes of the cluster ask for the certificate that their own authority has signed; what
/// clients are shown may be of a public one.
#[derive(Debug)]
struct ByCaller {
    to_members: Arc<CertifiedKey>,
    to_others: Arc<CertifiedKey>,
}

impl ResolvesServerCert for ByCaller {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_member = hello
            .alpn()
            .is_some_and(|mut protocols| protocols.any(|protocol| protocol == CLUSTER_PROTOCOL));
        let certificate = if is_member {
            &self.to_members
        } else {
            &self.to_others
        };
        Some(Arc::clone(certificate))
    }
}
