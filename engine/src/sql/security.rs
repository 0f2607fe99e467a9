//! Statements about users and secrets. Their `Debug` forms never show a password or a key.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::rights::Grantee;

/// A password or key: its value can be read but not printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// Hides `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `CREATE SECRET name (TYPE s3, KEY_ID '…', SECRET '…', SCOPE 's3://…')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateSecret {
    /// The secret's name.
    pub name: String,
    /// Take the place of the secret that has this name.
    pub or_replace: bool,
    /// Do nothing when it exists.
    pub if_not_exists: bool,
    /// `TYPE`, in lower case: `s3`, `gcs`, `azure`, `http`, `hdfs`.
    pub kind: String,
    /// The URL prefix it serves; every location of its kind when absent.
    pub scope: Option<String>,
    /// Everything else, with keys in lower case.
    pub options: BTreeMap<String, Hidden>,
}

/// `DROP SECRET [IF EXISTS] name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropSecret {
    /// The secret's name.
    pub name: String,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
}

/// `CREATE USER name PASSWORD '…' [ADMIN]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateUser {
    /// The user's name.
    pub name: String,
    /// Do nothing when the user exists.
    pub if_not_exists: bool,
    /// The password.
    pub password: Hidden,
    /// May do everything.
    pub admin: bool,
}

/// `ALTER USER name [PASSWORD '…'] [ADMIN | NOT ADMIN]`, `ALTER USER name SET CERTIFICATE '…'`,
/// `ALTER USER name RESET CERTIFICATE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterUser {
    /// The user's name.
    pub name: String,
    /// The password to come; unchanged when absent.
    pub password: Option<Hidden>,
    /// Whether the user may do everything; unchanged when absent.
    pub admin: Option<bool>,
    /// Which certificate is the user's; unchanged when absent.
    pub certificate: Option<CertificateChange>,
}

/// What becomes of the certificate that is a user's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateChange {
    /// That with this name, after its kind: `CN=ann`, `DNS:…`, `EMAIL:…`, `URI:…`.
    Set(String),
    /// None.
    Reset,
}

/// `DROP USER [IF EXISTS] name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropUser {
    /// The user's name.
    pub name: String,
    /// Do nothing when the user does not exist.
    pub if_exists: bool,
}

/// `CREATE TOKEN name [FOR USER user] [EXPIRES '90d' | 'never']`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateToken {
    /// The token's name.
    pub name: String,
    /// Whom it speaks for; whoever makes it when absent.
    pub user: Option<String>,
    /// How long it lasts.
    pub life: TokenLife,
}

/// How long a token lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenLife {
    /// As long as tokens last of which nothing else was said.
    Default,
    /// So long.
    For(Duration),
    /// Until it is dropped.
    Endless,
}

/// `DROP TOKEN [IF EXISTS] name [FOR USER user]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropToken {
    /// The token's name.
    pub name: String,
    /// Whom it speaks for; whoever drops it when absent.
    pub user: Option<String>,
    /// Do nothing when it does not exist.
    pub if_exists: bool,
}

/// `ALTER USER user SET LIMIT name = value`, `ALTER USER user RESET LIMIT name`; also `ALTER ROLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterLimit {
    /// Whom it limits.
    pub of: Grantee,
    /// The limit's name, in lower case.
    pub name: String,
    /// The value as text; none takes the limit away.
    pub value: Option<String>,
}
