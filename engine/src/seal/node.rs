//! The seal of a logical plan.

use std::fmt;
use std::sync::Arc;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result, internal_err};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

/// Passes its input's rows on. As all extensions it keeps conditions on its columns above it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Hash)]
pub(super) struct SealNode {
    /// What users know the input as.
    name: String,
    input: LogicalPlan,
    /// Stands in a plan that is shown: the input is not reached from it.
    concealed: bool,
}

/// Errors and some forms of plans show a node by this.
impl fmt::Debug for SealNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Seal").field(&self.name).finish()
    }
}

/// Seals `input`, which users know as `name`.
pub fn seal(name: impl Into<String>, input: LogicalPlan) -> LogicalPlan {
    extension(SealNode {
        name: name.into(),
        input,
        concealed: false,
    })
}

/// Whether there is a seal anywhere in a plan.
///
/// # Errors
/// Never at present: the visitor does not fail.
pub fn has_seal(plan: &LogicalPlan) -> Result<bool> {
    let mut found = false;
    plan.apply_with_subqueries(|node| {
        if is_seal(node) {
            found = true;
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}

/// Whether a node is a seal.
pub(crate) fn is_seal(plan: &LogicalPlan) -> bool {
    seal_node(plan).is_some()
}

pub(super) fn seal_node(plan: &LogicalPlan) -> Option<&SealNode> {
    match plan {
        LogicalPlan::Extension(Extension { node }) => node.as_any().downcast_ref(),
        _ => None,
    }
}

fn extension(node: SealNode) -> LogicalPlan {
    LogicalPlan::Extension(Extension {
        node: Arc::new(node),
    })
}

impl SealNode {
    pub(super) fn name_shown(&self) -> &str {
        &self.name
    }

    /// The same node for a plan that is only shown.
    pub(super) fn concealed(&self) -> LogicalPlan {
        extension(Self {
            concealed: true,
            ..self.clone()
        })
    }
}

impl UserDefinedLogicalNodeCore for SealNode {
    fn name(&self) -> &str {
        "Seal"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        if self.concealed {
            vec![]
        } else {
            vec![&self.input]
        }
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        vec![]
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal: {}", self.name)
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if self.concealed {
            return Ok(self.clone());
        }
        let Ok([input]) = <[LogicalPlan; 1]>::try_from(inputs) else {
            return internal_err!("a seal has one input");
        };
        Ok(Self {
            input,
            name: self.name.clone(),
            concealed: false,
        })
    }

    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}
