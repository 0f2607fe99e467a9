//! The cast of what is written to the type of its column, with errors that name the column.
//!
//! Type and name stand in the call as constants, so that executors need to know nothing else.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast, lit,
};

use crate::Error;
use crate::sql::describe_plan_error;

static FUNCTION: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(FitColumn {
        signature: Signature::any(3, Volatility::Immutable),
    }))
});

/// The function that [`fit_column`] calls; every session must know it.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::clone(&FUNCTION)
}

/// `value`, which has the type `from`, as what the column takes; a value that does not fit is an
/// error that names the column.
///
/// # Errors
/// When there is no such type.
pub fn fit_column(value: Expr, from: &DataType, (column, to): (&str, &DataType)) -> Result<Expr> {
    // Of these every value fits.
    if from == to || from.is_null() {
        return Ok(cast(value, to.clone()));
    }
    let arguments = vec![value, lit(ScalarValue::try_from(to)?), lit(column)];
    Ok(Expr::ScalarFunction(ScalarFunction::new_udf(
        Arc::clone(&FUNCTION),
        arguments,
    )))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FitColumn {
    signature: Signature,
}

impl ScalarUDFImpl for FitColumn {
    fn name(&self) -> &str {
        "fit_column"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("fit_column tells its field")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        let [value, target, _] = args.arg_fields else {
            return internal_err!("fit_column takes a value, a type and a name");
        };
        let data_type = target.data_type().clone();
        let field = Field::new(self.name(), data_type, value.is_nullable());
        Ok(Arc::new(field))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [
            value,
            _,
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(column))),
        ] = args.args.as_slice()
        else {
            return internal_err!("fit_column takes a value, a type and a name");
        };
        value
            .cast_to(args.return_type(), None)
            .map_err(|error| of_column(column, error))
    }
}

fn of_column(column: &str, error: DataFusionError) -> DataFusionError {
    let error = describe_plan_error("", error);
    let message = format!("column \"{column}\": {}", error.message());
    Error::new(error.kind(), message).into()
}
