//! `ANALYZE TABLE … COMPUTE STATISTICS`: one distributed query over the table, kept in the catalog.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::Utc;
use datafusion::physical_plan::common::collect;
use waterbuck_catalog::{ColumnDef, ColumnStatistics, TableKind, TableStatistics};
use waterbuck_engine::distinct_sketch::{DISTINCT_SKETCH, distinct_count};
use waterbuck_engine::sql::{Analyze, ParseLimits, Privilege, Statement, parse};
use waterbuck_engine::{Error, Result};

use super::query::{optimise, plan};
use super::{StatementContext, permitted};
use crate::plan::run_error;
use crate::query::run_query;
use crate::session::Outcome;
use crate::visible::Visible;

/// The figures of a column, in the order of the query's result.
const FIGURES: usize = 5;
const SKETCH_COMPRESSION: i32 = 3;

/// `ANALYZE TABLE t COMPUTE STATISTICS [FOR COLUMNS …]`.
pub(super) async fn execute(context: &StatementContext, analyze: &Analyze) -> Result<Outcome> {
    let name = context.table_name(&analyze.table)?;
    permitted::refuse_system(&name.schema, &analyze.table)?;
    let table = permitted::relation(context, "table", &name, Privilege::Alter).await?;
    if matches!(table.kind, TableKind::View(_)) {
        return Err(Error::invalid(format!(
            "\"{}\" is a view: analyze its tables",
            table.name
        )));
    }
    let rights = context.rights();
    let visible = Visible::new(&context.core().catalog, &rights).narrowed(table.clone());
    let columns = match analyze.columns {
        Some(_) => chosen(&visible.columns, analyze)?,
        None => table.columns.iter().collect(),
    };
    let sql = query(&table.name.schema, &table.name.name, &columns);
    // The figures are of all rows, whoever has them counted: they are for the planner, and shown to
    // those alone who may read all rows.
    let inner = context.with_sql(&sql).reading_whole(table.id);
    let mut parsed = parse(&sql, &ParseLimits::from(context.settings.values()))?;
    let Some(Statement::Query(statement)) = parsed.pop().map(|parsed| parsed.statement) else {
        return Err(Error::internal("the statistics query is no query"));
    };
    let mut planned = optimise(&inner, plan(&inner, &statement).await?)?;
    planned.ends_query = false;
    let (stream, _plan) = run_query(Arc::clone(context.core()), planned).await?;
    let batches = collect(stream).await.map_err(run_error)?;
    let batch = batches
        .into_iter()
        .find(|batch| batch.num_rows() > 0)
        .ok_or_else(|| Error::internal("the statistics query gave no row"))?;
    let statistics = read(&batch, &columns)?;
    // Columns that were not asked for keep what is known of them.
    context
        .core()
        .catalog
        .put_statistics(table.id, statistics)
        .await?;
    Ok(context.done())
}

fn chosen<'a>(columns: &'a [ColumnDef], analyze: &Analyze) -> Result<Vec<&'a ColumnDef>> {
    let Some(names) = &analyze.columns else {
        return Ok(columns.iter().collect());
    };
    names
        .iter()
        .map(|name| {
            columns
                .iter()
                .find(|column| column.name == *name)
                .ok_or_else(|| {
                    let known = columns.iter().map(|column| column.name.as_str());
                    let hint = crate::names::did_you_mean(name, known);
                    Error::not_found(format!("column \"{name}\" does not exist{hint}"))
                })
        })
        .collect()
}

fn query(schema: &str, table: &str, columns: &[&ColumnDef]) -> String {
    let mut figures = vec!["count(*)".to_owned()];
    for column in columns {
        let name = quoted(&column.name);
        let scalar = !column.data_type.is_nested();
        let ordered = scalar && !matches!(column.data_type, DataType::Interval(_));
        let when = |has: bool, text: String| if has { text } else { "NULL".to_owned() };
        figures.push(format!("count({name})"));
        figures.push(when(ordered, distinct(&name, &column.data_type)));
        figures.push(when(ordered, format!("min({name})")));
        figures.push(when(ordered, format!("max({name})")));
        figures.push(match &column.data_type {
            DataType::Utf8 => format!("avg(octet_length({name}))"),
            DataType::Binary => format!("avg(octet_length(encode({name}, 'hex'))) / 2"),
            DataType::Boolean => "1".to_owned(),
            other => other
                .primitive_width()
                .map_or_else(|| "NULL".to_owned(), |width| width.to_string()),
        });
    }
    let named = figures
        .iter()
        .enumerate()
        .map(|(at, figure)| format!("{figure} AS f{at}"));
    let named = named.collect::<Vec<_>>().join(", ");
    format!("SELECT {named} FROM {}.{}", quoted(schema), quoted(table))
}

/// Types without a sketch of their own are told apart by their wider form or their text.
fn distinct(name: &str, data_type: &DataType) -> String {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::UInt8 | DataType::UInt16 => {
            format!("{DISTINCT_SKETCH}(CAST({name} AS BIGINT))")
        }
        DataType::Boolean | DataType::Float16 | DataType::Float32 | DataType::Float64 => {
            format!("{DISTINCT_SKETCH}(CAST({name} AS VARCHAR))")
        }
        _ => format!("{DISTINCT_SKETCH}({name})"),
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn read(batch: &RecordBatch, columns: &[&ColumnDef]) -> Result<TableStatistics> {
    let rows = number(batch, 0)?.unwrap_or(0.0);
    let mut found = BTreeMap::new();
    for (index, column) in columns.iter().enumerate() {
        let at = 1 + index * FIGURES;
        let values = number(batch, at)?.unwrap_or(0.0);
        let (distinct_count, sketch) = sketch(batch.column(at + 1))?.unzip();
        let statistics = ColumnStatistics {
            distinct_count,
            null_fraction: if rows > 0.0 { 1.0 - values / rows } else { 0.0 },
            min: text(batch, at + 2)?,
            max: text(batch, at + 3)?,
            average_width: number(batch, at + 4)?.unwrap_or(0.0),
            sketch,
        };
        found.insert(column.name.clone(), statistics);
    }
    Ok(TableStatistics {
        row_count: rows as u64,
        computed_at: Utc::now(),
        columns: found,
    })
}

/// A column's number of distinct values and its sketch as it is kept.
fn sketch(array: &ArrayRef) -> Result<Option<(u64, Vec<u8>)>> {
    let Some(sketches) = array
        .as_binary_opt::<i32>()
        .filter(|array| array.is_valid(0))
    else {
        return Ok(None);
    };
    let registers = sketches.value(0);
    let count = distinct_count(&[registers]).map_err(run_error)?;
    let kept = zstd::encode_all(registers, SKETCH_COMPRESSION)
        .map_err(|error| Error::internal("a sketch cannot be compressed").with_source(error))?;
    Ok(Some((count, kept)))
}

fn number(batch: &RecordBatch, column: usize) -> Result<Option<f64>> {
    let Some(text) = text(batch, column)? else {
        return Ok(None);
    };
    text.parse()
        .map(Some)
        .map_err(|error| Error::internal(format!("\"{text}\" is no number")).with_source(error))
}

fn text(batch: &RecordBatch, column: usize) -> Result<Option<String>> {
    let array = batch.column(column);
    if array.is_null(0) || array.data_type() == &DataType::Null {
        return Ok(None);
    }
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|error| Error::internal("a figure cannot be shown").with_source(error))?;
    Ok(Some(formatter.value(0).to_string()))
}
