//! Control plane: sessions, statements, queries, membership, and the Flight SQL door.

mod auth;
mod cluster;
mod coordinator;
mod door;
pub mod flight_sql;
mod ingest;
mod monitor;
mod names;
mod plan;
mod query;
mod recovery;
mod revocations;
mod session;
mod statement;
mod system;
mod tables;

pub use auth::{create_first_admin, hash_password};
pub use cluster::{ExecutorInfo, ExecutorState, Membership};
pub use coordinator::{Coordinator, CoordinatorParts};
pub use door::Door;
pub use ingest::{IfExists, Ingest};
pub use plan::{StageShape, run_error as describe_run_error};
pub use query::{
    AdmissionLimits, LocalExecutor, QueryProgress, QueryRecord, QueryRegistry, QueryState,
    QueryView,
};
pub use session::{Outcome, PreparedStatement, Session, SessionUser};
