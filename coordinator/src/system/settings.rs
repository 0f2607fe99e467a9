//! `system.settings` and `system.secrets`.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use waterbuck_engine::Result;
use waterbuck_engine::settings::SettingRow;

use super::build;
use crate::statement::StatementContext;

/// One row for each setting: documented ones first, then the engine's own options.
pub(super) fn batch(context: &StatementContext) -> Result<RecordBatch> {
    let mut rows: Vec<SettingRow> = context.settings.list();
    let listed: Vec<String> = rows.iter().map(|row| row.name.clone()).collect();
    let options = context.settings.list_options();
    rows.extend(
        options
            .into_iter()
            .filter(|option| !listed.contains(&option.name)),
    );
    let text = |get: fn(&SettingRow) -> String| -> ArrayRef {
        Arc::new(rows.iter().map(get).map(Some).collect::<StringArray>())
    };
    build(vec![
        ("name", text(|row| row.name.clone())),
        ("value", text(|row| row.value.clone())),
        ("default_value", text(|row| row.default.clone())),
        ("description", text(|row| row.description.to_string())),
    ])
}

/// One row for each secret: names and kinds, never keys.
pub(super) async fn secrets(context: &StatementContext) -> Result<RecordBatch> {
    let secrets = if context.session.is_admin() {
        context.core().catalog.secrets().await?
    } else {
        vec![]
    };
    let name: StringArray = secrets
        .iter()
        .map(|secret| Some(secret.name.as_str()))
        .collect();
    let kind: StringArray = secrets
        .iter()
        .map(|secret| Some(secret.kind.as_str()))
        .collect();
    let scope: StringArray = secrets
        .iter()
        .map(|secret| secret.scope.as_deref())
        .collect();
    build(vec![
        ("name", Arc::new(name) as ArrayRef),
        ("kind", Arc::new(kind)),
        ("scope", Arc::new(scope)),
    ])
}
