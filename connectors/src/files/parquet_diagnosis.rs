//! Finds out which row group of a damaged Parquet file is the damaged one.
//!
//! The decoder does not say. Once a query has failed on a file, the file is read again, row group
//! by row group; nobody waits for a result any more, so that costs nothing that matters.

use std::sync::Arc;

use futures::TryStreamExt;
use object_store::{ObjectMeta, ObjectStore};
use parquet::arrow::ParquetRecordBatchStreamBuilder;
use url::Url;

use super::parquet_reader::{FooterSource, PinnedReader};

/// Files beyond this size are not read a second time.
const MAX_BYTES: u64 = 1 << 30;

/// ` (row group 3)`, or nothing where that cannot be told.
pub(super) async fn find_damage(
    store: &Arc<dyn ObjectStore>,
    url: &Url,
    meta: &ObjectMeta,
) -> String {
    if meta.size > MAX_BYTES {
        return String::new();
    }
    let source = FooterSource {
        store: Arc::clone(store),
        url: url.clone(),
        cache: None,
        size_hint: None,
    };
    let reader = || PinnedReader::unmeasured(source.clone(), meta.clone());
    let Ok(footer) = ParquetRecordBatchStreamBuilder::new(reader()).await else {
        return " (footer)".into();
    };
    for group in 0..footer.metadata().num_row_groups() {
        let Ok(builder) = ParquetRecordBatchStreamBuilder::new(reader()).await else {
            break;
        };
        let Ok(mut batches) = builder.with_row_groups(vec![group]).build() else {
            break;
        };
        loop {
            match batches.try_next().await {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(_) => return format!(" (row group {group})"),
            }
        }
    }
    String::new()
}
