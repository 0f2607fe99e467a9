//! Which functions a statement calls, and whether its user may call them.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::parser::Statement as DFStatement;
use datafusion::sql::sqlparser::ast::{Expr, ObjectName, TableFactor, Visit, Visitor};
use waterbuck_catalog::{Rights, Securable};
use waterbuck_engine::Result;
use waterbuck_engine::sql::Privilege;

use crate::visible::lacking;

/// The functions that the text of a statement calls; not those of the views that it reads.
pub(super) fn called_functions(statement: &DFStatement) -> BTreeSet<String> {
    let mut calls = Calls::default();
    if let DFStatement::Statement(statement) = statement {
        let _never_breaks = statement.visit(&mut calls);
    }
    calls.0
}

/// Fails unless `rights` cover every function that is called.
///
/// A function has several names; EXECUTE on one of them is EXECUTE on the function.
///
/// # Errors
/// `PermissionDenied`, naming the function.
pub(super) fn check_calls(
    base: &SessionState,
    rights: &Rights,
    called: BTreeSet<String>,
) -> Result<()> {
    for name in called {
        let may = |name: &str| {
            let function = Securable::Function(name.to_owned());
            rights.may(Privilege::Execute, &function, None)
        };
        let allowed = match names_of(base, &name) {
            Some(names) => names.iter().any(|name| may(name)),
            // Whoever plans the call says that there is no such function.
            None => !base.table_functions().contains_key(&name) || may(&name),
        };
        if !allowed {
            return Err(lacking(Privilege::Execute, &Securable::Function(name)));
        }
    }
    Ok(())
}

/// All names of the function that has this name.
fn names_of(base: &SessionState, name: &str) -> Option<Vec<String>> {
    let all = |own: &str, aliases: &[String]| {
        let mut names = aliases.to_vec();
        names.extend([own.to_owned(), name.to_owned()]);
        names
    };
    let scalar = base.scalar_functions().get(name);
    let aggregate = base.aggregate_functions().get(name);
    let window = base.window_functions().get(name);
    scalar
        .map(|function| all(function.name(), function.aliases()))
        .or_else(|| aggregate.map(|function| all(function.name(), function.aliases())))
        .or_else(|| window.map(|function| all(function.name(), function.aliases())))
}

#[derive(Default)]
struct Calls(BTreeSet<String>);

impl Calls {
    fn add(&mut self, name: &ObjectName) {
        let Some(ident) = name.0.last().and_then(|part| part.as_ident()) else {
            return;
        };
        self.0.insert(match ident.quote_style {
            None => ident.value.to_lowercase(),
            Some(_) => ident.value.clone(),
        });
    }
}

impl Visitor for Calls {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        // The standard's own syntax for some functions.
        let name = match expr {
            Expr::Function(function) => {
                self.add(&function.name);
                return ControlFlow::Continue(());
            }
            Expr::Ceil { .. } => "ceil",
            Expr::Floor { .. } => "floor",
            Expr::Extract { .. } => "date_part",
            Expr::Position { .. } => "strpos",
            Expr::Substring { .. } => "substr",
            Expr::Trim { .. } => "btrim",
            Expr::Overlay { .. } => "overlay",
            _ => return ControlFlow::Continue(()),
        };
        self.0.insert(name.to_owned());
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => self.add(name),
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use waterbuck_engine::sql::{ParseLimits, Statement, parse_one};

    use super::*;

    #[test]
    fn calls_are_found_wherever_they_stand() {
        let sql = "SELECT Upper(a), EXTRACT(YEAR FROM d) FROM generate_series(1, 3) g \
                   WHERE EXISTS (SELECT sum(x) OVER () FROM t WHERE \"Odd\"(x) > 1)";
        let parsed = parse_one(sql, &ParseLimits::default()).expect("parsed");
        let Statement::Query(query) = parsed.statement else {
            panic!("no query");
        };
        let names: Vec<String> = called_functions(&query).into_iter().collect();
        assert_eq!(
            names,
            ["Odd", "date_part", "generate_series", "sum", "upper"]
        );
    }
}
