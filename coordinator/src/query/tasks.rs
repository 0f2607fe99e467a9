//! What the tasks of an attempt carry to their executors besides their plans.

use std::sync::Arc;

use datafusion::execution::SessionState;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_distributed::DistributedExec;
use waterbuck_connectors::files::{Secret, needed_secrets};
use waterbuck_engine::session::TaskOptions;
use waterbuck_engine::{Error, Result};

use super::run::PlannedQuery;

/// Puts the options of the tasks of `plan` into `state`, from which they are dispatched: of the
/// secrets only those of the stores that the plan reads and writes.
///
/// # Errors
/// When those secrets are more than a task can carry.
pub(super) fn equip_tasks(
    query: &PlannedQuery,
    state: &mut SessionState,
    plan: &Arc<dyn ExecutionPlan>,
) -> Result<()> {
    if !plan.is::<DistributedExec>() {
        return Ok(());
    }
    let secrets = encode(&needed_secrets(plan, &query.secrets)?)?;
    let values = query.settings.values();
    let mut options = TaskOptions::default()
        .with_overrides_of(state.config())
        .with_secrets(&secrets)?;
    options.query_id = query.record.id.to_string();
    options.memory_limit = usize::try_from(values.memory_limit).unwrap_or(usize::MAX);
    options.spill_limit = values.spill_limit;
    state.config_mut().options_mut().extensions.insert(options);
    Ok(())
}

fn encode(secrets: &[Secret]) -> Result<Vec<u8>> {
    if secrets.is_empty() {
        return Ok(vec![]);
    }
    serde_json::to_vec(secrets)
        .map_err(|error| Error::internal("secrets cannot be encoded").with_source(error))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::physical_plan::{FileScanConfigBuilder, JsonSource};
    use datafusion::datasource::source::DataSourceExec;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::logical_expr::LogicalPlanBuilder;
    use uuid::Uuid;
    use waterbuck_engine::settings::Settings;

    use super::*;
    use crate::query::QueryRecord;

    fn secret(scope: &str) -> Secret {
        Secret {
            kind: "s3".to_owned(),
            scope: Some(scope.to_owned()),
            options: [("key_id".to_owned(), format!("key of {scope}"))].into(),
        }
    }

    fn query(state: &SessionState) -> PlannedQuery {
        let nothing = LogicalPlanBuilder::empty(false).build();
        PlannedQuery {
            record: Arc::new(QueryRecord::new(Uuid::nil(), "ada", "SELECT", "query")),
            logical: nothing.expect("an empty plan"),
            settings: Settings::new(),
            state: state.clone(),
            secrets: vec![secret("s3://a/"), secret("s3://b/")],
            sql: String::new(),
            ends_query: true,
            local_only: false,
            needs_slot: false,
        }
    }

    /// The options that the tasks of a scan of `store` carry.
    fn options_for(store: &str) -> TaskOptions {
        let schema = Arc::new(Schema::new(vec![Field::new("x", DataType::Int64, true)]));
        let url = ObjectStoreUrl::parse(store).expect("a store");
        let source = Arc::new(JsonSource::new(schema));
        let config = FileScanConfigBuilder::new(url, source).build();
        let scan = DataSourceExec::from_data_source(config);
        let plan: Arc<dyn ExecutionPlan> = Arc::new(DistributedExec::new(scan));
        let mut state = SessionStateBuilder::new().build();
        let query = query(&state);
        equip_tasks(&query, &mut state, &plan).expect("the options fit");
        let options = TaskOptions::of(state.config().options());
        assert_eq!(options.query_id, query.record.id.to_string());
        options
    }

    #[test]
    fn tasks_over_local_files_carry_no_secret() {
        assert!(options_for("file://").secrets.is_empty());
    }

    #[test]
    fn tasks_carry_the_secret_of_their_store_alone() {
        let carried = options_for("s3://a").secrets().expect("whole");
        let carried: Vec<Secret> = serde_json::from_slice(&carried).expect("secrets");
        assert_eq!(carried, [secret("s3://a/")]);
    }
}
