//! What one user may have of the server: limits that administrators set for users and roles, and what
//! counts against them.
//!
//! A limit that has the name of a setting is the most that the setting may say in the user's
//! sessions. The others are counted here, over all sessions of the user on this coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use waterbuck_catalog::{Limit, Rights};
use waterbuck_engine::settings::{Settings, parse_bytes};
use waterbuck_engine::sql::Grantee;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::names::did_you_mean;

/// Settings whose values are limited.
const LIMITED_SETTINGS: [&str; 4] = [
    "max_expression_depth",
    "max_sql_length",
    "memory_limit",
    "query_timeout",
];
/// Queries that read tables and run or wait at the same time.
const QUERIES: &str = "max_concurrent_queries";
/// Rows of one result.
const ROWS: &str = "max_result_rows";
/// Sessions that are open at the same time.
const SESSIONS: &str = "max_connections";
/// Statements that begin within a second.
const RATE: &str = "max_statements_per_second";
/// Bytes of the files that one query opens.
const SCAN: &str = "max_scan_bytes";
const COUNTED: [&str; 5] = [QUERIES, SESSIONS, ROWS, SCAN, RATE];

/// The users who have been seen, with what counts against each.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    users: DashMap<String, Arc<Quota>>,
}

/// One user's limits, and what counts against them now.
#[derive(Debug)]
pub(crate) struct Quota {
    limits: RwLock<Limits>,
    queries: AtomicUsize,
    sessions: AtomicUsize,
    statements: Mutex<Second>,
}

/// Limits by name; what is not there is not limited.
#[derive(Debug, Default)]
struct Limits {
    /// What was made into these.
    texts: Vec<Limit>,
    /// The limits of settings, as values of the same settings.
    settings: Settings,
    by_name: BTreeMap<&'static str, Bound>,
}

/// The most there may be of something.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    amount: u128,
    whose: Grantee,
}

/// Statements that began within the second since `begun`.
#[derive(Debug)]
struct Second {
    begun: Instant,
    statements: u64,
}

/// Something that counts against a limit until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    quota: Arc<Quota>,
    counter: fn(&Quota) -> &AtomicUsize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        (self.counter)(&self.quota).fetch_sub(1, Ordering::Relaxed);
    }
}

impl Quotas {
    /// The quota of `user` with the limits that were read last.
    pub(crate) fn of(&self, user: &str) -> Arc<Quota> {
        let quota = self.users.entry(user.to_owned());
        Arc::clone(&quota.or_insert_with(|| Arc::new(Quota::new())))
    }

    /// The quota of a user with the limits that are among the user's rights, for all of the user's
    /// sessions.
    ///
    /// # Errors
    /// When the catalog holds a limit that is none.
    pub(crate) fn renew(&self, rights: &Rights) -> Result<Arc<Quota>> {
        let quota = self.of(rights.user());
        let is_known = quota.limits.read().texts == rights.limits();
        if !is_known {
            let limits = Limits::read(rights.limits())?;
            *quota.limits.write() = limits;
        }
        Ok(quota)
    }
}

/// Checks a limit's name and value.
///
/// # Errors
/// When there is no such limit, or it cannot have the value.
pub(crate) fn check_limit(limit: &Limit) -> Result<()> {
    Limits::default().add(limit)
}

/// Checks that there is a limit of that name.
///
/// # Errors
/// When there is none.
pub(crate) fn check_limit_name(name: &str) -> Result<()> {
    let mut names = LIMITED_SETTINGS.into_iter().chain(COUNTED);
    if names.any(|known| known == name) {
        return Ok(());
    }
    let hint = did_you_mean(name, LIMITED_SETTINGS.into_iter().chain(COUNTED));
    Err(Error::not_found(format!(
        "limit \"{name}\" does not exist{hint}"
    )))
}

impl Limits {
    /// Of several limits of one name the most generous: a role gives more, and takes nothing that
    /// another gives.
    fn read(texts: &[Limit]) -> Result<Self> {
        let mut limits = Self {
            texts: texts.to_vec(),
            ..Self::default()
        };
        for limit in texts {
            limits.add(limit)?;
        }
        Ok(limits)
    }

    /// Whether a setting goes beyond its limit.
    fn lowers(&self, name: &str, settings: &Settings) -> bool {
        let now = amount_of(name, settings);
        let bound = self.by_name.get(name);
        bound.is_some_and(|bound| now.is_none_or(|now| now > bound.amount))
    }

    fn add(&mut self, limit: &Limit) -> Result<()> {
        let (name, value) = (limit.name.as_str(), limit.value.as_str());
        let mut settings = self.settings.clone();
        let limited = LIMITED_SETTINGS.into_iter().find(|known| *known == name);
        let counted = COUNTED.into_iter().find(|known| *known == name);
        let (known, amount) = match (limited, counted) {
            (Some(known), _) => {
                settings.set(known, value)?;
                (known, amount_of(known, &settings))
            }
            (None, Some(SCAN)) => (SCAN, parse_bytes(value).ok().map(u128::from)),
            (None, Some(known)) => (known, value.trim().parse::<u64>().ok().map(u128::from)),
            (None, None) => return check_limit_name(name),
        };
        let Some(amount) = amount.filter(|amount| *amount > 0) else {
            return Err(Error::invalid(format!(
                "\"{value}\" is no limit for \"{name}\": give more than 0, or RESET LIMIT {name}"
            )));
        };
        let known_bound = self.by_name.get(known);
        if known_bound.is_none_or(|bound| bound.amount < amount) {
            let whose = limit.of.clone();
            self.by_name.insert(known, Bound { amount, whose });
            self.settings = settings;
        }
        Ok(())
    }
}

/// What a limited setting says as a number; none where it says that there is no limit.
fn amount_of(name: &str, settings: &Settings) -> Option<u128> {
    let values = settings.values();
    let amount = match name {
        "max_expression_depth" => values.max_expression_depth as u128,
        "max_sql_length" => u128::from(values.max_sql_length),
        "memory_limit" => u128::from(values.memory_limit),
        _ => values.query_timeout.as_nanos(),
    };
    Some(amount).filter(|amount| *amount > 0)
}

impl Quota {
    pub(crate) fn new() -> Self {
        Self {
            limits: RwLock::default(),
            queries: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            statements: Mutex::new(Second {
                begun: Instant::now(),
                statements: 0,
            }),
        }
    }

    /// Settings with values no higher than the user's limits.
    pub(crate) fn limited(&self, mut settings: Settings) -> Settings {
        let limits = self.limits.read();
        for name in LIMITED_SETTINGS {
            if limits.lowers(name, &settings)
                && let Ok(limit) = limits.settings.get(name)
                && let Err(error) = settings.set(name, &limit)
            {
                // A limit was a value of the same setting before.
                tracing::error!(%error, limit_name = name, "a limit cannot be put in force");
            }
        }
        settings
    }

    /// Counts a statement that begins at `now`.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many have begun within a second.
    pub(crate) fn begin(&self, now: Instant) -> Result<()> {
        let Some(limit) = self.bound(RATE) else {
            return Ok(());
        };
        let mut second = self.statements.lock();
        if now.saturating_duration_since(second.begun) >= Duration::from_secs(1) {
            *second = Second {
                begun: now,
                statements: 0,
            };
        }
        if u128::from(second.statements) >= limit.amount {
            return Err(refused(RATE, &limit));
        }
        second.statements += 1;
        Ok(())
    }

    /// Counts a query that reads tables for as long as it runs.
    ///
    /// # Errors
    /// `ResourceExhausted` when as many run as may.
    pub(crate) fn query(self: &Arc<Self>) -> Result<Counted> {
        self.count(QUERIES, |quota| &quota.queries)
    }

    /// Counts a session for as long as it is open.
    ///
    /// # Errors
    /// `ResourceExhausted` when as many are open as may.
    pub(crate) fn session(self: &Arc<Self>) -> Result<Counted> {
        self.count(SESSIONS, |quota| &quota.sessions)
    }

    /// Checks how many rows a result has so far.
    ///
    /// # Errors
    /// `ResourceExhausted` when there are more than may be.
    pub(crate) fn check_rows(&self, rows: u64) -> Result<()> {
        match self.bound(ROWS) {
            Some(limit) if u128::from(rows) > limit.amount => Err(refused(ROWS, &limit)),
            _ => Ok(()),
        }
    }

    /// Whether there is a limit on the rows of a result, which only this coordinator counts.
    pub(crate) fn limits_rows(&self) -> bool {
        self.bound(ROWS).is_some()
    }

    /// Checks how many bytes a query is going to read.
    ///
    /// # Errors
    /// `ResourceExhausted` when there are more than may be.
    pub(crate) fn check_scan(&self, bytes: u64) -> Result<()> {
        match self.bound(SCAN) {
            Some(limit) if u128::from(bytes) > limit.amount => Err(refused(SCAN, &limit)),
            _ => Ok(()),
        }
    }

    fn count(
        self: &Arc<Self>,
        name: &'static str,
        counter: fn(&Self) -> &AtomicUsize,
    ) -> Result<Counted> {
        let before = counter(self).fetch_add(1, Ordering::Relaxed);
        let counted = Counted {
            quota: Arc::clone(self),
            counter,
        };
        match self.bound(name) {
            Some(limit) if before as u128 >= limit.amount => Err(refused(name, &limit)),
            _ => Ok(counted),
        }
    }

    fn bound(&self, name: &str) -> Option<Bound> {
        self.limits.read().by_name.get(name).cloned()
    }

    /// The error, which may name a setting: where that has come to a limit, with whose limit it is.
    pub(crate) fn explained(&self, error: Error, settings: &Settings) -> Error {
        let limit = LIMITED_SETTINGS.into_iter().find_map(|name| {
            let named = error.message().contains(name);
            let whose = named.then(|| self.whose(name, settings)).flatten()?;
            Some((name, whose))
        });
        let Some((name, whose)) = limit else {
            return error;
        };
        let message = format!("{error}; \"{name}\" is a limit of {whose}");
        Error::new(error.kind(), message)
    }

    /// Whose limit a setting has come to, if it has.
    fn whose(&self, name: &str, settings: &Settings) -> Option<Grantee> {
        let bound = self.bound(name)?;
        (amount_of(name, settings) == Some(bound.amount)).then_some(bound.whose)
    }
}

fn refused(name: &str, limit: &Bound) -> Error {
    let Bound { amount, whose } = limit;
    Error::new(
        ErrorKind::ResourceExhausted,
        format!(
            "the limit \"{name}\" of {whose} is {amount}: try again later, ask for less, or have \
                 an administrator raise it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(of: &Grantee, (name, value): (&str, &str)) -> Limit {
        Limit {
            of: of.clone(),
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }

    fn role(name: &str) -> Grantee {
        Grantee::Role(name.to_owned())
    }

    fn quota_of(limits: &[Limit]) -> Arc<Quota> {
        let quota = Quota::new();
        *quota.limits.write() = Limits::read(limits).unwrap();
        Arc::new(quota)
    }

    fn quota(limits: &[(&str, &str)]) -> Arc<Quota> {
        let ann = Grantee::User("ann".to_owned());
        let limits: Vec<_> = limits.iter().map(|text| limit(&ann, *text)).collect();
        quota_of(&limits)
    }

    #[test]
    fn a_setting_goes_no_higher_than_its_limit() {
        let quota = quota(&[
            ("memory_limit", "64MiB"),
            ("query_timeout", "30s"),
            ("max_sql_length", "1KiB"),
            ("max_expression_depth", "20"),
        ]);
        let plain = quota.limited(Settings::new());
        assert_eq!(plain.values().memory_limit, 64 << 20);
        assert_eq!(plain.values().query_timeout, Duration::from_secs(30));
        assert_eq!(plain.values().max_sql_length, 1024);
        assert_eq!(plain.values().max_expression_depth, 20);
        let mut wished = Settings::new();
        wished.set("memory_limit", "1GiB").unwrap();
        wished.set("query_timeout", "5s").unwrap();
        let given = quota.limited(wished);
        assert_eq!(given.values().memory_limit, 64 << 20);
        assert_eq!(given.values().query_timeout, Duration::from_secs(5));
    }

    #[test]
    fn what_is_counted_is_refused_by_name_and_given_back() {
        let quota = quota(&[(QUERIES, "1"), (SESSIONS, "2")]);
        let running = quota.query().unwrap();
        let error = quota.query().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert!(
            error
                .message()
                .contains("\"max_concurrent_queries\" of user \"ann\" is 1")
        );
        drop(running);
        drop(quota.query().unwrap());
        let _sessions = [quota.session().unwrap(), quota.session().unwrap()];
        let error = quota.session().unwrap_err();
        assert!(error.message().contains(SESSIONS), "{error}");
    }

    #[test]
    fn rows_bytes_and_rates_are_limited() {
        let quota = quota(&[(ROWS, "10"), (RATE, "2"), (SCAN, "1KiB")]);
        assert!(quota.check_scan(1024).is_ok());
        assert!(quota.check_scan(1025).unwrap_err().message().contains(SCAN));
        assert!(quota.check_rows(10).is_ok());
        assert!(quota.check_rows(11).unwrap_err().message().contains(ROWS));
        let now = Instant::now();
        assert!(quota.begin(now).is_ok() && quota.begin(now).is_ok());
        assert!(quota.begin(now).unwrap_err().message().contains(RATE));
        assert!(quota.begin(now + Duration::from_secs(1)).is_ok());
    }

    #[test]
    fn of_several_roles_the_most_generous_limit_holds_and_is_named() {
        let quota = quota_of(&[
            limit(&role("one"), (ROWS, "10")),
            limit(&role("two"), (ROWS, "30")),
            limit(&role("three"), (ROWS, "20")),
            limit(&role("one"), ("memory_limit", "1GiB")),
            limit(&role("two"), ("memory_limit", "64MiB")),
            limit(&role("two"), ("query_timeout", "2m")),
            limit(&role("three"), ("query_timeout", "90s")),
        ]);
        assert!(quota.check_rows(30).is_ok());
        let error = quota.check_rows(31).unwrap_err();
        assert!(error.message().contains("of role \"two\" is 30"), "{error}");
        let settings = quota.limited(Settings::new());
        assert_eq!(settings.values().memory_limit, 1 << 30);
        assert_eq!(settings.values().query_timeout, Duration::from_secs(120));
        assert_eq!(quota.whose("memory_limit", &settings), Some(role("one")));
        assert_eq!(quota.whose("query_timeout", &settings), Some(role("two")));
        assert_eq!(quota.whose("max_sql_length", &settings), None);
    }

    #[test]
    fn an_error_that_names_a_setting_says_whose_limit_it_has_come_to() {
        let quota = quota_of(&[limit(&role("one"), ("memory_limit", "64MiB"))]);
        let told = |settings: &Settings| {
            let error = Error::invalid("raise memory_limit");
            quota.explained(error, settings).message().to_owned()
        };
        let limited = quota.limited(Settings::new());
        let whose = "raise memory_limit; \"memory_limit\" is a limit of role \"one\"";
        assert_eq!(told(&limited), whose);
        let mut less = Settings::new();
        less.set("memory_limit", "32MiB").unwrap();
        assert_eq!(told(&less), "raise memory_limit");
    }

    #[test]
    fn limits_have_names_and_are_more_than_nothing() {
        for (name, value) in [
            (QUERIES, "0"),
            (ROWS, "many"),
            (SCAN, "0"),
            ("memory_limit", "0"),
            ("query_timeout", "0s"),
            ("max_expression_depth", "1"),
        ] {
            let limit = limit(&role("r"), (name, value));
            assert!(check_limit(&limit).is_err(), "{name} {value}");
        }
        let error = check_limit(&limit(&role("r"), ("max_conections", "1"))).unwrap_err();
        assert!(
            error.message().contains("did you mean \"max_connections\""),
            "{error}"
        );
    }
}
