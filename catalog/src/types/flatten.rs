//! Columns taken apart into rows.

use arrow::datatypes::{DataType, Field};
use waterbuck_engine::sql::sql_type;
use waterbuck_engine::{Error, Result};

use super::scalar::scalar_name;
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
    /// The path in Parquet under the names of the Arrow type: `tags.list.item`.
    pub(crate) parquet_path: String,
    /// The path in Parquet under the names of its specification: `tags.list.element`.
    pub(crate) standard_path: String,
}

/// The rows and leaves of a table's columns.
#[derive(Debug, Default)]
pub(crate) struct LakeColumns {
    pub(crate) rows: Vec<LakeColumn>,
    pub(crate) leaves: Vec<Leaf>,
    /// For each row the name by which DuckDB finds it in a Parquet file: of a list's element it asks
    /// for the group around it, of a map for `key` and `value`, which the file must call so.
    pub(crate) names_in_files: Vec<String>,
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
                standard_path: column.name.clone(),
                name_in_files: column.name.clone(),
                nullable: column.nullable,
            };
            all.push(part, &column.data_type).map_err(|unsupported| {
                Error::unsupported(format!(
                    "column \"{}\": a managed table cannot hold the type {}",
                    column.name,
                    sql_type(&unsupported)
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
                standard_path: part.standard_path,
            });
        }
        self.names_in_files.push(part.name_in_files);
        let (parent, name, nullable) = (part.parent, part.name, part.nullable);
        self.rows.push(LakeColumn {
            id,
            parent,
            name,
            type_name,
            nullable,
        });
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
    standard_path: String,
    name_in_files: String,
    nullable: bool,
}

/// A part as Parquet has it.
struct InFiles<'a> {
    /// The levels below its parent, under the names of the Arrow type.
    levels: &'a str,
    /// The same under the names of Parquet's specification.
    standard: &'a str,
    /// What DuckDB calls it by.
    name: &'a str,
}

impl Part {
    fn child(&self, id: i64, name: &str, in_files: &InFiles<'_>, nullable: bool) -> Self {
        Self {
            parent: Some(id),
            name: name.to_owned(),
            path: format!("{}.{name}", self.path),
            parquet_path: format!("{}.{}", self.parquet_path, in_files.levels),
            standard_path: format!("{}.{}", self.standard_path, in_files.standard),
            name_in_files: in_files.name.to_owned(),
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
            let levels = format!("list.{}", field.name());
            let in_files = InFiles {
                levels: &levels,
                standard: "list.element",
                name: "list",
            };
            let child = part.child(id, "element", &in_files, field.is_nullable());
            Ok(Some(("list", vec![(child, field.data_type().clone())])))
        }
        DataType::Struct(fields) => {
            if fields.is_empty() {
                return Err(data_type.clone());
            }
            let children = fields.iter().map(|field| {
                let name = field.name();
                let in_files = InFiles {
                    levels: name,
                    standard: name,
                    name,
                };
                let child = part.child(id, name, &in_files, field.is_nullable());
                (child, field.data_type().clone())
            });
            Ok(Some(("struct", children.collect())))
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else {
                return Err(data_type.clone());
            };
            let [key, value] = fields.as_ref() else {
                return Err(data_type.clone());
            };
            let entry = |name: &str, field: &Field| {
                let levels = format!("{}.{}", entries.name(), field.name());
                let standard = format!("key_value.{name}");
                let in_files = InFiles {
                    levels: &levels,
                    standard: &standard,
                    name,
                };
                part.child(id, name, &in_files, field.is_nullable())
            };
            let (keys, values) = (entry("key", key), entry("value", value));
            let children = vec![
                (keys, key.data_type().clone()),
                (values, value.data_type().clone()),
            ];
            Ok(Some(("map", children)))
        }
        DataType::Dictionary(_, value) => children(part, id, value),
        DataType::RunEndEncoded(_, values) => children(part, id, values.data_type()),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{Fields, IntervalUnit, TimeUnit};

    use super::*;
    use crate::types::assemble;

    fn read_back(data_type: &DataType) -> DataType {
        let rows = LakeColumns::new(&[ColumnDef::new("c", data_type.clone(), true)])
            .unwrap()
            .rows;
        assemble(&rows).unwrap().remove(0).1.data_type().clone()
    }

    fn nested() -> DataType {
        let list = DataType::new_list(DataType::Decimal128(10, 2), false);
        let entries = DataType::Struct(
            vec![
                Field::new("key", DataType::Utf8, false),
                Field::new("value", list, true),
            ]
            .into(),
        );
        let map = DataType::Map(Arc::new(Field::new("key_value", entries, false)), false);
        DataType::Struct(
            vec![
                Field::new("m", map, true),
                Field::new("d", DataType::Date32, false),
            ]
            .into(),
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
        let rows: Vec<_> = all
            .rows
            .iter()
            .map(|r| (r.id, r.parent, r.name.as_str(), r.type_name.as_str()))
            .collect();
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
        let leaves: Vec<_> = all
            .leaves
            .iter()
            .map(|l| (l.id, l.path.as_str(), l.parquet_path.as_str()))
            .collect();
        assert_eq!(
            leaves[2],
            (6, "n.m.value.element", "n.m.key_value.value.list.item")
        );
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
