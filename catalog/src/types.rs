//! Arrow columns as the rows of `ducklake_column`, and back.
//!
//! A nested column is one row per part, each naming its parent: a list has the child `element`, a
//! map has `key` and `value`, a struct has its fields. Ids count from 1 in the order of a walk that
//! visits parents first.
//!
//! Several Arrow types share one name of the spec (`Utf8` and `Utf8View` are both `varchar`); the
//! store keeps the exact type beside the row where reading the row back would give another.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, IntervalUnit, TimeUnit};
use waterbuck_engine::{Error, Result};

use crate::model::ColumnDef;

/// One row of `ducklake_column`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LakeColumn {
    pub(crate) id: i64,
    pub(crate) parent: Option<i64>,
    pub(crate) name: String,
    pub(crate) type_name: String,
    pub(crate) nullable: bool,
}

/// A part of a column that has values of its own, hence statistics.
#[derive(Debug, Clone)]
pub(crate) struct Leaf {
    pub(crate) id: i64,
    pub(crate) top_level: bool,
    pub(crate) data_type: DataType,
    /// The names of the rows from the top, joined with dots: `tags.element`.
    pub(crate) path: String,
    /// The path the Parquet writer uses: `tags.list.item`.
    pub(crate) parquet_path: String,
}

/// The rows and leaves of a table's columns.
#[derive(Debug, Default)]
pub(crate) struct LakeColumns {
    pub(crate) rows: Vec<LakeColumn>,
    pub(crate) leaves: Vec<Leaf>,
    /// The id of each top-level column, in order.
    pub(crate) top_ids: Vec<i64>,
}

impl LakeColumns {
    /// The rows of `columns`; an error when a type has no place in a managed table.
    pub(crate) fn new(columns: &[ColumnDef]) -> Result<Self> {
        let mut all = Self::default();
        for column in columns {
            all.top_ids.push(all.rows.len() as i64 + 1);
            let part = Part {
                parent: None,
                name: column.name.clone(),
                path: column.name.clone(),
                parquet_path: column.name.clone(),
                nullable: column.nullable,
            };
            all.push(part, &column.data_type).map_err(|unsupported| {
                Error::unsupported(format!(
                    "column \"{}\": a managed table cannot hold the type {unsupported}",
                    column.name
                ))
            })?;
        }
        Ok(all)
    }

    fn push(&mut self, part: Part, data_type: &DataType) -> Result<(), DataType> {
        let id = self.rows.len() as i64 + 1;
        let children = children(&part, id, data_type)?;
        let type_name = match &children {
            Some((name, _)) => (*name).to_owned(),
            None => scalar_name(data_type)?,
        };
        if children.is_none() {
            self.leaves.push(Leaf {
                id,
                top_level: part.parent.is_none(),
                data_type: data_type.clone(),
                path: part.path,
                parquet_path: part.parquet_path,
            });
        }
        let (parent, name, nullable) = (part.parent, part.name, part.nullable);
        self.rows.push(LakeColumn { id, parent, name, type_name, nullable });
        for (child, data_type) in children.map(|(_, children)| children).unwrap_or_default() {
            self.push(child, &data_type)?;
        }
        Ok(())
    }
}

/// A row in the making.
struct Part {
    parent: Option<i64>,
    name: String,
    path: String,
    parquet_path: String,
    nullable: bool,
}

impl Part {
    fn child(&self, id: i64, name: &str, in_parquet: &str, nullable: bool) -> Self {
        Self {
            parent: Some(id),
            name: name.to_owned(),
            path: format!("{}.{name}", self.path),
            parquet_path: format!("{}.{in_parquet}", self.parquet_path),
            nullable,
        }
    }
}

type Children = (&'static str, Vec<(Part, DataType)>);

/// The type name and the parts of a nested type; none for a scalar.
fn children(part: &Part, id: i64, data_type: &DataType) -> Result<Option<Children>, DataType> {
    match data_type {
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => {
            let in_parquet = format!("list.{}", field.name());
            let child = part.child(id, "element", &in_parquet, field.is_nullable());
            Ok(Some(("list", vec![(child, field.data_type().clone())])))
        }
        DataType::Struct(fields) => {
            if fields.is_empty() {
                return Err(data_type.clone());
            }
            let children = fields.iter().map(|field| {
                let child = part.child(id, field.name(), field.name(), field.is_nullable());
                (child, field.data_type().clone())
            });
            Ok(Some(("struct", children.collect())))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(data_type.clone());
            };
            let [key, value] = fields.as_ref() else { return Err(data_type.clone()) };
            let in_parquet = |field: &Field| format!("{}.{}", entries.name(), field.name());
            let keys = part.child(id, "key", &in_parquet(key), key.is_nullable());
            let values = part.child(id, "value", &in_parquet(value), value.is_nullable());
            let children =
                vec![(keys, key.data_type().clone()), (values, value.data_type().clone())];
            Ok(Some(("map", children)))
        }
        DataType::Dictionary(_, value) => children(part, id, value),
        DataType::RunEndEncoded(_, values) => children(part, id, values.data_type()),
        _ => Ok(None),
    }
}

/// The spec's name of a type without parts.
fn scalar_name(data_type: &DataType) -> Result<String, DataType> {
    let name = match data_type {
        DataType::Boolean => "boolean",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        // A column of which only NULL is known takes what DuckDB gives it.
        DataType::Int32 | DataType::Null => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 | DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Timestamp(_, Some(_)) => "timestamptz",
        DataType::Timestamp(TimeUnit::Second, None) => "timestamp_s",
        DataType::Timestamp(TimeUnit::Millisecond, None) => "timestamp_ms",
        DataType::Timestamp(TimeUnit::Microsecond, None) => "timestamp",
        DataType::Timestamp(TimeUnit::Nanosecond, None) => "timestamp_ns",
        DataType::Interval(_) => "interval",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "blob",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale)
            if *precision <= 38 && *scale >= 0 =>
        {
            return Ok(format!("decimal({precision},{scale})"));
        }
        DataType::Dictionary(_, value) => return scalar_name(value),
        DataType::RunEndEncoded(_, values) => return scalar_name(values.data_type()),
        other => return Err(other.clone()),
    };
    Ok(name.to_owned())
}

/// The top-level columns (id, name, type, nullable) behind rows in any order of a single table.
pub(crate) fn assemble(rows: &[LakeColumn]) -> Result<Vec<(i64, Field)>> {
    let mut by_parent: HashMap<Option<i64>, Vec<&LakeColumn>> = HashMap::new();
    for row in rows {
        by_parent.entry(row.parent).or_default().push(row);
    }
    let top = by_parent.get(&None).map(Vec::as_slice).unwrap_or_default();
    top.iter().map(|row| Ok((row.id, field(row, &by_parent)?))).collect()
}

fn field(row: &LakeColumn, parts: &HashMap<Option<i64>, Vec<&LakeColumn>>) -> Result<Field> {
    let children = parts.get(&Some(row.id)).map(Vec::as_slice).unwrap_or_default();
    let children: Vec<Field> =
        children.iter().map(|child| field(child, parts)).collect::<Result<_>>()?;
    let data_type = match (row.type_name.as_str(), children.as_slice()) {
        ("list", [element]) => {
            DataType::List(Arc::new(element.clone().with_name(Field::LIST_FIELD_DEFAULT_NAME)))
        }
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

fn scalar_type(name: &str) -> Option<DataType> {
    if let Some(arguments) = name.strip_prefix("decimal(").and_then(|n| n.strip_suffix(')')) {
        let (precision, scale) = arguments.split_once(',')?;
        let (precision, scale) = (precision.trim().parse().ok()?, scale.trim().parse().ok()?);
        return Some(DataType::Decimal128(precision, scale));
    }
    Some(match name {
        "boolean" => DataType::Boolean,
        "int8" => DataType::Int8,
        "int16" => DataType::Int16,
        "int32" => DataType::Int32,
        "int64" => DataType::Int64,
        "uint8" => DataType::UInt8,
        "uint16" => DataType::UInt16,
        "uint32" => DataType::UInt32,
        "uint64" => DataType::UInt64,
        "float32" => DataType::Float32,
        "float64" => DataType::Float64,
        "date" => DataType::Date32,
        "time" => DataType::Time64(TimeUnit::Microsecond),
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "timestamp_s" => DataType::Timestamp(TimeUnit::Second, None),
        "timestamp_ms" => DataType::Timestamp(TimeUnit::Millisecond, None),
        "timestamp" => DataType::Timestamp(TimeUnit::Microsecond, None),
        "timestamp_ns" => DataType::Timestamp(TimeUnit::Nanosecond, None),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        "varchar" | "json" => DataType::Utf8,
        "blob" => DataType::Binary,
        "uuid" => DataType::FixedSizeBinary(16),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_back(data_type: &DataType) -> DataType {
        let rows = LakeColumns::new(&[ColumnDef::new("c", data_type.clone(), true)]).unwrap().rows;
        assemble(&rows).unwrap().remove(0).1.data_type().clone()
    }

    fn nested() -> DataType {
        let list = DataType::new_list(DataType::Decimal128(10, 2), false);
        let entries = DataType::Struct(
            vec![Field::new("key", DataType::Utf8, false), Field::new("value", list, true)].into(),
        );
        let map = DataType::Map(Arc::new(Field::new("key_value", entries, false)), false);
        DataType::Struct(
            vec![Field::new("m", map, true), Field::new("d", DataType::Date32, false)].into(),
        )
    }

    #[test]
    fn types_the_spec_knows_come_back_exactly() {
        for data_type in [
            DataType::Boolean,
            DataType::Int8,
            DataType::UInt64,
            DataType::Float64,
            DataType::Decimal128(38, 0),
            DataType::Utf8,
            DataType::Binary,
            DataType::Date32,
            DataType::Time64(TimeUnit::Microsecond),
            DataType::Timestamp(TimeUnit::Second, None),
            DataType::Timestamp(TimeUnit::Nanosecond, None),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            DataType::Interval(IntervalUnit::MonthDayNano),
            nested(),
            DataType::new_list(nested(), true),
        ] {
            assert_eq!(read_back(&data_type), data_type);
        }
    }

    #[test]
    fn other_types_come_back_as_their_nearest_kin() {
        assert_eq!(read_back(&DataType::Utf8View), DataType::Utf8);
        let berlin = DataType::Timestamp(TimeUnit::Second, Some("Europe/Berlin".into()));
        assert_eq!(
            read_back(&berlin),
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        );
        let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
        assert_eq!(read_back(&dictionary), DataType::Utf8);
    }

    #[test]
    fn parts_are_numbered_parents_first_and_named_as_the_spec_says() {
        let columns = [
            ColumnDef::new("a", DataType::Int32, false),
            ColumnDef::new("n", nested(), true),
            ColumnDef::new("z", DataType::Utf8, true),
        ];
        let all = LakeColumns::new(&columns).unwrap();
        let rows: Vec<_> =
            all.rows.iter().map(|r| (r.id, r.parent, r.name.as_str(), r.type_name.as_str())).collect();
        assert_eq!(
            rows,
            [
                (1, None, "a", "int32"),
                (2, None, "n", "struct"),
                (3, Some(2), "m", "map"),
                (4, Some(3), "key", "varchar"),
                (5, Some(3), "value", "list"),
                (6, Some(5), "element", "decimal(10,2)"),
                (7, Some(2), "d", "date"),
                (8, None, "z", "varchar"),
            ]
        );
        assert_eq!(all.top_ids, [1, 2, 8]);
        let leaves: Vec<_> =
            all.leaves.iter().map(|l| (l.id, l.path.as_str(), l.parquet_path.as_str())).collect();
        assert_eq!(leaves[2], (6, "n.m.value.element", "n.m.key_value.value.list.item"));
    }

    #[test]
    fn types_without_a_place_are_refused_by_column() {
        for data_type in [
            DataType::Decimal256(60, 2),
            DataType::Decimal128(10, -2),
            DataType::Duration(TimeUnit::Second),
            DataType::Struct(Fields::empty()),
        ] {
            let error = LakeColumns::new(&[ColumnDef::new("c", data_type, true)]).unwrap_err();
            assert!(error.message().contains("column \"c\""), "{error}");
        }
    }
}
