//! The Arrow types of declared columns.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, TableReference};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::planner::ContextProvider;
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{ColumnDef, ColumnOption, ColumnOptionDef, Ident};

use super::ddl::ColumnSpec;
use super::plan_error::describe_plan_error;
use crate::{Error, Result};

/// The Arrow fields of declared columns. Texts are `Utf8`: readers that prefer views change that
/// themselves.
///
/// # Errors
/// When a type has no counterpart; the error names the column.
pub fn column_fields(columns: &[ColumnSpec]) -> Result<Vec<Field>> {
    let context = NoTables {
        options: ConfigOptions::new(),
    };
    let options = ParserOptions::new().with_map_string_types_to_utf8view(false);
    let planner = SqlToRel::new_with_options(&context, options);
    let field = |column: &ColumnSpec| {
        let schema = planner
            .build_schema(vec![definition(column)])
            .map_err(|error| {
                let error = describe_plan_error("", error);
                Error::new(
                    error.kind(),
                    format!("column \"{}\": {}", column.name, error.message()),
                )
            })?;
        Ok(schema.field(0).clone())
    };
    columns.iter().map(field).collect()
}

fn definition(column: &ColumnSpec) -> ColumnDef {
    let not_null = ColumnOptionDef {
        name: None,
        option: ColumnOption::NotNull,
    };
    ColumnDef {
        name: Ident::with_quote('"', &column.name),
        data_type: column.data_type.clone(),
        options: if column.nullable {
            Vec::new()
        } else {
            vec![not_null]
        },
    }
}

/// Types need no tables, functions or variables.
struct NoTables {
    options: ConfigOptions,
}

impl ContextProvider for NoTables {
    fn get_table_source(
        &self,
        name: TableReference,
    ) -> Result<Arc<dyn TableSource>, DataFusionError> {
        Err(DataFusionError::Plan(format!("table '{name}' not found")))
    }

    fn get_function_meta(&self, _: &str) -> Option<Arc<ScalarUDF>> {
        None
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, _: &str) -> Option<Arc<AggregateUDF>> {
        None
    }

    fn get_window_meta(&self, _: &str) -> Option<Arc<WindowUDF>> {
        None
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::{ParseLimits, Statement, parse_one};

    fn fields(columns: &str) -> Result<Vec<Field>> {
        let sql = format!("CREATE TABLE t ({columns})");
        let parsed = parse_one(&sql, &ParseLimits::default()).unwrap();
        let Statement::CreateTable(create) = parsed.statement else {
            panic!()
        };
        column_fields(&create.columns)
    }

    #[test]
    fn declared_types_become_arrow_types() {
        let found = fields(
            "a INT NOT NULL, \"B\" BIGINT, c VARCHAR(10), d STRING, e DECIMAL(12, 2), f DATE, \
             g TIMESTAMP, h DOUBLE, i BOOLEAN, j INT[], k TINYINT, l BYTEA",
        )
        .unwrap();
        let types: Vec<&DataType> = found.iter().map(Field::data_type).collect();
        assert_eq!(
            types[..6],
            [
                &DataType::Int32,
                &DataType::Int64,
                &DataType::Utf8,
                &DataType::Utf8,
                &DataType::Decimal128(12, 2),
                &DataType::Date32,
            ]
        );
        assert_eq!(found[1].name(), "B");
        assert!(!found[0].is_nullable() && found[1].is_nullable());
        assert!(matches!(types[9], DataType::List(_)));
    }

    #[test]
    fn a_type_without_counterpart_names_the_column() {
        let error = fields("a INT, place GEOMETRY").unwrap_err();
        assert!(error.message().starts_with("column \"place\": "), "{error}");
    }
}
