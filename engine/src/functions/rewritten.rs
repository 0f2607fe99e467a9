//! Scalar functions that planning writes as other expressions, so that nothing runs them and the
//! optimiser sees through them.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::scalar_doc_sections::DOC_SECTION_OTHER;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

/// One such function.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) description: &'static str,
    pub(super) syntax: &'static str,
    /// Whether the value depends on nothing but the arguments.
    pub(super) immutable: bool,
    /// The types to which arguments of these types are cast.
    pub(super) coerce: fn(&[DataType]) -> Result<Vec<DataType>>,
    /// The type of the value for arguments that have been cast.
    pub(super) returns: fn(&[DataType]) -> Result<DataType>,
    /// The expression with the same value, of just that type.
    pub(super) write: fn(Vec<Expr>, &SimplifyContext) -> Result<Expr>,
}

/// The function of a rule.
pub(super) fn rewritten(rule: &'static Rule) -> Arc<ScalarUDF> {
    let volatility = if rule.immutable {
        Volatility::Immutable
    } else {
        Volatility::Stable
    };
    Arc::new(ScalarUDF::from(Rewritten {
        rule,
        aliases: rule.aliases.iter().map(|&alias| alias.to_owned()).collect(),
        signature: Signature::user_defined(volatility),
        documentation: Documentation::builder(DOC_SECTION_OTHER, rule.description, rule.syntax)
            .build(),
    }))
}

#[derive(Debug)]
struct Rewritten {
    rule: &'static Rule,
    aliases: Vec<String>,
    signature: Signature,
    documentation: Documentation,
}

/// The name says which rule it is.
impl PartialEq for Rewritten {
    fn eq(&self, other: &Self) -> bool {
        self.rule.name == other.rule.name
    }
}

impl Eq for Rewritten {}

impl Hash for Rewritten {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.rule.name.hash(state);
    }
}

impl ScalarUDFImpl for Rewritten {
    fn name(&self) -> &str {
        self.rule.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        (self.rule.coerce)(types)
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        (self.rule.returns)(types)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        (self.rule.write)(args, info).map(ExprSimplifyResult::Simplified)
    }

    /// What is written may leave out arguments.
    fn short_circuits(&self) -> bool {
        true
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} is known in queries only", self.rule.name)
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&self.documentation)
    }
}
