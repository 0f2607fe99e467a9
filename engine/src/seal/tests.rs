//! What the optimiser leaves above seals, and what runs below them.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::default_table_source::provider_as_source;
use datafusion::catalog::view::ViewTable;
use datafusion::common::Result;
use datafusion::execution::SessionStateBuilder;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, col, lit};
use datafusion::optimizer::push_down_filter::PushDownFilter;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, PhysicalPlanner};
use datafusion::prelude::SessionContext;

use super::{SealPlanner, conceal_plan, conceal_text, has_seal, seal};
use crate::optimizer::FilterBarrier;
use crate::optimizer::testing::{plan_text, rows, session_after};

#[derive(Debug)]
struct Planner;

#[async_trait]
impl QueryPlanner for Planner {
    async fn create_physical_plan(
        &self,
        logical_plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(SealPlanner)])
            .create_physical_plan(logical_plan, session)
            .await
    }
}

/// A session in which `s` is `t` without the row whose `x` is 5, sealed.
async fn sealed_session() -> SessionContext {
    let set_up = "CREATE TABLE t(k INT, x INT) AS VALUES (1, 5), (2, 6)
                  CREATE TABLE u(k INT) AS VALUES (1), (2)";
    let state = session_after(set_up).await.state();
    let builder = SessionStateBuilder::new_from_existing(state);
    let builder = builder.with_query_planner(Arc::new(Planner));
    let session = SessionContext::new_with_state(builder.build());
    let table = session.table_provider("t").await.unwrap();
    let filtered = LogicalPlanBuilder::scan("t", provider_as_source(table), None)
        .and_then(|scan| scan.filter(col("x").gt(lit(5))))
        .and_then(LogicalPlanBuilder::build)
        .unwrap();
    let sealed = ViewTable::new(seal("s", filtered), None);
    session.register_table("s", Arc::new(sealed)).unwrap();
    session
}

async fn optimised(session: &SessionContext, sql: &str) -> LogicalPlan {
    let state = session.state();
    let plan = state.create_logical_plan(sql).await.unwrap();
    state.optimize(&plan).unwrap()
}

const ATTACKS: [&str; 5] = [
    "SELECT k FROM s WHERE 1 / (x - 5) > 0",
    "SELECT s.k FROM s JOIN u ON s.k = u.k WHERE 1 / (s.x - 5) > 0",
    "SELECT k FROM (SELECT k, 1 / (x - 5) AS y FROM s) n WHERE y > 0",
    "SELECT k FROM u WHERE k IN (SELECT k FROM s WHERE 1 / (x - 5) > 0)",
    "SELECT k FROM s WHERE 1 / (x - 5) > 0 AND random() >= 0",
];

#[tokio::test]
async fn a_row_that_is_filtered_out_meets_no_condition_of_the_user() {
    let session = sealed_session().await;
    for sql in ATTACKS {
        assert_eq!(rows(&session, sql).await, ["2"], "{sql}");
    }
}

#[tokio::test]
async fn conditions_stay_above_a_seal_and_row_filters_below() {
    let session = sealed_session().await;
    let without_columns = "SELECT k FROM s WHERE random() > 0.5";
    for sql in ATTACKS.into_iter().chain([without_columns]) {
        let plan = optimised(&session, sql).await;
        let text = plan.display_indent().to_string();
        let lines: Vec<&str> = text.lines().collect();
        let seals = lines.iter().position(|line| line.contains("Seal: s"));
        let at = seals.unwrap_or_else(|| panic!("{sql}: {text}"));
        let below = lines[at + 1..].iter().map(|line| line.trim());
        let mut below = below.filter(|line| !line.starts_with("Projection:"));
        assert_eq!(
            below.next(),
            Some("Filter: t.x > Int32(5)"),
            "{sql}: {text}"
        );
        let scan = below.next().unwrap_or_default();
        assert!(
            scan.starts_with("TableScan: t projection="),
            "{sql}: {text}"
        );
    }
}

/// Subqueries that are not joins yet when filters are pushed are pushed into as well.
#[tokio::test]
async fn a_condition_without_columns_stays_above_a_seal_in_a_subquery() {
    let session = sealed_session().await;
    let state = session.state();
    let pushing = Optimizer::with_rules(vec![
        Arc::new(FilterBarrier::Raise),
        Arc::new(PushDownFilter::new()),
        Arc::new(FilterBarrier::Remove),
    ]);
    let context = OptimizerContext::new().with_max_passes(1);
    for sql in [
        "SELECT k FROM u WHERE k IN (SELECT k FROM s WHERE random() > 0.5)",
        "SELECT k, EXISTS (SELECT 1 FROM s WHERE s.k = u.k AND random() > 0.5) FROM u",
        "SELECT u.k FROM u JOIN u w ON u.k < w.k AND u.k IN (SELECT k FROM s WHERE random() > 0.5)",
    ] {
        let plan = state.create_logical_plan(sql).await.unwrap();
        let analyzer = state.analyzer();
        let plan = analyzer
            .execute_and_check(plan, state.config_options(), |_, _| {})
            .unwrap();
        let plan = pushing.optimize(plan, &context, |_, _| {}).unwrap();
        let text = plan.display_indent().to_string();
        let (above, below) = text
            .split_once("Seal: s")
            .unwrap_or_else(|| panic!("{text}"));
        assert!(above.contains("random()"), "{text}");
        assert!(!below.contains("random()"), "{text}");
        assert!(!text.contains("Limit:"), "{text}");
    }
}

#[tokio::test]
async fn an_operator_above_a_seal_reaches_no_scan() {
    let session = sealed_session().await;
    for sql in ATTACKS {
        let text = plan_text(&session, sql).await;
        let (_, below) = text
            .split_once("SealExec: s")
            .unwrap_or_else(|| panic!("{text}"));
        let below = below
            .lines()
            .skip(1)
            .take_while(|line| !line.contains("HashJoin"));
        let scan: Vec<&str> = below.collect();
        assert!(
            !scan.iter().any(|line| line.contains(" / ")),
            "{sql}: {text}"
        );
    }
}

#[tokio::test]
async fn counts_are_of_the_rows_above_a_seal() {
    let session = sealed_session().await;
    assert_eq!(
        rows(&session, "SELECT count(*), min(x) FROM s").await,
        ["1 6"]
    );
}

#[tokio::test]
async fn only_the_columns_that_are_needed_are_read_below_a_seal() {
    let session = sealed_session().await;
    let plan = optimised(&session, "SELECT count(*) FROM s").await;
    let text = plan.display_indent().to_string();
    assert!(text.contains("TableScan: t projection=[x]"), "{text}");
}

#[tokio::test]
async fn a_plan_that_is_shown_ends_at_its_seals() {
    let session = sealed_session().await;
    let sql = "SELECT k, (SELECT max(x) FROM s) FROM u JOIN s USING (k)";
    let plan = optimised(&session, sql).await;
    assert!(has_seal(&plan).unwrap());
    let shown = conceal_plan(&plan).unwrap();
    for text in [
        shown.display_indent().to_string(),
        shown.display_pg_json().to_string(),
        format!("{shown:?}"),
    ] {
        assert!(text.contains("Seal") && text.contains('u'), "{text}");
        assert!(
            !text.contains("TableScan: t ") && !text.contains("Int32(5)"),
            "{text}"
        );
    }
    let text = conceal_text(&plan_text(&session, sql).await);
    assert!(
        text.contains("SealExec: s") && !text.contains("> 5"),
        "{text}"
    );
}
