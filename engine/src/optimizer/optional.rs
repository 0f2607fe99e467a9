//! Rules that a plan can do without.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// A rule that only saves work: where it fails, the plan stays as it was.
///
/// `ProjectionPushdown` ends in an internal error on some plans with same-named columns.
#[derive(Debug)]
pub(super) struct Optional(pub(super) Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Optional {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        match self.0.optimize(Arc::clone(&plan), config) {
            Ok(optimized) => Ok(optimized),
            Err(error) => {
                tracing::warn!(rule = self.0.name(), %error, "optimizer rule left out");
                Ok(plan)
            }
        }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
