//! JWTs of an OpenID Connect issuer as proof of identity.
//!
//! A token is taken when it is signed by a key of the issuer's with one of the algorithms that were
//! pinned, is in force, and is meant for this server. Which algorithm a token names decides nothing:
//! `none` and those with shared secrets cannot even be pinned.

use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use parking_lot::{Mutex, RwLock};
use serde_json::{Map, Value};
use tracing::warn;
use waterbuck_engine::bearer::CLOCK_LEEWAY_S;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::key_source::KeySource;

/// Longer texts are not looked at.
const TOKEN_BYTES_MAX: usize = 16 << 10;
/// Keys are read again after this time, and a token of an unknown key cannot make them be read more
/// often than that.
const KEYS_FRESH: Duration = Duration::from_secs(15 * 60);
const KEYS_PAUSE: Duration = Duration::from_secs(30);
/// Who cannot be reached is not called for every token.
const FAILURE_PAUSE: Duration = Duration::from_secs(5);

/// The algorithms that can be pinned.
const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// The issuer whose tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    issuer: String,
    audience: String,
    keys: KeySource,
    algorithms: Vec<Algorithm>,
    user_claim: String,
}

impl OidcConfig {
    /// Tokens of `issuer` for `audience`, checked by the JSON Web Key Set `keys`, a file or URL.
    ///
    /// # Errors
    /// When the keys would come over plain HTTP from another machine.
    pub fn new(issuer: &str, audience: &str, keys: &str) -> Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys: KeySource::parse(keys)?,
            algorithms: vec![Algorithm::RS256],
            user_claim: "sub".to_owned(),
        })
    }

    /// Pins other algorithms than RS256: names separated by commas.
    ///
    /// # Errors
    /// When one is unknown, or has a shared secret.
    pub fn with_algorithms(mut self, names: &str) -> Result<Self> {
        self.algorithms = names
            .split(',')
            .map(|name| algorithm(name.trim()))
            .collect::<Result<_>>()?;
        Ok(self)
    }

    /// Takes the user's name from another claim than `sub`.
    #[must_use]
    pub fn with_user_claim(mut self, claim: &str) -> Self {
        claim.clone_into(&mut self.user_claim);
        self
    }
}

/// Checks the tokens of one issuer.
pub(super) struct Oidc {
    config: OidcConfig,
    held: RwLock<Option<Held>>,
    /// One reader of the keys at a time.
    reading: tokio::sync::Mutex<()>,
    /// When they could not be read.
    failed: Mutex<Option<Instant>>,
}

struct Held {
    keys: JwkSet,
    read: Instant,
}

/// Whom a token names, and when it ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) user: String,
    pub(super) expires: i64,
}

impl Oidc {
    pub(super) fn new(config: OidcConfig) -> Self {
        Self {
            config,
            held: RwLock::default(),
            reading: tokio::sync::Mutex::default(),
            failed: Mutex::default(),
        }
    }

    /// Whom a token names.
    ///
    /// # Errors
    /// `Unauthenticated` in the same words whatever is wrong; `Unavailable` when the issuer's keys
    /// cannot be read.
    pub(super) async fn verify(&self, token: &str) -> Result<Named> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(refused());
        }
        let header = decode_header(token).map_err(|_malformed| refused())?;
        if !self.config.algorithms.contains(&header.alg) {
            return Err(refused());
        }
        let key = self.key(header.kid.as_deref()).await?;
        self.check(token, header.alg, &key).ok_or_else(refused)
    }

    fn check(&self, token: &str, algorithm: Algorithm, key: &Jwk) -> Option<Named> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = CLOCK_LEEWAY_S.unsigned_abs();
        validation.validate_nbf = true;
        validation.set_audience(&[&self.config.audience]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let key = DecodingKey::from_jwk(key).ok()?;
        let claims = decode::<Map<String, Value>>(token, &key, &validation)
            .ok()?
            .claims;
        let user = claims.get(&self.config.user_claim)?.as_str()?;
        // RFC 7519 allows fractions of a second.
        let end = claims.get("exp")?;
        let expires = end
            .as_i64()
            .or_else(|| end.as_f64().map(|end| end as i64))?;
        Some(Named {
            user: user.to_owned(),
            expires,
        })
    }

    /// The issuer's key of that id; without an id its only key.
    async fn key(&self, id: Option<&str>) -> Result<Jwk> {
        if let Some(key) = self.held_key(id, KEYS_FRESH) {
            return Ok(key);
        }
        let _alone = self.reading.lock().await;
        // Whoever waited may find what another one has read.
        if let Some(key) = self.held_key(id, KEYS_FRESH) {
            return Ok(key);
        }
        let may_have_changed = self.held_for().is_none_or(|age| age > KEYS_PAUSE);
        if may_have_changed && !self.has_just_failed() {
            match self.config.keys.read().await {
                Ok(keys) => {
                    let read = Instant::now();
                    *self.held.write() = Some(Held { keys, read });
                }
                // Keys that are known go on being good while the issuer is away.
                Err(error) => {
                    warn!(%error, "the keys of the issuer cannot be read");
                    *self.failed.lock() = Some(Instant::now());
                }
            }
        }
        if self.held_for().is_none() {
            // Strangers are not told where the keys are.
            return Err(Error::unavailable(
                "tokens of the issuer cannot be checked: try again in a minute",
            ));
        }
        self.held_key(id, Duration::MAX).ok_or_else(refused)
    }

    fn held_key(&self, id: Option<&str>, age_max: Duration) -> Option<Jwk> {
        let held = self.held.read();
        let held = held
            .as_ref()
            .filter(|held| held.read.elapsed() <= age_max)?;
        match (id, held.keys.keys.as_slice()) {
            (Some(id), _) => held.keys.find(id).cloned(),
            (None, [only]) => Some(only.clone()),
            (None, _) => None,
        }
    }

    fn has_just_failed(&self) -> bool {
        let failed = *self.failed.lock();
        failed.is_some_and(|at| at.elapsed() < FAILURE_PAUSE)
    }

    fn held_for(&self) -> Option<Duration> {
        self.held.read().as_ref().map(|held| held.read.elapsed())
    }
}

fn algorithm(name: &str) -> Result<Algorithm> {
    let known = ALGORITHMS.iter().find(|(known, _)| *known == name);
    known.map(|(_, algorithm)| *algorithm).ok_or_else(|| {
        let names: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        Error::invalid(format!(
            "\"{name}\" is no algorithm that can be pinned: choose from {}",
            names.join(", ")
        ))
    })
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Unauthenticated,
        "the token is unknown or has expired: log in again",
    )
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    use jsonwebtoken::{EncodingKey, Header, encode};
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use ring::rand::SystemRandom;
    use ring::signature::{Ed25519KeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    struct Issuer {
        directory: tempfile::TempDir,
        signing: EncodingKey,
        public: Vec<u8>,
    }

    impl Issuer {
        fn new() -> Self {
            let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
            let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
            let public = pair.public_key().as_ref().to_vec();
            let issuer = Self {
                directory: tempfile::tempdir().unwrap(),
                signing: EncodingKey::from_ed_der(document.as_ref()),
                public,
            };
            issuer.publish("k1");
            issuer
        }

        fn publish(&self, id: &str) {
            let x = URL_SAFE_NO_PAD.encode(&self.public);
            let key = json!({"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": id, "x": x});
            let text = json!({ "keys": [key] }).to_string();
            std::fs::write(self.file(), text).unwrap();
        }

        fn file(&self) -> PathBuf {
            self.directory.path().join("jwks.json")
        }

        fn oidc(&self) -> Oidc {
            let keys = self.file().to_string_lossy().into_owned();
            let config = OidcConfig::new("https://issuer", "waterbuck", &keys).unwrap();
            Oidc::new(config.with_algorithms("EdDSA").unwrap())
        }

        fn token(&self, change: impl FnOnce(&mut Value)) -> String {
            let now = chrono::Utc::now().timestamp();
            let mut claims = json!({
                "iss": "https://issuer", "aud": "waterbuck", "sub": "ann", "exp": now + 600,
            });
            change(&mut claims);
            let header = Header {
                kid: Some("k1".to_owned()),
                ..Header::new(Algorithm::EdDSA)
            };
            encode(&header, &claims, &self.signing).unwrap()
        }
    }

    async fn is_refused(oidc: &Oidc, token: &str) -> bool {
        let error = oidc.verify(token).await.unwrap_err();
        error.kind() == ErrorKind::Unauthenticated && error.to_string() == refused().to_string()
    }

    #[tokio::test]
    async fn a_token_of_the_issuer_names_its_user() {
        let issuer = Issuer::new();
        let named = issuer.oidc().verify(&issuer.token(|_| ())).await.unwrap();
        assert_eq!(named.user, "ann");
        let late = issuer.token(|c| c["exp"] = json!(chrono::Utc::now().timestamp() - 30));
        assert!(
            issuer.oidc().verify(&late).await.is_ok(),
            "within the leeway"
        );
    }

    #[tokio::test]
    async fn other_audiences_issuers_times_and_keys_are_refused() {
        let issuer = Issuer::new();
        let oidc = issuer.oidc();
        let now = chrono::Utc::now().timestamp();
        let changes: [fn(&mut Value, i64); 7] = [
            |c, _| c["aud"] = json!("another server"),
            |c, _| c["iss"] = json!("https://another"),
            |c, now| c["exp"] = json!(now - 120),
            |c, now| c["nbf"] = json!(now + 120),
            |c, _| drop(c.as_object_mut().unwrap().remove("aud")),
            |c, _| drop(c.as_object_mut().unwrap().remove("exp")),
            |c, _| c["sub"] = json!(7),
        ];
        for change in changes {
            let token = issuer.token(|claims| change(claims, now));
            assert!(is_refused(&oidc, &token).await);
        }
        assert!(is_refused(&oidc, &Issuer::new().token(|_| ())).await);
    }

    #[tokio::test]
    async fn unsigned_and_mismatched_tokens_are_refused() {
        let issuer = Issuer::new();
        let oidc = issuer.oidc();
        let good = issuer.token(|_| ());
        let (_, rest) = good.split_once('.').unwrap();
        let (claims, _) = rest.split_once('.').unwrap();
        for header in [
            json!({"alg": "none", "kid": "k1"}),
            json!({"alg": "RS256", "kid": "k1"}),
            json!({"kid": "k1"}),
        ] {
            let header = URL_SAFE_NO_PAD.encode(header.to_string());
            assert!(is_refused(&oidc, &format!("{header}.{claims}.")).await);
            assert!(is_refused(&oidc, &format!("{header}.{rest}")).await);
        }
        // The public key as a shared secret: the classic confusion of algorithms.
        let header = Header {
            kid: Some("k1".to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = json!({"iss": "https://issuer", "aud": "waterbuck", "sub": "ann",
            "exp": chrono::Utc::now().timestamp() + 600});
        let confused = encode(&header, &claims, &EncodingKey::from_secret(&issuer.public));
        assert!(is_refused(&oidc, &confused.unwrap()).await);
        assert!(is_refused(&oidc, &"x".repeat(TOKEN_BYTES_MAX + 1)).await);
    }

    /// The public key of RFC 7515, appendix A.2, and the token there, which ended long ago.
    const RSA_MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw\
        -4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0\
        LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5Zw\
        Kh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    const RSA_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0\
        dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9\
        PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--\
        f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-e\
        OkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig\
        cN_IoypGlUPQGe77Rw";

    /// Every form in which somebody may take the public key for a shared secret.
    fn rsa_key_as_secrets(jwk: &Value) -> Vec<Vec<u8>> {
        let modulus = URL_SAFE_NO_PAD.decode(RSA_MODULUS).unwrap();
        let pkcs1 = [
            &b"\x30\x82\x01\x0a\x02\x82\x01\x01\x00"[..],
            &modulus[..],
            &b"\x02\x03\x01\x00\x01"[..],
        ]
        .concat();
        let spki = [
            &b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\
               \x01\x0f\x00"[..],
            &pkcs1[..],
        ]
        .concat();
        let encoded = STANDARD.encode(&spki);
        let lines: Vec<&str> = (0..encoded.len())
            .step_by(64)
            .map(|at| &encoded[at..(at + 64).min(encoded.len())])
            .collect();
        let lines = lines.join("\n");
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{lines}\n-----END PUBLIC KEY-----");
        vec![
            vec![],
            RSA_MODULUS.as_bytes().to_vec(),
            modulus,
            pkcs1,
            spki,
            pem.clone().into_bytes(),
            format!("{pem}\n").into_bytes(),
            jwk.to_string().into_bytes(),
            json!({ "keys": [jwk] }).to_string().into_bytes(),
        ]
    }

    #[tokio::test]
    async fn a_public_rsa_key_is_no_shared_secret() {
        let issuer = Issuer::new();
        let jwk = json!({"kty": "RSA", "kid": "k1", "use": "sig", "n": RSA_MODULUS, "e": "AQAB"});
        let keys = json!({ "keys": [jwk] }).to_string();
        std::fs::write(issuer.file(), keys).unwrap();
        let file = issuer.file().to_string_lossy().into_owned();
        let config = OidcConfig::new("https://issuer", "waterbuck", &file).unwrap();
        let oidc = Oidc::new(config);
        // The key checks what was signed with its other half, and that has ended.
        let key = oidc.key(Some("k1")).await.unwrap();
        let key = DecodingKey::from_jwk(&key).unwrap();
        let mut any = Validation::new(Algorithm::RS256);
        any.validate_exp = false;
        any.required_spec_claims.clear();
        assert!(decode::<Value>(RSA_TOKEN, &key, &any).is_ok());
        assert!(is_refused(&oidc, RSA_TOKEN).await);

        let claims = json!({"iss": "https://issuer", "aud": "waterbuck", "sub": "ann",
            "exp": chrono::Utc::now().timestamp() + 600});
        for secret in rsa_key_as_secrets(&jwk) {
            let secret = EncodingKey::from_secret(&secret);
            for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
                for id in [None, Some("k1".to_owned())] {
                    let header = Header {
                        kid: id,
                        ..Header::new(algorithm)
                    };
                    let token = encode(&header, &claims, &secret).unwrap();
                    assert!(is_refused(&oidc, &token).await, "{token}");
                    // The same signature under the pinned algorithm's name.
                    let header = json!({"alg": "RS256", "kid": header.kid}).to_string();
                    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
                    let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
                    let signature =
                        jsonwebtoken::crypto::sign(signed.as_bytes(), &secret, algorithm);
                    let token = format!("{signed}.{}", signature.unwrap());
                    assert!(is_refused(&oidc, &token).await, "{token}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_token_of_an_unknown_key_is_refused_and_reads_no_keys_again() {
        let issuer = Issuer::new();
        let oidc = issuer.oidc();
        assert!(oidc.verify(&issuer.token(|_| ())).await.is_ok());
        // Somebody else's keys would be read now, if strangers could have them read.
        let other = Issuer::new();
        std::fs::copy(other.file(), issuer.file()).unwrap();
        for id in ["k2", "", "../k1", "K1"] {
            let header = Header {
                kid: Some(id.to_owned()),
                ..Header::new(Algorithm::EdDSA)
            };
            let claims = json!({"iss": "https://issuer", "aud": "waterbuck", "sub": "ann",
                "exp": chrono::Utc::now().timestamp() + 600});
            let token = encode(&header, &claims, &other.signing).unwrap();
            assert!(is_refused(&oidc, &token).await, "{id:?}");
        }
        assert!(oidc.verify(&issuer.token(|_| ())).await.is_ok());
        assert!(is_refused(&oidc, &other.token(|_| ())).await);
    }

    #[tokio::test]
    async fn ten_thousand_mutated_tokens_are_refused() {
        let issuer = Issuer::new();
        let oidc = issuer.oidc();
        let token = issuer.token(|_| ()).into_bytes();
        let mut random = StdRng::seed_from_u64(42);
        for round in 0..10_000 {
            let mut mutated = token.clone();
            let at = random.random_range(0..mutated.len());
            match round % 4 {
                0 => mutated[at] ^= 1 << random.random_range(0..7),
                1 => mutated.truncate(at),
                2 => mutated.insert(at, random.random_range(b'-'..=b'z')),
                _ => _ = mutated.remove(at),
            }
            let text = String::from_utf8_lossy(&mutated);
            assert!(is_refused(&oidc, &text).await, "{text}");
        }
    }

    #[tokio::test]
    async fn keys_that_cannot_be_read_are_not_tried_for_every_token() {
        let issuer = Issuer::new();
        let oidc = issuer.oidc();
        std::fs::remove_file(issuer.file()).unwrap();
        let error = oidc.verify(&issuer.token(|_| ())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(!error.to_string().contains("jwks"), "{error}");
        issuer.publish("k1");
        assert!(oidc.verify(&issuer.token(|_| ())).await.is_err());
        *oidc.failed.lock() = None;
        assert!(oidc.verify(&issuer.token(|_| ())).await.is_ok());
    }

    #[test]
    fn what_cannot_be_trusted_cannot_be_configured() {
        assert!(OidcConfig::new("i", "a", "http://issuer/keys").is_err());
        assert!(OidcConfig::new("i", "a", "http://127.0.0.1:1/keys").is_ok());
        let config = OidcConfig::new("i", "a", "https://issuer/keys").unwrap();
        assert!(config.clone().with_algorithms("RS256, ES256").is_ok());
        for name in ["none", "HS256", ""] {
            assert!(config.clone().with_algorithms(name).is_err(), "{name}");
        }
    }
}
