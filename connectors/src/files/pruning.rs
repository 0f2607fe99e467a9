//! Leaves out the files a query cannot need: by partition values exactly, by statistics safely.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{Array, RecordBatch, cast::AsArray};
use datafusion::arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::pruning::PrunableStatistics;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue, Statistics};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;

use super::listing::FileEntry;

/// Whether a filter can be decided from the partition values alone, once and for all.
pub(super) fn decides_by_partition(filter: &Expr, partitions: &[String]) -> bool {
    let mut decides = !partitions.is_empty();
    let mut columns = 0;
    let walked = filter.apply(|expr| {
        decides = decides
            && match expr {
                Expr::Column(column) => {
                    columns += 1;
                    partitions.contains(&column.name)
                }
                Expr::ScalarFunction(function) => {
                    function.func.signature().volatility == Volatility::Immutable
                }
                Expr::Literal(..)
                | Expr::Alias(_)
                | Expr::Not(_)
                | Expr::IsNotNull(_)
                | Expr::IsNull(_)
                | Expr::IsTrue(_)
                | Expr::IsFalse(_)
                | Expr::IsUnknown(_)
                | Expr::IsNotTrue(_)
                | Expr::IsNotFalse(_)
                | Expr::IsNotUnknown(_)
                | Expr::Negative(_)
                | Expr::Cast(_)
                | Expr::TryCast(_)
                | Expr::BinaryExpr(_)
                | Expr::Between(_)
                | Expr::Like(_)
                | Expr::SimilarTo(_)
                | Expr::InList(_)
                | Expr::Case(_) => true,
                _ => false,
            };
        Ok(if decides {
            TreeNodeRecursion::Continue
        } else {
            TreeNodeRecursion::Stop
        })
    });
    walked.is_ok() && decides && columns > 0
}

/// The positions of the files whose partition values satisfy every filter.
///
/// The filters are evaluated once, over one row per distinct directory.
///
/// # Errors
/// What evaluating the filters says.
pub(super) fn by_partition(
    files: &[FileEntry],
    partitions: &[Field],
    filters: &[Expr],
    props: &ExecutionProps,
) -> Result<Vec<usize>> {
    let Some(filter) = conjunction(filters.iter().cloned()) else {
        return Ok((0..files.len()).collect());
    };
    let mut rows: Vec<&[ScalarValue]> = Vec::new();
    let mut row_of: HashMap<*const ScalarValue, usize> = HashMap::new();
    let file_rows: Vec<usize> = files
        .iter()
        .map(|file| {
            *row_of
                .entry(file.partition_values.as_ptr())
                .or_insert_with(|| {
                    rows.push(&file.partition_values);
                    rows.len() - 1
                })
        })
        .collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let schema = Arc::new(Schema::new(partitions.to_vec()));
    let columns = (0..partitions.len())
        .map(|i| ScalarValue::iter_to_array(rows.iter().map(|row| row[i].clone())))
        .collect::<Result<Vec<_>>>()?;
    let batch = RecordBatch::try_new(Arc::clone(&schema), columns)?;
    let names = DFSchema::try_from(schema)?;
    let expr = create_physical_expr(&filter, &names, props, &PhysicalPlanningContext::default())?;
    let verdict = expr.evaluate(&batch)?.into_array(batch.num_rows())?;
    let verdict = verdict.as_boolean();
    let holds = |row: usize| verdict.is_valid(row) && verdict.value(row);
    Ok((0..files.len())
        .filter(|file| holds(file_rows[*file]))
        .collect())
}

/// Which of the files may hold a row that satisfies the filters, by their exact bounds.
///
/// A filter that cannot be used keeps every file.
pub(super) fn by_statistics(
    statistics: &[Arc<Statistics>],
    schema: &SchemaRef,
    filters: &[Expr],
    props: &ExecutionProps,
) -> Vec<bool> {
    let all = vec![true; statistics.len()];
    let Some(filter) = conjunction(filters.iter().cloned()) else {
        return all;
    };
    let keep = || -> Result<Vec<bool>> {
        let names = DFSchema::try_from(Arc::clone(schema))?;
        let context = PhysicalPlanningContext::default();
        let expr = create_physical_expr(&filter, &names, props, &context)?;
        let predicate = PruningPredicateBuilder::new()
            .with_file_schema(Arc::clone(schema))
            .try_build(expr)?;
        let known = PrunableStatistics::new(statistics.to_vec(), Arc::clone(schema));
        predicate.prune(&known)
    };
    keep().unwrap_or(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Utc;
    use datafusion::arrow::datatypes::DataType;
    use datafusion::prelude::{col, lit};
    use object_store::ObjectMeta;
    use object_store::path::Path;

    fn file(year: Option<i64>) -> FileEntry {
        let meta = ObjectMeta {
            location: Path::from("x"),
            last_modified: Utc::now(),
            size: 1,
            e_tag: None,
            version: None,
        };
        FileEntry {
            meta,
            partition_values: vec![ScalarValue::Int64(year)].into(),
        }
    }

    fn kept(filter: Expr) -> Vec<usize> {
        let files = [
            file(Some(2020)),
            file(None),
            file(Some(2021)),
            file(Some(2022)),
        ];
        let fields = [Field::new("year", DataType::Int64, true)];
        by_partition(&files, &fields, &[filter], &ExecutionProps::new()).expect("pruned")
    }

    #[test]
    fn partitions_are_pruned_as_sql_says() {
        assert_eq!(kept(col("year").gt(lit(2020_i64))), [2, 3]);
        assert_eq!(kept(col("year").is_null()), [1]);
        assert_eq!(
            kept(col("year").in_list(vec![lit(2020_i64), lit(2022_i64)], true)),
            [2]
        );
        assert_eq!(kept(lit(ScalarValue::Boolean(None))), Vec::<usize>::new());
    }

    #[test]
    fn only_filters_on_partition_columns_alone_decide() {
        let partitions = ["year".to_string()];
        assert!(decides_by_partition(&col("year").eq(lit(1)), &partitions));
        assert!(!decides_by_partition(
            &col("year").eq(col("a")),
            &partitions
        ));
        assert!(!decides_by_partition(&lit(true), &partitions));
        assert!(!decides_by_partition(&col("year").eq(lit(1)), &[]));
        let now = datafusion::functions::expr_fn::random().gt(col("year"));
        assert!(!decides_by_partition(&now, &partitions));
    }
}
