//! The executors this coordinator knows.

mod channels;
mod membership;
mod resolver;

pub(crate) use channels::ExecutorChannels;
pub use membership::{ExecutorInfo, ExecutorState, Membership};
pub(crate) use resolver::FixedExecutors;
