//! Columns put together from rows.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields};
use waterbuck_engine::{Error, Result};

use super::flatten::LakeColumn;
use super::scalar::scalar_type;

/// The top-level columns (id, name, type, nullable) behind rows in any order of a single table.
pub(crate) fn assemble(rows: &[LakeColumn]) -> Result<Vec<(i64, Field)>> {
    let mut by_parent: HashMap<Option<i64>, Vec<&LakeColumn>> = HashMap::new();
    for row in rows {
        by_parent.entry(row.parent).or_default().push(row);
    }
    let top = by_parent.get(&None).map(Vec::as_slice).unwrap_or_default();
    top.iter()
        .map(|row| Ok((row.id, field(row, &by_parent)?)))
        .collect()
}

fn field(row: &LakeColumn, parts: &HashMap<Option<i64>, Vec<&LakeColumn>>) -> Result<Field> {
    let children = parts
        .get(&Some(row.id))
        .map(Vec::as_slice)
        .unwrap_or_default();
    let children: Vec<Field> = children
        .iter()
        .map(|child| field(child, parts))
        .collect::<Result<_>>()?;
    let data_type = match (row.type_name.as_str(), children.as_slice()) {
        ("list", [element]) => DataType::List(Arc::new(
            element.clone().with_name(Field::LIST_FIELD_DEFAULT_NAME),
        )),
        ("struct", [_, ..]) => DataType::Struct(Fields::from(children)),
        ("map", [key, value]) => {
            let key = key.clone().with_name("key").with_nullable(false);
            let entries = Fields::from(vec![key, value.clone().with_name("value")]);
            let entries = Field::new("key_value", DataType::Struct(entries), false);
            DataType::Map(Arc::new(entries), false)
        }
        (scalar, []) => scalar_type(scalar).ok_or_else(|| unknown(row))?,
        _ => return Err(unknown(row)),
    };
    Ok(Field::new(&row.name, data_type, row.nullable))
}

fn unknown(row: &LakeColumn) -> Error {
    Error::unsupported(format!(
        "column \"{}\" has the catalog type \"{}\", which this version does not read",
        row.name, row.type_name
    ))
}
