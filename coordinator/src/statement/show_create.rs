//! `SHOW CREATE TABLE`: the statement that would make the table again. Secrets are named, never
//! shown.

use std::fmt::Write;

use waterbuck_catalog::{ColumnDef, ExternalTable, ManagedTable, TableDef, TableKind, ViewDef};

use waterbuck_engine::sql::{ViewSecurity, sql_type};

/// The statement that makes `table`; without the LOCATION for those who may not know it.
pub(super) fn statement(table: &TableDef, knows_place: bool) -> String {
    let name = format!(
        "{}.{}",
        quoted(&table.name.schema),
        quoted(&table.name.name)
    );
    let mut text = match &table.kind {
        TableKind::View(view) => create_view(&name, view),
        TableKind::External(external) => create_external(&name, table, external, knows_place),
        TableKind::Managed(managed) => create_managed(&name, table, managed),
    };
    if let Some(comment) = &table.comment {
        let _infallible = write!(text, "\nCOMMENT {}", literal(comment));
    }
    text
}

fn create_view(name: &str, view: &ViewDef) -> String {
    let columns = if view.column_aliases.is_empty() {
        String::new()
    } else {
        format!(" ({})", list(&view.column_aliases))
    };
    let security = match view.security {
        ViewSecurity::Definer => "",
        ViewSecurity::Invoker => " SECURITY INVOKER",
    };
    format!("CREATE VIEW {name}{columns}{security} AS\n{}", view.sql)
}

fn create_managed(name: &str, table: &TableDef, managed: &ManagedTable) -> String {
    let mut text = format!("CREATE TABLE {name} (\n{}\n)", columns(&table.columns));
    partitioned_by(&mut text, &managed.partition_columns);
    text
}

fn create_external(
    name: &str,
    table: &TableDef,
    external: &ExternalTable,
    knows_place: bool,
) -> String {
    let mut text = format!(
        "CREATE EXTERNAL TABLE {name} (\n{}\n)\nSTORED AS {}",
        columns(&table.columns),
        external.format.to_uppercase()
    );
    partitioned_by(&mut text, &external.partition_columns);
    if knows_place {
        let _infallible = write!(text, "\nLOCATION {}", literal(&external.location));
    }
    if !external.options.is_empty() {
        let options = external.options.iter();
        let options = options.map(|(key, value)| format!("{} {}", literal(key), literal(value)));
        let options = options.collect::<Vec<_>>().join(", ");
        let _infallible = write!(text, "\nOPTIONS ({options})");
    }
    text
}

fn partitioned_by(text: &mut String, partition_columns: &[String]) {
    if !partition_columns.is_empty() {
        let _infallible = write!(text, "\nPARTITIONED BY ({})", list(partition_columns));
    }
}

fn columns(columns: &[ColumnDef]) -> String {
    let line = |column: &ColumnDef| {
        let mut line = format!("  {} {}", quoted(&column.name), sql_type(&column.data_type));
        if !column.nullable {
            line.push_str(" NOT NULL");
        }
        if let Some(default) = &column.default {
            let _infallible = write!(line, " DEFAULT {default}");
        }
        if let Some(comment) = &column.comment {
            let _infallible = write!(line, " COMMENT {}", literal(comment));
        }
        line
    };
    columns.iter().map(line).collect::<Vec<_>>().join(",\n")
}

fn list(names: &[String]) -> String {
    names
        .iter()
        .map(|name| quoted(name))
        .collect::<Vec<_>>()
        .join(", ")
}

/// A name as it must be written: quoted unless it is a plain lower-case word.
pub(crate) fn quoted(name: &str) -> String {
    let plain = name
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty();
    if plain {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_says_whose_rights_it_runs_with() {
        let text = |security| {
            let view = ViewDef {
                sql: "SELECT 1".to_owned(),
                column_aliases: vec!["a".to_owned()],
                security,
            };
            create_view("v", &view)
        };
        assert_eq!(
            text(ViewSecurity::Definer),
            "CREATE VIEW v (a) AS\nSELECT 1"
        );
        assert_eq!(
            text(ViewSecurity::Invoker),
            "CREATE VIEW v (a) SECURITY INVOKER AS\nSELECT 1"
        );
    }
}
