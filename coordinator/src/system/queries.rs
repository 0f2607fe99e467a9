//! `system.queries`: running queries and the last ones that ended; administrators see everybody's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    UInt64Array,
};
use waterbuck_engine::Result;

use super::build;
use crate::query::{QueryRecord, QueryView};
use crate::statement::StatementContext;

type Row = (Arc<QueryRecord>, QueryView);

/// One row for each query the user may see.
pub(super) fn batch(context: &StatementContext) -> Result<RecordBatch> {
    let user = context.session.user();
    let rows: Vec<Row> = context
        .core()
        .queries
        .all()
        .into_iter()
        .filter(|query| user.admin || query.user == user.name)
        .map(|query| {
            let view = query.view();
            (query, view)
        })
        .collect();
    let text = |get: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<StringArray>())
    };
    let number = |get: &dyn Fn(&Row) -> u64| -> ArrayRef {
        Arc::new(rows.iter().map(get).map(Some).collect::<UInt64Array>())
    };
    let count = |get: &dyn Fn(&Row) -> u32| -> ArrayRef {
        Arc::new(rows.iter().map(get).map(Some).collect::<UInt32Array>())
    };
    let millis = |get: &dyn Fn(&Row) -> Option<std::time::Duration>| -> ArrayRef {
        let cells = rows
            .iter()
            .map(get)
            .map(|time| time.map(|time| time.as_secs_f64() * 1e3));
        Arc::new(cells.collect::<Float64Array>())
    };
    let time = |get: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(get).collect::<TimestampMicrosecondArray>())
    };
    build(vec![
        ("query_id", text(&|(query, _)| Some(query.id.to_string()))),
        (
            "state",
            text(&|(_, view)| Some(view.state.name().to_owned())),
        ),
        ("user_name", text(&|(query, _)| Some(query.user.clone()))),
        (
            "session_id",
            text(&|(query, _)| Some(query.session_id.to_string())),
        ),
        ("kind", text(&|(query, _)| Some(query.kind.to_owned()))),
        ("sql", text(&|(query, _)| Some(query.sql.clone()))),
        (
            "started_at",
            time(&|(query, _)| Some(query.started_at.timestamp_micros())),
        ),
        (
            "finished_at",
            time(&|(_, view)| view.finished_at.map(|at| at.timestamp_micros())),
        ),
        ("elapsed_ms", millis(&|(_, view)| Some(view.elapsed))),
        (
            "planning_ms",
            millis(&|(_, view)| Some(view.timings.planning)),
        ),
        ("queued_ms", millis(&|(_, view)| Some(view.timings.queued))),
        ("first_row_ms", millis(&|(_, view)| view.timings.first_row)),
        (
            "execution_ms",
            millis(&|(_, view)| Some(view.timings.execution)),
        ),
        ("rows", number(&|(_, view)| view.rows)),
        ("bytes", number(&|(_, view)| view.bytes)),
        ("stages", count(&|(_, view)| view.stages)),
        ("tasks", count(&|(_, view)| view.tasks)),
        ("attempts", count(&|(_, view)| view.attempts)),
        (
            "peak_memory_bytes",
            number(&|(_, view)| view.peak_memory_bytes),
        ),
        ("snapshot", text(&|(_, view)| view.snapshot.clone())),
        ("error", text(&|(_, view)| view.error.clone())),
    ])
}
