//! Plans as they are shown: nothing of what is below a seal.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;

use super::exec::SealExec;
use super::node::seal_node;

/// A logical plan that ends at its seals. It can be shown and not run.
///
/// # Errors
/// When a subquery cannot be put together again.
pub fn conceal_plan(plan: &LogicalPlan) -> Result<LogicalPlan> {
    let concealed = plan.clone().transform_down_with_subqueries(|node| {
        let Some(seal) = seal_node(&node) else {
            return Ok(Transformed::no(node));
        };
        Ok(Transformed::yes(seal.concealed()))
    })?;
    Ok(concealed.data)
}

/// The text of a physical plan, a line for each operator, without the operators below seals.
///
/// A constant in a filter may hold line breaks, so a line counts as the next operator only when it
/// looks like one; what does not is left out.
pub fn conceal_text(text: &str) -> String {
    if !text.contains(SealExec::NAME) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    let mut sealed_at: Option<usize> = None;
    for line in text.lines() {
        let (column, operator) = operator_in(line);
        if sealed_at.is_some_and(|seal| !is_next(line, seal, (column, operator))) {
            continue;
        }
        sealed_at = operator.starts_with(SealExec::NAME).then_some(column);
        shown.push_str(line);
        shown.push('\n');
    }
    shown
}

/// Where the operator of a line begins, counted in characters, and the line from there on.
fn operator_in(line: &str) -> (usize, &str) {
    let operator = line.trim_start_matches(|c: char| !c.is_alphanumeric());
    let before = line.len() - operator.len();
    (line[..before].chars().count(), operator)
}

/// Whether a line is the first after the input of the seal in column `seal`: an operator that is no
/// deeper, or the frame of a stage.
fn is_next(line: &str, seal: usize, (column, operator): (usize, &str)) -> bool {
    if line.trim_start().starts_with(['┌', '└']) {
        return true;
    }
    let word = operator.split([':', ' ', ',', '(']).next();
    let known = word.is_some_and(|word| word.ends_with("Exec") || word == "Stage");
    column <= seal && known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_a_seal_is_not_shown() {
        let text = "HashJoinExec: mode=CollectLeft\n  SealExec: s.t\n    FilterExec: note = a\nb\n      \
                    DataSourceExec: file_groups={…}\n  DataSourceExec: other\n";
        let shown = "HashJoinExec: mode=CollectLeft\n  SealExec: s.t\n  DataSourceExec: other\n";
        assert_eq!(conceal_text(text), shown);
    }

    #[test]
    fn the_next_stage_is_shown_again() {
        let text = "┌───── DistributedExec\n│ SortPreservingMergeExec: [a]\n│   [Stage 1] => \
                    NetworkCoalesceExec: tasks=2\n└──────\n  ┌───── Stage 1 ── tasks=2\n  │ SealExec: \
                    s.t\n  │   FilterExec: region = EU\n  │     DistributedLeafExec:\n  │       t0: \
                    DataSourceExec\n  └──────\n";
        let shown = conceal_text(text);
        assert!(
            !shown.contains("EU") && !shown.contains("DataSource"),
            "{shown}"
        );
        let frames = shown.lines().filter(|line| line.contains('─')).count();
        assert_eq!(frames, 4, "{shown}");
    }

    #[test]
    fn a_plan_without_seals_stays_as_it_is() {
        let text = "FilterExec: a = 1\n  DataSourceExec";
        assert_eq!(conceal_text(text), text);
    }
}
