//! What a coordinator finds after another one died.

use std::time::{Duration, SystemTime};

use super::super::layout::Layout;
use super::super::publish_plan::PublishPlan;
use super::super::{Abandoned, WriteTarget, WrittenFile, recover};
use super::setup::{Table, input, many, run};
use crate::files::Format;

fn later() -> SystemTime {
    SystemTime::now() + Duration::from_secs(60)
}

fn plan_of(
    table: &Table,
    target: &WriteTarget,
    files: &[WrittenFile],
    old: &[&str],
) -> PublishPlan {
    let layout = Layout::of(target).unwrap();
    let moves = files.iter().map(|file| {
        let from = layout.absolute(&file.path).unwrap();
        (
            from.to_string(),
            layout.published(&from).unwrap().to_string(),
        )
    });
    let removals = old
        .iter()
        .map(|name| layout.absolute(name).unwrap().to_string());
    let _ = table;
    PublishPlan {
        moves: moves.collect(),
        removals: removals.collect(),
    }
}

fn at(time: SystemTime) -> Abandoned {
    Abandoned {
        published_before: time,
        began_before: time,
    }
}

#[tokio::test]
async fn an_interrupted_publication_is_completed() {
    let table = Table::new();
    let target = table.partitioned(&["k"]);
    let plan = input(&[vec![many(5, "a"), many(5, "b")]]);
    let files = run(plan, &target).await.unwrap();
    std::fs::write(table.directory.join("old.parquet"), "old").unwrap();
    let plan = plan_of(&table, &target, &files, &["old.parquet"]);
    let layout = Layout::of(&target).unwrap();
    plan.store_journal(&table.store, &layout).await.unwrap();
    // The coordinator dies after the first of two moves.
    let done = PublishPlan {
        moves: plan.moves[..1].to_vec(),
        removals: vec![],
    };
    done.run_moves(&table.store, &layout).await.unwrap();
    assert_eq!(
        recover(
            &table.store,
            &table.location,
            at(SystemTime::UNIX_EPOCH),
            |_| false
        )
        .await
        .unwrap(),
        0,
        "it may be going on elsewhere"
    );
    assert_eq!(
        recover(&table.store, &table.location, at(later()), |_| false)
            .await
            .unwrap(),
        1
    );
    assert_eq!(table.files().len(), 2);
    assert_eq!(table.rows().await, 10);
}

#[tokio::test]
async fn an_abandoned_write_is_removed_and_a_running_one_left() {
    let table = Table::new();
    let target = table.target(Format::Parquet);
    run(input(&[vec![many(5, "a")]]), &target).await.unwrap();
    let recover_if = async |given_up: bool, before| {
        recover(&table.store, &table.location, at(before), |_| given_up)
            .await
            .unwrap()
    };
    assert_eq!(recover_if(false, SystemTime::UNIX_EPOCH).await, 0);
    assert_eq!(table.files().len(), 1);
    assert_eq!(recover_if(false, later()).await, 1);
    assert!(table.is_clean());
    assert_eq!(recover_if(false, later()).await, 0);
    run(input(&[vec![many(5, "a")]]), &target).await.unwrap();
    assert_eq!(recover_if(true, SystemTime::UNIX_EPOCH).await, 1);
    assert!(table.is_clean());
}
