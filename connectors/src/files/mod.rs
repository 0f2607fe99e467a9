//! File tables: where their files lie, what they look like and how they are scanned.
//!
//! ```text
//! Location ─► Stores ─► FileMetadata (listings, schemas, footers; cached)
//!                             │
//!                             ▼
//!              FileTable::scan ─► DataSourceExec over exactly the listed files
//!                             │            │ FileScanCodec, scale_up_file_scan
//!                             ▼            ▼
//!                        statistics     executors, which check every file against its pin
//! ```

mod batched_metrics;
mod byte_cache;
mod compression;
mod containers;
mod csv_layout;
mod decoding;
mod extension;
mod file_facts;
mod file_list;
mod file_scan;
mod float_bounds;
mod footers;
mod format;
mod found;
mod hosts;
mod inference;
mod json_sample;
mod lines;
mod listing;
#[cfg(test)]
mod listing_tests;
mod local_walk;
mod location;
mod metadata;
mod named_morsels;
mod naming;
mod needed_secrets;
mod options;
mod parquet_diagnosis;
mod parquet_reader;
mod parquet_source;
mod partition;
mod pinned;
mod pruning;
mod regroup;
mod remove;
mod row_source;
mod sample;
mod scan_bytes;
mod scan_codec;
#[cfg(test)]
mod scan_codec_tests;
#[cfg(test)]
mod scan_fault_tests;
mod scan_split;
#[cfg(test)]
mod scan_tests;
#[cfg(test)]
mod scan_text_tests;
mod schema;
mod secret;
mod statistics;
mod store_builder;
mod stores;
mod table;
mod target;
mod web_client;
mod whole_files;
pub mod write;

pub use extension::FilesExtension;
pub use format::Format;
pub use found::{FoundFile, find_files};
pub use hosts::{Referrals, is_hidden_address, is_metadata_name, names_host, plain_name};
pub use inference::InferredSchema;
pub use listing::{FileEntry, FileListing};
pub use location::{Location, readable};
pub use metadata::{FileMetadata, FileTableSpec};
pub use needed_secrets::needed_secrets;
pub use options::FormatOptions;
pub use pinned::{Pin, Pins, collect_pins};
pub use remove::remove_directory;
pub use scan_bytes::scan_bytes;
pub use scan_codec::FileScanCodec;
pub use scan_split::scale_up_file_scan;
pub use secret::Secret;
pub use statistics::{ColumnSummary, TableSummary};
pub use stores::Stores;
pub use table::FileTable;
