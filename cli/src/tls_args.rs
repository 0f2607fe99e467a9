//! The flags of encrypted connections, of the processes that listen.

use std::path::PathBuf;

use clap::Args;

/// The certificates of a process.
#[derive(Debug, Default, Clone, Args)]
#[command(next_help_heading = "TLS")]
pub(crate) struct TlsArgs {
    /// Certificate of the Flight and web ports, with its chain (PEM); read again when it changes
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of --tls-cert (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Certificate authorities (PEM) of the clients of the Flight port: a client with a certificate of
    /// them logs in as the user whom it is mapped to
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

    /// Whether clients must have a certificate of --tls-client-ca: required or optional [default:
    /// required]
    #[arg(long, value_name = "MODE")]
    pub(crate) tls_client_auth: Option<String>,

    /// Certificate authority (PEM) that has signed the certificates of the cluster's processes
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_ca: Option<PathBuf>,

    /// Certificate that this process shows to the others of its cluster (PEM); with it, they must
    /// show one of --cluster-ca
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_cert: Option<PathBuf>,

    /// Private key of --cluster-cert (PEM, not encrypted)
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster_key: Option<PathBuf>,

    /// Speak plain text to other machines too; without it that stays on this one
    #[arg(long)]
    pub(crate) insecure_plaintext: bool,
}
