//! The files of a location as they lie there, whether or not a table is over it.

use std::sync::Arc;

use object_store::{ObjectMeta, ObjectStore};
use waterbuck_engine::Result;

use super::listing::{RawFile, list_all};
use super::location::Location;
use super::partition::directories;

/// A file that no table has claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Path, size and modification time.
    pub meta: ObjectMeta,
    /// The `name=value` directories on the way to it, in their order; no value is NULL.
    pub partition: Vec<(String, Option<String>)>,
}

/// The files that a location holds, of every format and ordered by path. Empty and hidden ones are
/// left out, as scans leave them out.
///
/// # Errors
/// `NotFound` naming a location that does not exist, else what the store says.
pub async fn find_files(
    store: &Arc<dyn ObjectStore>,
    location: &Location,
) -> Result<Vec<FoundFile>> {
    let files = list_all(store, location).await?;
    Ok(files.into_iter().map(found).collect())
}

fn found(file: RawFile) -> FoundFile {
    let partition = directories(file.relative())
        .into_iter()
        .map(|directory| (directory.key, directory.value))
        .collect();
    FoundFile {
        meta: file.meta,
        partition,
    }
}

#[cfg(test)]
mod tests {
    use object_store::ObjectStoreExt;
    use object_store::memory::InMemory;
    use object_store::path::Path;

    use super::*;

    async fn bucket(files: &[&str]) -> Arc<dyn ObjectStore> {
        let store = InMemory::new();
        for file in files {
            let path = Path::parse(file).expect("path");
            store.put(&path, "x".into()).await.expect("put");
        }
        Arc::new(store)
    }

    async fn find(store: &Arc<dyn ObjectStore>, location: &str) -> Result<Vec<FoundFile>> {
        let cwd = std::path::Path::new("/");
        let location = Location::parse(location, cwd).expect("location");
        find_files(store, &location).await
    }

    #[tokio::test]
    async fn files_of_every_format_are_found_with_their_directories() {
        let year = "t/y=__HIVE_DEFAULT_PARTITION__/k=a%2Fb/c.parquet";
        let store = bucket(&["t/a.csv", "t/notes.md", "t/_log/b.csv", year]).await;
        let all = find(&store, "s3://bucket/t/").await.expect("find");
        let paths: Vec<_> = all.iter().map(|file| file.meta.location.as_ref()).collect();
        assert_eq!(paths, ["t/a.csv", "t/notes.md", year]);
        assert!(all[0].partition.is_empty());
        let partition = [("y".into(), None), ("k".into(), Some("a/b".into()))];
        assert_eq!(all[2].partition, partition);
        let some = find(&store, "s3://bucket/t/*.md").await.expect("find");
        assert_eq!(some.len(), 1);
    }

    #[tokio::test]
    async fn a_location_that_is_not_there_is_an_error() {
        let store = bucket(&["t/a.csv"]).await;
        assert!(find(&store, "s3://bucket/u").await.is_err());
    }
}
