//! What the shell trusts and shows when it speaks TLS.

use std::path::Path;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};
use waterbuck_engine::{Error, Result};

/// The files that were named, all PEM.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ShellTls<'a> {
    /// Authorities to trust instead of the system's.
    pub(super) ca: Option<&'a Path>,
    /// The certificate to show to a server that asks for one, and its key.
    pub(super) identity: Option<(&'a Path, &'a Path)>,
}

impl ShellTls<'_> {
    /// The files' contents, for the transport.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub(super) fn config(&self) -> Result<ClientTlsConfig> {
        let config = match self.ca {
            None => ClientTlsConfig::new().with_native_roots(),
            Some(path) => {
                let authorities = Certificate::from_pem(read("certificate", path)?);
                ClientTlsConfig::new().ca_certificate(authorities)
            }
        };
        let Some((certificate, key)) = self.identity else {
            return Ok(config);
        };
        let identity = Identity::from_pem(read("certificate", certificate)?, read("key", key)?);
        Ok(config.identity(identity))
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let message = format!("{what} file \"{}\" cannot be read", path.display());
        Error::not_found(message).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named() {
        let nowhere = Path::new("/nowhere/ca.pem");
        let tls = ShellTls {
            ca: Some(nowhere),
            identity: None,
        };
        let error = tls.config().unwrap_err().to_string();
        assert!(
            error.contains("certificate file \"/nowhere/ca.pem\""),
            "{error}"
        );
        let tls = ShellTls {
            ca: None,
            identity: Some((nowhere, nowhere)),
        };
        assert!(tls.config().is_err());
    }
}
