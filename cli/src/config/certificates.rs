//! Which certificates a configuration names: each with its key, and what it needs beside it.

use std::path::PathBuf;

use waterbuck_engine::{Error, Result};
use waterbuck_transport::{IdentityFiles, TlsFiles};

use super::load::Merged;

impl Merged {
    /// The files that are named; they are not read here.
    pub(super) fn tls(&self) -> Result<TlsFiles> {
        let path = |key| Ok::<_, Error>(self.text(key)?.map(PathBuf::from));
        let tls = TlsFiles {
            identity: self.identity("tls-cert", "tls-key")?,
            client_ca: path("tls-client-ca")?,
            client_optional: self.client_optional()?,
            cluster_identity: self.identity("cluster-cert", "cluster-key")?,
            cluster_ca: path("cluster-ca")?,
        };
        if tls.client_ca.is_some() && tls.shown().is_none() {
            return Err(self.wrong("tls-client-ca", "it needs --tls-cert and --tls-key as well"));
        }
        if tls.client_ca.is_none() && self.text("tls-client-auth")?.is_some() {
            return Err(self.wrong("tls-client-auth", "it needs --tls-client-ca as well"));
        }
        if tls.cluster_identity.is_some() && tls.cluster_ca.is_none() {
            return Err(self.wrong("cluster-cert", "it needs --cluster-ca as well"));
        }
        Ok(tls)
    }

    /// Whether a client may also come without a certificate.
    fn client_optional(&self) -> Result<bool> {
        match self.text("tls-client-auth")?.as_deref() {
            None | Some("required") => Ok(false),
            Some("optional") => Ok(true),
            Some(_) => Err(self.wrong("tls-client-auth", "it is \"required\" or \"optional\"")),
        }
    }

    /// A certificate and its key, which are of no use without one another.
    fn identity(&self, certificate: &str, key: &str) -> Result<Option<IdentityFiles>> {
        match (self.text(certificate)?, self.text(key)?) {
            (Some(certificate), Some(key)) => Ok(Some(IdentityFiles {
                certificate: certificate.into(),
                key: key.into(),
            })),
            (None, None) => Ok(None),
            (Some(_), None) => Err(self.wrong(certificate, format!("it needs --{key} as well"))),
            (None, Some(_)) => Err(self.wrong(key, format!("it needs --{certificate} as well"))),
        }
    }
}
