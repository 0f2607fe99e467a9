//! Who a client's certificate names.

use std::sync::Arc;

/// What a name in a certificate begins with: its subject's common name, and its alternative names.
pub const KINDS: [&str; 4] = ["CN=", "DNS:", "EMAIL:", "URI:"];

/// The names in the certificate that a client has shown, each after its kind: the certificate leads to
/// the authorities of clients, and the client has its key. Only the transport sets it, as an extension
/// of the request: no header can say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Never empty.
    pub names: Arc<[String]>,
}
