//! What a Parquet footer tells the planner: columns, row count, statistics and sort order.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::compute::SortOptions;
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DataFusionError, Statistics};
use datafusion::datasource::file_format::parquet::{
    transform_binary_to_string, transform_schema_to_view,
};
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use object_store::ObjectMeta;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};

use super::options::FormatOptions;
use super::parquet_reader::FooterSource;

/// The planner's view of one file, in the engine's types.
#[derive(Debug)]
pub(super) struct FileFacts {
    pub(super) schema: SchemaRef,
    /// One entry per column of `schema`; never a bound that could be wrong.
    pub(super) statistics: Statistics,
    /// The columns the file says it is sorted by.
    pub(super) sorted_by: Vec<(String, SortOptions)>,
}

impl FileFacts {
    /// Reads a footer and draws the facts from it.
    ///
    /// # Errors
    /// What the store or the Parquet reader says, without the file's name.
    pub(super) async fn load(
        source: &FooterSource,
        meta: &ObjectMeta,
        options: &FormatOptions,
        policy: PageIndexPolicy,
    ) -> Result<Self, DataFusionError> {
        let footer = source.fetch(meta, policy).await?;
        Self::of_footer(&footer, options)
    }

    fn of_footer(
        footer: &ParquetMetaData,
        options: &FormatOptions,
    ) -> Result<Self, DataFusionError> {
        let schema = file_schema(footer, options)?;
        let mut statistics = DFParquetMetadata::statistics_from_parquet_metadata(footer, &schema)?;
        let incomplete = columns_with_unknown_bounds(footer);
        for (field, column) in schema
            .fields()
            .iter()
            .zip(&mut statistics.column_statistics)
        {
            distrust(field, column, incomplete.contains(field.name().as_str()));
        }
        Ok(Self {
            sorted_by: sorted_by(footer),
            schema,
            statistics,
        })
    }

    /// Roughly what the facts take in memory.
    pub(super) fn memory_bytes(&self) -> usize {
        512 + self.schema.fields().len() * (size_of::<ColumnStatistics>() + 64)
    }
}

/// The columns of a file in the engine's types.
pub(super) fn file_schema(
    footer: &ParquetMetaData,
    options: &FormatOptions,
) -> Result<SchemaRef, DataFusionError> {
    let file = footer.file_metadata();
    let mut schema = parquet_to_arrow_schema(file.schema_descr(), file.key_value_metadata())?;
    if let Some(unit) = options.coerce_int96.as_deref() {
        schema = with_int96_as(&schema, footer, unit);
    }
    if options.binary_as_string {
        schema = transform_binary_to_string(&schema);
    }
    Ok(Arc::new(
        transform_schema_to_view(&schema).with_metadata(Default::default()),
    ))
}

fn with_int96_as(schema: &Schema, footer: &ParquetMetaData, unit: &str) -> Schema {
    let unit = match unit {
        "s" => TimeUnit::Second,
        "ms" => TimeUnit::Millisecond,
        "us" => TimeUnit::Microsecond,
        _ => TimeUnit::Nanosecond,
    };
    let columns = footer.file_metadata().schema_descr();
    let old: HashSet<&str> = columns
        .columns()
        .iter()
        .filter(|c| c.physical_type() == PhysicalType::INT96 && c.path().parts().len() == 1)
        .map(|c| c.name())
        .collect();
    let fields = schema
        .fields()
        .iter()
        .map(|field| match old.contains(field.name().as_str()) {
            true => Arc::new(Field::clone(field).with_data_type(DataType::Timestamp(unit, None))),
            false => Arc::clone(field),
        });
    Schema::new(fields.collect::<Vec<_>>())
}

/// Columns of which some row group with values tells no bounds.
fn columns_with_unknown_bounds(footer: &ParquetMetaData) -> HashSet<&str> {
    let columns = footer.file_metadata().schema_descr();
    (0..columns.num_columns())
        .filter(|i| {
            footer
                .row_groups()
                .iter()
                .any(|group| lacks_bounds(group, *i))
        })
        .map(|i| columns.get_column_root(i).name())
        .collect()
}

fn lacks_bounds(group: &RowGroupMetaData, column: usize) -> bool {
    let Some(statistics) = group.column(column).statistics() else {
        return group.num_rows() > 0;
    };
    let all_null = statistics.null_count_opt() == u64::try_from(group.num_rows()).ok();
    !all_null && (statistics.min_bytes_opt().is_none() || statistics.max_bytes_opt().is_none())
}

/// Removes or weakens bounds that a query could not be answered from.
///
/// NaN is outside Parquet's bounds but is the greatest number in SQL, so bounds of floats are
/// estimates. The bounds of a column that is all NULL are no values at all.
fn distrust(field: &Field, column: &mut ColumnStatistics, incomplete: bool) {
    let no_value = |bound: &Precision<_>| {
        bound
            .get_value()
            .is_none_or(datafusion::common::ScalarValue::is_null)
    };
    if incomplete || no_value(&column.min_value) || no_value(&column.max_value) {
        column.min_value = Precision::Absent;
        column.max_value = Precision::Absent;
    }
    if field.data_type().is_floating() {
        column.min_value = std::mem::take(&mut column.min_value).to_inexact();
        column.max_value = std::mem::take(&mut column.max_value).to_inexact();
    }
    column.sum_value = Precision::Absent;
    column.distinct_count = column.distinct_count.to_inexact();
}

/// The sort order that every row group declares, as far as it holds from one file to the next: files
/// are put in order by the bounds of their columns, which tell neither of NULLs nor of NaNs.
fn sorted_by(footer: &ParquetMetaData) -> Vec<(String, SortOptions)> {
    let mut groups = footer.row_groups().iter();
    let Some(first) = groups.next().and_then(|group| group.sorting_columns()) else {
        return Vec::new();
    };
    if groups.any(|group| group.sorting_columns() != Some(first)) {
        return Vec::new();
    }
    let columns = footer.file_metadata().schema_descr();
    let mut order = Vec::new();
    for sorting in first {
        let index = usize::try_from(sorting.column_idx).unwrap_or(usize::MAX);
        if index >= columns.num_columns() || columns.column(index).path().parts().len() != 1 {
            break;
        }
        if !footer
            .row_groups()
            .iter()
            .all(|group| is_bounded(group, index))
        {
            break;
        }
        let options = SortOptions {
            descending: sorting.descending,
            nulls_first: sorting.nulls_first,
        };
        order.push((columns.column(index).name().to_string(), options));
    }
    order
}

/// Whether every value of a column lies between the bounds that its statistics give.
fn is_bounded(group: &RowGroupMetaData, column: usize) -> bool {
    let chunk = group.column(column);
    let float = matches!(
        chunk.column_type(),
        PhysicalType::FLOAT | PhysicalType::DOUBLE
    );
    let nulls = chunk.statistics().and_then(|known| known.null_count_opt());
    !float && nulls == Some(0)
}
