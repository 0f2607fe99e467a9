//! API tokens: long-lived proofs for programs, of which the catalog keeps the hash alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::RngCore;
use ring::digest::{SHA256, digest};
use waterbuck_catalog::ApiToken;

/// What every API token begins with, so that scanners for leaked secrets find them.
const PREFIX: &str = "wbt_";

/// A token that was just made: what its owner sees once, and what is kept.
pub(crate) struct NewToken {
    pub(crate) text: String,
    pub(crate) kept: ApiToken,
}

/// Makes a token of 256 random bits. Nobody can guess one, so a fast hash is enough to keep it.
pub(crate) fn new_api_token(name: &str, user: &str, now: i64, expires_at: Option<i64>) -> NewToken {
    let mut bits = [0; 32];
    rand::rng().fill_bytes(&mut bits);
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bits));
    let kept = ApiToken {
        name: name.to_owned(),
        user: user.to_owned(),
        hash: hash(&text),
        created_at: now,
        expires_at,
    };
    NewToken { text, kept }
}

/// Whether a text claims to be an API token.
pub(super) fn is_api_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The SHA-256 of a token in hexadecimal.
pub(super) fn hash(text: &str) -> String {
    let digest = digest(&SHA256, text.as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_as_its_hash() {
        let new = new_api_token("etl", "ann", 1, None);
        assert!(is_api_token(&new.text));
        assert_eq!(new.kept.hash, hash(&new.text));
        assert_eq!(new.kept.hash.len(), 64);
        assert_ne!(new.text, new_api_token("etl", "ann", 1, None).text);
    }
}
