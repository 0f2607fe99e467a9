//! The seal of a physical plan: what an operator may tell of its input, this one does not.
//!
//! It leaves the base's answers as they are wherever they are the closed ones: no filter is taken from
//! above, no projection, limit or order is moved through it, and its statistics are unknown.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err, not_impl_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_proto::physical_plan::{PhysicalExtensionCodec, PhysicalProtoConverterExtension};

/// What an encoded seal begins with; the name comes after it.
const MAGIC: &[u8] = b"WBSE";

/// Passes rows on and keeps all that is known of them to itself.
#[derive(Debug, Clone)]
pub struct SealExec {
    name: Arc<str>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl SealExec {
    /// The operator's name in plans.
    pub(super) const NAME: &str = "SealExec";

    /// Seals `input`, which users know as `name`.
    pub fn new(name: &str, input: Arc<dyn ExecutionPlan>) -> Self {
        // A constant or an order would tell what the filters below are.
        let nothing = EquivalenceProperties::new(input.schema());
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(nothing);
        Self {
            name: name.into(),
            input,
            properties: Arc::new(properties),
        }
    }
}

impl DisplayAs for SealExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Self::NAME, self.name)
    }
}

impl ExecutionPlan for SealExec {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return internal_err!("a seal has one input");
        };
        Ok(Arc::new(Self::new(&self.name, input)))
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        Ok(Arc::new(Statistics::new_unknown(&self.schema())))
    }
}

/// Carries [`SealExec`] to other processes, and declines every other operator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SealCodec;

impl PhysicalExtensionCodec for SealCodec {
    fn try_decode(
        &self,
        buf: &[u8],
        inputs: &[Arc<dyn ExecutionPlan>],
        _: &TaskContext,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let name = buf
            .strip_prefix(MAGIC)
            .and_then(|name| std::str::from_utf8(name).ok());
        match (name, inputs) {
            (Some(name), [input]) => Ok(Arc::new(SealExec::new(name, Arc::clone(input)))),
            _ => not_impl_err!("the message is not a SealExec"),
        }
    }

    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        _: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(seal) = node.downcast_ref::<SealExec>() else {
            return not_impl_err!("{} is not a SealExec", node.name());
        };
        buf.extend_from_slice(MAGIC);
        buf.extend_from_slice(seal.name.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::common::stats::Precision;
    use datafusion::physical_plan::empty::EmptyExec;
    use datafusion::physical_plan::statistics::StatisticsContext;
    use datafusion_proto::physical_plan::DefaultPhysicalProtoConverter;

    use super::*;

    fn sealed() -> Arc<dyn ExecutionPlan> {
        let schema = Schema::new(vec![Field::new("a", DataType::Int64, true)]);
        let input = Arc::new(EmptyExec::new(Arc::new(schema)));
        Arc::new(SealExec::new("s.t", input))
    }

    #[test]
    fn a_seal_travels_with_its_name() {
        let converter = DefaultPhysicalProtoConverter {};
        let mut buf = Vec::new();
        let plan = sealed();
        SealCodec
            .try_encode(Arc::clone(&plan), &mut buf, &converter)
            .expect("encoded");
        let input = Arc::clone(plan.children()[0]);
        let decoded = SealCodec
            .try_decode(&buf, &[input], &TaskContext::default(), &converter)
            .expect("decoded");
        let seal = decoded.downcast_ref::<SealExec>().expect("a seal");
        assert_eq!(&*seal.name, "s.t");
    }

    #[test]
    fn an_input_known_to_be_empty_is_not_known_to_be_above_its_seal() {
        let plan = sealed();
        let of = |plan: &dyn ExecutionPlan| {
            let context = StatisticsContext::new();
            let args = StatisticsArgs::new();
            context.compute(plan, &args).expect("statistics").num_rows
        };
        assert_eq!(of(plan.children()[0].as_ref()), Precision::Exact(0));
        assert_eq!(of(plan.as_ref()), Precision::Absent);
    }
}
