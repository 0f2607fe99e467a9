//! `mode(x)`: the most frequent value, of equally frequent ones the least.
//!
//! Values are counted as rows of bytes, which compare as the values do. The state between partial
//! and final aggregation is two lists: the values, and how often each was there.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::utils::{SingleRowListArrayBuilder, take_function_args};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
};

/// What a value takes in the map besides its bytes.
const ENTRY_BYTES: usize = size_of::<(Box<[u8]>, i64)>() + 1;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Returns the most frequent value, and of equally frequent ones the least; NULL \
                       does not count.";
    Documentation::builder(DOC_SECTION_OTHER, description, "mode(expression)").build()
});

/// The function.
pub(super) fn mode() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Mode {
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Mode {
    signature: Signature,
}

impl AggregateUDFImpl for Mode {
    fn name(&self) -> &str {
        "mode"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [value] = take_function_args(self.name(), types)?;
        Ok(vec![match value {
            DataType::Dictionary(_, value) => value.as_ref().clone(),
            other => other.clone(),
        }])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [value] = take_function_args(self.name(), types)?;
        Ok(value.clone())
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let lists = [
            ("values", args.return_field.data_type().clone()),
            ("counts", DataType::Int64),
        ];
        let fields = lists.into_iter().map(|(name, data_type)| {
            let item = Field::new_list_field(data_type, true);
            Arc::new(Field::new_list(
                format_state_name(args.name, name),
                item,
                true,
            ))
        });
        Ok(fields.collect())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let data_type = args.return_field.data_type().clone();
        Ok(Box::new(Counts {
            converter: RowConverter::new(vec![SortField::new(data_type.clone())])?,
            data_type,
            counts: HashMap::new(),
            bytes: 0,
        }))
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[derive(Debug)]
struct Counts {
    converter: RowConverter,
    data_type: DataType,
    counts: HashMap<Box<[u8]>, i64>,
    /// Of the values in the map.
    bytes: usize,
}

impl Counts {
    /// Adds values, of which the one in each row was there so many times.
    fn add(&mut self, values: &ArrayRef, times: impl Fn(usize) -> i64) -> Result<()> {
        let nulls = values.logical_nulls();
        let rows = self.converter.convert_columns(&[Arc::clone(values)])?;
        for (row, value) in rows.iter().enumerate() {
            if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
                continue;
            }
            let value: &[u8] = value.as_ref();
            match self.counts.get_mut(value) {
                Some(count) => *count += times(row),
                None => {
                    self.counts.insert(value.into(), times(row));
                    self.bytes += value.len() + ENTRY_BYTES;
                }
            }
        }
        Ok(())
    }

    fn values<'v>(&self, values: impl Iterator<Item = &'v [u8]>) -> Result<ArrayRef> {
        let parser = self.converter.parser();
        let rows = values.map(|value| parser.parse(value));
        let mut columns = self.converter.convert_rows(rows)?;
        Ok(columns.remove(0))
    }
}

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(&values[0], |_| 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let most = self
            .counts
            .iter()
            .max_by_key(|(value, count)| (**count, Reverse(*value)));
        match most {
            Some((value, _)) => {
                let value = self.values(std::iter::once(&**value))?;
                ScalarValue::try_from_array(&value, 0)
            }
            None => ScalarValue::try_from(&self.data_type),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.converter.size() + self.bytes
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = self.values(self.counts.keys().map(|value| &**value))?;
        let counts: ArrayRef =
            Arc::new(Int64Array::from_iter_values(self.counts.values().copied()));
        let list = |items| SingleRowListArrayBuilder::new(items).build_list_scalar();
        Ok(vec![list(values), list(counts)])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let values = states[0].as_list::<i32>();
        let counts = states[1].as_list::<i32>();
        for row in 0..values.len() {
            if values.is_null(row) {
                continue;
            }
            let times = counts.value(row);
            let times = times.as_primitive::<Int64Type>();
            self.add(&values.value(row), |item| times.value(item))?;
        }
        Ok(())
    }
}
