//! `current_schema()` and `current_catalog()`: where names without a schema are looked up.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::utils::take_function_args;
use datafusion::logical_expr::lit;

use super::rewritten::Rule;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "current_schema",
        aliases: &[],
        description: "Returns the schema of the session, in which names without one are looked up.",
        syntax: "current_schema()",
        immutable: false,
        coerce: |types| {
            let [] = take_function_args("current_schema", types)?;
            Ok(vec![])
        },
        returns: |_| Ok(DataType::Utf8),
        write: |_, info| Ok(lit(info.config_options().catalog.default_schema.as_str())),
    },
    Rule {
        name: "current_catalog",
        aliases: &["current_database"],
        description: "Returns the name of the catalog.",
        syntax: "current_catalog()",
        immutable: false,
        coerce: |types| {
            let [] = take_function_args("current_catalog", types)?;
            Ok(vec![])
        },
        returns: |_| Ok(DataType::Utf8),
        write: |_, info| Ok(lit(info.config_options().catalog.default_catalog.as_str())),
    },
];
