//! Bearer tokens: what a login gives, and what every process of the cluster accepts.
//!
//! ```text
//!   wb1 . <claims, JSON in base64url> . <signature, base64url>
//!   └───────── signed with Ed25519 ─┘
//! ```
//! The format knows one algorithm and no way to name another. Coordinators hold the signing keys;
//! executors are told the public halves, with which tokens can be checked and none can be made.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::RwLock;
use ring::rand::SystemRandom;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, ErrorKind, Result};

/// What every token begins with: the version of its format.
const PREFIX: &str = "wb1.";
/// Longer texts are no tokens of ours.
const TOKEN_BYTES_MAX: usize = 4096;
/// How far the clocks of a cluster's machines may differ, in seconds.
pub const CLOCK_LEEWAY_S: i64 = 60;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The number of the key it is signed with.
    pub key: i64,
    /// Who logged in.
    pub user: String,
    /// The session that the login opened, as a UUID.
    pub session: String,
    /// The run of the coordinator that opened it, as a UUID.
    pub issuer: String,
    /// When it was made, in seconds since 1970.
    pub issued: i64,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// The user's state at the login: with another password or other powers the token is void.
    pub standing: String,
}

impl Claims {
    /// The session's id.
    ///
    /// # Errors
    /// `Unauthenticated` when it is no UUID.
    pub fn session_id(&self) -> Result<Uuid> {
        Uuid::parse_str(&self.session).map_err(|_malformed| invalid())
    }
}

/// A key that makes tokens.
pub struct SigningKey {
    id: i64,
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// A new key as the text in which it is kept. Whoever reads it can log in as anybody.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub fn generate() -> Result<String> {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new())
            .map_err(|_no_cause| Error::internal("no signing key can be made"))?;
        Ok(URL_SAFE_NO_PAD.encode(document.as_ref()))
    }

    /// The key with the number `id` from the text in which it was kept.
    ///
    /// # Errors
    /// `Data` when the text is damaged.
    pub fn from_text(id: i64, text: &str) -> Result<Self> {
        // The cause is left out: it may quote the key.
        let damaged = || Error::data(format!("the catalog holds a damaged signing key {id}"));
        let document = URL_SAFE_NO_PAD.decode(text).map_err(|_cause| damaged())?;
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_cause| damaged())?;
        Ok(Self { id, pair })
    }

    /// Its number.
    pub(crate) fn id(&self) -> i64 {
        self.id
    }

    /// A text with its signature behind a dot.
    pub(crate) fn signed(&self, text: String) -> String {
        let signature = self.pair.sign(text.as_bytes());
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The half that checks tokens.
    pub fn public(&self) -> PublicKey {
        PublicKey {
            id: self.id,
            key: URL_SAFE_NO_PAD.encode(self.pair.public_key()),
        }
    }

    /// The token that says `claims`, under this key's number.
    ///
    /// # Errors
    /// When the claims cannot be written, or are too long to be a token.
    pub fn sign(&self, claims: Claims) -> Result<String> {
        let claims = Claims {
            key: self.id,
            ..claims
        };
        let json = serde_json::to_vec(&claims)
            .map_err(|error| Error::internal("claims cannot be encoded").with_source(error))?;
        let token = self.signed(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)));
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Error::invalid("the user's name is too long for a token"));
        }
        Ok(token)
    }
}

/// The key itself stays out of logs.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The half of a key that checks tokens and makes none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The key's number.
    pub id: i64,
    /// Its bytes in base64url.
    pub key: String,
}

/// Checks tokens by the keys it was told.
#[derive(Debug, Default)]
pub struct TokenVerifier {
    keys: RwLock<BTreeMap<i64, Vec<u8>>>,
}

impl TokenVerifier {
    /// Takes `keys` in place of all others; a damaged one is left out.
    pub fn set_keys(&self, keys: &[PublicKey]) {
        let decoded = keys.iter().filter_map(|public| {
            let bytes = URL_SAFE_NO_PAD.decode(&public.key).ok()?;
            Some((public.id, bytes))
        });
        *self.keys.write() = decoded.collect();
    }

    /// Whether the key `id` is known.
    pub fn knows(&self, id: i64) -> bool {
        self.keys.read().contains_key(&id)
    }

    /// Whether the key `id` is known and has made `signature`, in base64url, of a text.
    pub(crate) fn has_signed(&self, id: i64, text: &str, signature: &str) -> bool {
        let Some(key) = self.keys.read().get(&id).cloned() else {
            return false;
        };
        URL_SAFE_NO_PAD.decode(signature).is_ok_and(|signature| {
            UnparsedPublicKey::new(&ED25519, key)
                .verify(text.as_bytes(), &signature)
                .is_ok()
        })
    }

    /// What a token says, when it is genuine and in force at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// `Unauthenticated`, in the same words whatever is wrong with a token but its age.
    pub fn verify(&self, token: &str, now: i64) -> Result<Claims> {
        let (signed, encoded, signature) = parts(token).ok_or_else(invalid)?;
        let claims = decode(encoded).ok_or_else(invalid)?;
        if !self.has_signed(claims.key, signed, signature) {
            return Err(invalid());
        }
        if claims.issued > now + CLOCK_LEEWAY_S {
            return Err(invalid());
        }
        if claims.expires <= now {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "the token has expired: log in again",
            ));
        }
        Ok(claims)
    }
}

/// Whether a text claims to be a token of this format.
pub fn is_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The number of the key a token says it is signed with. Nothing is checked yet.
pub fn claimed_key(token: &str) -> Option<i64> {
    let (_, encoded, _) = parts(token)?;
    decode(encoded).map(|claims| claims.key)
}

/// What is signed, the claims in it, and the signature.
fn parts(token: &str) -> Option<(&str, &str, &str)> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let encoded = signed.strip_prefix(PREFIX)?;
    Some((signed, encoded, signature))
}

fn decode(encoded: &str) -> Option<Claims> {
    let json = URL_SAFE_NO_PAD.decode(encoded).ok()?;
    serde_json::from_slice(&json).ok()
}

fn invalid() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "the token is unknown or has expired: log in again",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn claims() -> Claims {
        Claims {
            key: 0,
            user: "ann".to_owned(),
            session: Uuid::from_u128(7).to_string(),
            issuer: Uuid::from_u128(8).to_string(),
            issued: NOW,
            expires: NOW + 3600,
            standing: "as it was".to_owned(),
        }
    }

    fn key(id: i64) -> SigningKey {
        SigningKey::from_text(id, &SigningKey::generate().unwrap()).unwrap()
    }

    fn verifier(keys: &[&SigningKey]) -> TokenVerifier {
        let verifier = TokenVerifier::default();
        let public: Vec<PublicKey> = keys.iter().map(|key| key.public()).collect();
        verifier.set_keys(&public);
        verifier
    }

    #[test]
    fn a_token_says_what_was_signed() {
        let key = key(3);
        let token = key.sign(claims()).unwrap();
        assert!(is_token(&token));
        assert_eq!(claimed_key(&token), Some(3));
        let told = verifier(&[&key]).verify(&token, NOW).unwrap();
        assert_eq!(told, Claims { key: 3, ..claims() });
        assert_eq!(told.session_id().unwrap(), Uuid::from_u128(7));
    }

    #[test]
    fn tokens_end_and_do_not_begin_in_the_future() {
        let key = key(1);
        let verifier = verifier(&[&key]);
        let token = key.sign(claims()).unwrap();
        assert!(verifier.verify(&token, NOW + 3599).is_ok());
        let error = verifier.verify(&token, NOW + 3600).unwrap_err();
        assert!(error.message().contains("expired"), "{error}");
        assert!(verifier.verify(&token, NOW - CLOCK_LEEWAY_S).is_ok());
        assert!(verifier.verify(&token, NOW - CLOCK_LEEWAY_S - 1).is_err());
    }

    #[test]
    fn a_token_of_another_key_is_refused_even_under_the_same_number() {
        let (ours, theirs) = (key(1), key(1));
        let token = theirs.sign(claims()).unwrap();
        assert!(verifier(&[&ours]).verify(&token, NOW).is_err());
        assert!(verifier(&[]).verify(&token, NOW).is_err());
    }

    /// Claims of a real token under the signature of another one.
    #[test]
    fn signatures_do_not_move_to_other_claims() {
        let key = key(1);
        let verifier = verifier(&[&key]);
        let mine = key.sign(claims()).unwrap();
        let admin = Claims {
            user: "admin".to_owned(),
            ..claims()
        };
        let theirs = key.sign(admin).unwrap();
        let (signed, _) = theirs.rsplit_once('.').unwrap();
        let (_, signature) = mine.rsplit_once('.').unwrap();
        assert!(
            verifier
                .verify(&format!("{signed}.{signature}"), NOW)
                .is_err()
        );
        let (_, unsigned) = signed.split_once('.').unwrap();
        for forged in [format!("wb1.{unsigned}."), format!("wb1.{unsigned}")] {
            assert!(verifier.verify(&forged, NOW).is_err(), "{forged}");
        }
    }

    #[test]
    fn ten_thousand_mutated_tokens_are_refused() {
        let key = key(1);
        let verifier = verifier(&[&key]);
        let token = key.sign(claims()).unwrap().into_bytes();
        let mut state: u64 = 42;
        let mut next = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        for round in 0..10_000 {
            let mut mutated = token.clone();
            let at = next(mutated.len());
            match round % 4 {
                0 => mutated[at] ^= 1 << next(7),
                1 => mutated.truncate(at),
                2 => mutated.insert(at, b'A' + u8::try_from(next(26)).unwrap()),
                _ => {
                    mutated.remove(at);
                }
            }
            let text = String::from_utf8_lossy(&mutated).into_owned();
            assert!(verifier.verify(&text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let text = SigningKey::generate().unwrap();
        let key = SigningKey::from_text(1, &text).unwrap();
        assert_eq!(format!("{key:?}"), "SigningKey { id: 1, .. }");
        let error = SigningKey::from_text(1, &text[1..]).unwrap_err();
        assert!(!error.to_string().contains(&text[1..]), "{error}");
    }
}
