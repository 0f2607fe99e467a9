//! The promises of writing, each on a real directory.

mod append;
mod codec;
mod distributed;
mod failures;
mod formats;
mod object_stores;
mod overwrite;
mod partitions;
mod recovery;
mod setup;
