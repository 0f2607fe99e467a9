//! Passwords: hashed with Argon2id, checked off the I/O threads.

use std::sync::{Arc, LazyLock};
use std::time::Instant;

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use datafusion::common::runtime::SpawnedTask;
use rand::Rng;
use rand::distr::Alphanumeric;
use tokio::sync::{Semaphore, SemaphorePermit};
use waterbuck_catalog::{CatalogStore, User};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::throttle::{Throttle, Turn};

/// The first user of a new catalog.
const ADMIN: &str = "admin";
const GENERATED_LENGTH: usize = 24;
/// Checked when the user is unknown, so that the time taken does not tell.
static NOBODY: LazyLock<Result<String>> = LazyLock::new(|| hash("nobody's password"));

/// The Argon2id hash of a password.
///
/// # Errors
/// When the password is empty or cannot be hashed.
pub async fn hash_password(password: &str) -> Result<String> {
    if password.is_empty() {
        return Err(Error::invalid("the password is empty"));
    }
    let password = password.to_owned();
    SpawnedTask::spawn_blocking(move || hash(&password))
        .join()
        .await
        .map_err(|error| Error::internal("hashing was stopped").with_source(error))?
}

fn hash(password: &str) -> Result<String> {
    let salt = SaltString::generate(&mut OsRng);
    Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|error| Error::internal(format!("the password cannot be hashed: {error}")))
}

/// A check takes 19 MiB and a core for some milliseconds: more at once would only starve the queries.
static CHECKS: Semaphore = Semaphore::const_new(4);

/// The user of that name, when `password` is theirs. Who fails often waits before the next check.
///
/// # Errors
/// `Unauthenticated`, in the same words and time for an unknown user as for a wrong password;
/// `ResourceExhausted` when too many fail at `peer`.
pub(super) async fn check_password(
    catalog: &Arc<dyn CatalogStore>,
    throttle: &Throttle,
    user: &str,
    password: &str,
    peer: &str,
) -> Result<User> {
    let _turn = turn(throttle, user, peer).await?;
    let known = catalog.user(user).await?;
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let given = password.to_owned();
    let fits = SpawnedTask::spawn_blocking(move || fits(hash, &given))
        .join()
        .await
        .map_err(|error| Error::internal("checking was stopped").with_source(error))?;
    match known {
        Some(known) if fits => Ok(known),
        _ => {
            throttle.failed(user, peer, Instant::now());
            Err(wrong())
        }
    }
}

/// What is said of every login that fails.
pub(super) fn wrong() -> Error {
    Error::new(ErrorKind::Unauthenticated, "user or password is wrong")
}

/// Waits until a password may be checked. Asked again once there is room for the check: others may
/// have failed meanwhile.
async fn turn(throttle: &Throttle, user: &str, peer: &str) -> Result<SemaphorePermit<'static>> {
    let began = Instant::now();
    loop {
        let room = CHECKS.acquire().await.map_err(|error| {
            Error::internal("passwords are not checked any more").with_source(error)
        })?;
        match throttle.turn(user, peer, began, Instant::now())? {
            Turn::Go => return Ok(room),
            Turn::Wait(wait) => {
                drop(room);
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The same work for a user that does not exist: the hash of nobody is made before either.
fn fits(hash: Option<String>, given: &str) -> bool {
    let nobody = LazyLock::force(&NOBODY).as_ref().ok();
    let Some(hash) = hash.as_ref().or(nobody) else {
        return false;
    };
    PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(given.as_bytes(), &hash)
            .is_ok()
    })
}

/// Makes the administrator of a new catalog; an existing one is left alone.
///
/// Returns the password when it was generated, for printing once.
///
/// # Errors
/// When the catalog cannot be written.
pub async fn create_first_admin(
    catalog: &Arc<dyn CatalogStore>,
    password: Option<&str>,
) -> Result<Option<String>> {
    if catalog.user(ADMIN).await?.is_some() {
        return Ok(None);
    }
    let generated = match password {
        Some(_) => None,
        None => {
            let letters = rand::rng().sample_iter(Alphanumeric).take(GENERATED_LENGTH);
            Some(letters.map(char::from).collect::<String>())
        }
    };
    let chosen = password.or(generated.as_deref()).unwrap_or_default();
    let password_hash = hash_password(chosen).await?;
    catalog
        .put_user(User {
            name: ADMIN.to_owned(),
            password_hash,
            admin: true,
            certificate: None,
        })
        .await?;
    Ok(generated)
}

#[cfg(test)]
mod tests {
    use waterbuck_catalog::open_sqlite;

    use super::*;

    #[tokio::test]
    async fn unknown_users_and_wrong_passwords_fail_alike() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("catalog.sqlite");
        let data = directory.path().join("tables");
        let catalog = open_sqlite(&file, &data.to_string_lossy()).await.unwrap();
        create_first_admin(&catalog, Some("right")).await.unwrap();
        let throttle = Throttle::new();
        let check = |user: &'static str, password: &'static str| {
            let (catalog, throttle) = (&catalog, &throttle);
            async move { check_password(catalog, throttle, user, password, "10.0.0.1:1").await }
        };
        assert_eq!(check("admin", "right").await.unwrap().name, "admin");
        let wrong = check("admin", "wrong").await.unwrap_err();
        let unknown = check("nobody", "nobody's password").await.unwrap_err();
        assert_eq!(wrong.kind(), ErrorKind::Unauthenticated);
        assert_eq!(wrong.kind(), unknown.kind());
        assert_eq!(wrong.to_string(), unknown.to_string());
    }

    /// Both check a hash: a user who does not exist must not be told by a fast answer.
    #[test]
    fn an_unknown_user_takes_as_long() {
        let known = hash("right").unwrap();
        assert!(!fits(None, "warm"));
        let time = |hash: Option<&String>| {
            let mut times: Vec<_> = (0..5)
                .map(|_| {
                    let start = Instant::now();
                    assert!(!fits(hash.cloned(), "wrong"));
                    start.elapsed()
                })
                .collect();
            times.sort();
            times[2]
        };
        let (known, unknown) = (time(Some(&known)), time(None));
        assert!(unknown > known / 4, "{unknown:?} against {known:?}");
        assert!(known > unknown / 4, "{unknown:?} against {known:?}");
    }
}
