//! A user's session: who they are, what they set, and the statements they send.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use parking_lot::Mutex;
use uuid::Uuid;
use waterbuck_catalog::Rights;
use waterbuck_engine::settings::Settings;
use waterbuck_engine::sql::{
    ActiveRoles, ParseLimits, ParsedStatement, PreparedQuery, number_placeholders, parse,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::apart::apart;
use crate::coordinator::Core;
use crate::ingest::Ingest;
use crate::names::did_you_mean;
use crate::query::{QueryRecord, elapsed, timed_out};
use crate::quota::Quota;
use crate::result_parts::{Endpoints, ResultPart};
use crate::statement::{self, StatementContext};

/// Who a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionUser {
    /// The user's name.
    pub name: String,
    /// May do everything.
    pub admin: bool,
}

/// What a statement gave.
pub enum Outcome {
    /// Rows to be read.
    Rows {
        /// The id under which the query can be watched and stopped.
        query_id: Uuid,
        /// The rows; dropping the stream stops the query.
        stream: SendableRecordBatchStream,
    },
    /// Rows to be read in parts, by those who ask for them so.
    Parts {
        /// The id under which the query can be watched and stopped.
        query_id: Uuid,
        /// The columns.
        schema: SchemaRef,
        /// The parts; dropping one that is given out here stops the query.
        parts: Vec<ResultPart>,
    },
    /// Something was changed.
    Updated {
        /// The id under which the statement was recorded.
        query_id: Uuid,
        /// Rows written, where the statement writes rows.
        rows: Option<u64>,
    },
}

/// A statement that was planned but not run.
#[derive(Debug, Clone)]
pub struct PreparedStatement {
    /// The columns of the result; `None` for a statement that gives no rows.
    pub schema: Option<SchemaRef>,
    /// The parameters `$1`, `$2`, …; type `Null` where none could be inferred.
    pub parameters: SchemaRef,
}

/// A query that `PREPARE` keeps.
#[derive(Debug, Clone)]
pub(crate) struct KeptQuery {
    /// The text in which it stands.
    pub(crate) text: String,
    pub(crate) query: PreparedQuery,
}

/// Queries one session may keep.
const KEPT_MAX: usize = 1000;

/// One user's session.
pub struct Session {
    id: Uuid,
    /// The address its user logged in from.
    peer: String,
    user: SessionUser,
    quota: Arc<Quota>,
    core: Arc<Core>,
    settings: Mutex<Settings>,
    /// What `PREPARE` keeps, by name.
    kept: Mutex<BTreeMap<String, KeptQuery>>,
    /// The state of its user it was opened under.
    opened_under: u64,
    /// The state of its user it goes on under.
    good_for: AtomicU64,
    /// The roles that count, and whether they make its user an administrator.
    roles: Mutex<(ActiveRoles, bool)>,
}

impl Session {
    pub(crate) fn open(core: Arc<Core>, user: SessionUser, id: Uuid, peer: &str) -> Arc<Self> {
        let settings = Mutex::new(core.settings.clone());
        let quota = core.quotas.of(&user.name);
        let opened_under = core.revocations.current(&user.name);
        let roles = Mutex::new((ActiveRoles::All, user.admin));
        Arc::new(Self {
            id,
            peer: peer.to_owned(),
            user,
            quota,
            core,
            settings,
            kept: Mutex::default(),
            opened_under,
            good_for: AtomicU64::new(opened_under),
            roles,
        })
    }

    /// Whether it may still be used: its user was neither changed nor dropped.
    pub fn is_open(&self) -> bool {
        self.good_for.load(Ordering::SeqCst) == self.core.revocations.current(&self.user.name)
    }

    /// Whether its user was changed by a statement in it.
    pub(crate) fn changed_its_user(&self) -> bool {
        self.good_for.load(Ordering::SeqCst) != self.opened_under
    }

    /// Ends the other sessions of `user`, with what they run.
    pub(crate) fn revoke(&self, user: &str) {
        let now = self.core.revocations.revoke(user);
        if user == self.user.name {
            self.good_for.store(now, Ordering::SeqCst);
        }
        for query in self.core.queries.all() {
            if query.user == user && query.session_id != self.id {
                query.cancel.cancel();
            }
        }
    }

    /// The session's id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Who it belongs to.
    pub fn user(&self) -> &SessionUser {
        &self.user
    }

    /// Whether its user may do everything, with the roles that count.
    pub(crate) fn is_admin(&self) -> bool {
        self.roles.lock().1
    }

    /// The roles that count, and whether they make its user an administrator.
    pub(crate) fn roles(&self) -> (ActiveRoles, bool) {
        self.roles.lock().clone()
    }

    pub(crate) fn set_roles(&self, roles: ActiveRoles, admin: bool) {
        *self.roles.lock() = (roles, admin);
    }

    /// What its user may do now, with the roles that count.
    ///
    /// # Errors
    /// When the catalog cannot be read.
    pub(crate) async fn rights(&self) -> Result<Rights> {
        let (roles, admin) = self.roles();
        let rights = self.core.catalog.rights(&self.user.name, &roles).await?;
        Ok(if admin { rights.as_admin() } else { rights })
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// The settings as they are now, and no higher than the user's limits.
    pub fn settings(&self) -> Settings {
        self.quota.limited(self.settings.lock().clone())
    }

    pub(crate) fn change_settings<T>(&self, change: impl FnOnce(&mut Settings) -> T) -> T {
        change(&mut self.settings.lock())
    }

    /// Keeps a query under a name.
    ///
    /// # Errors
    /// When there is one of that name, or too many are kept.
    pub(crate) fn keep(&self, name: &str, query: KeptQuery) -> Result<()> {
        let mut kept = self.kept.lock();
        if kept.contains_key(name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("prepared statement \"{name}\" already exists: DEALLOCATE it first"),
            ));
        }
        if kept.len() >= KEPT_MAX {
            return Err(Error::new(
                ErrorKind::ResourceExhausted,
                format!("the session holds {KEPT_MAX} prepared statements: DEALLOCATE some first"),
            ));
        }
        kept.insert(name.to_owned(), query);
        Ok(())
    }

    /// The query of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn kept(&self, name: &str) -> Result<KeptQuery> {
        let kept = self.kept.lock();
        let found = kept.get(name).cloned();
        found.ok_or_else(|| not_prepared(name, kept.keys()))
    }

    /// Forgets the query of that name, or all of them without one.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn drop_kept(&self, name: Option<&str>) -> Result<()> {
        let mut kept = self.kept.lock();
        match name {
            None => kept.clear(),
            Some(name) if kept.remove(name).is_none() => {
                return Err(not_prepared(name, kept.keys()));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Splits a text into its statements.
    ///
    /// # Errors
    /// Syntax errors, with the place, and texts beyond the limits.
    pub fn parse(&self, sql: &str) -> Result<Vec<ParsedStatement>> {
        let settings = self.settings();
        let limits = ParseLimits::from(settings.values());
        let parsed = parse(&number_placeholders(sql), &limits);
        parsed.map_err(|error| match error.kind() {
            ErrorKind::ResourceExhausted => self.quota.explained(error, &settings),
            _ => error,
        })
    }

    /// What its user may do as a statement begins; what the user may have of the server is known
    /// from then on as well.
    async fn begin(&self) -> Result<Arc<Rights>> {
        let rights = self.rights().await?;
        self.core.quotas.renew(&rights)?;
        Ok(Arc::new(rights))
    }

    fn parse_one(&self, sql: &str) -> Result<ParsedStatement> {
        let parsed = self.parse(sql);
        let mut statements = parsed.inspect_err(|_| {
            let audit = &self.core.audit;
            audit.no_statement(&self.user.name, &self.peer, self.id);
        })?;
        match (statements.pop(), statements.is_empty()) {
            (Some(statement), true) => Ok(statement),
            (None, _) => Err(Error::invalid("the statement is empty")),
            (Some(_), false) => Err(Error::invalid(
                "one statement at a time: send what stands after the first \";\" separately",
            )),
        }
    }

    /// Plans a statement without running it.
    ///
    /// # Errors
    /// Everything that is found while planning.
    pub async fn prepare(self: &Arc<Self>, sql: &str) -> Result<PreparedStatement> {
        let work = async {
            let rights = self.begin().await?;
            let parsed = self.parse_one(sql)?;
            let context = self.enter(&parsed, vec![], rights);
            let prepared = match self.quota.begin(Instant::now()) {
                Ok(()) => statement::prepare(&context, &parsed).await,
                Err(error) => Err(error),
            };
            context.settle_prepared(prepared)
        };
        apart(sql, work).await
    }

    /// Runs one statement; each row of `parameters` is one set of values for its parameters.
    ///
    /// # Errors
    /// Everything that is found before the first row.
    pub async fn execute(
        self: &Arc<Self>,
        sql: &str,
        parameters: Vec<RecordBatch>,
    ) -> Result<Outcome> {
        self.execute_at(sql, parameters, Endpoints::One).await
    }

    /// The same, for a reader who takes the result in parts.
    ///
    /// # Errors
    /// Everything that is found before the first row.
    pub(crate) async fn execute_at(
        self: &Arc<Self>,
        sql: &str,
        parameters: Vec<RecordBatch>,
        endpoints: Endpoints,
    ) -> Result<Outcome> {
        let work = async {
            let rights = self.begin().await?;
            let parsed = self.parse_one(sql)?;
            let context = self.enter(&parsed, parameters, rights).read_at(endpoints);
            self.run_in(context, &parsed).await
        };
        apart(sql, work).await
    }

    /// Runs a statement that was parsed before.
    ///
    /// # Errors
    /// Everything that is found before the first row.
    pub async fn run(
        self: &Arc<Self>,
        parsed: &ParsedStatement,
        parameters: Vec<RecordBatch>,
    ) -> Result<Outcome> {
        let rights = self.begin().await?;
        self.run_in(self.enter(parsed, parameters, rights), parsed)
            .await
    }

    async fn run_in(&self, context: StatementContext, parsed: &ParsedStatement) -> Result<Outcome> {
        let work = statement::execute(&context, parsed);
        let result = self.in_time(&context, work).await;
        context.settle(result)
    }

    /// Writes the rows of an upload into a table: all of them or none.
    ///
    /// # Errors
    /// Columns that do not fit, by name; what goes wrong while the rows come.
    pub async fn ingest(
        self: &Arc<Self>,
        ingest: &Ingest,
        rows: SendableRecordBatchStream,
    ) -> Result<Outcome> {
        let rights = self.begin().await?;
        let text = format!("INGEST INTO \"{}\"", ingest.table);
        let record = QueryRecord::new(self.id, &self.user.name, &text, "INGEST");
        let record = self.core.queries.enter(record.with_peer(&self.peer));
        let context = StatementContext::new(Arc::clone(self), record, vec![], &text, rights);
        let work = statement::ingest(&context, ingest, rows);
        let result = self.in_time(&context, work).await;
        context.settle(result)
    }

    fn enter(
        self: &Arc<Self>,
        parsed: &ParsedStatement,
        parameters: Vec<RecordBatch>,
        rights: Arc<Rights>,
    ) -> StatementContext {
        let kind = parsed.statement.kind_name();
        let record = QueryRecord::new(self.id, &self.user.name, &parsed.public_text(), kind)
            .with_peer(&self.peer)
            .holding_secret(parsed.statement.holds_secret());
        let record = self.core.queries.enter(record);
        StatementContext::new(Arc::clone(self), record, parameters, &parsed.text, rights)
    }

    /// Runs a statement until it is cancelled or takes longer than it may; not at all where its user
    /// begins too many.
    async fn in_time(
        &self,
        context: &StatementContext,
        work: impl Future<Output = Result<Outcome>>,
    ) -> Result<Outcome> {
        self.quota.begin(Instant::now())?;
        let timeout = context.settings.values().query_timeout;
        tokio::select! {
            biased;
            () = context.record.cancel.cancelled() => Err(context.cancelled()),
            () = elapsed(timeout) => {
                Err(timed_out(&self.core, &context.record, &context.settings))
            },
            result = work => result,
        }
    }

    /// Stops every query of the session.
    pub fn close(&self) {
        self.core.audit.logout(&self.user.name, &self.peer, self.id);
        self.core.queries.cancel_session(self.id);
    }
}

fn not_prepared<'a>(name: &str, kept: impl Iterator<Item = &'a String>) -> Error {
    let hint = did_you_mean(name, kept.map(String::as_str));
    Error::not_found(format!(
        "prepared statement \"{name}\" does not exist{hint}"
    ))
}
