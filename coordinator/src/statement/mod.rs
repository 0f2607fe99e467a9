//! What each kind of statement does, one file each.

mod analyze;
mod columns;
mod context;
mod copy;
mod ddl;
mod dispatch;
mod explain;
mod found_files;
mod ingest;
mod insert;
mod insertable;
mod limits;
mod overwrite;
mod parameter_rows;
mod parameters;
mod permitted;
mod policies;
mod prepared;
mod query;
mod rights;
mod rows;
mod secrets;
mod securables;
mod set;
mod show;
mod show_create;
mod show_rights;
mod table_details;
mod tokens;
mod users;
mod write;

pub(crate) use columns::plain_type;
pub(crate) use context::StatementContext;
pub(crate) use dispatch::{execute, prepare};
pub(crate) use ingest::execute as ingest;
pub(crate) use show_create::quoted;
