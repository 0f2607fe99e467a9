//! Seals: parts of a plan that belong to somebody else.
//!
//! ```text
//!   what the user wrote: filters, joins, projections
//!        │
//!      SEAL   passes rows up; no condition, order, constant or statistics passes it, and plans
//!        │    that are shown end at it
//!   column masks ─ row filters ─ scan
//! ```
//!
//! A condition of the user that moved below a row filter would be computed for rows that the user may
//! not see, and an error in it would tell of them: `WHERE 1 / (balance - 5) > 0`.

mod conceal;
mod exec;
mod node;
mod planner;

#[cfg(test)]
mod tests;

pub use conceal::{conceal_plan, conceal_text};
pub use exec::{SealCodec, SealExec};
pub(crate) use node::is_seal;
pub use node::{has_seal, seal};
pub use planner::SealPlanner;
