//! The one place where a DataFusion session is put together, for coordinators and executors alike.

mod builder;
mod compact;
mod current_user;
mod memory;
mod pausing;
mod prepare;
mod runtime;
mod small_stages;
mod spill_directory;
mod spill_shares;
mod stand_in;
mod task_options;
mod task_root;
mod task_work;
mod version;

pub use builder::{Extension, SessionFactory};
pub use current_user::current_user;
pub use memory::{MemoryBudget, QueryMemoryPool};
pub use prepare::prepare_plan;
pub use runtime::{NodeRuntime, RuntimeConfig};
pub use small_stages::SmallStages;
pub use task_options::TaskOptions;
pub use task_root::QUERY_MEMORY_METRIC;
pub use task_work::{TaskLabel, TaskWork};
