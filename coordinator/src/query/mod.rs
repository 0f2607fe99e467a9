//! A query's life: its record, its attempts, its result.

mod hold;
mod record;
mod registry;
mod result;
mod run;
mod session_state;

pub use record::{QueryRecord, QueryState, QueryView};
pub use registry::QueryRegistry;
pub(crate) use run::{PlannedQuery, elapsed, plan_query, run_query, timed_out};
pub use session_state::LocalExecutor;
pub(crate) use session_state::{Attempt, SessionInput, StatePlanner};
