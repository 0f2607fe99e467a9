//! Tickets for the rows of one task, which its executor gives out to a client.
//!
//! ```text
//!   wbt1 . <claims, JSON in base64url> . <signature, base64url>
//!   └────────── signed with Ed25519 ─┘
//! ```
//! A coordinator signs them with the key that signs the logins of the day (see [`crate::bearer`]);
//! what they begin with keeps one from being taken for the other. A ticket is good for one user, one
//! task and a short time, and only once: its executor remembers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::bearer::{SigningKey, TokenVerifier};
use crate::{Error, ErrorKind, Result};

const PREFIX: &str = "wbt1.";
/// The columns of the widest results fit; longer texts are no tickets of ours.
const TICKET_BYTES_MAX: usize = 1 << 20;

/// What a ticket says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskTicket {
    /// The number of the key it is signed with.
    pub key: i64,
    /// Whose it is.
    pub user: String,
    /// The id of the query, as users see it.
    pub query: String,
    /// The run of the query whose task it is: the id of its distributed plan.
    pub attempt: String,
    /// The task's stage.
    pub stage: u64,
    /// The task's number within the stage.
    pub task: u64,
    /// The partitions of the task.
    pub partitions: u64,
    /// Until when the rows can be asked for, in seconds since 1970.
    pub expires: i64,
    /// The columns as they are sent: an IPC message in base64url.
    pub schema: String,
    /// How messages are compressed: `none`, `lz4` or `zstd`.
    pub compression: String,
}

impl TaskTicket {
    /// The ticket under the number and signature of `key`.
    ///
    /// # Errors
    /// When it cannot be written, or its columns are too many for a ticket.
    pub fn sign(self, key: &SigningKey) -> Result<String> {
        let claims = Self {
            key: key.id(),
            ..self
        };
        let json = serde_json::to_vec(&claims)
            .map_err(|error| Error::internal("a ticket cannot be written").with_source(error))?;
        let ticket = key.signed(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json)));
        if ticket.len() > TICKET_BYTES_MAX {
            return Err(Error::unsupported(
                "the result has too many columns to be read from executors: SET \
                 result_endpoints = 'one'",
            ));
        }
        Ok(ticket)
    }

    /// What a ticket says, when it is genuine and in force at `now`, in seconds since 1970.
    ///
    /// # Errors
    /// `NotFound`, in the same words whatever is wrong with it but its age.
    pub fn verify(ticket: &str, keys: &TokenVerifier, now: i64) -> Result<Self> {
        let claims = Self::genuine(ticket, keys).ok_or_else(unknown)?;
        if claims.expires <= now {
            return Err(Error::new(
                ErrorKind::NotFound,
                "the ticket has expired: run the query again",
            ));
        }
        Ok(claims)
    }

    fn genuine(ticket: &str, keys: &TokenVerifier) -> Option<Self> {
        if ticket.len() > TICKET_BYTES_MAX {
            return None;
        }
        let (signed, signature) = ticket.rsplit_once('.')?;
        let json = URL_SAFE_NO_PAD.decode(signed.strip_prefix(PREFIX)?).ok()?;
        let claims: Self = serde_json::from_slice(&json).ok()?;
        keys.has_signed(claims.key, signed, signature)
            .then_some(claims)
    }
}

/// Whether a text claims to be a ticket of this format.
pub fn is_ticket(text: &[u8]) -> bool {
    text.starts_with(PREFIX.as_bytes())
}

/// The answer to a ticket that is forged, damaged or used up.
pub fn unknown() -> Error {
    Error::not_found("the ticket is unknown: it was used before, or its query is over")
}

#[cfg(test)]
mod tests {
    use crate::bearer::Claims;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn ticket() -> TaskTicket {
        TaskTicket {
            key: 0,
            user: "ann".to_owned(),
            query: "q".to_owned(),
            attempt: "a".to_owned(),
            stage: 1,
            task: 0,
            partitions: 2,
            expires: NOW + 60,
            schema: String::new(),
            compression: "none".to_owned(),
        }
    }

    fn key(id: i64) -> SigningKey {
        SigningKey::from_text(id, &SigningKey::generate().unwrap()).unwrap()
    }

    fn verifier(key: &SigningKey) -> TokenVerifier {
        let verifier = TokenVerifier::default();
        verifier.set_keys(&[key.public()]);
        verifier
    }

    #[test]
    fn a_ticket_says_what_was_signed_until_it_expires() {
        let key = key(3);
        let keys = verifier(&key);
        let text = ticket().sign(&key).unwrap();
        assert!(is_ticket(text.as_bytes()));
        let told = TaskTicket::verify(&text, &keys, NOW + 59).unwrap();
        assert_eq!(told, TaskTicket { key: 3, ..ticket() });
        let error = TaskTicket::verify(&text, &keys, NOW + 60).unwrap_err();
        assert!(error.message().contains("expired"), "{error}");
    }

    #[test]
    fn a_ticket_of_another_key_or_with_other_claims_is_unknown() {
        let (ours, theirs) = (key(1), key(1));
        let keys = verifier(&ours);
        let forged = ticket().sign(&theirs).unwrap();
        assert!(TaskTicket::verify(&forged, &keys, NOW).is_err());
        let mine = ticket().sign(&ours).unwrap();
        let other = TaskTicket {
            user: "admin".to_owned(),
            ..ticket()
        };
        let other = other.sign(&ours).unwrap();
        let (_, signature) = mine.rsplit_once('.').unwrap();
        let (signed, _) = other.rsplit_once('.').unwrap();
        let moved = format!("{signed}.{signature}");
        assert!(TaskTicket::verify(&moved, &keys, NOW).is_err());
        let cut = &mine[..mine.len() - 1];
        assert!(TaskTicket::verify(cut, &keys, NOW).is_err());
    }

    #[test]
    fn a_login_is_no_ticket_and_a_ticket_no_login() {
        let key = key(1);
        let keys = verifier(&key);
        let login = Claims {
            key: 0,
            user: "ann".to_owned(),
            session: "s".to_owned(),
            issuer: "i".to_owned(),
            issued: NOW,
            expires: NOW + 60,
            standing: String::new(),
        };
        let login = key.sign(login).unwrap();
        assert!(TaskTicket::verify(&login, &keys, NOW).is_err());
        let ticket = ticket().sign(&key).unwrap();
        assert!(keys.verify(&ticket, NOW).is_err());
        let renamed = ticket.replacen("wbt1.", "wb1.", 1);
        assert!(keys.verify(&renamed, NOW).is_err());
    }
}
