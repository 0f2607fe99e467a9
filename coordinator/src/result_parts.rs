//! Results that are read in several parts at once: what a client asks for, and what it gets.

use datafusion::execution::SendableRecordBatchStream;
use uuid::Uuid;
use waterbuck_engine::{Error, Result};

/// Where the rows of a result are given out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Endpoints {
    /// By the coordinator, in one stream, in order.
    #[default]
    One,
    /// By the coordinator, in one stream for each task of the last stage.
    Coordinator,
    /// By the executors, each of which has the rows of its tasks; by the coordinator where clients
    /// do not reach all executors.
    Executors,
}

impl Endpoints {
    /// Its name, as clients write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "one",
            Self::Coordinator => "coordinator",
            Self::Executors => "executors",
        }
    }

    /// That of the name, in any case.
    ///
    /// # Errors
    /// When there is none.
    pub fn parse(text: &str) -> Result<Self> {
        let known = [Self::One, Self::Coordinator, Self::Executors];
        let named = known
            .into_iter()
            .find(|known| text.eq_ignore_ascii_case(known.name()));
        named.ok_or_else(|| {
            Error::invalid(format!(
                "\"{text}\" says not where results are read: one, coordinator or executors"
            ))
        })
    }
}

/// One part of a result. No row is in two of them.
pub enum ResultPart {
    /// Rows that the coordinator gives out.
    Here(SendableRecordBatchStream),
    /// Rows that an executor gives out.
    There(TaskResult),
}

/// A task whose rows its executor gives out, to whoever shows a ticket for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskResult {
    /// Where, as Flight writes locations.
    pub location: String,
    /// The id of the distributed plan.
    pub attempt: Uuid,
    /// The task's stage.
    pub stage: u64,
    /// The task's number within the stage.
    pub task: u64,
    /// The partitions of the task.
    pub partitions: u64,
}
