//! SQL behaviour: the same files in every way the product runs.

use std::path::Path;

use async_trait::async_trait;
use waterbuck_tests::{
    Client, ClientError, Cluster, Connection, Mode, Shell, run_sql_file, sql_files,
};

struct Server(Cluster);

#[async_trait]
impl Mode for Server {
    fn name(&self) -> &'static str {
        "server"
    }

    async fn session(&self) -> Result<Box<dyn Connection>, ClientError> {
        Ok(Box::new(Client::connect(self.0.address()).await?))
    }
}

/// Tiny batches and tiny tasks, so that whatever can be split is split.
struct Distributed(Cluster);

#[async_trait]
impl Mode for Distributed {
    fn name(&self) -> &'static str {
        "distributed"
    }

    async fn session(&self) -> Result<Box<dyn Connection>, ClientError> {
        Ok(Box::new(self.0.splitting_client().await))
    }
}

/// The engine in the shell's own process; every session is another process.
struct Embedded;

#[async_trait]
impl Mode for Embedded {
    fn name(&self) -> &'static str {
        "embedded"
    }

    async fn session(&self) -> Result<Box<dyn Connection>, ClientError> {
        Ok(Box::new(Shell::start().await?))
    }

    fn has_types(&self) -> bool {
        false
    }

    fn shares_catalog(&self) -> bool {
        false
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_engine_answers_every_file() {
    run_all(&Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_all_in_one_server_answers_every_file() {
    run_all(&Server(Cluster::server().await)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_executors_answer_every_file_alike() {
    run_all(&Distributed(Cluster::distributed(3).await)).await;
}

async fn run_all(mode: &dyn Mode) {
    let files = sql_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("slt"));
    assert!(!files.is_empty(), "no .slt files found");
    let mut failures = Vec::new();
    for file in &files {
        failures.extend(run_sql_file(mode, file).await);
    }
    let (name, count) = (mode.name(), failures.len());
    let failures: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(
        failures.is_empty(),
        "{name}: {count} failures:\n{}",
        failures.join("\n")
    );
}
