//! Parameters sent as unions: a client that does not know which type is wanted sends a union of all
//! types it has, as flightsql-dbapi does, and each row uses one of them.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt64Array, UnionArray, new_empty_array};
use arrow::compute::{TakeOptions, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use waterbuck_engine::{Error, Result};

/// The rows with every union replaced by the values that it stands for.
///
/// # Errors
/// When the rows of one union use several types: a parameter has one.
pub(super) fn without_unions(batch: RecordBatch) -> Result<RecordBatch> {
    let is_union = |column: &ArrayRef| matches!(column.data_type(), DataType::Union(_, _));
    if !batch.columns().iter().any(is_union) {
        return Ok(batch);
    }
    let schema = batch.schema();
    let columns = batch.columns().iter().zip(schema.fields());
    let plain = columns
        .map(|(column, field)| plain_column(column, field))
        .collect::<Result<Vec<_>>>()?;
    let (fields, columns): (Vec<FieldRef>, Vec<ArrayRef>) = plain.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::internal("the parameters cannot be taken apart").with_source(error))
}

fn plain_column(column: &ArrayRef, field: &FieldRef) -> Result<(FieldRef, ArrayRef)> {
    let Some(union) = column.as_any().downcast_ref::<UnionArray>() else {
        return Ok((Arc::clone(field), Arc::clone(column)));
    };
    let values = used_values(field.name(), union)?;
    let field = Field::new(field.name(), values.data_type().clone(), true);
    Ok((Arc::new(field), values))
}

fn used_values(name: &str, union: &UnionArray) -> Result<ArrayRef> {
    let Some(used) = union.type_ids().first().copied() else {
        return Ok(new_empty_array(&DataType::Null));
    };
    if union.type_ids().iter().any(|id| *id != used) {
        return Err(Error::unsupported(format!(
            "the values of parameter \"{name}\" are of several types: send those of one type only"
        )));
    }
    let places = (0..union.len()).map(|row| union.value_offset(row) as u64);
    let places = UInt64Array::from_iter_values(places);
    let options = TakeOptions { check_bounds: true };
    take(union.child(used), &places, Some(options)).map_err(|error| {
        Error::invalid(format!("the values of parameter \"{name}\" cannot be read"))
            .with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use arrow::array::{AsArray, Int64Array, UnionBuilder};
    use arrow::datatypes::{Float64Type, Int64Type};
    use waterbuck_engine::ErrorKind;

    use super::*;

    fn batch(union: UnionArray) -> RecordBatch {
        let plain = Int64Array::from_iter_values((0..).take(union.len()));
        let columns = [
            ("u", Arc::new(union) as ArrayRef),
            ("n", Arc::new(plain) as ArrayRef),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn a_union_gives_way_to_the_type_that_its_rows_use() {
        for dense in [true, false] {
            let mut union = match dense {
                true => UnionBuilder::new_dense(),
                false => UnionBuilder::new_sparse(),
            };
            union.append::<Int64Type>("int", 7).unwrap();
            union.append_null::<Int64Type>("int").unwrap();
            union.append::<Int64Type>("int", 9).unwrap();
            let plain = without_unions(batch(union.build().unwrap())).unwrap();
            let values: Vec<_> = plain.column(0).as_primitive::<Int64Type>().iter().collect();
            assert_eq!(values, [Some(7), None, Some(9)]);
            assert_eq!(plain.schema().field(0).name(), "u");
            assert_eq!(plain.num_columns(), 2);
        }
    }

    #[test]
    fn rows_of_several_types_are_refused() {
        let mut union = UnionBuilder::new_dense();
        union.append::<Int64Type>("int", 7).unwrap();
        union.append::<Float64Type>("float", 0.5).unwrap();
        let refused = without_unions(batch(union.build().unwrap())).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unsupported);
        assert!(refused.to_string().contains("\"u\""), "{refused}");
    }
}
