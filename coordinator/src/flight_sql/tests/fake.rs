//! A backend of one DataFusion context, with statements that misbehave on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, Ordering};

use arrow::array::{Array, AsArray, Int64Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};
use async_trait::async_trait;
use bytes::Bytes;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::stream::{self, StreamExt, TryStreamExt};
use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;
use waterbuck_engine::{Error, ErrorKind, Result};

use super::super::{
    Backend, Execution, FlightSession, IssuedToken, OptionValue, Prepared, SchemaInfo,
    StatementInput, TableInfo, TokenLogin,
};
use crate::ingest::Ingest;
use crate::result_parts::{Endpoints, ResultPart, TaskResult};

/// What a test can see of the backend.
pub(super) struct Probe {
    /// Logins so far.
    pub(super) logins: watch::Sender<usize>,
    /// Sessions that were closed.
    pub(super) closed: watch::Sender<usize>,
    /// Queries whose streams (or whose planning) are alive.
    pub(super) live: watch::Sender<usize>,
    /// Rows of parameters seen by the last statement that had some.
    pub(super) parameters: Mutex<Vec<RecordBatch>>,
    /// What was uploaded whole.
    pub(super) uploads: Mutex<Vec<(Ingest, Vec<RecordBatch>)>>,
    /// How far queries are said to be, in percent.
    pub(super) percent: AtomicU8,
    /// Turns 1 when the query that waits may go on.
    pub(super) go: watch::Sender<usize>,
    /// Whether sessions are still open.
    pub(super) open: AtomicBool,
    /// For how many seconds tokens are made.
    pub(super) token_life_s: AtomicI64,
}

pub(super) struct FakeBackend {
    pub(super) context: SessionContext,
    pub(super) probe: Arc<Probe>,
}

struct FakeSession {
    id: Uuid,
    user: String,
    context: SessionContext,
    probe: Arc<Probe>,
    options: Mutex<Vec<(String, OptionValue)>>,
}

impl FakeBackend {
    pub(super) fn new() -> Self {
        let config = SessionConfig::new().with_information_schema(true);
        let probe = Probe {
            logins: watch::Sender::new(0),
            closed: watch::Sender::new(0),
            live: watch::Sender::new(0),
            parameters: Mutex::default(),
            uploads: Mutex::default(),
            percent: AtomicU8::new(50),
            go: watch::Sender::new(0),
            open: AtomicBool::new(true),
            token_life_s: AtomicI64::new(3600),
        };
        Self {
            context: SessionContext::new_with_config(config),
            probe: Arc::new(probe),
        }
    }
}

impl FakeBackend {
    fn open(&self, user: &str) -> Arc<dyn FlightSession> {
        self.probe.logins.send_modify(|n| *n += 1);
        Arc::new(FakeSession {
            id: Uuid::now_v7(),
            user: user.to_owned(),
            context: self.context.clone(),
            probe: Arc::clone(&self.probe),
            options: Mutex::new(vec![
                (
                    "catalog".to_owned(),
                    OptionValue::Text("datafusion".to_owned()),
                ),
                ("schema".to_owned(), OptionValue::Text("public".to_owned())),
                ("batch_size".to_owned(), OptionValue::Int(8192)),
            ]),
        })
    }
}

#[async_trait]
impl Backend for FakeBackend {
    async fn login(
        &self,
        user: &str,
        password: &str,
        _peer: &str,
    ) -> Result<Arc<dyn FlightSession>> {
        if password != "secret" {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "wrong user or password",
            ));
        }
        Ok(self.open(user))
    }

    async fn login_with_token(&self, token: &str, _peer: &str) -> Result<TokenLogin> {
        let names_session = token == "another coordinator's";
        if !names_session && token != "api token" {
            return Err(Error::new(
                ErrorKind::Unauthenticated,
                "the token is unknown",
            ));
        }
        Ok(TokenLogin {
            session: self.open("ada"),
            names_session,
        })
    }

    async fn login_with_certificate(
        &self,
        _names: &[String],
        _peer: &str,
    ) -> Result<Arc<dyn FlightSession>> {
        Err(Error::new(
            ErrorKind::Unauthenticated,
            "the certificate is unknown",
        ))
    }

    async fn handle_action(
        &self,
        kind: &str,
        body: Bytes,
        _is_member: bool,
    ) -> Option<Result<Vec<Bytes>>> {
        (kind == "waterbuck.heartbeat").then(|| Ok(vec![body]))
    }
}

#[async_trait]
impl FlightSession for FakeSession {
    fn id(&self) -> Uuid {
        self.id
    }

    fn user(&self) -> &str {
        &self.user
    }

    async fn token(&self) -> Result<IssuedToken> {
        let life = self.probe.token_life_s.load(Ordering::Relaxed);
        Ok(IssuedToken {
            text: format!("token-of-{}", self.id),
            expires: chrono::Utc::now().timestamp() + life,
        })
    }

    async fn prepare(&self, sql: &str) -> Result<Prepared> {
        let numbered = numbered(sql);
        let state = self.context.state();
        let plan = state
            .create_logical_plan(&numbered)
            .await
            .map_err(describe)?;
        let types = plan.get_parameter_types().map_err(describe)?;
        let mut types: Vec<_> = types.into_iter().collect();
        types.sort_by_key(|(name, _)| name[1..].parse::<usize>().unwrap_or_default());
        let parameters: Vec<_> = types
            .into_iter()
            .map(|(name, kind)| Field::new(name, kind.unwrap_or(DataType::Null), true))
            .collect();
        let is_update = is_update(&plan);
        let schema = Arc::new(plan.schema().as_arrow().clone());
        Ok(Prepared {
            sql: sql.to_owned(),
            dataset_schema: (!is_update).then_some(schema),
            parameter_schema: Arc::new(Schema::new(parameters)),
            is_update,
            plan: Some(Arc::new(plan)),
        })
    }

    async fn execute(&self, statement: StatementInput, endpoints: Endpoints) -> Result<Execution> {
        let whole = self.execute_whole(statement).await?;
        match (endpoints, whole) {
            (Endpoints::One, whole) | (_, whole @ Execution::Update { .. }) => Ok(whole),
            (
                endpoints,
                Execution::Rows {
                    query_id,
                    schema,
                    stream,
                },
            ) => Ok(Execution::Parts {
                query_id,
                parts: self.parts(stream, endpoints).await?,
                schema,
            }),
            (_, parts @ Execution::Parts { .. }) => Ok(parts),
        }
    }

    async fn ticket(
        &self,
        query_id: Uuid,
        task: &TaskResult,
        schema: &[u8],
        compression: &str,
    ) -> Result<String> {
        assert!(!schema.is_empty());
        Ok(format!("wbt1.{query_id}/{}/{compression}", task.task))
    }

    async fn ingest(&self, ingest: Ingest, rows: SendableRecordBatchStream) -> Result<Execution> {
        let _alive = Alive::new(&self.probe);
        let rows: Vec<RecordBatch> = rows.try_collect().await.map_err(describe)?;
        let count: usize = rows.iter().map(RecordBatch::num_rows).sum();
        self.probe.uploads.lock().push((ingest, rows));
        Ok(Execution::Update {
            query_id: Uuid::now_v7(),
            rows: i64::try_from(count).unwrap(),
        })
    }

    async fn list_catalogs(&self) -> Result<Vec<String>> {
        Ok(vec!["datafusion".to_owned(), "other".to_owned()])
    }

    async fn list_schemas(&self) -> Result<Vec<SchemaInfo>> {
        Ok(["public", "a_b", "axb"]
            .map(|name| SchemaInfo {
                catalog: "datafusion".into(),
                schema: name.into(),
            })
            .to_vec())
    }

    async fn list_tables(&self, include_schema: bool) -> Result<Vec<TableInfo>> {
        let catalog = self
            .context
            .catalog("datafusion")
            .expect("the default catalog");
        let schema = catalog.schema("public").expect("the default schema");
        let mut tables = Vec::new();
        for name in schema.table_names() {
            let table = schema
                .table(&name)
                .await
                .map_err(describe)?
                .expect("just listed");
            tables.push(TableInfo {
                catalog: "datafusion".to_owned(),
                schema: "public".to_owned(),
                name,
                table_type: "TABLE".to_owned(),
                comment: Some("a table".to_owned()),
                table_schema: include_schema.then(|| table.schema()),
            });
        }
        Ok(tables)
    }

    fn is_open(&self) -> bool {
        self.probe.open.load(Ordering::Relaxed)
    }

    async fn cancel(&self, _query_id: Uuid) -> Result<bool> {
        Ok(false)
    }

    fn progress(&self, query_id: Uuid) -> Option<serde_json::Value> {
        let fraction = f64::from(self.probe.percent.load(Ordering::Relaxed)) / 100.0;
        (!query_id.is_nil()).then(|| serde_json::json!({ "fraction": fraction }))
    }

    fn options(&self) -> Vec<(String, OptionValue)> {
        self.options.lock().clone()
    }

    async fn set_option(&self, name: &str, value: Option<OptionValue>) -> Result<()> {
        let mut options = self.options.lock();
        let found = options.iter_mut().find(|(known, _)| known == name);
        let (_, slot) = found.ok_or_else(|| Error::not_found(format!("no option \"{name}\"")))?;
        match value {
            Some(OptionValue::Text(text)) if text == "bad" => {
                return Err(Error::invalid("bad value"));
            }
            Some(value) => *slot = value,
            None => *slot = OptionValue::Text("default".to_owned()),
        }
        Ok(())
    }

    async fn close(&self) {
        self.probe.closed.send_modify(|n| *n += 1);
    }
}

impl FakeSession {
    async fn run_with(
        &self,
        plan: LogicalPlan,
        declared: &Schema,
        parameters: &[RecordBatch],
    ) -> Result<Execution> {
        if parameters.is_empty() {
            return self.run(plan).await;
        }
        *self.probe.parameters.lock() = parameters.to_vec();
        let mut last = Err(Error::internal("no rows of parameters"));
        let mut total = 0;
        for batch in parameters {
            for row in 0..batch.num_rows() {
                let values: Vec<ScalarValue> = batch
                    .columns()
                    .iter()
                    .zip(declared.fields())
                    .map(|(column, field)| value(column.as_ref(), row, field.data_type()))
                    .collect();
                let plan = plan.clone().with_param_values(values).map_err(describe)?;
                last = self.run(plan).await;
                if let Ok(Execution::Update { rows, .. }) = &last {
                    total += rows;
                }
            }
        }
        match last? {
            Execution::Update { query_id, .. } => Ok(Execution::Update {
                query_id,
                rows: total,
            }),
            rows @ (Execution::Rows { .. } | Execution::Parts { .. }) => Ok(rows),
        }
    }

    async fn run(&self, plan: LogicalPlan) -> Result<Execution> {
        let is_dml = matches!(plan, LogicalPlan::Dml(_) | LogicalPlan::Copy(_));
        let is_update = is_update(&plan);
        let frame = self
            .context
            .execute_logical_plan(plan)
            .await
            .map_err(describe)?;
        if !is_update {
            return Ok(self.rows(frame.execute_stream().await.map_err(describe)?));
        }
        let batches = frame.collect().await.map_err(describe)?;
        let rows = match batches.first() {
            Some(batch) if is_dml => batch.column(0).as_primitive::<UInt64Type>().value(0),
            _ => 0,
        };
        Ok(Execution::Update {
            query_id: Uuid::now_v7(),
            rows: i64::try_from(rows).unwrap(),
        })
    }

    async fn execute_whole(&self, statement: StatementInput) -> Result<Execution> {
        match statement {
            StatementInput::Sql(sql) => match self.misbehave(&sql).await {
                Some(rows) => Ok(self.rows(rows)),
                None => {
                    let plan = self.context.state().create_logical_plan(&sql).await;
                    self.run(plan.map_err(describe)?).await
                }
            },
            StatementInput::Prepared {
                prepared,
                parameters,
            } => {
                let plan = prepared
                    .plan
                    .as_ref()
                    .and_then(|p| p.downcast_ref::<LogicalPlan>());
                let plan = plan.expect("prepared here").clone();
                self.run_with(plan, &prepared.parameter_schema, &parameters)
                    .await
            }
        }
    }

    /// The first row, and the others.
    async fn parts(
        &self,
        rows: SendableRecordBatchStream,
        endpoints: Endpoints,
    ) -> Result<Vec<ResultPart>> {
        let schema = rows.schema();
        let batches: Vec<RecordBatch> = rows.try_collect().await.map_err(describe)?;
        let all = concat_batches(&schema, &batches).expect("of one schema");
        let parts = [all.slice(0, 1), all.slice(1, all.num_rows() - 1)];
        let part = |(task, rows): (usize, RecordBatch)| match endpoints {
            Endpoints::Executors => ResultPart::There(TaskResult {
                location: format!("grpc+tcp://executor{task}:1"),
                attempt: Uuid::nil(),
                stage: 1,
                task: task as u64,
                partitions: 1,
            }),
            _ => {
                let rows = stream::iter([Ok(rows)]);
                let rows = RecordBatchStreamAdapter::new(Arc::clone(&schema), rows);
                ResultPart::Here(Box::pin(rows))
            }
        };
        Ok(parts.into_iter().enumerate().map(part).collect())
    }

    fn rows(&self, rows: SendableRecordBatchStream) -> Execution {
        let schema = rows.schema();
        let alive = Alive::new(&self.probe);
        let counted = rows.map(move |batch| {
            let _alive = &alive;
            batch
        });
        let stream = Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), counted));
        Execution::Rows {
            query_id: Uuid::now_v7(),
            schema,
            stream,
        }
    }

    async fn misbehave(&self, sql: &str) -> Option<SendableRecordBatchStream> {
        let schema: SchemaRef =
            Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
        let column = Arc::new(Int64Array::from_iter_values(0..8192)) as Arc<dyn Array>;
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![column]).expect("fits");
        let batches = stream::repeat_with(move || Ok(batch.clone()));
        let rows = match sql {
            "endless" => batches.boxed(),
            "waits" => {
                let mut go = self.probe.go.subscribe();
                let gone = async move {
                    let _gone = go.wait_for(|go| *go == 1).await;
                };
                stream::once(gone)
                    .flat_map(move |()| batches.clone().take(1))
                    .boxed()
            }
            "small" => batches
                .take(100)
                .map(|b| b.map(|b: RecordBatch| b.slice(0, 100)))
                .boxed(),
            "wide slices" => batches
                .take(8)
                .map(|b| b.map(|b| b.slice(8000, 192)))
                .boxed(),
            "fails late" => {
                let failure = DataFusionError::Execution("row 24577 is broken".to_owned());
                batches.take(3).chain(stream::iter([Err(failure)])).boxed()
            }
            "panics" => batches
                .enumerate()
                .map(|(n, batch)| {
                    if n == 2 {
                        panic!("a fault of the test")
                    } else {
                        batch
                    }
                })
                .boxed(),
            "hangs" => {
                let _alive = Alive::new(&self.probe);
                std::future::pending().await
            }
            _ => return None,
        };
        Some(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

struct Alive(Arc<Probe>);

impl Alive {
    fn new(probe: &Arc<Probe>) -> Self {
        probe.live.send_modify(|n| *n += 1);
        Self(Arc::clone(probe))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.live.send_modify(|n| *n -= 1);
    }
}

/// `?`, as JDBC programs write it, in the numbers DataFusion wants.
fn numbered(sql: &str) -> String {
    let mut parts = sql.split('?');
    let first = parts.next().unwrap_or_default().to_owned();
    parts
        .zip(1..)
        .fold(first, |text, (part, n)| format!("{text}${n}{part}"))
}

/// A parameter as the plan wants it.
fn value(column: &dyn Array, row: usize, declared: &DataType) -> ScalarValue {
    let value = ScalarValue::try_from_array(column, row).expect("a scalar");
    if declared.is_null() {
        value
    } else {
        value.cast_to(declared).expect("a castable value")
    }
}

fn is_update(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Ddl(_) | LogicalPlan::Dml(_) | LogicalPlan::Copy(_)
    )
}

pub(super) fn describe(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::internal(other.to_string()),
        },
        DataFusionError::Execution(text) => Error::data(text),
        other => Error::invalid(other.strip_backtrace()),
    }
}
