//! Who may come in: proofs of identity, and what a login is worth afterwards.

mod api_token;
mod authority;
mod key_source;
mod keys;
mod oidc;
mod password;
mod standing;
mod throttle;

pub(crate) use api_token::new_api_token;
pub(crate) use authority::{Admitted, Authority};
pub use oidc::OidcConfig;
pub use password::{create_first_admin, hash_password};
