//! Listing what is not on the local disk.

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::format::Format;
use super::listing::{FileFilter, list};
use super::location::Location;

async fn bucket(files: &[String]) -> Arc<dyn ObjectStore> {
    let store = InMemory::new();
    for file in files {
        let content = if file.ends_with("empty.csv") {
            ""
        } else {
            "a\n1\n"
        };
        store
            .put(&Path::from(file.as_str()), content.into())
            .await
            .expect("put");
    }
    Arc::new(store)
}

async fn listed(
    store: &Arc<dyn ObjectStore>,
    location: &str,
) -> waterbuck_engine::Result<Vec<String>> {
    let location = Location::parse(location, std::path::Path::new("/")).expect("location");
    let filter = FileFilter {
        format: Format::Csv,
        extension: None,
    };
    let files = list(store, &location, &filter).await?;
    Ok(files
        .iter()
        .map(|file| file.relative().to_string())
        .collect())
}

#[tokio::test]
async fn directories_patterns_and_files_are_listed() {
    let names = [
        "t/y=1/a.csv",
        "t/y=1/_temporary/b.csv",
        "t/y=2/c.csv.gz",
        "t/y=2/.d.csv",
        "t/_log/e.csv",
        "t/y=2/empty.csv",
        "t/README.md",
        "t/_p=1/f.csv",
        "tt/g.csv",
    ];
    let store = bucket(&names.map(String::from)).await;
    let all = ["_p=1/f.csv", "y=1/a.csv", "y=2/c.csv.gz"];
    assert_eq!(listed(&store, "s3://bucket/t").await.expect("list"), all);
    assert_eq!(listed(&store, "s3://bucket/t/").await.expect("list"), all);
    assert_eq!(
        listed(&store, "s3://bucket/t/y=1/a.csv")
            .await
            .expect("list"),
        ["a.csv"]
    );
    assert_eq!(
        listed(&store, "s3://bucket/t/y=*/*.csv")
            .await
            .expect("list"),
        ["y=1/a.csv"]
    );
    assert_eq!(
        listed(&store, "s3://bucket/{tt/g,t/y=1/a}.csv")
            .await
            .expect("list")
            .len(),
        2
    );
    assert_eq!(
        listed(&store, "https://host/tt/g.csv").await.expect("list"),
        ["g.csv"]
    );
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let store = bucket(&["t/a.csv".to_string()]).await;
    for missing in ["s3://bucket/u", "s3://bucket/t/b.csv", "https://host/b.csv"] {
        let error = listed(&store, missing)
            .await
            .expect_err("missing")
            .to_string();
        assert_eq!(error, format!("location \"{missing}\" does not exist"));
    }
}

#[tokio::test]
async fn many_directories_are_listed_whole() {
    let names: Vec<String> = (0..700).map(|i| format!("a/b/p={i}/f{i}.csv")).collect();
    let store = bucket(&names).await;
    assert_eq!(
        listed(&store, "gs://bucket/a").await.expect("list").len(),
        700
    );
    let store = bucket(&names[..100]).await;
    assert_eq!(
        listed(&store, "gs://bucket/").await.expect("list").len(),
        100
    );
}
