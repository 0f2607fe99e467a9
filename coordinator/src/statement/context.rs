//! What a statement works with.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::SchemaReference;
use datafusion::common::TableReference;
use waterbuck_catalog::{Rights, TableName};
use waterbuck_engine::settings::Settings;
use waterbuck_engine::sql::Grantee;
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::coordinator::Core;
use crate::plan::CATALOG_NAME;
use crate::query::{QueryRecord, QueryState};
use crate::result_parts::Endpoints;
use crate::session::{Outcome, Session};

/// One statement of one session.
pub(crate) struct StatementContext {
    pub(crate) session: Arc<Session>,
    pub(crate) record: Arc<QueryRecord>,
    pub(crate) settings: Settings,
    pub(crate) parameters: Vec<RecordBatch>,
    pub(crate) sql: String,
    /// Those of the moment the statement began.
    rights: Arc<Rights>,
    /// The table that is read with all its rows and columns, for figures about it that the user is not
    /// shown.
    whole_table: Option<i64>,
    /// Where its rows are to be given out.
    endpoints: Endpoints,
    settled: bool,
}

impl StatementContext {
    pub(crate) fn new(
        session: Arc<Session>,
        record: Arc<QueryRecord>,
        parameters: Vec<RecordBatch>,
        sql: &str,
        rights: Arc<Rights>,
    ) -> Self {
        let settings = session.settings();
        Self {
            session,
            record,
            settings,
            parameters,
            sql: sql.to_owned(),
            rights,
            whole_table: None,
            endpoints: Endpoints::One,
            settled: false,
        }
    }

    /// The same statement, said in other words: `SHOW` as the query it stands for.
    pub(crate) fn with_sql(&self, sql: &str) -> Self {
        Self {
            session: Arc::clone(&self.session),
            record: Arc::clone(&self.record),
            settings: self.settings.clone(),
            parameters: vec![],
            sql: sql.to_owned(),
            rights: Arc::clone(&self.rights),
            whole_table: self.whole_table,
            endpoints: self.endpoints,
            settled: true,
        }
    }

    /// The same statement, reading the table with this id, and no other, as it is and not as the user
    /// may see it. What it reads must not reach the user.
    #[must_use]
    pub(crate) fn reading_whole(mut self, table_id: i64) -> Self {
        self.whole_table = Some(table_id);
        self
    }

    /// The same statement, for a reader who takes its rows at `endpoints`.
    #[must_use]
    pub(crate) fn read_at(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// Where its rows are to be given out.
    pub(crate) fn endpoints(&self) -> Endpoints {
        self.endpoints
    }

    /// The table that is read with all its rows and columns.
    pub(crate) fn whole_table(&self) -> Option<i64> {
        self.whole_table
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        self.session.core()
    }

    /// The error of a statement that was stopped.
    pub(crate) fn cancelled(&self) -> Error {
        let message = format!("the query was cancelled (query {})", self.record.id);
        Error::new(ErrorKind::Cancelled, message)
    }

    /// Ends the statement's record, unless its rows are still to be read.
    pub(crate) fn settle(mut self, result: Result<Outcome>) -> Result<Outcome> {
        self.settled = true;
        let queries = &self.core().queries;
        match &result {
            Ok(Outcome::Rows { .. } | Outcome::Parts { .. }) => {}
            Ok(Outcome::Updated { rows, .. }) => {
                if let Some(rows) = rows {
                    self.record
                        .handed_over(usize::try_from(*rows).unwrap_or(usize::MAX), 0);
                }
                queries.finish(&self.record, QueryState::Finished, None);
            }
            Err(error) if error.kind() == ErrorKind::Cancelled => {
                queries.finish(&self.record, QueryState::Cancelled, Some(error.to_string()));
            }
            Err(error) => {
                queries.finish(&self.record, QueryState::Failed, Some(error.to_string()));
            }
        }
        result
    }

    /// Ends the record of a statement that was only planned: it is kept when that failed.
    pub(crate) fn settle_prepared<T>(mut self, result: Result<T>) -> Result<T> {
        self.settled = true;
        let queries = &self.core().queries;
        match &result {
            Ok(_) => queries.forget(self.record.id),
            Err(error) => {
                queries.finish(&self.record, QueryState::Failed, Some(error.to_string()));
            }
        }
        result
    }

    /// The outcome of a statement that changes something other than rows.
    pub(crate) fn done(&self) -> Outcome {
        Outcome::Updated {
            query_id: self.record.id,
            rows: None,
        }
    }

    /// The outcome of a statement that wrote `rows` rows.
    pub(crate) fn wrote(&self, rows: u64) -> Outcome {
        Outcome::Updated {
            query_id: self.record.id,
            rows: Some(rows),
        }
    }

    /// Lets only administrators through.
    ///
    /// # Errors
    /// `PermissionDenied` for everybody else.
    pub(crate) fn admin_only(&self, what: &str) -> Result<()> {
        if self.session.is_admin() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::PermissionDenied,
            format!("only administrators may {what}"),
        ))
    }

    /// What the session's user may do, with the roles that are active: the same during the whole
    /// statement.
    pub(crate) fn rights(&self) -> Arc<Rights> {
        Arc::clone(&self.rights)
    }

    /// Who owns what the statement makes.
    pub(crate) fn owner(&self) -> Grantee {
        Grantee::User(self.session.user().name.clone())
    }

    /// The full name behind a reference: without a schema, the session's own.
    ///
    /// # Errors
    /// When another catalog is named.
    pub(crate) fn table_name(&self, reference: &TableReference) -> Result<TableName> {
        let schema = match (reference.catalog(), reference.schema()) {
            (Some(catalog), _) if catalog != CATALOG_NAME => {
                return Err(Error::not_found(format!(
                    "catalog \"{catalog}\" does not exist"
                )));
            }
            (_, Some(schema)) => schema.to_owned(),
            (_, None) => self.settings.values().schema.clone(),
        };
        Ok(TableName {
            schema,
            name: reference.table().to_owned(),
        })
    }

    /// The schema behind a reference.
    ///
    /// # Errors
    /// When another catalog is named.
    pub(crate) fn schema_name(&self, reference: &SchemaReference) -> Result<String> {
        match reference {
            SchemaReference::Bare { schema } => Ok(schema.to_string()),
            SchemaReference::Full { catalog, .. } if catalog.as_ref() != CATALOG_NAME => Err(
                Error::not_found(format!("catalog \"{catalog}\" does not exist")),
            ),
            SchemaReference::Full { schema, .. } => Ok(schema.to_string()),
        }
    }
}

impl Drop for StatementContext {
    fn drop(&mut self) {
        if !self.settled {
            // The client went away while its statement was being planned or was writing.
            self.record.cancel.cancel();
            let why = Some("the client went away".to_owned());
            self.core()
                .queries
                .finish(&self.record, QueryState::Cancelled, why);
        }
    }
}
