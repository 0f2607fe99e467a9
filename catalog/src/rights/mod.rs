//! Who may do what: the values, and the rules that are the same above every database.
//!
//! ```text
//!   catalog ─ schema ─ table or view ─ column       a grant holds for what is to the right of it
//!         └─ function, setting                      so does ownership
//! ```
//!
//! Users and roles get roles; everybody has the role `public`, and whoever has `admin` may do
//! everything. What a user *may* follows from the roles that are active; which row filters, column
//! masks and limits *bind* a user follows from all roles the user has, so that `SET ROLE` sheds none.

mod grant;
mod limit;
mod membership;
mod policy;
mod securable;
mod store;
mod user_rights;

#[cfg(test)]
mod tests;

pub use grant::{GrantChange, GrantTarget, Granted};
pub use limit::Limit;
pub use membership::{Membership, RoleChange};
pub(crate) use membership::{members_of, roles_of};
pub use policy::Policy;
pub(crate) use policy::rival_mask;
pub use securable::Securable;
pub use store::RightsStore;
pub(crate) use user_rights::Facts;
pub use user_rights::Rights;
