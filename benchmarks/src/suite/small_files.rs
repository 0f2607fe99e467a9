//! A partitioned table of very many very small files.

use std::num::NonZero;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use serde::{Deserialize, Serialize};
use waterbuck_engine::{Error, Result};

use crate::directory::failed;
use crate::tpch::create_parquet;

/// Rows of one file.
pub(super) const ROWS: u32 = 10;
/// Files of one directory.
pub(super) const FILES_PER_DIRECTORY: u32 = 100;

/// What the table is made of.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) files: u32,
    pub(super) rows_per_file: u32,
    pub(super) files_per_directory: u32,
}

/// Writes `files` files into directories `bucket=0`, `bucket=1` and so on.
pub(super) fn write_files(root: &Path, files: u32) -> Result<()> {
    let next = AtomicU32::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= files {
                return Ok(());
            }
            let bucket = number / FILES_PER_DIRECTORY;
            let path = root.join(format!("bucket={bucket}/part-{number}.parquet"));
            let batch = batch(number)?;
            let mut writer = create_parquet(&path, &batch.schema())?;
            let written = writer.write(&batch).and_then(|()| writer.close());
            written.map_err(|error| failed("written", &path, error))?;
        }
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let results: Vec<Result<()>> = thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let broken = |_panic| Err(Error::internal("the data generator broke"));
        started
            .into_iter()
            .map(|worker| worker.join().unwrap_or_else(broken))
            .collect()
    });
    results.into_iter().collect()
}

fn batch(number: u32) -> Result<RecordBatch> {
    let rows = i64::from(number) * i64::from(ROWS)..i64::from(number + 1) * i64::from(ROWS);
    let names = rows.clone().map(|row| format!("event {row}"));
    let columns: [(&str, ArrayRef); 2] = [
        ("name", Arc::new(StringArray::from_iter_values(names))),
        ("value", Arc::new(Int64Array::from_iter_values(rows))),
    ];
    RecordBatch::try_from_iter(columns)
        .map_err(|error| Error::internal("numbers make no batch").with_source(error))
}
