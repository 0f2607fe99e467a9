//! The grammar: which statement it is, and a file for each family.

mod admin;
mod alter;
mod clauses;
mod columns;
mod copy;
mod create;
mod drop;
mod explain;
mod grants;
mod insert;
mod limits;
mod policies;
mod prepared;
mod roles;
mod secrets;
mod session;
mod show;
mod statement;
mod tokens;
mod truncate;
mod users;

pub(super) use statement::statement;
