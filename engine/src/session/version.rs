//! `version()`: which Waterbuck answers, and on which base. It takes the place of DataFusion's
//! function of that name, which would only tell the base.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::DATAFUSION_VERSION;
use datafusion::common::utils::take_function_args;
use datafusion::error::Result;
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use datafusion::scalar::ScalarValue;

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    let description = "Returns the version of Waterbuck and of the DataFusion below it.";
    Documentation::builder(DOC_SECTION_OTHER, description, "version()").build()
});

/// The function for a session's list.
pub(super) fn function() -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::from(Version {
        signature: Signature::nullary(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    signature: Signature,
}

impl ScalarUDFImpl for Version {
    fn name(&self) -> &str {
        "version"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [] = take_function_args(self.name(), types)?;
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [] = take_function_args(self.name(), args.args)?;
        let own = env!("CARGO_PKG_VERSION");
        let text = format!("Waterbuck {own} (DataFusion {DATAFUSION_VERSION})");
        Ok(ColumnarValue::Scalar(ScalarValue::from(text)))
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

    use crate::session::SessionFactory;

    #[tokio::test]
    async fn a_session_tells_its_own_version_before_that_of_its_base() {
        let sessions = SessionFactory::new(vec![]);
        let state = sessions.coordinator(SessionStateBuilder::new()).build();
        let context = SessionContext::new_with_state(state);
        let query = context.sql("SELECT version()").await.expect("planned");
        let batches = query.collect().await.expect("run");
        let text = batches[0].column(0).as_string::<i32>().value(0).to_owned();
        let own = concat!("Waterbuck ", env!("CARGO_PKG_VERSION"), " (DataFusion 55.");
        assert!(text.starts_with(own), "{text}");
    }
}
