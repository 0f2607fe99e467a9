//! `system.executors`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use waterbuck_engine::Result;

use super::build;
use crate::cluster::ExecutorInfo;
use crate::statement::StatementContext;

/// One row for each known executor.
pub(super) fn batch(context: &StatementContext) -> Result<RecordBatch> {
    let all = context.core().executors();
    let text = |get: fn(&ExecutorInfo) -> Option<String>| -> ArrayRef {
        Arc::new(all.iter().map(get).collect::<StringArray>())
    };
    let number = |get: fn(&ExecutorInfo) -> u64| -> ArrayRef {
        Arc::new(all.iter().map(get).map(Some).collect::<UInt64Array>())
    };
    let registered: TimestampMicrosecondArray = all
        .iter()
        .map(|known| Some(known.registered_at.timestamp_micros()))
        .collect();
    build(vec![
        ("executor_id", text(|known| Some(known.id.clone()))),
        ("url", text(|known| Some(known.url.to_string()))),
        ("state", text(|known| Some(known.state.name().to_owned()))),
        ("version", text(|known| Some(known.version.clone()))),
        ("cores", number(|known| known.cores)),
        ("running_tasks", number(|known| known.running_tasks)),
        ("running_queries", number(|known| known.running_queries)),
        ("memory_used_bytes", number(|known| known.memory_used_bytes)),
        ("memory_peak_bytes", number(|known| known.memory_peak_bytes)),
        (
            "memory_limit_bytes",
            number(|known| known.memory_limit_bytes),
        ),
        ("spilled_bytes", number(|known| known.spilled_bytes)),
        (
            "last_heartbeat_ms",
            number(|known| known.silent_for().as_millis() as u64),
        ),
        ("registered_at", Arc::new(registered)),
        ("reason", text(|known| known.reason.clone())),
    ])
}
