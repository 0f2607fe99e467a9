//! The connections of a process, in TLS or in plain text: those it takes in and those it opens to
//! the other processes of its cluster.
//!
//! ```text
//!  files ─► Reloading ─► ListenerTls ─► Incoming ─► gRPC server, web server
//!                    └─► Dialer ─► channels to coordinators and executors
//! ```
//! Certificates are read again when their files change; what is open stays as it is.

mod certificate_names;
mod connection;
mod dialer;
mod files;
mod incoming;
mod listener_tls;
mod reload;
#[cfg(test)]
mod testing;

pub use connection::{Connection, PeerInfo, mark_peer};
pub use dialer::Dialer;
pub use files::{IdentityFiles, TlsFiles};
pub use incoming::Incoming;
pub use listener_tls::ListenerTls;
