//! What one user may have of the server: limits that administrators set, and what counts against
//! them.
//!
//! A limit that has the name of a setting is the most that the setting may say in the user's
//! sessions. The others are counted here, over all sessions of the user on this coordinator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;
use parking_lot::{Mutex, RwLock};
use waterbuck_catalog::CatalogStore;
use waterbuck_engine::settings::{Settings, parse_bytes};
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
#[derive(Debug)]
pub(crate) struct Quotas {
    catalog: Arc<dyn CatalogStore>,
    users: DashMap<String, Arc<Quota>>,
}

/// One user's limits, and what counts against them now.
#[derive(Debug)]
pub(crate) struct Quota {
    user: String,
    limits: RwLock<Limits>,
    queries: AtomicUsize,
    sessions: AtomicUsize,
    statements: Mutex<Second>,
}

/// Limits by kind; what is not there is not limited.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Limits {
    settings: Settings,
    limited: Vec<&'static str>,
    counted: BTreeMap<&'static str, u64>,
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
    pub(crate) fn new(catalog: Arc<dyn CatalogStore>) -> Self {
        Self {
            catalog,
            users: DashMap::new(),
        }
    }

    /// The quota of `user` with the limits that were read last.
    pub(crate) fn of(&self, user: &str) -> Arc<Quota> {
        let quota = self.users.entry(user.to_owned());
        Arc::clone(&quota.or_insert_with(|| Arc::new(Quota::new(user))))
    }

    /// The quota of `user` with the limits as they are in the catalog, for all of their sessions.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn read(&self, user: &str) -> Result<Arc<Quota>> {
        let limits = Limits::read(&self.catalog.limits(user).await?)?;
        let quota = self.of(user);
        *quota.limits.write() = limits;
        Ok(quota)
    }
}

/// Checks a limit's name and value.
///
/// # Errors
/// When there is no such limit, or it cannot have the value.
pub(crate) fn check_limit(name: &str, value: &str) -> Result<()> {
    Limits::default().set(name, value)
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
    fn read(texts: &BTreeMap<String, String>) -> Result<Self> {
        let mut limits = Self::default();
        for (name, value) in texts {
            limits.set(name, value)?;
        }
        Ok(limits)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let none = || {
            Error::invalid(format!(
                "\"{value}\" is no limit for \"{name}\": give more than 0, or RESET LIMIT {name}"
            ))
        };
        if let Some(known) = LIMITED_SETTINGS.into_iter().find(|known| *known == name) {
            self.settings.set(known, value)?;
            let values = self.settings.values();
            let says_none = match known {
                "memory_limit" => values.memory_limit == 0,
                "query_timeout" => values.query_timeout.is_zero(),
                _ => false,
            };
            self.limited.push(known);
            return if says_none { Err(none()) } else { Ok(()) };
        }
        let Some(known) = COUNTED.into_iter().find(|known| *known == name) else {
            return check_limit_name(name);
        };
        let count = match known {
            SCAN => parse_bytes(value).ok(),
            _ => value.trim().parse().ok(),
        };
        let count = count.filter(|count| *count > 0);
        self.counted.insert(known, count.ok_or_else(none)?);
        Ok(())
    }

    /// The lower of a setting's value and its limit; 0 of either stands for none.
    fn lowered(&self, name: &str, settings: &Settings) -> bool {
        let (limit, now) = (self.settings.values(), settings.values());
        match name {
            "max_expression_depth" => now.max_expression_depth > limit.max_expression_depth,
            "max_sql_length" => now.max_sql_length > limit.max_sql_length,
            "memory_limit" => now.memory_limit == 0 || now.memory_limit > limit.memory_limit,
            _ => now.query_timeout.is_zero() || now.query_timeout > limit.query_timeout,
        }
    }
}

impl Quota {
    pub(crate) fn new(user: &str) -> Self {
        Self {
            user: user.to_owned(),
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
        for name in &limits.limited {
            if limits.lowered(name, &settings)
                && let Ok(limit) = limits.settings.get(name)
                && let Err(error) = settings.set(name, &limit)
            {
                // A limit was a value of the same setting before.
                tracing::error!(%error, limit_name = *name, "a limit cannot be put in force");
            }
        }
        settings
    }

    /// Counts a statement that begins at `now`.
    ///
    /// # Errors
    /// `ResourceExhausted` when too many have begun within a second.
    pub(crate) fn begin(&self, now: Instant) -> Result<()> {
        let Some(limit) = self.limit(RATE) else {
            return Ok(());
        };
        let mut second = self.statements.lock();
        if now.saturating_duration_since(second.begun) >= Duration::from_secs(1) {
            *second = Second {
                begun: now,
                statements: 0,
            };
        }
        if second.statements >= limit {
            return Err(self.refused(RATE, limit));
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
        match self.limit(ROWS) {
            Some(limit) if rows > limit => Err(self.refused(ROWS, limit)),
            _ => Ok(()),
        }
    }

    /// Whether there is a limit on the rows of a result, which only this coordinator counts.
    pub(crate) fn limits_rows(&self) -> bool {
        self.limit(ROWS).is_some()
    }

    /// Checks how many bytes a query is going to read.
    ///
    /// # Errors
    /// `ResourceExhausted` when there are more than may be.
    pub(crate) fn check_scan(&self, bytes: u64) -> Result<()> {
        match self.limit(SCAN) {
            Some(limit) if bytes > limit => Err(self.refused(SCAN, limit)),
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
        match self.limit(name) {
            Some(limit) if before as u64 >= limit => Err(self.refused(name, limit)),
            _ => Ok(counted),
        }
    }

    fn limit(&self, name: &str) -> Option<u64> {
        self.limits.read().counted.get(name).copied()
    }

    fn refused(&self, name: &str, limit: u64) -> Error {
        Error::new(
            ErrorKind::ResourceExhausted,
            format!(
                "the limit \"{name}\" of user \"{}\" is {limit}: try again later, ask for less, or \
                 have an administrator raise it",
                self.user
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(limits: &[(&str, &str)]) -> Arc<Quota> {
        let texts = limits
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let quota = Quota::new("ann");
        *quota.limits.write() = Limits::read(&texts).unwrap();
        Arc::new(quota)
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
    fn limits_have_names_and_are_more_than_nothing() {
        for (name, value) in [
            (QUERIES, "0"),
            (ROWS, "many"),
            (SCAN, "0"),
            ("memory_limit", "0"),
            ("query_timeout", "0s"),
            ("max_expression_depth", "1"),
        ] {
            assert!(check_limit(name, value).is_err(), "{name} {value}");
        }
        let error = check_limit("max_conections", "1").unwrap_err();
        assert!(
            error.message().contains("did you mean \"max_connections\""),
            "{error}"
        );
    }
}
