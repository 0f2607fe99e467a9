//! The one place where a DataFusion session is put together, for coordinators and executors alike.

mod builder;
mod memory;
mod runtime;
mod task_options;

pub use builder::{Extension, SessionFactory};
pub use memory::{MemoryBudget, QueryMemoryPool};
pub use runtime::{NodeRuntime, RuntimeConfig};
pub use task_options::TaskOptions;
