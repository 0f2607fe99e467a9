//! The task that reads an input partition to its end and writes its files.
//!
//! It is asked to stop, never torn down: a request to the store cannot be recalled, so a task
//! dropped in the middle of one could see its file appear after everything was cleaned up. Asked
//! to stop, it drops its input at once, lets the request in flight end, and removes its files.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::runtime::JoinSet;
use datafusion::common::{DataFusionError, Result, exec_datafusion_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use futures::StreamExt;
use tokio::sync::oneshot;
use waterbuck_engine::{Error, ErrorKind};

use super::partitioned_writer::PartitionedWriter;
use super::sorted_rest::sorted_rest;
use super::written::WrittenFile;

/// A running write. Dropping it stops the write and removes what it wrote.
pub(super) struct WriteTask {
    outcome: oneshot::Receiver<Result<Vec<WrittenFile>>>,
    tasks: JoinSet<()>,
    /// Closes when the task is dropped, which is the request to stop.
    _stop: oneshot::Sender<()>,
}

impl WriteTask {
    /// Starts writing `input`, whose partition columns are at `partition_columns`.
    pub(super) fn start(
        input: SendableRecordBatchStream,
        writer: PartitionedWriter,
        partition_columns: Vec<usize>,
        context: Arc<TaskContext>,
    ) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (report, outcome) = oneshot::channel();
        let mut tasks = JoinSet::new();
        let run = Run {
            writer,
            stopped,
            partition_columns,
            context,
        };
        tasks.spawn(run.run(input, report));
        Self {
            outcome,
            tasks,
            _stop: stop,
        }
    }

    /// Waits for the files.
    pub(super) async fn outcome(&mut self) -> Result<Vec<WrittenFile>> {
        match (&mut self.outcome).await {
            Ok(outcome) => outcome,
            // Only a panic ends the task without a report.
            Err(_) => match self.tasks.join_next().await {
                Some(Err(panic)) => Err(DataFusionError::ExecutionJoin(Box::new(panic))),
                _ => Err(exec_datafusion_err!("a write ended without a report")),
            },
        }
    }
}

impl Drop for WriteTask {
    fn drop(&mut self) {
        // The task ends by itself once it sees the stop; aborting it here would leave files.
        self.tasks.detach_all();
    }
}

/// The inside of the task.
struct Run {
    writer: PartitionedWriter,
    stopped: oneshot::Receiver<()>,
    partition_columns: Vec<usize>,
    context: Arc<TaskContext>,
}

impl Run {
    async fn run(
        mut self,
        input: SendableRecordBatchStream,
        report: oneshot::Sender<Result<Vec<WrittenFile>>>,
    ) {
        let outcome = match self.write_all(input).await {
            Ok(()) => self.writer.finish().await,
            Err(error) => Err(error),
        };
        let failed = outcome.is_err();
        // With nobody waiting any more, complete files would belong to nobody either.
        if failed {
            self.writer.discard().await;
        }
        if report.send(outcome).is_err() && !failed {
            self.writer.discard().await;
        }
    }

    /// Reads the input to its end. It is dropped with an early return, before any cleaning up.
    async fn write_all(&mut self, mut input: SendableRecordBatchStream) -> Result<()> {
        while let Some(batch) = self.next(&mut input).await? {
            if !self.writer.write(&batch).await? {
                self.writer.close_all().await?;
                let columns = &self.partition_columns;
                let sorted = sorted_rest(batch, input, columns, &self.context)?;
                return self.write_sorted(sorted).await;
            }
        }
        Ok(())
    }

    async fn write_sorted(&mut self, mut sorted: SendableRecordBatchStream) -> Result<()> {
        while let Some(batch) = self.next(&mut sorted).await? {
            self.writer.write_sorted(&batch).await?;
        }
        Ok(())
    }

    /// The next batch with rows, unless the write was stopped.
    async fn next(&mut self, input: &mut SendableRecordBatchStream) -> Result<Option<RecordBatch>> {
        loop {
            let batch = tokio::select! {
                biased;
                _ = &mut self.stopped => {
                    return Err(Error::new(ErrorKind::Cancelled, "the write was cancelled").into());
                }
                batch = input.next() => batch.transpose()?,
            };
            match batch {
                Some(batch) if batch.num_rows() == 0 => {}
                batch => return Ok(batch),
            }
        }
    }
}
