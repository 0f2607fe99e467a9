//! The process of the peer `datafusion`: plain DataFusion, as its own documentation sets it up.

use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use datafusion::prelude::{ParquetReadOptions, SessionContext};
use waterbuck_engine::{Error, Result};

use super::message::{Reply, Request};
use crate::answer::Answer;
use crate::directory::failed;

/// Serves requests from `input` on the tables of `data_dir`, one subdirectory each, until the
/// input ends.
///
/// # Errors
/// When a table cannot be opened, or the other side is gone.
pub async fn run_peer(
    data_dir: &Path,
    input: &mut dyn BufRead,
    output: &mut dyn Write,
) -> Result<()> {
    let context = SessionContext::new();
    for table in tables(data_dir)? {
        let path = data_dir.join(&table);
        let path = path.to_string_lossy();
        let options = ParquetReadOptions::default();
        context
            .register_parquet(&table, path, options)
            .await
            .map_err(|error| {
                Error::data(format!("table \"{table}\" cannot be opened")).with_source(error)
            })?;
    }
    let lost = |error: std::io::Error| {
        Error::unavailable("the benchmark that asked is gone").with_source(error)
    };
    let mut line = String::new();
    loop {
        line.clear();
        if input.read_line(&mut line).map_err(lost)? == 0 {
            return Ok(());
        }
        let request: Request = serde_json::from_str(&line)
            .map_err(|error| Error::invalid("a request cannot be read").with_source(error))?;
        let reply = match answer(&context, &request).await {
            Ok(reply) => reply,
            Err(error) => Reply {
                error: Some(error.to_string()),
                ..Reply::default()
            },
        };
        let text = serde_json::to_string(&reply)
            .map_err(|error| Error::internal("a reply has no text").with_source(error))?;
        writeln!(output, "{text}")
            .and_then(|()| output.flush())
            .map_err(lost)?;
    }
}

async fn answer(context: &SessionContext, request: &Request) -> Result<Reply> {
    let failed = |error| Error::invalid("DataFusion failed").with_source(error);
    let start = Instant::now();
    let query = context.sql(&request.sql).await.map_err(failed)?;
    let batches = query.collect().await.map_err(failed)?;
    let seconds = Some(start.elapsed().as_secs_f64());
    let answer = if request.answer {
        Some(Answer::of(&batches)?)
    } else {
        None
    };
    Ok(Reply {
        error: None,
        seconds,
        answer,
    })
}

fn tables(data_dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(data_dir).map_err(|error| failed("read", data_dir, error))?;
    let directories = entries.flatten().filter(|entry| entry.path().is_dir());
    Ok(directories
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpch::{Layout, QUERIES, ensure};

    #[tokio::test]
    async fn every_query_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let data = ensure(&dir.path().join("d"), 0.001, Layout::Plain).unwrap();
        let mut requests = String::new();
        for query in QUERIES {
            let request = Request {
                sql: query.sql(0.001),
                answer: true,
            };
            requests.push_str(&serde_json::to_string(&request).unwrap());
            requests.push('\n');
        }
        let mut replies = vec![];
        run_peer(&data.root, &mut requests.as_bytes(), &mut replies)
            .await
            .unwrap();
        let replies = String::from_utf8(replies).unwrap();
        assert_eq!(replies.lines().count(), 22);
        for (line, query) in replies.lines().zip(QUERIES) {
            let reply: Reply = serde_json::from_str(line).unwrap();
            assert_eq!(reply.error, None, "{}", query.name());
            assert!(reply.answer.is_some() && reply.seconds.is_some());
        }
    }
}
