//! `information_schema`: what the catalog knows, in the tables that the SQL standard describes.

mod cells;
mod columns;
mod constraints;
mod contents;
mod provider;
mod tables;
mod type_facts;

pub(crate) use provider::InformationSchema;
