//! Certificates of a test's own authority, as files.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring},
};
use tonic::transport::{self, ClientTlsConfig, Identity};

/// A certificate and its key, as PEM files.
#[derive(Debug, Clone)]
pub struct CertificateFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl CertificateFiles {
    /// The flags `--<kind>-cert` and `--<kind>-key`.
    pub fn flags(&self, kind: &str) -> Vec<String> {
        vec![
            format!("--{kind}-cert={}", self.certificate.display()),
            format!("--{kind}-key={}", self.key.display()),
        ]
    }

    /// Puts these files in the place of others, as one that renews certificates does.
    pub fn replace(self, others: &Self) {
        fs::rename(self.key, &others.key).expect("the key can be moved");
        fs::rename(self.certificate, &others.certificate).expect("the certificate can be moved");
    }
}

/// An authority that signs certificates of 127.0.0.1 and localhost.
pub struct Authority {
    directory: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: Certificate,
}

impl Authority {
    /// A new authority with a directory of its own.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut params = CertificateParams::new(Vec::<String>::new()).expect("no name is wrong");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "authority of tests");
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.self_signed(&key).expect("it signs itself");
        let file = directory.path().join("ca.pem");
        fs::write(file, certificate.pem()).expect("the temporary directory is writable");
        Self {
            directory,
            issuer: Issuer::new(params, key),
            certificate,
        }
    }

    /// The file of the authority's own certificate.
    pub fn file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A new certificate in files that begin with `name`.
    pub fn sign(&self, name: &str) -> CertificateFiles {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let mut params = CertificateParams::new(names).expect("the names are right");
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let files = CertificateFiles {
            certificate: self.directory.path().join(format!("{name}.pem")),
            key: self.directory.path().join(format!("{name}.key")),
        };
        write(&files.certificate, &certificate.pem());
        write(&files.key, &key.serialize_pem());
        files
    }

    /// What a client says in its handshake that trusts this authority alone, and shows `identity`
    /// if it has one.
    pub fn client(&self, identity: Option<&CertificateFiles>) -> ClientTlsConfig {
        let trusted = transport::Certificate::from_pem(self.certificate.pem());
        let tls = ClientTlsConfig::new().ca_certificate(trusted);
        match identity {
            None => tls,
            Some(files) => tls.identity(Identity::from_pem(
                fs::read(&files.certificate).expect("the certificate is there"),
                fs::read(&files.key).expect("the key is there"),
            )),
        }
    }

    /// Connects to what is not gRPC.
    pub(crate) fn connector(&self) -> TlsConnector {
        let mut trusted = RootCertStore::empty();
        let certificate = self.certificate.der().clone();
        trusted.add(certificate).expect("the certificate is whole");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS has versions")
            .with_root_certificates(trusted)
            .with_no_client_auth();
        TlsConnector::from(Arc::new(config))
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the temporary directory is writable");
}
