//! Arrow columns as the rows of `ducklake_column`, and back.
//!
//! A nested column is one row per part, each naming its parent: a list has the child `element`, a
//! map has `key` and `value`, a struct has its fields. Ids count from 1 in the order of a walk that
//! visits parents first.
//!
//! Several Arrow types share one name of the spec (`Utf8` and `Utf8View` are both `varchar`); the
//! store keeps the exact type beside the row where reading the row back would give another.

mod assemble;
mod flatten;
mod scalar;

pub(crate) use assemble::assemble;
pub(crate) use flatten::{LakeColumn, LakeColumns, Leaf};
