//! Runs one statement: shows its progress, writes its rows, stops it at Ctrl-C.
//!
//! Only rows go to standard output. A reader of it that has left, as `head` does, ends the work
//! without an error.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use datafusion::common::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt;
use waterbuck_engine::{Error, ErrorKind};

use super::connection::{Connection, Outcome};
use super::progress::ProgressLine;
use crate::output::{self, Format};

/// The most rows a table in the interactive shell shows.
const SHOWN_ROWS_MAX: u64 = 10_000;

/// How long a server may take to say that it has stopped a query.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(2);

/// How results are shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) format: Format,
    /// Whether the closing line tells the time.
    pub(super) has_times: bool,
    /// Whether somebody types the statements.
    pub(super) is_interactive: bool,
}

/// Why a statement did not end well.
#[derive(Debug)]
pub(super) enum Failure {
    Failed(Error),
    /// The user pressed Ctrl-C.
    Cancelled,
    /// Whoever read the results has left.
    NoReader,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NoReader;
        }
        Self::Failed(Error::data("the result cannot be written").with_source(error))
    }
}

/// What a statement gave.
enum Summary {
    /// Rows written, and whether there were more.
    Rows {
        written: u64,
        are_all: bool,
    },
    Updated(Option<u64>),
}

/// Runs `sql` to its end. When dropped it stops the statement.
pub(super) async fn run(connection: &dyn Connection, sql: &str, view: View) -> Result<(), Failure> {
    let started = Instant::now();
    let progress = ProgressLine::new();
    let summary = tokio::select! {
        summary = write_result(connection, sql, view, &progress) => summary?,
        never = progress.follow(connection) => match never {},
        _ = tokio::signal::ctrl_c() => {
            progress.clear_interrupted();
            if let Some(id) = progress.query_id() {
                // The rows are dropped, which stops the query too: this is only for certainty.
                tokio::time::timeout(CANCEL_TIMEOUT, connection.cancel(&id)).await.ok();
            }
            return Err(Failure::Cancelled);
        }
    };
    drop(progress);
    if view.is_interactive || view.format.is_for_people() {
        output::notice(closing_line(
            &summary,
            view.has_times.then(|| started.elapsed()),
        ));
    }
    Ok(())
}

async fn write_result(
    connection: &dyn Connection,
    sql: &str,
    view: View,
    progress: &ProgressLine,
) -> Result<Summary, Failure> {
    let execution = connection.execute(sql).await?;
    progress.set_query_id(execution.query_id);
    match execution.outcome {
        Outcome::Rows(rows) => write_rows(rows, view, progress).await,
        Outcome::Updated(rows) => Ok(Summary::Updated(rows)),
    }
}

async fn write_rows(
    mut rows: SendableRecordBatchStream,
    view: View,
    progress: &ProgressLine,
) -> Result<Summary, Failure> {
    let limit = match view.format {
        Format::Table if view.is_interactive => SHOWN_ROWS_MAX,
        _ => u64::MAX,
    };
    let mut out = BufWriter::with_capacity(256 << 10, io::stdout());
    let mut writer = view.format.writer();
    let mut written: u64 = 0;
    let mut are_all = true;
    writer.begin(&mut out, &rows.schema())?;
    while let Some(batch) = rows.next().await {
        let batch = batch.map_err(query_error)?;
        let room = usize::try_from(limit - written).unwrap_or(usize::MAX);
        if batch.num_rows() > 0 && !view.format.is_for_people() {
            progress.yield_terminal();
        }
        let shown = batch.num_rows().min(room);
        writer.write(&mut out, &batch.slice(0, shown))?;
        written += shown as u64;
        if shown < batch.num_rows() {
            are_all = false;
            break;
        }
    }
    drop(rows);
    progress.yield_terminal();
    writer.finish(&mut out)?;
    out.flush()?;
    Ok(Summary::Rows { written, are_all })
}

/// The error of a stream of rows: ours if it is one, else what DataFusion says.
fn query_error(error: DataFusionError) -> Error {
    match error {
        DataFusionError::External(source) => match source.downcast::<Error>() {
            Ok(ours) => *ours,
            Err(other) => Error::internal(other.to_string()),
        },
        DataFusionError::Context(_, inner) => query_error(*inner),
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::External(source) => match source.downcast_ref::<Error>() {
                Some(ours) => Error::new(ours.kind(), ours.to_string()),
                None => Error::internal(source.to_string()),
            },
            root => Error::internal(root.strip_backtrace()),
        },
        DataFusionError::ResourcesExhausted(text) => Error::new(ErrorKind::ResourceExhausted, text),
        DataFusionError::Execution(text) => Error::data(text),
        other => Error::internal(other.strip_backtrace()),
    }
}

fn closing_line(summary: &Summary, elapsed: Option<Duration>) -> String {
    let counted = |number: u64| match number {
        1 => "1 row".to_owned(),
        number => format!("{number} rows"),
    };
    let mut parts = match summary {
        Summary::Rows {
            written,
            are_all: true,
        } => vec![counted(*written)],
        Summary::Rows {
            written,
            are_all: false,
        } => vec![format!(
            "first {} of more, \"\\format csv\" or another format writes all",
            counted(*written)
        )],
        Summary::Updated(Some(rows)) => vec![format!("{} changed", counted(*rows))],
        Summary::Updated(None) => vec!["done".to_owned()],
    };
    parts.extend(elapsed.map(output::duration));
    format!("({})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_line_counts_and_times() {
        let time = Some(Duration::from_millis(12));
        let all = |written| Summary::Rows {
            written,
            are_all: true,
        };
        assert_eq!(closing_line(&all(5), time), "(5 rows, 12 ms)");
        assert_eq!(closing_line(&all(1), None), "(1 row)");
        assert_eq!(
            closing_line(&Summary::Updated(Some(3)), time),
            "(3 rows changed, 12 ms)"
        );
        assert_eq!(closing_line(&Summary::Updated(None), time), "(done, 12 ms)");
        let more = Summary::Rows {
            written: 10_000,
            are_all: false,
        };
        assert!(closing_line(&more, None).starts_with("(first 10000 rows of more"));
    }

    #[test]
    fn our_errors_come_back_from_a_stream() {
        let inner = DataFusionError::from(Error::not_found("table \"t\" does not exist"));
        let error = query_error(inner.context("while reading"));
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.to_string(), "table \"t\" does not exist");
    }
}
