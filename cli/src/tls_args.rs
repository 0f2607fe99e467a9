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

    /// Certificate authorities (PEM) of which every client of the Flight port must have a
    /// certificate
    #[arg(long, value_name = "FILE")]
    pub(crate) tls_client_ca: Option<PathBuf>,

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
