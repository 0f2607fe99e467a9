//! The executors this coordinator knows.

mod membership;
mod resolver;

pub use membership::{ExecutorInfo, ExecutorState, Membership};
pub(crate) use resolver::FixedExecutors;
