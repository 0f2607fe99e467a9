//! How many distinct values a column has, as a sketch that can be kept and merged with others.
//!
//! The sketch is the HyperLogLog of DataFusion's `approx_distinct` (2^14 registers of a byte, a
//! standard error of 0.8 %), which that function has as its state between partial and final
//! aggregation. `approx_distinct_sketch(x)` gives it out instead of the number it stands for.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, BinaryArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion::functions_aggregate::approx_distinct::approx_distinct_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

/// The name of the aggregate function that gives sketches.
pub const DISTINCT_SKETCH: &str = "approx_distinct_sketch";

/// The aggregate function [`DISTINCT_SKETCH`]: any type of more than 16 bits to BINARY.
pub fn distinct_sketch_function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(DistinctSketch {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

/// How many distinct values the columns together have of which these are the sketches.
///
/// # Errors
/// When one of them is no sketch.
pub fn distinct_count(sketches: &[&[u8]]) -> Result<u64> {
    let field: FieldRef = Arc::new(Field::new("value", DataType::Int64, true));
    let counts = approx_distinct_udaf();
    let mut counter = counts.accumulator(AccumulatorArgs {
        return_field: Arc::new(Field::new("count", DataType::UInt64, false)),
        schema: &Schema::empty(),
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "count",
        is_distinct: false,
        exprs: &[],
        expr_fields: &[field],
    })?;
    let states: ArrayRef = Arc::new(BinaryArray::from_iter_values(sketches));
    counter.merge_batch(&[states])?;
    match counter.evaluate()? {
        ScalarValue::UInt64(Some(count)) => Ok(count),
        other => internal_err!("a count of distinct values is {other}"),
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct DistinctSketch {
    signature: Signature,
}

impl AggregateUDFImpl for DistinctSketch {
    fn name(&self) -> &str {
        DISTINCT_SKETCH
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        // The base counts what has few values, and knows nothing of these types, without a sketch.
        match types {
            [
                DataType::Null
                | DataType::Boolean
                | DataType::Int8
                | DataType::UInt8
                | DataType::Int16
                | DataType::UInt16
                | DataType::Float16
                | DataType::Float32
                | DataType::Float64,
            ] => Err(DataFusionError::Plan(format!(
                "{DISTINCT_SKETCH} takes no {}: cast it to BIGINT or VARCHAR",
                types[0]
            ))),
            _ => Ok(DataType::Binary),
        }
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "hll_registers");
        Ok(vec![Arc::new(Field::new(name, DataType::Binary, false))])
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let counter = approx_distinct_udaf().accumulator(args)?;
        Ok(Box::new(Sketching(counter)))
    }
}

/// A counter of distinct values that gives its state instead of the count.
#[derive(Debug)]
struct Sketching(Box<dyn Accumulator>);

impl Accumulator for Sketching {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.0.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(registers) = self.0.state()?.pop() else {
            return internal_err!("a counter of distinct values has no state");
        };
        Ok(registers)
    }

    fn size(&self) -> usize {
        self.0.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.0.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.0.merge_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;

    async fn sketch(sql: &str) -> Vec<u8> {
        let context = SessionContext::new();
        context.register_udaf(distinct_sketch_function().as_ref().clone());
        let batches = context.sql(sql).await.unwrap().collect().await.unwrap();
        let ScalarValue::Binary(Some(bytes)) =
            ScalarValue::try_from_array(batches[0].column(0), 0).unwrap()
        else {
            panic!("no sketch");
        };
        bytes
    }

    fn is_near(count: u64, wanted: u64) -> bool {
        count.abs_diff(wanted) * 100 <= wanted * 4
    }

    #[tokio::test]
    async fn sketches_of_parts_merge_into_that_of_the_whole() {
        let low = sketch("SELECT approx_distinct_sketch(value) FROM range(0, 60000)").await;
        let high = sketch("SELECT approx_distinct_sketch(value) FROM range(40000, 100000)").await;
        assert!(is_near(distinct_count(&[&low]).unwrap(), 60_000));
        assert!(is_near(distinct_count(&[&low, &high]).unwrap(), 100_000));
        let none = sketch("SELECT approx_distinct_sketch(value) FROM range(0, 0)").await;
        assert_eq!(distinct_count(&[&none]).unwrap(), 0);
        assert!(distinct_count(&[b"x"]).is_err());
    }

    #[tokio::test]
    async fn what_has_no_sketch_is_refused() {
        let context = SessionContext::new();
        context.register_udaf(distinct_sketch_function().as_ref().clone());
        let error = context
            .sql("SELECT approx_distinct_sketch(true)")
            .await
            .unwrap_err();
        assert!(error.to_string().contains("cast it"), "{error}");
    }
}
