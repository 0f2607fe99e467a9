//! Bearer tokens, API tokens and JWTs that were forged, damaged, taken elsewhere or used too late.

use std::fs;
use std::time::Duration;

use futures::{StreamExt, stream};
use tonic::Code;
use waterbuck_tests::{Client, ClientError, Cluster, Dice, Options, Raw, until};

use crate::tables::run_all;

const MUTATIONS: usize = 10_000;
/// Calls under way at the same time.
const ABREAST: usize = 32;
/// What is said of a token, whatever is wrong with it.
const REFUSAL: &str = "the token is unknown or has expired: log in again";

async fn show(connection: &Raw, token: &str) -> Result<(), ClientError> {
    let client = connection.bearing(token);
    client.act("GetSessionOptions", "").await.map(drop)
}

async fn assert_refused(connection: &Raw, token: &str) {
    let error = show(connection, token).await.expect_err(token);
    assert_eq!(error.code, Code::Unauthenticated, "{token}: {error}");
    assert_eq!(error.message, REFUSAL, "{token}");
}

/// A bearer token and an API token of a user `ann`.
async fn tokens_of_ann(cluster: &Cluster) -> (String, String) {
    let admin = cluster.client().await;
    run_all(&admin, &["CREATE USER ann PASSWORD 'pw-of-ann'"]).await;
    let answer = admin
        .run("CREATE TOKEN etl FOR USER ann EXPIRES '1d'")
        .await;
    let api = answer.expect("an administrator may").rows()[0][2].clone();
    let ann = Client::log_in(cluster.address(), "ann", "pw-of-ann").await;
    let bearer = ann.expect("she may come in").token();
    (bearer.expect("a login gives a token"), api)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_mutated_tokens_are_refused_in_the_same_words() {
    let cluster = Cluster::server().await;
    let (bearer, api) = tokens_of_ann(&cluster).await;
    let connection = Raw::connect(cluster.address()).await.expect("open");
    let mut dice = Dice::new(4711);
    let mutated: Vec<String> = (0..MUTATIONS)
        .map(|round| match round % 8 {
            0 => mutate(&api, &mut dice),
            _ => mutate(&bearer, &mut dice),
        })
        .collect();
    let calls = stream::iter(mutated).map(|token| {
        let connection = connection.clone();
        async move { assert_refused(&connection, &token).await }
    });
    let refused = calls.buffer_unordered(ABREAST).count().await;
    assert_eq!(refused, MUTATIONS);
    for token in [&bearer, &api] {
        show(&connection, token)
            .await
            .expect("the real ones are good");
    }
    assert!(!cluster.logs().contains("panicked"), "{}", cluster.logs());
}

/// Another token: a letter changed, lost, added or swapped, a part cut off, repeated or exchanged.
fn mutate(token: &str, dice: &mut Dice) -> String {
    const LETTERS: &[u8] = b"ABCXYZabcxyz0189-_.=+/~!";
    let mut bytes = token.as_bytes().to_vec();
    let at = dice.roll(bytes.len());
    let letter = LETTERS[dice.roll(LETTERS.len())];
    match dice.roll(7) {
        0 => bytes[at] = letter,
        1 => bytes.truncate(at),
        2 => bytes.insert(at, letter),
        3 => _ = bytes.remove(at),
        4 => bytes.rotate_left(at),
        5 => bytes.extend_from_within(at..),
        _ => bytes.swap(at, 0),
    }
    if bytes == token.as_bytes() {
        bytes.push(letter);
    }
    String::from_utf8(bytes).expect("all of it is ASCII")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_another_cluster_mean_nothing_here() {
    let (here, there) = tokio::join!(Cluster::server(), Cluster::server());
    // The same people with the same passwords.
    let ((bearer, api), (own, _)) = tokio::join!(tokens_of_ann(&there), tokens_of_ann(&here));
    let connection = Raw::connect(here.address()).await.expect("open");
    assert_refused(&connection, &bearer).await;
    assert_refused(&connection, &api).await;
    // The claims of one under the signature of the other.
    let (claims, _) = own.rsplit_once('.').expect("a token has a signature");
    let (_, signature) = bearer.rsplit_once('.').expect("a token has a signature");
    assert_refused(&connection, &format!("{claims}.{signature}")).await;
    show(&connection, &own).await.expect("her own is good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_void_after_its_time_and_after_its_user() {
    let cluster = Cluster::server().await;
    let (bearer, api) = tokens_of_ann(&cluster).await;
    let admin = cluster.client().await;
    let answer = admin.run("CREATE TOKEN brief EXPIRES '2s'").await;
    let brief = answer.expect("an administrator may").rows()[0][2].clone();
    let connection = Raw::connect(cluster.address()).await.expect("open");
    show(&connection, &brief).await.expect("it has just begun");
    until("the end of the token", Duration::from_secs(30), || async {
        show(&connection, &brief).await.err().map(drop)
    })
    .await;
    assert_refused(&connection, &brief).await;

    show(&connection, &api).await.expect("a session by it");
    run_all(&admin, &["ALTER USER ann PASSWORD 'another'"]).await;
    assert_refused(&connection, &bearer).await;
    run_all(&admin, &["DROP USER ann"]).await;
    assert_refused(&connection, &api).await;
    // Who comes back under the name is somebody else.
    run_all(&admin, &["CREATE USER ann PASSWORD 'pw-of-ann'"]).await;
    for token in [&bearer, &api] {
        assert_refused(&connection, token).await;
    }
}

/// Headers that name no algorithm, none, or one with a shared secret; a key that is not there.
const JWT_HEADERS: [&str; 8] = [
    // {"alg":"none"}, {"alg":"None","typ":"JWT"}, {"alg":"nOnE"}
    "eyJhbGciOiJub25lIn0",
    "eyJhbGciOiJOb25lIiwidHlwIjoiSldUIn0",
    "eyJhbGciOiJuT25FIn0",
    // {"alg":"HS256","typ":"JWT"}
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    // {"alg":"RS256","kid":"nobody"}, {"alg":"RS256"}
    "eyJhbGciOiJSUzI1NiIsImtpZCI6Im5vYm9keSJ9",
    "eyJhbGciOiJSUzI1NiJ9",
    // {"typ":"JWT"}, {"alg":""}
    "eyJ0eXAiOiJKV1QifQ",
    "eyJhbGciOiIifQ",
];
/// `{"iss":"https://issuer","aud":"waterbuck","sub":"ann","exp":4102444800}`
const JWT_CLAIMS: &str = "eyJpc3MiOiJodHRwczovL2lzc3VlciIsImF1ZCI6IndhdGVyYnVjayIsInN1YiI6ImFubiIs\
                          ImV4cCI6NDEwMjQ0NDgwMH0";
/// The public key of RFC 7515, appendix A.2.
const ISSUER_KEYS: &str = r#"{"keys":[{"kty":"RSA","use":"sig","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jwts_that_nobody_signed_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let keys = dir.path().join("jwks.json");
    fs::write(&keys, ISSUER_KEYS).expect("the directory is writable");
    let cluster = Cluster::start(Options {
        flags: vec![
            "--oidc-issuer=https://issuer".to_owned(),
            "--oidc-audience=waterbuck".to_owned(),
            format!("--oidc-keys={}", keys.display()),
        ],
        ..Options::default()
    })
    .await;
    let (bearer, _) = tokens_of_ann(&cluster).await;
    let connection = Raw::connect(cluster.address()).await.expect("open");
    let (_, signature) = bearer.rsplit_once('.').expect("a token has a signature");
    for header in JWT_HEADERS {
        for signature in ["", "AAAA", signature, JWT_CLAIMS] {
            let token = format!("{header}.{JWT_CLAIMS}.{signature}");
            assert_refused(&connection, &token).await;
        }
        assert_refused(&connection, &format!("{header}.{JWT_CLAIMS}")).await;
        assert_refused(&connection, &format!("{header}..")).await;
    }
    for token in ["", ".", "..", "...", "wb1.", "wb1..", "wbt_", "null"] {
        assert_refused(&connection, token).await;
    }
    assert!(!cluster.logs().contains("panicked"), "{}", cluster.logs());
}
