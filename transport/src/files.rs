//! Where certificates and keys are, and how they are read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use waterbuck_engine::{Error, Result};

/// The cryptography of all connections; named, so that no other crate's choice changes it.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// A certificate with its chain, and its private key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityFiles {
    /// The certificate first, then those that lead to its authority.
    pub certificate: PathBuf,
    /// The key, not encrypted.
    pub key: PathBuf,
}

/// The certificates of a process, as files; what is absent is not used.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// What listeners show to clients.
    pub identity: Option<IdentityFiles>,
    /// The authorities of clients' certificates: with it, a client must have one.
    pub client_ca: Option<PathBuf>,
    /// A client may also have none.
    pub client_optional: bool,
    /// What this process shows to the others of its cluster. With it, they must have one as well.
    pub cluster_identity: Option<IdentityFiles>,
    /// The authorities of the certificates of the cluster's processes.
    pub cluster_ca: Option<PathBuf>,
}

impl TlsFiles {
    /// Whether the processes of the cluster know each other by certificates.
    pub fn is_mutual(&self) -> bool {
        self.member_ca().is_some()
    }

    /// The authorities by whose certificates processes of the cluster are known.
    pub(crate) fn member_ca(&self) -> Option<&Path> {
        self.cluster_identity.as_ref()?;
        self.cluster_ca.as_deref()
    }

    /// What listeners show to those who are not of the cluster; `None` means plain text.
    pub fn shown(&self) -> Option<&IdentityFiles> {
        self.identity.as_ref().or(self.cluster_identity.as_ref())
    }

    /// Every file there is.
    pub(crate) fn all(&self) -> Vec<PathBuf> {
        let identities = self.identity.iter().chain(&self.cluster_identity);
        let pairs = identities.flat_map(|files| [&files.certificate, &files.key]);
        let authorities = self.client_ca.iter().chain(&self.cluster_ca);
        pairs.chain(authorities).cloned().collect()
    }
}

impl IdentityFiles {
    /// The chain and the key.
    ///
    /// # Errors
    /// When a file cannot be read, or has nothing of its kind.
    pub(crate) fn read(&self) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
        let chain = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| {
            let message = format!(
                "key file \"{}\" cannot be read as an unencrypted PEM key",
                self.key.display()
            );
            Error::invalid(message).with_source(error)
        })?;
        Ok((chain, key))
    }

    /// The certificate with its key, which belong together.
    ///
    /// # Errors
    /// As for [`Self::read`], and when the key is that of another certificate.
    pub(crate) fn certified_key(&self) -> Result<Arc<CertifiedKey>> {
        let (chain, key) = self.read()?;
        let certified = CertifiedKey::from_der(chain, key, &provider());
        certified.map(Arc::new).map_err(|error| {
            let message = format!(
                "certificate \"{}\" and key \"{}\" do not belong together",
                self.certificate.display(),
                self.key.display()
            );
            Error::invalid(message).with_source(error)
        })
    }
}

/// The authorities in `files`.
///
/// # Errors
/// When a file cannot be read, or has none.
pub(crate) fn authorities(files: &[&Path]) -> Result<Arc<RootCertStore>> {
    let mut store = RootCertStore::empty();
    for path in files {
        for certificate in certificates(path)? {
            store.add(certificate).map_err(|error| {
                let message = format!("\"{}\" has a damaged certificate", path.display());
                Error::invalid(message).with_source(error)
            })?;
        }
    }
    Ok(Arc::new(store))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path)
        .and_then(|certificates| certificates.collect::<std::result::Result<Vec<_>, _>>());
    let found = read.map_err(|error| {
        let message = format!("certificate file \"{}\" cannot be read", path.display());
        Error::invalid(message).with_source(error)
    })?;
    if found.is_empty() {
        let message = format!("file \"{}\" has no PEM certificate", path.display());
        return Err(Error::invalid(message));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Authority;

    #[test]
    fn a_key_of_another_certificate_is_refused() {
        let authority = Authority::new();
        let (one, other) = (authority.identity("one"), authority.identity("other"));
        assert!(one.certified_key().is_ok());
        let mixed = IdentityFiles {
            key: other.key,
            ..one
        };
        let error = mixed.certified_key().unwrap_err().to_string();
        assert!(error.contains("do not belong together"), "{error}");
    }

    #[test]
    fn a_wrong_file_is_named() {
        let authority = Authority::new();
        let identity = authority.identity("one");
        let nowhere = certificates(Path::new("/nowhere/c.pem")).unwrap_err();
        assert!(
            nowhere.to_string().contains("\"/nowhere/c.pem\""),
            "{nowhere}"
        );
        let error = certificates(&identity.key).unwrap_err().to_string();
        assert!(error.contains("no PEM certificate"), "{error}");
        let swapped = IdentityFiles {
            key: identity.certificate.clone(),
            ..identity
        };
        let error = swapped.read().unwrap_err().to_string();
        assert!(error.contains("PEM key"), "{error}");
    }
}
