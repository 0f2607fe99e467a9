//! What a process must show to be one of the cluster: to register as an executor, or to hand an
//! executor a task.

use std::fmt;
use std::hint::black_box;

use crate::{Error, ErrorKind, Result};

/// The mark of a call whose connection has shown a certificate of the cluster's own authority. Only
/// the transport sets it, as an extension of the request: no header can say it.
#[derive(Debug, Clone, Copy)]
pub struct ClusterMember;

/// What a process must show. All that is configured is demanded.
#[derive(Clone)]
pub struct ClusterAccess {
    token: Option<String>,
    by_certificate: bool,
    open: bool,
}

impl ClusterAccess {
    /// The `token`, where there is one, and a certificate if `by_certificate`. With neither nobody
    /// is taken in.
    pub fn new(token: Option<String>, by_certificate: bool) -> Self {
        Self {
            token,
            by_certificate,
            open: false,
        }
    }

    /// Nothing need be shown: for processes that only this machine can reach.
    pub fn open() -> Self {
        Self {
            token: None,
            by_certificate: false,
            open: true,
        }
    }

    /// The token by which this process makes itself known to the others.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Takes in a process that has said `token` over a connection that `is_member`, or refuses it.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`] when it is not one of the cluster.
    pub fn check(&self, token: Option<&str>, is_member: bool) -> Result<()> {
        let refused = |message| Err(Error::new(ErrorKind::Unauthenticated, message));
        let fits = match (self.token.as_deref(), token) {
            (Some(ours), Some(theirs)) => is_same(ours.as_bytes(), theirs.as_bytes()),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        if !fits {
            return refused("the cluster token is missing or wrong");
        }
        if self.by_certificate && !is_member {
            return refused("the connection shows no certificate of the cluster's authority");
        }
        if self.token.is_none() && !self.by_certificate && !self.open {
            return refused(
                "this process is in no cluster: start it with --cluster-token or --cluster-cert",
            );
        }
        Ok(())
    }
}

/// The token is not shown.
impl fmt::Debug for ClusterAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterAccess")
            .field("has_token", &self.token.is_some())
            .field("by_certificate", &self.by_certificate)
            .field("open", &self.open)
            .finish()
    }
}

/// Takes equally long wherever two texts of one length differ, so that nobody finds a secret byte
/// by byte.
fn is_same(ours: &[u8], theirs: &[u8]) -> bool {
    if ours.len() != theirs.len() {
        return false;
    }
    let differing = ours.iter().zip(theirs).map(|(a, b)| a ^ b);
    differing.fold(0, |all, bits| black_box(all | bits)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_configured_is_demanded() {
        let both = ClusterAccess::new(Some("secret".to_owned()), true);
        assert!(both.check(Some("secret"), true).is_ok());
        for (token, is_member) in [
            (None, true),
            (Some("secret"), false),
            (Some("secreT"), true),
            (Some("secret!"), true),
            (Some(""), true),
        ] {
            let error = both.check(token, is_member).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{token:?}");
        }
    }

    #[test]
    fn one_of_the_two_is_enough_when_only_one_is_configured() {
        let token = ClusterAccess::new(Some("secret".to_owned()), false);
        assert!(token.check(Some("secret"), false).is_ok());
        let certificate = ClusterAccess::new(None, true);
        assert!(certificate.check(None, true).is_ok());
        assert!(certificate.check(None, false).is_err());
    }

    #[test]
    fn without_a_secret_only_this_machine_is_open() {
        assert!(ClusterAccess::open().check(None, false).is_ok());
        assert!(ClusterAccess::open().check(Some("x"), false).is_err());
        let error = ClusterAccess::new(None, false).check(None, false);
        assert!(error.unwrap_err().to_string().contains("--cluster-token"));
    }

    #[test]
    fn the_token_is_never_shown() {
        let access = ClusterAccess::new(Some("secret".to_owned()), false);
        assert!(!format!("{access:?}").contains("secret"));
    }
}
