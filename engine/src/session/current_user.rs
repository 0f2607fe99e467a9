//! `current_user`: the name of the user whose statement it is.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{exec_err, internal_err};
use datafusion::error::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility, lit,
};

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Returns the name of the user who runs the statement; in a row filter or column \
                       mask, of the user whose rights the table is read with.";
    Documentation::builder(DOC_SECTION_OTHER, description, "current_user").build()
});

/// The function for the statements of `user`; without one it has a type and no value.
///
/// Planning puts the name in the function's place, so that executors need not know it.
pub fn current_user(user: Option<&str>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(CurrentUser {
        signature: Signature::nullary(Volatility::Stable),
        user: user.map(str::to_owned),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct CurrentUser {
    signature: Signature,
    user: Option<String>,
}

impl ScalarUDFImpl for CurrentUser {
    fn name(&self) -> &str {
        "current_user"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        internal_err!("current_user tells its field")
    }

    fn return_field_from_args(&self, _args: ReturnFieldArgs) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(self.name(), DataType::Utf8, false)))
    }

    fn simplify(&self, args: Vec<Expr>, _info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match &self.user {
            Some(user) => ExprSimplifyResult::Simplified(lit(user.as_str())),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("current_user is known in queries only")
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray;
    use datafusion::execution::SessionStateBuilder;
    use datafusion::prelude::SessionContext;

    use super::current_user;
    use crate::session::SessionFactory;

    async fn first(context: &SessionContext, sql: &str) -> Option<String> {
        let batches = context.sql(sql).await.ok()?.collect().await.ok()?;
        let column = batches.first()?.column(0);
        Some(column.as_string::<i32>().value(0).to_owned())
    }

    #[tokio::test]
    async fn it_is_the_name_of_the_sessions_user() {
        let sessions = SessionFactory::new(vec![]);
        let state = sessions.coordinator(SessionStateBuilder::new()).build();
        let context = SessionContext::new_with_state(state);
        assert_eq!(first(&context, "SELECT current_user").await, None);
        context.register_udf(current_user(Some("ann")).as_ref().clone());
        for sql in ["SELECT current_user", "SELECT CURRENT_USER AS me"] {
            assert_eq!(first(&context, sql).await.as_deref(), Some("ann"), "{sql}");
        }
    }
}
