//! How far a running query is, stage by stage.

use std::collections::BTreeMap;
use std::time::Duration;

use waterbuck_engine::cluster::{QueryWork, StageWork};

use super::record::{QueryState, QueryView};

/// How far a query is.
#[derive(Debug, Clone)]
pub struct QueryProgress {
    /// Where it is in its life.
    pub state: QueryState,
    /// Its stages, in the order of their numbers. What executors have done since their last
    /// heartbeat is not in it yet.
    pub stages: Vec<StageWork>,
    /// The most bytes it has held at once on one node.
    pub memory_peak_bytes: u64,
    /// Rows handed over to the client.
    pub rows: u64,
    /// Bytes handed over to the client, as Arrow holds them.
    pub bytes: u64,
    /// Since it arrived.
    pub elapsed: Duration,
}

impl QueryProgress {
    /// What `view` says of a query together with what the nodes say of their work for it.
    pub(crate) fn new(view: &QueryView, work: &[QueryWork]) -> Self {
        let is_done = view.state == QueryState::Finished;
        let mut stages: BTreeMap<u64, StageWork> = BTreeMap::new();
        for shape in &view.stages {
            let stage = StageWork {
                stage: shape.stage,
                tasks: shape.tasks,
                tasks_done: if is_done { shape.tasks } else { 0 },
                ..StageWork::default()
            };
            stages.insert(shape.stage, stage);
        }
        let mut memory_peak_bytes = view.peak_memory_bytes;
        for part in work {
            memory_peak_bytes = memory_peak_bytes.max(part.memory_peak_bytes);
            for done in &part.stages {
                let Some(stage) = stages.get_mut(&done.stage) else {
                    continue;
                };
                stage.tasks_done = (stage.tasks_done + done.tasks_done).min(stage.tasks);
                stage.rows_read += done.rows_read;
                stage.rows += done.rows;
            }
        }
        Self {
            state: view.state,
            stages: stages.into_values().collect(),
            memory_peak_bytes,
            rows: view.rows,
            bytes: view.bytes,
            elapsed: view.elapsed,
        }
    }

    /// Forgets how many rows scans have read, where that tells of rows which nobody may count.
    pub(crate) fn forget_reads(&mut self) {
        for stage in &mut self.stages {
            stage.rows_read = 0;
        }
    }

    /// Stages of which every task has handed out all its rows.
    pub fn stages_done(&self) -> u64 {
        let done = |stage: &&StageWork| stage.tasks_done == stage.tasks;
        self.stages.iter().filter(done).count() as u64
    }

    /// Tasks that have handed out all their rows.
    pub fn tasks_done(&self) -> u64 {
        self.stages.iter().map(|stage| stage.tasks_done).sum()
    }

    /// Tasks of all stages.
    pub fn tasks_total(&self) -> u64 {
        self.stages.iter().map(|stage| stage.tasks).sum()
    }

    /// How much of the work is done, from 0 to 1: the share of tasks that have handed out all
    /// their rows.
    pub fn fraction(&self) -> f64 {
        if self.state == QueryState::Finished {
            return 1.0;
        }
        match self.tasks_total() {
            0 => 0.0,
            total => self.tasks_done() as f64 / total as f64,
        }
    }

    /// Rows that scans have read.
    pub fn rows_read(&self) -> u64 {
        self.stages.iter().map(|stage| stage.rows_read).sum()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::plan::StageShape;
    use crate::query::QueryRecord;

    fn work(stage: u64, tasks_done: u64, rows_read: u64) -> QueryWork {
        QueryWork {
            memory_peak_bytes: rows_read,
            stages: vec![StageWork {
                stage,
                tasks: 2,
                tasks_done,
                rows_read,
                rows: 1,
            }],
            ..QueryWork::default()
        }
    }

    #[test]
    fn the_work_of_all_executors_is_summed_by_stage() {
        let record = QueryRecord::new(Uuid::nil(), "a", "SELECT 1", "SELECT");
        let mut view = record.view();
        view.state = QueryState::Running;
        view.stages = vec![
            StageShape { stage: 1, tasks: 4 },
            StageShape { stage: 2, tasks: 1 },
        ];
        let progress = QueryProgress::new(&view, &[work(1, 2, 10), work(1, 2, 5), work(7, 1, 1)]);
        assert_eq!(progress.stages_done(), 1);
        assert_eq!((progress.tasks_done(), progress.tasks_total()), (4, 5));
        assert!((progress.fraction() - 0.8).abs() < 1e-9);
        assert_eq!((progress.rows_read(), progress.memory_peak_bytes), (15, 10));
        let mut concealed = progress.clone();
        concealed.forget_reads();
        assert_eq!((concealed.rows_read(), concealed.stages_done()), (0, 1));
        view.state = QueryState::Finished;
        let finished = QueryProgress::new(&view, &[]);
        assert_eq!((finished.stages_done(), finished.fraction()), (2, 1.0));
    }
}
