//! Plain appends.

use super::super::publish_append;
use super::setup::{Table, input, many, rows, run};
use crate::files::listing::{FileFilter, list};
use crate::files::{Format, Location};

#[tokio::test]
async fn every_partition_of_the_input_writes_its_own_file() {
    let table = Table::new();
    let target = table.target(Format::Parquet);
    let plan = input(&[
        vec![many(10, "a"), many(5, "b")],
        vec![many(7, "c")],
        vec![],
    ]);
    let files = run(plan, &target).await.unwrap();
    assert_eq!(files.iter().map(|f| f.rows).sum::<u64>(), 22);
    assert_eq!(files.len(), 2);
    let places = publish_append(&table.store, &target, &files).await.unwrap();
    assert_eq!(places.len(), 2);
    assert_eq!(table.files().len(), 2);
    assert_eq!(table.rows().await, 22);
}

#[tokio::test]
async fn files_aside_are_invisible() {
    let table = Table::new();
    let first = table.target(Format::Parquet);
    let files = run(input(&[vec![many(3, "a")]]), &first).await.unwrap();
    publish_append(&table.store, &first, &files).await.unwrap();
    let second = table.target(Format::Parquet);
    let files = run(input(&[vec![many(4, "a")]]), &second).await.unwrap();
    assert!(files[0].path.starts_with("_waterbuck_staging/"));
    let location = Location::parse(&table.location, "/".as_ref()).unwrap();
    let filter = FileFilter {
        format: Format::Parquet,
        extension: None,
    };
    assert_eq!(
        list(&table.store, &location, &filter).await.unwrap().len(),
        1
    );
    publish_append(&table.store, &second, &files).await.unwrap();
    assert_eq!(table.rows().await, 7);
}

#[tokio::test]
async fn an_empty_input_writes_no_file() {
    let table = Table::new();
    let target = table.target(Format::Parquet);
    let files = run(input(&[vec![rows(&[])], vec![]]), &target)
        .await
        .unwrap();
    assert!(files.is_empty());
    assert!(
        publish_append(&table.store, &target, &files)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(table.is_clean());
}

#[tokio::test]
async fn a_full_file_is_followed_by_the_next() {
    let table = Table::new();
    let mut target = table.target(Format::Parquet);
    target.target_file_bytes = 1;
    let plan = input(&[vec![many(10, "a"), many(10, "b"), many(10, "c")]]);
    let files = run(plan, &target).await.unwrap();
    assert_eq!(
        files.iter().map(|f| f.rows).collect::<Vec<_>>(),
        [10, 10, 10]
    );
    publish_append(&table.store, &target, &files).await.unwrap();
    assert_eq!(table.rows().await, 30);
}

#[tokio::test]
async fn a_large_file_goes_out_in_parts() {
    let table = Table::new();
    let mut target = table.target(Format::Json);
    target.single_file = Some("all.json".to_owned());
    let plan = input(&[vec![many(400_000, "some text"); 2]]);
    let files = run(plan, &target).await.unwrap();
    assert!(files[0].bytes > 20 << 20, "{}", files[0].bytes);
    publish_append(&table.store, &target, &files).await.unwrap();
    let size = std::fs::metadata(table.directory.join("all.json"))
        .unwrap()
        .len();
    assert_eq!(size, files[0].bytes);
    assert_eq!(table.files(), ["all.json"]);
}

#[tokio::test]
async fn without_staging_the_files_lie_where_they_stay() {
    let table = Table::new();
    let mut target = table.target(Format::Parquet);
    target.staging = false;
    let files = run(input(&[vec![many(3, "a")]]), &target).await.unwrap();
    assert_eq!(table.files(), [files[0].path.clone()]);
    assert_eq!(table.rows().await, 3);
    let places = publish_append(&table.store, &target, &files).await.unwrap();
    assert!(places[0].as_ref().ends_with(&files[0].path));
}

#[tokio::test]
async fn the_report_tells_sizes_and_statistics() {
    let table = Table::new();
    let target = table.target(Format::Parquet);
    let plan = input(&[vec![rows(&[(5, Some("x")), (-2, None), (9, Some("b"))])]]);
    let files = run(plan, &target).await.unwrap();
    let bytes = std::fs::read(table.directory.join(&files[0].path)).unwrap();
    assert_eq!(files[0].bytes, bytes.len() as u64);
    let length: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
    assert_eq!(files[0].footer_bytes, u64::from(u32::from_le_bytes(length)));
    let [v, k] = files[0].column_stats.as_slice() else {
        panic!("two columns")
    };
    assert_eq!(
        (v.min.as_deref(), v.max.as_deref()),
        (Some("-2"), Some("9"))
    );
    assert_eq!((k.min.as_deref(), k.max.as_deref()), (Some("b"), Some("x")));
    assert_eq!((k.value_count, k.null_count), (3, Some(1)));
    assert!(v.bytes > 0 && v.contains_nan.is_none());
}
