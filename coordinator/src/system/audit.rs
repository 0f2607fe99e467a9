//! `system.audit`: what was done lately; administrators see everybody's actions.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array};
use waterbuck_engine::Result;

use super::build;
use crate::audit::AuditRecord;
use crate::statement::StatementContext;

/// One row for each action the user may see.
pub(super) fn batch(context: &StatementContext) -> Result<RecordBatch> {
    let (user, admin) = (context.session.user(), context.session.is_admin());
    let mut records = context.core().audit.records();
    records.retain(|record| admin || record.user == user.name);
    let text = |get: fn(&AuditRecord) -> Option<String>| -> ArrayRef {
        let cells = records.iter().map(|record| get(record));
        Arc::new(cells.collect::<StringArray>())
    };
    let at: TimestampMicrosecondArray = records
        .iter()
        .map(|record| Some(record.at.timestamp_micros()))
        .collect();
    let rows: UInt64Array = records.iter().map(|record| record.rows).collect();
    build(vec![
        ("at", Arc::new(at) as ArrayRef),
        ("user_name", text(|record| Some(record.user.clone()))),
        ("peer", text(|record| Some(record.peer.clone()))),
        ("action", text(|record| Some(record.action.to_owned()))),
        ("what", text(|record| record.what.clone())),
        (
            "session_id",
            text(|record| record.session_id.map(|id| id.to_string())),
        ),
        (
            "query_id",
            text(|record| record.query_id.map(|id| id.to_string())),
        ),
        ("result", text(|record| Some(record.result.to_owned()))),
        ("error", text(|record| record.error.clone())),
        ("rows", Arc::new(rows)),
    ])
}
