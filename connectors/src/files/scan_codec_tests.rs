//! Scans that travel: small messages, equal plans.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use chrono::DateTime;
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::{ExecutionPlan, collect, displayable};
use datafusion_distributed::ScaleUpLeafNodeEvent;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use object_store::ObjectMeta;
use object_store::path::Path;

use super::format::Format;
use super::listing::{FileEntry, FileListing};
use super::metadata::FileTableSpec;
use super::scan_codec::{FileScanCodec, our_scan};
use super::scan_split::scale_up_file_scan;
use super::scan_tests::{Lake, ints, texts};
use super::table::FileTable;

fn there_and_back(lake: &Lake, plan: Arc<dyn ExecutionPlan>) -> (usize, Arc<dyn ExecutionPlan>) {
    let codec = FileScanCodec::default();
    let bytes = physical_plan_to_bytes_with_extension_codec(plan, &codec).expect("encode");
    let task = lake.ctx.task_ctx();
    let back = physical_plan_from_bytes_with_extension_codec(&bytes, &task, &codec);
    (bytes.len(), back.expect("decode"))
}

fn shown(plan: &Arc<dyn ExecutionPlan>) -> String {
    displayable(plan.as_ref()).indent(true).to_string()
}

/// A scan of `count` files on an object store, and where it is run.
async fn sales(count: i64) -> (Lake, Arc<dyn ExecutionPlan>) {
    let mut config = datafusion::prelude::SessionConfig::new().with_target_partitions(4);
    config.options_mut().execution.collect_statistics = false;
    let lake = Lake::with_config(config);
    let files: Vec<FileEntry> = (0..count)
        .map(|i| FileEntry {
            meta: ObjectMeta {
                location: Path::from(format!(
                    "warehouse/sales/year={}/part-{:05}-{:016x}.parquet",
                    i / 500,
                    i,
                    i.wrapping_mul(0x1e37_79b9_7f4a_7c15)
                )),
                last_modified: DateTime::from_timestamp_nanos(1_700_000_000_000_000_000 + i * 977),
                size: 1_000_000 + (i * 7919 % 100_003) as u64,
                e_tag: None,
                version: None,
            },
            partition_values: vec![ScalarValue::Int64(Some(i / 500))].into(),
        })
        .collect();
    let spec = FileTableSpec {
        name: "sales".into(),
        format: Format::Parquet,
        location: super::Location::parse("s3://bucket/warehouse/sales/", std::path::Path::new("/"))
            .expect("location"),
        columns: Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("name", DataType::Utf8, true),
            Field::new("year", DataType::Int64, true),
        ])),
        partition_columns: vec!["year".into()],
        options: BTreeMap::new(),
    };
    let bytes = files.iter().map(|file| file.meta.size).sum();
    let listing = FileListing {
        files: Arc::new(files),
        listed_at: Instant::now(),
        bytes,
    };
    let table = FileTable::new(spec, Arc::new(listing), Arc::clone(&lake.metadata)).expect("table");
    lake.ctx
        .register_table("t", Arc::new(table))
        .expect("register");
    let plan = lake.plan("SELECT name, year FROM t WHERE id > 5").await;
    (lake, plan)
}

#[tokio::test]
async fn a_message_grows_by_little_more_than_the_names_of_its_files() {
    let mut sizes = Vec::new();
    for count in [1_000, 100_000] {
        let (lake, plan) = sales(count).await;
        let (size, back) = there_and_back(&lake, Arc::clone(&plan));
        assert_eq!(shown(&plan), shown(&back));
        assert_eq!(super::collect_pins(&plan), super::collect_pins(&back));
        assert_eq!(super::collect_pins(&plan).len() as i64, count);
        sizes.push(size);
    }
    // Eight bytes of a name are random and no packing shortens them.
    assert!(sizes[0] < 25_000, "{sizes:?} bytes");
    assert!(sizes[1] - sizes[0] < 99_000 * 17, "{sizes:?} bytes");
}

#[tokio::test]
async fn a_decoded_scan_gives_the_same_rows() {
    let lake = Lake::new();
    lake.parquet(
        "p/y=1/a.parquet",
        vec![("id", ints([1, 2])), ("s", texts(&["x", "y"]))],
    );
    lake.parquet(
        "p/y=2/b.parquet",
        vec![("s", texts(&["z"])), ("id", ints([3]))],
    );
    lake.text("c/y=1/a.csv", "s;id\nx;1\nNA;2\n");
    lake.text("c/y=2/b.csv", "id;s\n3;z\n");
    lake.text("j/y=1/a.json", "{\"id\": 1, \"s\": \"x\"}\n{\"id\": 2}\n");
    let csv = [("delimiter", ";"), ("null", "NA")];
    let tables = [
        (Format::Parquet, "p"),
        (Format::Csv, "c"),
        (Format::Json, "j"),
    ];
    for (format, location) in tables {
        let options = if format == Format::Csv { &csv[..] } else { &[] };
        lake.create(format, location, options).await;
        let sql = "SELECT upper(s) u, y, id + 1 FROM t WHERE id > 1 ORDER BY 3";
        let plan = lake.plan(sql).await;
        let (_, back) = there_and_back(&lake, Arc::clone(&plan));
        assert_eq!(shown(&plan), shown(&back));
        let before = collect(plan, lake.ctx.task_ctx()).await.expect("rows");
        let after = collect(back, lake.ctx.task_ctx()).await.expect("rows");
        assert!(before.iter().map(|batch| batch.num_rows()).sum::<usize>() > 0);
        assert_eq!(before, after);
        lake.ctx.deregister_table("t").expect("deregister");
    }
}

#[tokio::test]
async fn tasks_share_a_scan_without_losing_or_doubling_a_row() {
    let lake = Lake::new();
    for i in 0..7 {
        lake.parquet(
            &format!("p/{i}.parquet"),
            vec![("id", ints(i * 1000..(i + 1) * 1000))],
        );
        let lines: String = (i * 1000..(i + 1) * 1000)
            .map(|n| format!("{n}\n"))
            .collect();
        lake.text(&format!("c/{i}.csv"), &format!("id\n{lines}"));
    }
    for (format, location) in [(Format::Parquet, "p"), (Format::Csv, "c")] {
        lake.create(format, location, &[]).await;
        let plan = lake.plan("SELECT id FROM t").await;
        let mut leaf = None;
        plan.transform_down(|node| {
            if our_scan(node.as_ref()).is_some() {
                leaf = Some(Arc::clone(&node));
            }
            Ok(Transformed::no(node))
        })
        .expect("walk");
        let leaf = leaf.expect("a scan");
        for tasks in [1, 2, 5] {
            let config = lake.ctx.copied_config();
            let event = ScaleUpLeafNodeEvent {
                plan: &leaf,
                task_count: tasks,
                session_config: &config,
            };
            let response = scale_up_file_scan(event).expect("ours").expect("split");
            let leaf = response
                .plan
                .downcast_ref::<datafusion_distributed::DistributedLeafExec>()
                .expect("leaf");
            assert_eq!(leaf.variants().len(), tasks);
            let mut seen = Vec::new();
            for variant in leaf.variants() {
                let (_, variant) = there_and_back(&lake, Arc::clone(variant));
                for batch in collect(variant, lake.ctx.task_ctx()).await.expect("rows") {
                    let ids = cast(batch.column(0), &DataType::Int64);
                    let ids = ids.expect("cast");
                    let ids = ids.as_primitive::<Int64Type>();
                    seen.extend(ids.values().iter().copied());
                }
            }
            seen.sort_unstable();
            assert_eq!(seen, (0..7000).collect::<Vec<i64>>(), "{format} {tasks}");
        }
        lake.ctx.deregister_table("t").expect("deregister");
    }
}
