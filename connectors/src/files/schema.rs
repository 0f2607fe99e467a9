//! The columns of many files as one table: by name, widened where nothing can be lost.

use std::sync::Arc;

use datafusion::arrow::datatypes::{
    DECIMAL128_MAX_PRECISION, DataType, Field, FieldRef, Fields, Schema, TimeUnit,
};
use waterbuck_engine::sql::sql_type;
use waterbuck_engine::{Error, Result};

/// How far types of different files may be apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Widening {
    /// Types are stored: only a type that holds every value of both will do.
    Stored,
    /// Types are guessed from text: text is always a way out, whole numbers read as floats.
    Guessed,
}

/// The columns of the files seen so far.
#[derive(Debug)]
pub(super) struct MergedColumns {
    widening: Widening,
    columns: Vec<Column>,
    files: usize,
}

#[derive(Debug)]
struct Column {
    field: Field,
    /// The file the type comes from, for the message of a clash.
    first_file: String,
    seen: usize,
}

impl MergedColumns {
    pub(super) fn new(widening: Widening) -> Self {
        Self {
            widening,
            columns: Vec::new(),
            files: 0,
        }
    }

    #[cfg(test)]
    fn add(&mut self, schema: &Schema, file: &str) -> Result<()> {
        self.add_times(schema, file, 1)
    }

    /// Adds the columns of `times` files that look like this one.
    ///
    /// # Errors
    /// `Data` naming both files and the column when their types have no common one.
    pub(super) fn add_times(&mut self, schema: &Schema, file: &str, times: usize) -> Result<()> {
        self.files += times;
        for field in schema.fields() {
            let known = self
                .columns
                .iter_mut()
                .find(|c| c.field.name() == field.name());
            let Some(known) = known else {
                let field = Field::clone(field).with_metadata(Default::default());
                let column = Column {
                    field,
                    first_file: file.to_string(),
                    seen: times,
                };
                self.columns.push(column);
                continue;
            };
            let common = widen(known.field.data_type(), field.data_type(), self.widening);
            let Some(common) = common else {
                return Err(Error::data(format!(
                    "the column \"{}\" is {} in file \"{}\" but {} in file \"{file}\"",
                    field.name(),
                    sql_type(known.field.data_type()),
                    known.first_file,
                    sql_type(field.data_type())
                )));
            };
            known.seen += times;
            let nullable = known.field.is_nullable() || field.is_nullable();
            known.field = std::mem::replace(&mut known.field, Field::new("", DataType::Null, true))
                .with_data_type(common)
                .with_nullable(nullable);
        }
        Ok(())
    }

    /// The merged columns, in the order they were first seen; a column some file lacks may be NULL.
    pub(super) fn finish(self) -> Vec<Field> {
        let files = self.files;
        self.columns
            .into_iter()
            .map(|column| {
                let data_type = declared_type(column.field.data_type());
                let nullable = column.field.is_nullable() || column.seen < files;
                column
                    .field
                    .with_data_type(data_type)
                    .with_nullable(nullable)
            })
            .collect()
    }
}

/// The type a column is declared with: views and dictionaries are the engine's own affair.
pub(super) fn declared_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 | DataType::Null => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Dictionary(_, value) => declared_type(value),
        other => other.clone(),
    }
}

/// The narrowest type that holds every value of both.
pub(super) fn widen(left: &DataType, right: &DataType, widening: Widening) -> Option<DataType> {
    use DataType as T;
    if left == right {
        return Some(left.clone());
    }
    if can_hold(right, left) {
        return Some(left.clone());
    }
    if can_hold(left, right) {
        return Some(right.clone());
    }
    match (left, right) {
        (T::Decimal128(p1, s1), T::Decimal128(p2, s2)) => {
            let scale = *s1.max(s2);
            let whole = (*p1 as i16 - *s1 as i16).max(*p2 as i16 - *s2 as i16);
            let precision = u8::try_from(whole + scale as i16).ok()?;
            (precision <= DECIMAL128_MAX_PRECISION).then_some(T::Decimal128(precision, scale))
        }
        (a, b) if a.is_integer() && b.is_integer() => {
            // One signed, one not: the next wider signed type holds both, up to 32 bits.
            let bytes = a.primitive_width()?.max(b.primitive_width()?);
            match bytes {
                1 => Some(T::Int16),
                2 => Some(T::Int32),
                4 => Some(T::Int64),
                _ => None,
            }
        }
        (T::Struct(a), T::Struct(b)) => merge_structs(a, b, widening).map(T::Struct),
        (T::List(a), T::List(b)) => merge_items(a, b, widening).map(T::List),
        (T::LargeList(a), T::LargeList(b)) => merge_items(a, b, widening).map(T::LargeList),
        (a, b) if widening == Widening::Guessed => guessed(a, b),
        _ => None,
    }
}

fn guessed(left: &DataType, right: &DataType) -> Option<DataType> {
    let numeric = |t: &DataType| t.is_integer() || t.is_floating();
    if numeric(left) && numeric(right) {
        return Some(DataType::Float64);
    }
    let scalar = |t: &DataType| !t.is_nested();
    (scalar(left) && scalar(right)).then_some(DataType::Utf8)
}

fn merge_structs(left: &Fields, right: &Fields, widening: Widening) -> Option<Fields> {
    let mut merged: Vec<FieldRef> = Vec::new();
    for field in left {
        merged.push(match right.find(field.name()) {
            Some((_, other)) => merge_fields(field, other, widening)?,
            None => Arc::new(Field::clone(field).with_nullable(true)),
        });
    }
    for field in right {
        if left.find(field.name()).is_none() {
            merged.push(Arc::new(Field::clone(field).with_nullable(true)));
        }
    }
    Some(merged.into())
}

fn merge_items(left: &FieldRef, right: &FieldRef, widening: Widening) -> Option<FieldRef> {
    merge_fields(left, right, widening)
}

fn merge_fields(left: &FieldRef, right: &FieldRef, widening: Widening) -> Option<FieldRef> {
    let data_type = widen(left.data_type(), right.data_type(), widening)?;
    let nullable = left.is_nullable() || right.is_nullable();
    Some(Arc::new(Field::new(left.name(), data_type, nullable)))
}

/// Whether every value of `from` is a value of `to`, in the same order.
pub(super) fn can_hold(from: &DataType, to: &DataType) -> bool {
    use DataType as T;
    if from == to {
        return true;
    }
    match (from, to) {
        (T::Null, _) => true,
        (T::Dictionary(_, value), to) => can_hold(value, to),
        (from, T::Dictionary(_, value)) => can_hold(from, value),
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Utf8 | T::LargeUtf8 | T::Utf8View) => true,
        (
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_),
            T::Binary | T::LargeBinary | T::BinaryView,
        ) => true,
        (T::Float16, T::Float32 | T::Float64) | (T::Float32, T::Float64) => true,
        (a, b) if a.is_integer() && b.is_integer() => {
            let (Some(width_a), Some(width_b)) = (a.primitive_width(), b.primitive_width()) else {
                return false;
            };
            match (a.is_signed_integer(), b.is_signed_integer()) {
                (x, y) if x == y => width_a <= width_b,
                (false, true) => width_a < width_b,
                _ => false,
            }
        }
        (T::Decimal128(p1, s1), T::Decimal128(p2, s2)) => {
            s1 <= s2 && i16::from(*p1) - i16::from(*s1) <= i16::from(*p2) - i16::from(*s2)
        }
        (T::Timestamp(from, zone), T::Timestamp(to, other)) => zone == other && finer(*to, *from),
        (T::Time32(from), T::Time32(to)) => finer(*to, *from),
        (T::Time32(_), T::Time64(_)) => true,
        (T::Time64(from), T::Time64(to)) => finer(*to, *from),
        _ => false,
    }
}

fn finer(unit: TimeUnit, than: TimeUnit) -> bool {
    let rank = |unit| match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    };
    rank(unit) >= rank(than)
}

/// Whether a stored type can be read as a declared one: the cast is right or fails, it never
/// silently drops part of a value.
pub(super) fn can_read_as(stored: &DataType, declared: &DataType) -> bool {
    use DataType as T;
    if can_hold(stored, declared) {
        return true;
    }
    match (stored, declared) {
        (T::Dictionary(_, value), declared) => can_read_as(value, declared),
        (stored, T::Dictionary(_, value)) => can_read_as(stored, value),
        (a, b) if a.is_integer() && (b.is_integer() || b.is_floating()) => true,
        (a, T::Decimal128(..) | T::Decimal256(..)) if a.is_integer() => true,
        (a, b) if a.is_floating() && b.is_floating() => true,
        (T::Decimal128(_, from), T::Decimal128(_, to) | T::Decimal256(_, to)) => from <= to,
        (T::Decimal128(..), b) if b.is_floating() => true,
        (T::Timestamp(from, _), T::Timestamp(to, _)) => finer(*to, *from),
        (T::Date32, T::Date64 | T::Timestamp(..)) | (T::Date64, T::Date32) => true,
        (
            T::Binary | T::LargeBinary | T::BinaryView | T::FixedSizeBinary(_),
            T::Utf8 | T::LargeUtf8 | T::Utf8View,
        ) => true,
        (T::Utf8 | T::LargeUtf8 | T::Utf8View, T::Binary | T::LargeBinary | T::BinaryView) => true,
        (T::Struct(a), T::Struct(b)) => b.iter().all(|field| {
            a.find(field.name())
                .is_none_or(|(_, f)| can_read_as(f.data_type(), field.data_type()))
        }),
        (
            T::List(a) | T::LargeList(a) | T::FixedSizeList(a, _) | T::ListView(a),
            T::List(b) | T::LargeList(b) | T::FixedSizeList(b, _) | T::ListView(b),
        ) => can_read_as(a.data_type(), b.data_type()),
        (T::Map(a, _), T::Map(b, _)) => can_read_as(a.data_type(), b.data_type()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType as T;

    fn stored(left: &T, right: &T) -> Option<T> {
        let forth = widen(left, right, Widening::Stored);
        assert_eq!(
            forth,
            widen(right, left, Widening::Stored),
            "{left} and {right}"
        );
        forth
    }

    #[test]
    fn stored_types_widen_only_without_loss() {
        assert_eq!(stored(&T::Int32, &T::Int64), Some(T::Int64));
        assert_eq!(stored(&T::UInt32, &T::Int32), Some(T::Int64));
        assert_eq!(stored(&T::UInt64, &T::Int64), None);
        assert_eq!(stored(&T::Int64, &T::Float64), None);
        assert_eq!(stored(&T::Float32, &T::Float64), Some(T::Float64));
        assert_eq!(stored(&T::Int64, &T::Utf8), None);
        assert_eq!(stored(&T::Null, &T::Date32), Some(T::Date32));
        let wide = stored(&T::Decimal128(10, 2), &T::Decimal128(8, 5));
        assert_eq!(wide, Some(T::Decimal128(13, 5)));
        assert_eq!(stored(&T::Decimal128(38, 0), &T::Decimal128(38, 10)), None);
    }

    #[test]
    fn guessed_types_fall_back_to_text() {
        let guess = |a, b| widen(&a, &b, Widening::Guessed);
        assert_eq!(guess(T::Int64, T::Float64), Some(T::Float64));
        assert_eq!(guess(T::Int64, T::Boolean), Some(T::Utf8));
    }

    #[test]
    fn files_merge_by_name() {
        let mut merged = MergedColumns::new(Widening::Stored);
        let first = Schema::new(vec![
            Field::new("a", T::Int32, false),
            Field::new("s", T::Utf8View, false),
        ]);
        let second = Schema::new(vec![
            Field::new("b", T::Boolean, false),
            Field::new("a", T::Int64, false),
        ]);
        merged.add(&first, "one").expect("first");
        merged.add(&second, "two").expect("second");
        let fields = merged.finish();
        let expected = vec![
            Field::new("a", T::Int64, false),
            Field::new("s", T::Utf8, true),
            Field::new("b", T::Boolean, true),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_clash_names_files_and_column() {
        let mut merged = MergedColumns::new(Widening::Stored);
        merged
            .add(&Schema::new(vec![Field::new("a", T::Int32, true)]), "one")
            .expect("first");
        let clash = merged.add(&Schema::new(vec![Field::new("a", T::Utf8, true)]), "two");
        assert_eq!(
            clash.expect_err("clash").to_string(),
            "the column \"a\" is INT in file \"one\" but VARCHAR in file \"two\""
        );
    }

    #[test]
    fn reading_never_drops_part_of_a_value() {
        assert!(can_read_as(&T::Int64, &T::Int32));
        assert!(!can_read_as(&T::Float64, &T::Int64));
        assert!(!can_read_as(
            &T::Timestamp(TimeUnit::Second, None),
            &T::Date32
        ));
        assert!(!can_read_as(&T::Utf8, &T::Int64));
        assert!(can_read_as(
            &T::Date32,
            &T::Timestamp(TimeUnit::Second, None)
        ));
    }
}
