//! Makes guessing slow: failed logins are counted, and those who fail often have to wait.
//!
//! Attempts from one address take turns once some of them have failed, so that a guesser who opens
//! many connections is no faster. Attempts on one user are delayed and do not take turns: nobody
//! can lock a user out by guessing at their password. Unknown users are counted as known ones are.
//!
//! Memory is bounded: of too many names and addresses the one that failed longest ago is forgotten.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use waterbuck_engine::{Error, ErrorKind, Result};

/// Names and addresses that are counted at the same time, of each.
const COUNTED_MAX: usize = 10_000;
/// Longer names are counted by their beginning.
const NAME_BYTES_MAX: usize = 128;
/// Every so often one failure is forgiven.
const FORGIVEN_EVERY: Duration = Duration::from_secs(20);
/// Failures that cost nothing, of a user and of an address, which many may share.
const USER_FREE: u32 = 3;
const PEER_FREE: u32 = 10;
const DELAY_MIN: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(3);
/// An attempt that has waited so long for its turn is refused.
const PATIENCE: Duration = Duration::from_secs(10);

/// The failed logins of the last minutes.
pub(super) struct Throttle {
    users: Mutex<Failures>,
    peers: Mutex<Failures>,
}

/// What an attempt has to do before its password is checked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Go,
    Wait(Duration),
}

#[derive(Default)]
struct Failures {
    counted: HashMap<String, Counted>,
}

#[derive(Clone, Copy)]
struct Counted {
    failures: u32,
    /// When the last failure was counted or forgiven.
    since: Instant,
    /// When the next attempt may go.
    next: Instant,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            users: Mutex::default(),
            peers: Mutex::default(),
        }
    }

    /// Whether an attempt that began at `began` may go on at `now`; asked again after each wait.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many others wait at its address.
    pub(super) fn turn(
        &self,
        user: &str,
        peer: &str,
        began: Instant,
        now: Instant,
    ) -> Result<Turn> {
        let failed = self.users.lock().failures(&counted_name(user), now);
        let ready = began + delay(failed, USER_FREE);
        if ready > now {
            return Ok(Turn::Wait(ready - now));
        }
        match self.peers.lock().take_turn(&address(peer), now) {
            None => Ok(Turn::Go),
            Some(next) if next.saturating_duration_since(began) > PATIENCE => Err(Error::new(
                ErrorKind::ResourceExhausted,
                "too many logins from this address have failed: try again in a minute",
            )),
            Some(next) => Ok(Turn::Wait(next - now)),
        }
    }

    /// Counts an attempt that failed at `now`.
    pub(super) fn failed(&self, user: &str, peer: &str, now: Instant) {
        self.users.lock().count(counted_name(user), USER_FREE, now);
        self.peers.lock().count(address(peer), PEER_FREE, now);
    }
}

impl Failures {
    /// The failures that are not forgiven yet.
    fn failures(&self, key: &str, now: Instant) -> u32 {
        self.counted
            .get(key)
            .map_or(0, |counted| counted.left(now).0)
    }

    /// Takes the turn of `key`, or tells when the next one is.
    fn take_turn(&mut self, key: &str, now: Instant) -> Option<Instant> {
        let counted = self.counted.get_mut(key)?;
        if counted.next > now {
            return Some(counted.next);
        }
        counted.next = now + delay(counted.left(now).0, PEER_FREE);
        None
    }

    fn count(&mut self, key: String, free: u32, now: Instant) {
        if self.counted.len() >= COUNTED_MAX && !self.counted.contains_key(&key) {
            self.counted.retain(|_, counted| counted.left(now).0 > 0);
            self.forget_one();
        }
        let counted = self.counted.entry(key).or_insert(Counted {
            failures: 0,
            since: now,
            next: now,
        });
        let (left, since) = counted.left(now);
        counted.failures = left.saturating_add(1);
        counted.since = since;
        counted.next = counted.next.max(now + delay(counted.failures, free));
    }

    fn forget_one(&mut self) {
        if self.counted.len() < COUNTED_MAX {
            return;
        }
        let oldest = self.counted.iter().min_by_key(|(_, counted)| counted.since);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.counted.remove(&key);
        }
    }
}

impl Counted {
    /// The failures that are left at `now`, and from when on the next is being forgiven.
    fn left(&self, now: Instant) -> (u32, Instant) {
        let passed = now.saturating_duration_since(self.since);
        let forgiven = passed.as_secs() / FORGIVEN_EVERY.as_secs();
        let forgiven = u32::try_from(forgiven).unwrap_or(u32::MAX);
        match self.failures.checked_sub(forgiven) {
            Some(left) if left > 0 => (left, self.since + FORGIVEN_EVERY * forgiven),
            _ => (0, now),
        }
    }
}

/// Doubles with each failure beyond the free ones.
fn delay(failures: u32, free: u32) -> Duration {
    match failures.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(beyond) => DELAY_MIN
            .saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX))
            .min(DELAY_MAX),
    }
}

/// An address without its port: every connection has another one.
fn address(peer: &str) -> String {
    peer.parse::<SocketAddr>().map_or_else(
        |_no_port| peer.to_owned(),
        |address| address.ip().to_string(),
    )
}

fn counted_name(user: &str) -> String {
    user[..user.floor_char_boundary(NAME_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "10.0.0.1:1";
    const AWAY: &str = "10.0.0.2:1";

    fn fail(throttle: &Throttle, times: u32, now: Instant) {
        for _ in 0..times {
            throttle.failed("ann", HOME, now);
        }
    }

    #[test]
    fn a_user_is_delayed_more_with_each_failure_and_never_for_long() {
        let throttle = Throttle::new();
        let began = Instant::now();
        let turn = |user: &str, now| throttle.turn(user, AWAY, began, now).unwrap();
        fail(&throttle, USER_FREE, began);
        assert_eq!(turn("ann", began), Turn::Go);
        fail(&throttle, 1, began);
        assert_eq!(turn("ann", began), Turn::Wait(DELAY_MIN));
        fail(&throttle, 1, began);
        assert_eq!(turn("ann", began), Turn::Wait(DELAY_MIN * 2));
        fail(&throttle, 100, began);
        assert_eq!(turn("ann", began), Turn::Wait(DELAY_MAX));
        assert_eq!(turn("bob", began), Turn::Go);
        assert_eq!(turn("ann", began + DELAY_MAX), Turn::Go);
    }

    #[test]
    fn attempts_from_one_address_take_turns_whatever_user_they_name() {
        let throttle = Throttle::new();
        let failed = Instant::now();
        for n in 0..100 {
            throttle.failed(&format!("user{n}"), &format!("10.0.0.1:{n}"), failed);
        }
        let began = failed + DELAY_MAX;
        let turn = |user: &str, peer: &str, now| throttle.turn(user, peer, began, now);
        assert_eq!(turn("ann", HOME, began).unwrap(), Turn::Go);
        assert_eq!(turn("bob", HOME, began).unwrap(), Turn::Wait(DELAY_MAX));
        assert_eq!(turn("bob", AWAY, began).unwrap(), Turn::Go);
        for n in 1..=3 {
            assert_eq!(turn("eve", HOME, began + DELAY_MAX * n).unwrap(), Turn::Go);
        }
        let error = turn("ann", HOME, began + DELAY_MAX * 3).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    }

    #[test]
    fn failures_are_forgiven_with_time() {
        let throttle = Throttle::new();
        let failed = Instant::now();
        fail(&throttle, USER_FREE + 2, failed);
        let later = failed + FORGIVEN_EVERY * 2;
        let turn = throttle.turn("ann", HOME, later, later).unwrap();
        assert_eq!(turn, Turn::Go);
    }

    #[test]
    fn only_so_many_are_counted() {
        let throttle = Throttle::new();
        let now = Instant::now();
        for n in 0..COUNTED_MAX + 10 {
            throttle.failed(&format!("user{n}"), &format!("peer {n}"), now);
        }
        assert_eq!(throttle.users.lock().counted.len(), COUNTED_MAX);
        assert_eq!(throttle.peers.lock().counted.len(), COUNTED_MAX);
        assert!(counted_name(&"é".repeat(1000)).len() <= NAME_BYTES_MAX);
    }
}
