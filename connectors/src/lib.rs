//! Other people's systems as sources and sinks.
//!
//! `files` reads and writes file tables on the local disk, on object stores and on HDFS. Nothing
//! here knows the catalog: a table arrives as a plain description and leaves as a DataFusion
//! [`TableProvider`](datafusion::catalog::TableProvider).

pub mod files;
