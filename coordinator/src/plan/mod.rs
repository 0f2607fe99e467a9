//! From names to plans: binding, the write node, and what plans say of themselves.

mod bind;
mod calls;
mod config;
mod describe;
mod output_names;
mod precedence;
mod refused_clauses;
mod row_check;
mod secured;
mod shape;
mod views;
mod write_node;

pub(crate) use bind::{Binder, Bound, CATALOG_NAME, looks_like_path};
pub(crate) use config::apply_settings;
pub(crate) use describe::arrow_schema;
pub(crate) use output_names::{is_same_name, said_names, under_said_names, with_own_names};
pub(crate) use precedence::with_precedence;
pub(crate) use row_check::needs_row_check;
pub use shape::StageShape;
pub(crate) use shape::plan_shape;
pub use waterbuck_engine::plain_errors::run_error;
pub(crate) use waterbuck_engine::plain_errors::{is_changed_file, plan_error};
pub(crate) use write_node::{WriteIds, WriteQueryPlanner, write_plan};
