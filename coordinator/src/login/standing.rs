//! What a proof of identity hangs on: the state of its user, and the API token where one was used.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{Context, SHA256};
use waterbuck_catalog::{ApiToken, User};

/// What a proof hangs on: a token is void when it is not the same any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) user: String,
    pub(super) api_token: Option<String>,
}

/// Who there was in the catalog at a moment.
pub(super) struct Seen {
    pub(super) at: Instant,
    /// The state of each user by name.
    users: HashMap<String, String>,
    /// API tokens by hash.
    tokens: HashSet<String>,
}

impl Standing {
    /// The standing of `user`, and of the API token with that hash.
    pub(super) fn new(user: &User, api_token: Option<String>) -> Self {
        Self {
            user: fingerprint(user),
            api_token,
        }
    }

    pub(super) fn to_text(&self) -> String {
        match &self.api_token {
            Some(hash) => format!("{}:{hash}", self.user),
            None => self.user.clone(),
        }
    }

    pub(super) fn from_text(text: &str) -> Self {
        let (user, api_token) = match text.split_once(':') {
            Some((user, hash)) => (user, Some(hash.to_owned())),
            None => (text, None),
        };
        Self {
            user: user.to_owned(),
            api_token,
        }
    }
}

impl Seen {
    /// What was in the catalog when it was read, which began at `at`.
    pub(super) fn new(at: Instant, users: Vec<User>, tokens: Vec<ApiToken>) -> Self {
        let state = |user: User| {
            let state = fingerprint(&user);
            (user.name, state)
        };
        Self {
            at,
            users: users.into_iter().map(state).collect(),
            tokens: tokens.into_iter().map(|token| token.hash).collect(),
        }
    }

    /// Whether `user` is there with that standing; `any_state` when they may have changed.
    pub(super) fn has(&self, user: &str, standing: &Standing, any_state: bool) -> bool {
        let known = self.users.get(user);
        known.is_some_and(|known| any_state || *known == standing.user)
            && standing
                .api_token
                .as_ref()
                .is_none_or(|hash| self.tokens.contains(hash))
    }
}

/// Another one for each password, power and certificate a user is given; tells nothing of them.
fn fingerprint(user: &User) -> String {
    let mut context = Context::new(&SHA256);
    context.update(user.password_hash.as_bytes());
    context.update(&[u8::from(user.admin)]);
    if let Some(certificate) = &user.certificate {
        context.update(certificate.as_bytes());
    }
    URL_SAFE_NO_PAD.encode(&context.finish().as_ref()[..16])
}
