//! A query's life: its record, its attempts, its result.

mod admission;
mod hold;
mod parts;
mod parts_read;
mod profile;
mod progress;
mod record;
mod registry;
mod result;
mod row_end;
mod run;
mod run_parts;
mod session_state;
mod stage_times;
mod tasks;

pub(crate) use admission::Admission;
pub use admission::AdmissionLimits;
pub(crate) use profile::{measure, summary};
pub use progress::QueryProgress;
pub use record::{QueryRecord, QueryState, QueryView};
pub use registry::QueryRegistry;
pub(crate) use run::{PlannedQuery, elapsed, plan_query, run_query, run_query_behind, timed_out};
pub(crate) use run_parts::{Begun, FETCH_WITHIN, run_query_in_parts};
pub use session_state::LocalExecutor;
pub(crate) use session_state::{Attempt, SessionInput, StatePlanner};
