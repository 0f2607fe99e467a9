//! What the tests of the rules share: sessions with the rules, and answers as text.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::common::DataFusionError;
use datafusion::execution::SessionStateBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use datafusion_distributed::{
    DistributedExt, SessionStateBuilderExt, Worker, WorkerQueryContext, WorkerResolver,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::Server;
use url::Url;

use super::{
    ForgetConstantsCodec, analyzer_rules, configure, logical_rules, physical_rules,
    restore_distinct_precedence,
};

/// A session with the rules, and without anything else of Waterbuck's.
pub(crate) fn session() -> SessionContext {
    SessionContext::new_with_state(state(4).build())
}

/// A session with DataFusion's own rules.
pub(crate) fn stock_session() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(4))
}

/// `session()` after the set-up statements, one per line.
pub(crate) async fn session_after(set_up: &str) -> SessionContext {
    let session = session();
    for statement in set_up
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
    {
        rows(&session, statement).await;
    }
    session
}

/// The rows of the answer, sorted, cells joined by spaces.
pub(crate) async fn rows(session: &SessionContext, sql: &str) -> Vec<String> {
    try_rows(session, sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

pub(crate) async fn try_rows(
    session: &SessionContext,
    sql: &str,
) -> Result<Vec<String>, DataFusionError> {
    let state = session.state();
    let mut statement = state.sql_to_statement(sql, &state.config_options().sql_parser.dialect)?;
    if let datafusion::sql::parser::Statement::Statement(statement) = &mut statement {
        restore_distinct_precedence(statement.as_mut());
    }
    let plan = state.statement_to_plan(statement).await?;
    let batches = session.execute_logical_plan(plan).await?.collect().await?;
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in &batches {
        let columns = batch.columns().iter();
        let cells = columns
            .map(|c| ArrayFormatter::try_new(c, &options))
            .collect::<Result<Vec<_>, _>>()?;
        rows.extend((0..batch.num_rows()).map(|row| {
            let cells: Vec<String> = cells.iter().map(|c| c.value(row).to_string()).collect();
            cells.join(" ")
        }));
    }
    rows.sort();
    Ok(rows)
}

/// Writes each of `queries` as one Parquet file of the table `name` and registers it.
pub(crate) async fn register_files(
    session: &SessionContext,
    directory: &Path,
    name: &str,
    queries: &[&str],
) {
    let table = directory.join(name);
    if !table.exists() {
        for (index, query) in queries.iter().enumerate() {
            let file = table.join(format!("{index}.parquet"));
            let copy = format!("COPY ({query}) TO '{}' STORED AS PARQUET", file.display());
            rows(session, &copy).await;
        }
    }
    let path = format!("{}/", table.display());
    session
        .register_parquet(name, path, ParquetReadOptions::default())
        .await
        .unwrap();
}

/// Workers on this machine's network, stopped when dropped.
pub(crate) struct Cluster {
    addresses: Vec<SocketAddr>,
    _workers: JoinSet<()>,
}

impl Cluster {
    pub(crate) async fn start(workers: usize) -> Self {
        let mut addresses = Vec::new();
        let mut running = JoinSet::new();
        for _ in 0..workers {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let worker = Worker::from_session_builder(async |context: WorkerQueryContext| {
                let builder = context
                    .builder
                    .with_distributed_user_codec(ForgetConstantsCodec);
                Ok(builder.build())
            });
            running.spawn(async move {
                let server = Server::builder().add_service(worker.into_worker_server());
                server
                    .serve_with_incoming(TcpListenerStream::new(listener))
                    .await
                    .unwrap();
            });
        }
        Self {
            addresses,
            _workers: running,
        }
    }

    /// A session whose scans are split over all workers.
    pub(crate) fn session(&self) -> SessionContext {
        let urls = self
            .addresses
            .iter()
            .map(|a| Url::parse(&format!("http://{a}")).unwrap());
        let builder = state(3)
            .with_distributed_worker_resolver(Workers(urls.collect()))
            .with_distributed_planner()
            .with_distributed_user_codec(ForgetConstantsCodec)
            .with_distributed_file_scan_config_bytes_per_partition(1)
            .unwrap();
        SessionContext::new_with_state(builder.build())
    }
}

struct Workers(Vec<Url>);

#[async_trait]
impl WorkerResolver for Workers {
    fn get_urls(&self) -> Result<Vec<Url>, DataFusionError> {
        Ok(self.0.clone())
    }
}

fn state(partitions: usize) -> SessionStateBuilder {
    let mut config = SessionConfig::new().with_target_partitions(partitions);
    configure(config.options_mut());
    SessionStateBuilder::new()
        .with_default_features()
        .with_config(config)
        .with_analyzer_rules(analyzer_rules())
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(physical_rules())
}

/// The physical plan as text.
pub(crate) async fn plan_text(session: &SessionContext, sql: &str) -> String {
    let plan = session
        .sql(sql)
        .await
        .unwrap()
        .create_physical_plan()
        .await
        .unwrap();
    let plan = Arc::clone(&plan);
    datafusion::physical_plan::displayable(plan.as_ref())
        .indent(false)
        .to_string()
}
