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

mod arrow_ipc;
mod byte_cache;
mod file_facts;
mod file_list;
mod format;
mod lines;
mod listing;
mod local_walk;
mod location;
mod metadata;
mod naming;
mod options;
mod parquet_reader;
mod partition;
mod pinned;
mod pruning;
mod row_source;
mod sample;
mod scan_codec;
mod scan_split;
mod schema;
mod secret;
mod statistics;
mod store_builder;
mod stores;
mod table;
mod table_source;
pub mod write;

pub use format::Format;
pub use listing::{FileEntry, FileListing};
pub use location::Location;
pub use metadata::{FileMetadata, FileTableSpec, InferredSchema};
pub use options::FormatOptions;
pub use pinned::{Pins, collect_pins};
pub use scan_codec::FileScanCodec;
pub use scan_split::scale_up_file_scan;
pub use secret::Secret;
pub use statistics::{ColumnSummary, TableSummary};
pub use stores::Stores;
pub use table::FileTable;
