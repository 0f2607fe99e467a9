//! Names that nobody can guess: bearer tokens, result handles, statement handles.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rand::RngCore;

/// 256 random bits as text for a header.
pub(super) fn random_token() -> String {
    URL_SAFE_NO_PAD.encode(random_bits())
}

/// 256 random bits.
pub(super) fn random_handle() -> Bytes {
    Bytes::copy_from_slice(&random_bits())
}

fn random_bits() -> [u8; 32] {
    let mut bits = [0; 32];
    rand::rng().fill_bytes(&mut bits);
    bits
}
