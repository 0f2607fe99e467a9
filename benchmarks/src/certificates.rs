//! Certificates of a cluster on this machine, made by the program `openssl`.

use std::fs;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use tonic::transport::{Certificate, ClientTlsConfig};
use waterbuck_engine::{Error, Result};

use crate::directory::failed;

const PROGRAM: &str = "openssl";
const NEW_KEY: [&str; 5] = [
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
];
/// The name of every process of the cluster.
const NAMES: &str = "subjectAltName=IP:127.0.0.1,DNS:localhost\n";

/// An authority, and the certificate it has signed, which all processes of a cluster show.
#[derive(Debug, Clone)]
pub struct Certificates {
    authority: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

impl Certificates {
    /// Makes them as files in `dir`; `None` where there is no `openssl`.
    ///
    /// # Errors
    /// When `dir` cannot be written, or `openssl` fails.
    pub(crate) async fn make(dir: &Path) -> Result<Option<Self>> {
        if Command::new(PROGRAM).arg("version").output().await.is_err() {
            return Ok(None);
        }
        fs::create_dir_all(dir).map_err(|error| failed("made", dir, error))?;
        let names = dir.join("server.ext");
        fs::write(&names, NAMES).map_err(|error| failed("written", &names, error))?;
        let authority = "-x509 -keyout ca.key -out ca.pem -subj /CN=benchmarks -days 2";
        openssl(dir, "req", &NEW_KEY, authority).await?;
        let request = "-keyout server.key -out server.csr -subj /CN=server";
        openssl(dir, "req", &NEW_KEY, request).await?;
        let signed = "-req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                      -extfile server.ext -out server.pem";
        openssl(dir, "x509", &[], signed).await?;
        Ok(Some(Self {
            authority: dir.join("ca.pem"),
            certificate: dir.join("server.pem"),
            key: dir.join("server.key"),
        }))
    }

    /// The flags of each process.
    pub(crate) fn flags(&self) -> [(&'static str, &Path); 3] {
        [
            ("--tls-cert", self.certificate.as_path()),
            ("--tls-key", self.key.as_path()),
            ("--cluster-ca", self.authority.as_path()),
        ]
    }

    /// What a client trusts: the authority alone.
    ///
    /// # Errors
    /// When the file is gone.
    pub(crate) fn trusted(&self) -> Result<ClientTlsConfig> {
        let authority =
            fs::read(&self.authority).map_err(|error| failed("read", &self.authority, error))?;
        Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(authority)))
    }
}

/// Runs one command of the program in `dir`; `rest` are arguments without spaces in them.
async fn openssl(dir: &Path, command: &str, arguments: &[&str], rest: &str) -> Result<()> {
    let done = Command::new(PROGRAM)
        .arg(command)
        .args(arguments)
        .args(rest.split_whitespace())
        .current_dir(dir)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed("run", Path::new(PROGRAM), error))?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(Error::unavailable(format!(
        "\"{PROGRAM} {command}\" makes no certificate:\n{}",
        said.trim_end()
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_authority_has_signed_what_the_processes_show() {
        let dir = tempfile::tempdir().unwrap();
        let made = Certificates::make(dir.path()).await.unwrap();
        let made = made.expect("tests need openssl, as those of the drivers do");
        openssl(dir.path(), "verify", &[], "-CAfile ca.pem server.pem")
            .await
            .unwrap();
        assert!(made.flags().iter().all(|(_, file)| file.is_file()));
        made.trusted().unwrap();
    }
}
