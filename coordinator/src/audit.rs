//! Who did what, from where, when, and how it ended: one record for each action.
//!
//! Records go to a file of JSON lines, where one was named, and the last of them to `system.audit`.
//! A statement that holds a secret is recorded by its kind; the text of its error is left out, since
//! it may quote the statement, and so is a text that is no statement at all.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use parking_lot::Mutex;
use serde_json::json;
use tracing::error;
use uuid::Uuid;
use waterbuck_engine::{Error, Result};

use crate::query::{QueryRecord, QueryState, QueryView};

/// What `system.audit` may hold, as bytes of text.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Longer texts are cut.
const TEXT_BYTES_MAX: usize = 16 << 10;
const NAME_BYTES_MAX: usize = 256;

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct AuditRecord {
    /// When it ended.
    pub(crate) at: DateTime<Utc>,
    /// Who did it, or said they were.
    pub(crate) user: String,
    /// The address they logged in from.
    pub(crate) peer: String,
    /// `login`, `logout` or a kind of statement.
    pub(crate) action: &'static str,
    /// The statement, where it is one and holds no secret.
    pub(crate) what: Option<String>,
    pub(crate) session_id: Option<Uuid>,
    pub(crate) query_id: Option<Uuid>,
    /// `ok`, `failed` or `cancelled`.
    pub(crate) result: &'static str,
    pub(crate) error: Option<String>,
    pub(crate) rows: Option<u64>,
}

/// The audit log of a coordinator.
#[derive(Debug)]
pub(crate) struct AuditLog {
    file: Option<Mutex<File>>,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    records: VecDeque<(Arc<AuditRecord>, usize)>,
    bytes: usize,
}

impl AuditLog {
    /// A log that goes on in the file at `path`, which is made for its owner alone.
    ///
    /// # Errors
    /// When the file cannot be opened: a server that must be audited does not start without.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self> {
        let file = path.map(open).transpose()?.map(Mutex::new);
        Ok(Self {
            file,
            kept: Mutex::default(),
        })
    }

    /// Records a login, or one that failed.
    pub(crate) fn login(&self, user: &str, peer: &str, result: Result<Uuid, &Error>) {
        self.record(AuditRecord {
            session_id: result.as_ref().ok().copied(),
            result: if result.is_ok() { "ok" } else { "failed" },
            error: result.err().map(|error| error.message().to_owned()),
            ..AuditRecord::new("login", user, peer)
        });
    }

    /// Records the end of a session.
    pub(crate) fn logout(&self, user: &str, peer: &str, session: Uuid) {
        self.record(AuditRecord {
            session_id: Some(session),
            ..AuditRecord::new("logout", user, peer)
        });
    }

    /// Records a statement that has ended.
    pub(crate) fn statement(&self, query: &QueryRecord, view: &QueryView) {
        self.record(AuditRecord {
            what: Some(query.sql.clone()),
            session_id: Some(query.session_id),
            query_id: Some(query.id),
            result: match view.state {
                QueryState::Finished => "ok",
                QueryState::Cancelled => "cancelled",
                _ => "failed",
            },
            error: view.error.clone(),
            rows: Some(view.rows),
            ..AuditRecord::new(query.kind, &query.user, &query.peer)
        });
    }

    /// Records a text that is no statement. It may be one with a secret that is misspelt, so
    /// neither the text nor the error, which shows its place, is kept.
    pub(crate) fn no_statement(&self, user: &str, peer: &str, session: Uuid) {
        self.record(AuditRecord {
            session_id: Some(session),
            result: "failed",
            ..AuditRecord::new("no statement", user, peer)
        });
    }

    /// The records that are kept, the oldest first.
    pub(crate) fn records(&self) -> Vec<Arc<AuditRecord>> {
        let kept = self.kept.lock();
        kept.records
            .iter()
            .map(|(record, _)| Arc::clone(record))
            .collect()
    }

    fn record(&self, record: AuditRecord) {
        let record = record.shortened();
        let line = record.line();
        if let Some(file) = &self.file {
            // One write for each line: lines of several processes do not mix.
            if let Err(error) = file.lock().write_all(line.as_bytes()) {
                error!(%error, "an audit record cannot be written");
            }
        }
        let mut kept = self.kept.lock();
        kept.bytes += line.len();
        kept.records.push_back((Arc::new(record), line.len()));
        while kept.bytes > KEPT_BYTES_MAX {
            let Some((_, bytes)) = kept.records.pop_front() else {
                break;
            };
            kept.bytes -= bytes;
        }
    }
}

impl AuditRecord {
    /// An action that went well; the rest is filled in.
    fn new(action: &'static str, user: &str, peer: &str) -> Self {
        Self {
            at: Utc::now(),
            user: user.to_owned(),
            peer: peer.to_owned(),
            action,
            what: None,
            session_id: None,
            query_id: None,
            result: "ok",
            error: None,
            rows: None,
        }
    }

    fn shortened(self) -> Self {
        Self {
            user: cut(self.user, NAME_BYTES_MAX),
            what: self.what.map(|text| cut(text, TEXT_BYTES_MAX)),
            error: self.error.map(|text| cut(text, TEXT_BYTES_MAX)),
            ..self
        }
    }

    /// One line of JSON. Line ends inside texts are escaped, those of Unicode too: a name or a
    /// statement cannot pretend to be a record.
    fn line(&self) -> String {
        let id = |id: Option<Uuid>| id.map(|id| id.to_string());
        let record = json!({
            "at": self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "user": self.user,
            "peer": self.peer,
            "action": self.action,
            "what": self.what,
            "session_id": id(self.session_id),
            "query_id": id(self.query_id),
            "result": self.result,
            "error": self.error,
            "rows": self.rows,
        });
        let text = record
            .to_string()
            .replace('\u{85}', "\\u0085")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029");
        text + "\n"
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|error| {
        let message = format!("the audit log \"{}\" cannot be written", path.display());
        Error::unavailable(message).with_source(error)
    })
}

fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::query::QueryRegistry;

    #[test]
    fn each_action_is_one_line_whatever_its_texts_hold() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("audit.jsonl");
        let log = AuditLog::open(Some(&path)).unwrap();
        let name = "ann\n{\"user\":\"admin\"}\r\u{2028}\u{85}\0\"";
        log.login(name, "10.0.0.1:1", Ok(Uuid::nil()));
        let wrong = Error::invalid("user or password is wrong");
        log.login("bob", "10.0.0.1:2", Err(&wrong));
        log.logout("ann", "10.0.0.1:1", Uuid::nil());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(['\u{2028}', '\u{85}', '\r']));
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["user"], name);
        assert_eq!(lines[0]["result"], "ok");
        assert_eq!(lines[1]["result"], "failed");
        assert_eq!(lines[1]["error"], "user or password is wrong");
        assert_eq!(lines[2]["action"], "logout");
        assert_eq!(log.records().len(), 3);
        // A second process goes on behind it.
        drop(log);
        AuditLog::open(Some(&path))
            .unwrap()
            .logout("ann", "", Uuid::nil());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 4);
    }

    #[test]
    fn statements_with_secrets_leave_their_kind_alone() {
        let log = Arc::new(AuditLog::open(None).unwrap());
        let queries = QueryRegistry::audited(Arc::clone(&log));
        let enter = |sql: &str, secret| {
            let query = QueryRecord::new(Uuid::nil(), "ann", sql, "CREATE USER");
            queries.enter(query.with_peer("10.0.0.1:1").holding_secret(secret))
        };
        let open = enter("CREATE USER bob …", true);
        queries.finish(&open, QueryState::Failed, Some("near 'hush'".to_owned()));
        queries.finish(&open, QueryState::Finished, None);
        let plain = enter("SELECT 1", false);
        queries.finish(&plain, QueryState::Failed, Some("no such".to_owned()));
        let records = log.records();
        assert_eq!(records.len(), 2, "one for each action");
        assert_eq!(records[0].error, None);
        assert_eq!(records[0].result, "failed");
        assert_eq!(records[0].peer, "10.0.0.1:1");
        assert_eq!(records[1].error.as_deref(), Some("no such"));
    }

    #[test]
    fn only_so_much_is_kept() {
        let log = AuditLog::open(None).unwrap();
        let long = "x".repeat(TEXT_BYTES_MAX * 2);
        let record = |n: u64| AuditRecord {
            what: Some(long.clone()),
            rows: Some(n),
            ..AuditRecord::new("SELECT", "ann", "")
        };
        for n in 0..2000 {
            log.record(record(n));
        }
        let records = log.records();
        assert!(records.len() < KEPT_BYTES_MAX / TEXT_BYTES_MAX);
        assert_eq!(records.last().unwrap().rows, Some(1999));
        assert!(log.kept.lock().bytes <= KEPT_BYTES_MAX);
    }
}
