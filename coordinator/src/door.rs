//! Opens the coordinator to the Flight SQL door.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use datafusion::execution::SendableRecordBatchStream;
use serde_json::{Value, json};
use uuid::Uuid;
use waterbuck_catalog::{ColumnDef, Securable, TableKind};
use waterbuck_engine::cluster::HEARTBEAT_ACTION;
use waterbuck_engine::sql::{ActiveRoles, Privilege};
use waterbuck_engine::ticket::TaskTicket;
use waterbuck_engine::{Error, Result};

use crate::coordinator::Coordinator;
use crate::flight_sql::{
    Backend, COLUMN_COMMENT, Execution, FlightSession, IssuedToken, OptionValue, Prepared,
    SchemaInfo, StatementInput, TableInfo, TokenLogin,
};
use crate::ingest::Ingest;
use crate::login::Admitted;
use crate::plan::{CATALOG_NAME, arrow_schema};
use crate::query::FETCH_WITHIN;
use crate::quota::Counted;
use crate::result_parts::{Endpoints, TaskResult};
use crate::session::{Outcome, Session};
use crate::system;
use crate::visible::{Visible, lacking};

/// The coordinator as the Flight SQL door sees it.
pub struct Door(pub Arc<Coordinator>);

#[async_trait]
impl Backend for Door {
    async fn login(
        &self,
        user: &str,
        password: &str,
        peer: &str,
    ) -> Result<Arc<dyn FlightSession>> {
        let authority = &self.0.core().authority;
        let admitted = authority.by_password(user, password, peer).await;
        let (session, _) = self.open(admitted, user, peer).await?;
        Ok(session)
    }

    async fn login_with_token(&self, token: &str, peer: &str) -> Result<TokenLogin> {
        let admitted = self.0.core().authority.by_token(token).await;
        let (session, admitted) = self.open(admitted, "", peer).await?;
        Ok(TokenLogin {
            names_session: admitted.session.is_some(),
            session,
        })
    }

    async fn login_with_certificate(
        &self,
        names: &[String],
        peer: &str,
    ) -> Result<Arc<dyn FlightSession>> {
        let admitted = self.0.core().authority.by_certificate(names).await;
        let claimed = names.first().map_or("", String::as_str);
        let (session, _) = self.open(admitted, claimed, peer).await?;
        Ok(session)
    }

    async fn handle_action(
        &self,
        kind: &str,
        body: Bytes,
        is_member: bool,
    ) -> Option<Result<Vec<Bytes>>> {
        if kind != HEARTBEAT_ACTION {
            return None;
        }
        Some(
            self.0
                .members()
                .heartbeat(&body, is_member)
                .map(|reply| vec![Bytes::from(reply)]),
        )
    }
}

impl Door {
    /// Opens a session for somebody who was admitted, and records that, or that they were not.
    async fn open(
        &self,
        admitted: Result<Admitted>,
        claimed: &str,
        peer: &str,
    ) -> Result<(Arc<dyn FlightSession>, Admitted)> {
        let core = self.0.core();
        let opened = async {
            let admitted = admitted?;
            let user = &admitted.user.name;
            let rights = core.catalog.rights(user, &ActiveRoles::All).await?;
            let counted = core.quotas.renew(&rights)?.session()?;
            Ok::<_, Error>((admitted, counted))
        };
        let (admitted, counted) = opened
            .await
            .inspect_err(|error| core.audit.login(claimed, peer, Err(error)))?;
        let id = admitted.session.unwrap_or_else(Uuid::now_v7);
        let session = self.0.continue_session(admitted.user.clone(), id, peer);
        tracing::info!(user = admitted.user.name, peer, "logged in");
        core.audit.login(&admitted.user.name, peer, Ok(id));
        let session: Arc<dyn FlightSession> =
            Arc::new(OpenSession(session, admitted.clone(), counted));
        Ok((session, admitted))
    }
}

/// A session, what its user was admitted by, and its place among those the user may have.
struct OpenSession(
    Arc<Session>,
    Admitted,
    #[expect(dead_code, reason = "counts the session until it is dropped")] Counted,
);

#[async_trait]
impl FlightSession for OpenSession {
    fn id(&self) -> Uuid {
        self.0.id()
    }

    fn user(&self) -> &str {
        &self.0.user().name
    }

    fn is_open(&self) -> bool {
        let changed_by_itself = self.0.changed_its_user();
        let authority = &self.0.core().authority;
        self.0.is_open() && authority.still_admits(&self.1, changed_by_itself)
    }

    fn expires(&self) -> Option<i64> {
        self.1.expires
    }

    async fn token(&self) -> Result<IssuedToken> {
        let issued = self.0.core().authority.issue(self.0.id(), &self.1).await?;
        let (text, expires) = issued;
        Ok(IssuedToken { text, expires })
    }

    async fn prepare(&self, sql: &str) -> Result<Prepared> {
        let prepared = self.0.prepare(sql).await?;
        Ok(Prepared {
            sql: sql.to_owned(),
            is_update: prepared.schema.is_none(),
            dataset_schema: prepared.schema,
            parameter_schema: prepared.parameters,
            plan: None,
        })
    }

    async fn execute(&self, statement: StatementInput, endpoints: Endpoints) -> Result<Execution> {
        let (sql, parameters) = match statement {
            StatementInput::Sql(sql) => (sql, vec![]),
            StatementInput::Prepared {
                prepared,
                parameters,
            } => (prepared.sql.clone(), parameters),
        };
        let outcome = self.0.execute_at(&sql, parameters, endpoints).await?;
        Ok(execution(outcome))
    }

    async fn ticket(
        &self,
        query_id: Uuid,
        task: &TaskResult,
        schema: &[u8],
        compression: &str,
    ) -> Result<String> {
        let ticket = TaskTicket {
            key: 0,
            user: self.user().to_owned(),
            query: query_id.to_string(),
            attempt: task.attempt.to_string(),
            stage: task.stage,
            task: task.task,
            partitions: task.partitions,
            expires: 0,
            schema: URL_SAFE_NO_PAD.encode(schema),
            compression: compression.to_owned(),
        };
        let authority = &self.0.core().authority;
        authority.sign_ticket(ticket, FETCH_WITHIN).await
    }

    async fn ingest(&self, ingest: Ingest, rows: SendableRecordBatchStream) -> Result<Execution> {
        Ok(execution(self.0.ingest(&ingest, rows).await?))
    }

    async fn list_catalogs(&self) -> Result<Vec<String>> {
        Ok(vec![CATALOG_NAME.to_owned()])
    }

    async fn list_schemas(&self) -> Result<Vec<SchemaInfo>> {
        let rights = self.0.rights().await?;
        let visible = Visible::new(&self.0.core().catalog, &rights);
        let known = visible.schemas().await?;
        let names = known.into_iter().map(|schema| schema.name);
        let names = names.chain([system::INFORMATION_SCHEMA, system::SCHEMA].map(str::to_owned));
        Ok(names
            .map(|schema| SchemaInfo {
                catalog: CATALOG_NAME.to_owned(),
                schema,
            })
            .collect())
    }

    async fn list_tables(&self, include_schema: bool) -> Result<Vec<TableInfo>> {
        let rights = self.0.rights().await?;
        let visible = Visible::new(&self.0.core().catalog, &rights);
        let tables = visible.relations().await?;
        let info = |table: waterbuck_catalog::TableDef| TableInfo {
            catalog: CATALOG_NAME.to_owned(),
            schema: table.name.schema,
            name: table.name.name,
            table_type: match table.kind {
                TableKind::View(_) => "VIEW",
                TableKind::External(_) | TableKind::Managed(_) => "TABLE",
            }
            .to_owned(),
            comment: table.comment,
            table_schema: include_schema.then(|| with_comments(&table.columns)),
        };
        Ok(tables.into_iter().map(info).collect())
    }

    async fn cancel(&self, query_id: Uuid) -> Result<bool> {
        let user = self.0.user();
        Ok(self
            .0
            .core()
            .queries
            .kill(query_id, &user.name, self.0.is_admin())
            .is_ok())
    }

    fn progress(&self, query_id: Uuid) -> Option<Value> {
        let query = self.0.core().queries.get(query_id)?;
        let user = self.0.user();
        if query.user != user.name && !self.0.is_admin() {
            return None;
        }
        let progress = self.0.core().progress(&query);
        Some(json!({
            "state": progress.state.name(),
            "fraction": progress.fraction(),
            "stages_done": progress.stages_done(),
            "stages_total": progress.stages.len(),
            "tasks_done": progress.tasks_done(),
            "tasks_total": progress.tasks_total(),
            "rows_read": progress.rows_read(),
            "rows": progress.rows,
            "bytes": progress.bytes,
            "memory_peak_bytes": progress.memory_peak_bytes,
            "elapsed_ms": progress.elapsed.as_millis() as u64,
            "stages": progress.stages,
        }))
    }

    fn options(&self) -> Vec<(String, OptionValue)> {
        let mut options = vec![(
            "catalog".to_owned(),
            OptionValue::Text(CATALOG_NAME.to_owned()),
        )];
        let listed = self.0.settings().list();
        options.extend(
            listed
                .into_iter()
                .map(|row| (row.name, OptionValue::Text(row.value))),
        );
        options
    }

    async fn set_option(&self, name: &str, value: Option<OptionValue>) -> Result<()> {
        if name == "catalog" {
            let fits = value.is_none_or(|value| value.to_string() == CATALOG_NAME);
            let only = || Error::not_found(format!("the only catalog is \"{CATALOG_NAME}\""));
            return fits.then_some(()).ok_or_else(only);
        }
        let rights = self.0.rights().await?;
        let setting = Securable::Setting(name.to_owned());
        if name == "schema" {
            // As USE, which is nobody's privilege.
            let schema = value.as_ref().map(OptionValue::to_string);
            let visible = Visible::new(&self.0.core().catalog, &rights);
            match schema {
                Some(schema) if !system::is_system(&schema) => {
                    visible.check_schema(&schema).await?
                }
                _ => {}
            }
        } else if !rights.may(Privilege::Set, &setting, None) {
            return Err(lacking(Privilege::Set, &setting));
        }
        self.0.change_settings(|settings| match value {
            Some(value) => settings.set(name, &value.to_string()),
            None => settings.reset(name),
        })
    }

    async fn close(&self) {
        self.0.core().authority.ended(self.0.id(), &self.1);
        self.0.close();
    }
}

/// Columns with what their owner wrote about them.
fn with_comments(columns: &[ColumnDef]) -> SchemaRef {
    let plain = arrow_schema(columns);
    let fields = plain.fields().iter().zip(columns).map(|(field, column)| {
        let comment = column.comment.iter();
        let metadata = comment.map(|comment| (COLUMN_COMMENT.to_owned(), comment.clone()));
        Field::clone(field).with_metadata(metadata.collect())
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn execution(outcome: Outcome) -> Execution {
    match outcome {
        Outcome::Rows { query_id, stream } => Execution::Rows {
            query_id,
            schema: stream.schema(),
            stream,
        },
        Outcome::Parts {
            query_id,
            schema,
            parts,
        } => Execution::Parts {
            query_id,
            schema,
            parts,
        },
        Outcome::Updated { query_id, rows } => {
            // Not -1, "unknown": JDBC then asks for a result and so runs the statement again.
            let rows = i64::try_from(rows.unwrap_or(0)).unwrap_or(i64::MAX);
            Execution::Update { query_id, rows }
        }
    }
}
