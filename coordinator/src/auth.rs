//! Passwords: hashed with Argon2id, checked off the I/O threads.

use std::sync::{Arc, LazyLock};

use argon2::Argon2;
use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use datafusion::common::runtime::SpawnedTask;
use rand::Rng;
use rand::distr::Alphanumeric;
use tokio::sync::Semaphore;
use waterbuck_catalog::{CatalogStore, User};
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::session::SessionUser;

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

/// Who `user` is, when `password` is theirs.
///
/// # Errors
/// `Unauthenticated`, in the same words and time for an unknown user as for a wrong password.
pub(crate) async fn check_password(
    catalog: &Arc<dyn CatalogStore>,
    user: &str,
    password: &str,
) -> Result<SessionUser> {
    let known = catalog.user(user).await?;
    let hash = known.as_ref().map(|known| known.password_hash.clone());
    let given = password.to_owned();
    let _turn = CHECKS.acquire().await.map_err(|error| {
        Error::internal("passwords are not checked any more").with_source(error)
    })?;
    let fits = SpawnedTask::spawn_blocking(move || {
        let Some(hash) = hash.as_deref().or(NOBODY.as_ref().ok().map(String::as_str)) else {
            return false;
        };
        PasswordHash::new(hash).is_ok_and(|hash| {
            Argon2::default()
                .verify_password(given.as_bytes(), &hash)
                .is_ok()
        })
    })
    .join()
    .await
    .map_err(|error| Error::internal("checking was stopped").with_source(error))?;
    match known {
        Some(known) if fits => Ok(SessionUser {
            name: known.name,
            admin: known.admin,
        }),
        _ => Err(Error::new(
            ErrorKind::Unauthenticated,
            "user or password is wrong",
        )),
    }
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
        })
        .await?;
    Ok(generated)
}
