//! Control plane: sessions, statements, queries, membership, and the Flight SQL door.

mod apart;
mod audit;
mod cluster;
mod coordinator;
mod door;
pub mod flight_sql;
mod ingest;
mod login;
mod monitor;
mod names;
mod places;
mod plan;
mod query;
mod quota;
mod recovery;
mod result_parts;
mod revocations;
mod session;
mod statement;
mod system;
mod tables;
mod visible;

pub use cluster::{ExecutorInfo, ExecutorState, Membership};
pub use coordinator::{Coordinator, CoordinatorParts};
pub use door::Door;
pub use ingest::{IfExists, Ingest};
pub use login::{OidcConfig, create_first_admin, hash_password};
pub use places::PlacesConfig;
pub use plan::{StageShape, run_error as describe_run_error};
pub use query::{
    AdmissionLimits, LocalExecutor, QueryProgress, QueryRecord, QueryRegistry, QueryState,
    QueryView,
};
pub use result_parts::{Endpoints, ResultPart, TaskResult};
pub use session::{Outcome, PreparedStatement, Session, SessionUser};
