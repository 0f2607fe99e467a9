//! Who is at the other end of a call, as far as its connection tells.

use tonic::Request;
use waterbuck_engine::client_certificate::ClientCertificate;

/// The other end of a connection.
pub(super) struct Peer {
    /// Its address.
    pub(super) address: String,
    /// Who its certificate names, where it has shown one.
    pub(super) certificate: Option<ClientCertificate>,
}

impl Peer {
    /// The peer that has sent `request`.
    pub(super) fn of<T>(request: &Request<T>) -> Self {
        let address = request.remote_addr();
        Self {
            address: address.map_or_else(|| "unknown".to_owned(), |address| address.to_string()),
            certificate: request.extensions().get().cloned(),
        }
    }
}
