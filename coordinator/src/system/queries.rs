//! `system.queries`: running queries and the last ones that ended; administrators see everybody's.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array,
    UInt64Array,
};
use waterbuck_engine::Result;

use super::build;
use crate::query::{QueryProgress, QueryRecord, QueryView};
use crate::statement::StatementContext;

type Row = (Arc<QueryRecord>, QueryView, QueryProgress);

fn visible(context: &StatementContext) -> Vec<Row> {
    let core = context.core();
    let user = context.session.user();
    let admin = context.session.is_admin();
    let queries = core.queries.all().into_iter();
    queries
        .filter(|query| admin || query.user == user.name)
        .map(|query| {
            let view = query.view();
            // Nobody works for one that has ended.
            let progress = match view.state.is_final() {
                true => QueryProgress::new(&view, &[]),
                false => core.progress(&query),
            };
            (query, view, progress)
        })
        .collect()
}

/// One row for each query the user may see.
pub(super) async fn batch(context: &StatementContext) -> Result<RecordBatch> {
    context.core().queries.profiled().await;
    let rows = visible(context);
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
        ("query_id", text(&|(query, ..)| Some(query.id.to_string()))),
        (
            "state",
            text(&|(_, view, _)| Some(view.state.name().to_owned())),
        ),
        ("user_name", text(&|(query, ..)| Some(query.user.clone()))),
        (
            "session_id",
            text(&|(query, ..)| Some(query.session_id.to_string())),
        ),
        ("kind", text(&|(query, ..)| Some(query.kind.to_owned()))),
        ("sql", text(&|(query, ..)| Some(query.sql.clone()))),
        (
            "started_at",
            time(&|(query, ..)| Some(query.started_at.timestamp_micros())),
        ),
        (
            "finished_at",
            time(&|(_, view, _)| view.finished_at.map(|at| at.timestamp_micros())),
        ),
        ("elapsed_ms", millis(&|(_, view, _)| Some(view.elapsed))),
        (
            "planning_ms",
            millis(&|(_, view, _)| Some(view.timings.planning)),
        ),
        (
            "queued_ms",
            millis(&|(_, view, _)| Some(view.timings.queued)),
        ),
        (
            "first_row_ms",
            millis(&|(_, view, _)| view.timings.first_row),
        ),
        (
            "execution_ms",
            millis(&|(_, view, _)| Some(view.timings.execution)),
        ),
        ("rows", number(&|(_, view, _)| view.rows)),
        ("bytes", number(&|(_, view, _)| view.bytes)),
        (
            "stages",
            number(&|(_, _, progress)| progress.stages.len() as u64),
        ),
        (
            "stages_done",
            number(&|(_, _, progress)| progress.stages_done()),
        ),
        ("tasks", number(&|(_, _, progress)| progress.tasks_total())),
        (
            "tasks_done",
            number(&|(_, _, progress)| progress.tasks_done()),
        ),
        ("attempts", count(&|(_, view, _)| view.attempts)),
        (
            "peak_memory_bytes",
            number(&|(_, _, progress)| progress.memory_peak_bytes),
        ),
        ("snapshot", text(&|(_, view, _)| view.snapshot.clone())),
        ("error", text(&|(_, view, _)| view.error.clone())),
        (
            "profile",
            text(&|(_, view, _)| view.profile.as_deref().map(str::to_owned)),
        ),
    ])
}
