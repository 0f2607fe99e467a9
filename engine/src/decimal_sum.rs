//! `sum` that says when a total of decimals does not fit.
//!
//! DataFusion adds decimals of 128 bits with wrap-around. Of up to 28 digits there can never be rows
//! enough for that; a sum of wider ones is added here instead, where every addition is checked and
//! the total must have no more digits than its type. Everything else is DataFusion's `sum`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Decimal128Array};
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DataType, Decimal128Type, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, EmitTo, Expr, GroupsAccumulator,
    Operator, ReversedUDAF, SetMonotonicity, Signature, StatisticsArgs,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

/// The function `sum` of every session.
pub(crate) fn sum_function() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Sum { base: sum_udaf() }))
}

/// A total of the widest decimals: nothing says that it has room.
fn may_overflow(args: &AccumulatorArgs) -> Option<i8> {
    match args.return_field.data_type() {
        DataType::Decimal128(DECIMAL128_MAX_PRECISION, scale) if !args.is_distinct => Some(*scale),
        _ => None,
    }
}

fn overflow() -> DataFusionError {
    DataFusionError::Execution(format!(
        "the sum has more than {DECIMAL128_MAX_PRECISION} digits"
    ))
}

fn decimal(total: Option<i128>, scale: i8) -> Result<ScalarValue> {
    let most = 10_i128.pow(u32::from(DECIMAL128_MAX_PRECISION)) - 1;
    if total.is_some_and(|total| !(-most..=most).contains(&total)) {
        return Err(overflow());
    }
    Ok(ScalarValue::Decimal128(
        total,
        DECIMAL128_MAX_PRECISION,
        scale,
    ))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sum {
    base: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Sum {
    fn name(&self) -> &str {
        self.base.name()
    }

    fn signature(&self) -> &Signature {
        self.base.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.base.return_type(types)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.base.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match may_overflow(&args) {
            Some(scale) => Ok(Box::new(Total::new(scale))),
            None => self.base.accumulator(args),
        }
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        match may_overflow(&args) {
            Some(scale) => Ok(Box::new(Total::new(scale))),
            None => self.base.create_sliding_accumulator(args),
        }
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.base.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        if may_overflow(&args).is_none() {
            return self.base.create_groups_accumulator(args);
        }
        let overflowed = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&overflowed);
        let totals = PrimitiveGroupsAccumulator::<Decimal128Type, _>::new(
            args.return_field.data_type(),
            move |total: &mut i128, value: i128| match total.checked_add(value) {
                Some(sum) => *total = sum,
                None => flag.store(true, Ordering::Relaxed),
            },
        );
        Ok(Box::new(Totals { totals, overflowed }))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        self.base.reverse_udf()
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.base.order_sensitivity()
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.base.documentation()
    }

    fn set_monotonicity(&self, data_type: &DataType) -> SetMonotonicity {
        self.base.inner().set_monotonicity(data_type)
    }

    fn simplify_expr_op_literal(
        &self,
        function: &AggregateFunction,
        arg: &Expr,
        op: Operator,
        literal: &Expr,
        arg_is_left: bool,
    ) -> Result<Option<Expr>> {
        self.base
            .simplify_expr_op_literal(function, arg, op, literal, arg_is_left)
    }

    fn value_from_stats(&self, args: &StatisticsArgs) -> Option<ScalarValue> {
        self.base.value_from_stats(args)
    }
}

/// One total, also of a frame that moves.
#[derive(Debug)]
struct Total {
    total: i128,
    /// Values that are in the total: of none it is NULL.
    count: u64,
    scale: i8,
}

impl Total {
    fn new(scale: i8) -> Self {
        Self {
            total: 0,
            count: 0,
            scale,
        }
    }

    fn change(
        &mut self,
        values: &Decimal128Array,
        op: fn(i128, i128) -> Option<i128>,
    ) -> Result<u64> {
        let mut changed = 0;
        for value in values.iter().flatten() {
            self.total = op(self.total, value).ok_or_else(overflow)?;
            changed += 1;
        }
        Ok(changed)
    }
}

impl Accumulator for Total {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count += self.change(values[0].as_primitive(), i128::checked_add)?;
        Ok(())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.count -= self.change(values[0].as_primitive(), i128::checked_sub)?;
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        decimal((self.count > 0).then_some(self.total), self.scale)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

/// The totals of many groups.
struct Totals<F>
where
    F: Fn(&mut i128, i128) + Send + Sync + 'static,
{
    totals: PrimitiveGroupsAccumulator<Decimal128Type, F>,
    /// Whether an addition did not fit.
    overflowed: Arc<AtomicBool>,
}

impl<F> Totals<F>
where
    F: Fn(&mut i128, i128) + Send + Sync + 'static,
{
    fn checked(&self) -> Result<()> {
        if self.overflowed.load(Ordering::Relaxed) {
            return Err(overflow());
        }
        Ok(())
    }
}

fn with_room(totals: &ArrayRef) -> Result<()> {
    totals
        .as_primitive::<Decimal128Type>()
        .validate_decimal_precision(DECIMAL128_MAX_PRECISION)
        .map_err(|_| overflow())
}

impl<F> GroupsAccumulator for Totals<F>
where
    F: Fn(&mut i128, i128) + Send + Sync + 'static,
{
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.totals
            .update_batch(values, groups, filter, total_groups)?;
        self.checked()
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let totals = self.totals.evaluate(emit_to)?;
        with_room(&totals)?;
        Ok(totals)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.evaluate(emit_to)?])
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.totals.merge_batch(values, groups, total_groups)?;
        self.checked()
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.totals.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.totals.size()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::optimizer::testing::{rows, session_after, try_rows};

    const WIDEST: &str = "99999999999999999999999999999999999999";

    async fn session() -> SessionContext {
        let tables = format!(
            "CREATE TABLE t (k INT, o INT, d DECIMAL(38, 0)) AS VALUES \
             (1, 1, CAST('{WIDEST}' AS DECIMAL(38, 0))), (1, 2, CAST('{WIDEST}' AS DECIMAL(38, 0))), \
             (2, 1, CAST('{WIDEST}' AS DECIMAL(38, 0))), (2, 2, CAST('-7' AS DECIMAL(38, 0))), \
             (3, 1, NULL)"
        );
        let session = session_after(&tables).await;
        session.register_udaf(sum_function().as_ref().clone());
        session
    }

    #[tokio::test]
    async fn a_total_of_too_many_digits_is_an_error() {
        let session = session().await;
        for sql in [
            "SELECT sum(d) FROM t",
            "SELECT k, sum(d) FROM t GROUP BY k",
            "SELECT sum(d) OVER (ORDER BY k, o) FROM t",
            "SELECT sum(d) OVER (ORDER BY k, o ROWS 1 PRECEDING) FROM t",
            "SELECT sum(d) FROM (SELECT * FROM t WHERE k = 2 AND o = 1 UNION ALL SELECT 1, 1, 1)",
        ] {
            let error = try_rows(&session, sql).await.expect_err(sql).to_string();
            assert!(error.contains("more than 38 digits"), "{sql}: {error}");
        }
    }

    #[tokio::test]
    async fn a_total_that_fits_is_what_it_was() {
        let session = session().await;
        let less = "99999999999999999999999999999999999992";
        assert_eq!(
            rows(&session, "SELECT k, sum(d) FROM t WHERE k > 1 GROUP BY k").await,
            [format!("2 {less}"), "3 NULL".to_owned()]
        );
        let sql = "SELECT arrow_typeof(sum(d)), sum(d), sum(DISTINCT d) FROM t WHERE k = 2";
        assert_eq!(
            rows(&session, sql).await,
            [format!("Decimal128(38, 0) {less} {less}")]
        );
        let moving = "SELECT k, sum(d) OVER (ORDER BY o DESC ROWS 1 PRECEDING) FROM t WHERE k = 2";
        assert_eq!(
            rows(&session, moving).await,
            ["2 -7".to_owned(), format!("2 {less}")]
        );
        let none = "SELECT o, sum(d) FILTER (WHERE k = 3) OVER (ORDER BY o ROWS 1 PRECEDING) FROM t \
                    WHERE k = 3";
        assert_eq!(rows(&session, none).await, ["1 NULL"]);
    }
}
