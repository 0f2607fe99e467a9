//! Makes a data set once: in parallel, beside its final place, and moved there when it is whole.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use arrow::array::{Array, BooleanArray, Int32Array, RecordBatch};
use arrow::compute::{DatePart, date_part, filter_record_batch};
use arrow::datatypes::SchemaRef;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};
use waterbuck_engine::{Error, Result};

use super::layout::file;
use super::rows::rows;
use super::{Layout, Table};
use crate::directory::{failed, with_marker};

const ROW_GROUP_ROWS: usize = 120_000;
const ZSTD_LEVEL: i32 = 1;
/// Raised when files of the same parameters come out otherwise.
const FORMAT: u32 = 1;

/// A data set on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    /// The absolute directory in which every table has its own.
    pub root: PathBuf,
    /// The scale factor.
    pub scale: f64,
    /// How the files are arranged.
    pub layout: Layout,
}

impl DataSet {
    /// The statement that makes a table of the files, leaving one that exists as it is.
    pub fn create_sql(&self, table: Table) -> String {
        let location = self.root.join(table.name());
        let location = location.to_string_lossy().replace('\'', "''");
        format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS {} STORED AS PARQUET LOCATION '{location}/'",
            table.name()
        )
    }
}

/// What a data set was made of; it lies beside the tables once all of them are whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Marker {
    format: u32,
    scale: f64,
    layout: String,
}

/// The data set of these parameters in `dir`, made now unless it is there. What an interrupted
/// run or other parameters left is made anew. Progress is shown on standard error if that is a
/// terminal. It blocks until the data is there.
///
/// # Errors
/// When the directory cannot be written.
pub fn ensure(dir: &Path, scale: f64, layout: Layout) -> Result<DataSet> {
    let marker = Marker {
        format: FORMAT,
        scale,
        layout: layout.name().to_owned(),
    };
    let root = with_marker(dir, &marker, |aside| generate(aside, scale, layout))?;
    Ok(DataSet {
        root,
        scale,
        layout,
    })
}

/// One unit of parallel work.
#[derive(Debug, Clone, Copy)]
struct Part {
    table: Table,
    scale: f64,
    layout: Layout,
    number: i32,
    of: i32,
}

fn generate(root: &Path, scale: f64, layout: Layout) -> Result<()> {
    let parts: Vec<Part> = Table::ALL
        .into_iter()
        .flat_map(|table| {
            let of = table.parts(scale);
            (1..=of).map(move |number| Part {
                table,
                scale,
                layout,
                number,
                of,
            })
        })
        .collect();
    let rows = Table::ALL.into_iter().map(|table| table.rows(scale)).sum();
    let progress = progress_bar(rows, scale);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        while let Some(part) = parts.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let written = write_part(root, *part, &progress);
            if written.is_err() {
                stop.store(true, Ordering::Relaxed);
                return written;
            }
        }
        Ok(())
    };
    let workers = thread::available_parallelism().map_or(1, NonZero::get);
    let results: Vec<_> = thread::scope(|scope| {
        let started: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        started
            .into_iter()
            .map(thread::ScopedJoinHandle::join)
            .collect()
    });
    progress.finish_and_clear();
    results.into_iter().try_for_each(|result| {
        result.unwrap_or_else(|_panic| Err(Error::internal("the data generator broke")))
    })
}

fn progress_bar(rows: u64, scale: f64) -> ProgressBar {
    // Hidden by itself where standard error is no terminal.
    let bar = ProgressBar::with_draw_target(Some(rows), ProgressDrawTarget::stderr());
    let template = "TPC-H data at scale {msg}  {bar:30} {percent:>3} %  {eta} left";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.with_message(scale.to_string())
}

fn write_part(root: &Path, part: Part, progress: &ProgressBar) -> Result<()> {
    let batches = rows(part.table, part.scale, part.number, part.of);
    let schema = SchemaRef::clone(batches.schema());
    let mut writers = Writers {
        root,
        part,
        schema,
        open: BTreeMap::new(),
    };
    for batch in batches {
        writers.write(&batch)?;
        progress.inc(batch.num_rows() as u64);
    }
    writers.finish()
}

/// The files of one part: one in the plain layout, one for each year otherwise.
struct Writers<'a> {
    root: &'a Path,
    part: Part,
    schema: SchemaRef,
    open: BTreeMap<Option<i32>, (PathBuf, ArrowWriter<File>)>,
}

impl Writers<'_> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let Some((date, _)) = self.part.layout.partitioning(self.part.table) else {
            return self.write_to(None, batch);
        };
        let broken =
            |error| Error::internal("the generator's dates have no year").with_source(error);
        let dates = batch
            .column_by_name(date)
            .ok_or_else(|| Error::internal(format!("the generator gives no column \"{date}\"")))?;
        let years = date_part(dates, DatePart::Year).map_err(broken)?;
        let years = years
            .as_any()
            .downcast_ref::<Int32Array>()
            .ok_or_else(|| Error::internal("years are no 32-bit integers"))?;
        let distinct: std::collections::BTreeSet<i32> = years.values().iter().copied().collect();
        for year in distinct {
            let of_year: BooleanArray = years.values().iter().map(|y| Some(*y == year)).collect();
            let rows = filter_record_batch(batch, &of_year).map_err(broken)?;
            self.write_to(Some(year), &rows)?;
        }
        Ok(())
    }

    fn write_to(&mut self, year: Option<i32>, batch: &RecordBatch) -> Result<()> {
        if !self.open.contains_key(&year) {
            self.open.insert(year, self.create(year)?);
        }
        let Some((path, writer)) = self.open.get_mut(&year) else {
            return Err(Error::internal("the file that was opened is gone"));
        };
        writer
            .write(batch)
            .map_err(|error| failed("written", path, error))
    }

    fn create(&self, year: Option<i32>) -> Result<(PathBuf, ArrowWriter<File>)> {
        let column = self
            .part
            .layout
            .partitioning(self.part.table)
            .map(|(_, column)| column);
        let directory = column.zip(year);
        let path = file(self.root, self.part.table, directory, self.part.number);
        let opened = create_parquet(&path, &self.schema)?;
        Ok((path, opened))
    }

    fn finish(mut self) -> Result<()> {
        if self.open.is_empty() {
            // A part without rows still is a file: a table must have a schema.
            self.write_to(
                None,
                &RecordBatch::new_empty(SchemaRef::clone(&self.schema)),
            )?;
        }
        self.open.into_values().try_for_each(|(path, writer)| {
            writer
                .close()
                .map(drop)
                .map_err(|error| failed("written", &path, error))
        })
    }
}

/// Opens a Parquet file for writing with the benchmark's compression and row groups.
pub(crate) fn create_parquet(path: &Path, schema: &SchemaRef) -> Result<ArrowWriter<File>> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed("made", parent, error))?;
    }
    let level = ZstdLevel::try_new(ZSTD_LEVEL)
        .map_err(|error| Error::internal("the compression level is unknown").with_source(error))?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let out = File::create(path).map_err(|error| failed("made", path, error))?;
    ArrowWriter::try_new(out, SchemaRef::clone(schema), Some(properties))
        .map_err(|error| failed("written", path, error))
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::{ParquetReadOptions, SessionContext};

    use super::*;

    async fn count(data: &DataSet, sql: &str) -> i64 {
        let context = SessionContext::new();
        for table in Table::ALL {
            let path = data.root.join(table.name());
            let mut options = ParquetReadOptions::default();
            if let Some((_, column)) = data.layout.partitioning(table) {
                let year = (column.to_owned(), arrow::datatypes::DataType::Int32);
                options = options.table_partition_cols(vec![year]);
            }
            let registered =
                context.register_parquet(table.name(), path.to_string_lossy(), options);
            registered.await.unwrap();
        }
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let column = batches[0]
            .column(0)
            .as_any()
            .downcast_ref::<arrow::array::Int64Array>();
        column.unwrap().value(0)
    }

    #[tokio::test]
    async fn every_table_has_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        let data = ensure(&dir.path().join("d"), 0.001, Layout::Plain).unwrap();
        for table in Table::ALL {
            let rows = count(&data, &format!("SELECT count(*) FROM {}", table.name())).await;
            match table {
                Table::LineItem => assert_eq!(rows, 6005),
                // Four suppliers for each part: the generator counts parts.
                Table::PartSupp => assert_eq!(rows, 800),
                other => assert_eq!(rows, other.rows(0.001) as i64, "{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn years_of_the_path_are_those_of_the_dates() {
        let dir = tempfile::tempdir().unwrap();
        let data = ensure(&dir.path().join("d"), 0.001, Layout::Partitioned).unwrap();
        let wrong =
            "SELECT count(*) FROM lineitem WHERE l_shipyear <> extract(YEAR FROM l_shipdate)";
        assert_eq!(count(&data, wrong).await, 0);
        assert_eq!(count(&data, "SELECT count(*) FROM lineitem").await, 6005);
        assert!(
            data.root
                .join("lineitem/l_shipyear=1994/part-0.parquet")
                .is_file()
        );
    }

    #[test]
    fn a_whole_data_set_is_kept_and_another_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("d");
        let data = ensure(&path, 0.001, Layout::Plain).unwrap();
        let sample = data.root.join("region/part-0.parquet");
        let made = fs::metadata(&sample).unwrap().modified().unwrap();
        fs::create_dir_all(dir.path().join("d.partial/lineitem")).unwrap();
        ensure(&path, 0.001, Layout::Plain).unwrap();
        assert_eq!(fs::metadata(&sample).unwrap().modified().unwrap(), made);
        ensure(&path, 0.001, Layout::Partitioned).unwrap();
        assert!(sample.is_file());
        assert!(!data.root.join("lineitem/part-0.parquet").exists());
        assert!(!dir.path().join("d.partial").exists());
    }

    #[test]
    fn files_of_somebody_else_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("precious"), "x").unwrap();
        let error = ensure(dir.path(), 0.001, Layout::Plain).unwrap_err();
        assert!(error.to_string().contains("holds other files"), "{error}");
        assert!(dir.path().join("precious").exists());
    }
}
