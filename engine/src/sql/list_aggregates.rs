//! `listagg(x, ', ') WITHIN GROUP (ORDER BY y)` as `listagg(x, ', ' ORDER BY y)`, which is how the
//! planner knows `string_agg`.

use std::convert::Infallible;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Value,
    VisitMut, VisitorMut,
};

/// Writes such calls inside `tree`.
pub(super) fn order_list_aggregates<T: VisitMut>(tree: &mut T) {
    let ControlFlow::Continue(()) = tree.visit(&mut OrderListAggregates);
}

struct OrderListAggregates;

impl VisitorMut for OrderListAggregates {
    type Break = Infallible;

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::Function(function) = expr {
            let is_listagg = is_called(function, "listagg");
            if is_listagg || is_called(function, "string_agg") {
                write(function, is_listagg);
            }
        }
        ControlFlow::Continue(())
    }
}

fn is_called(function: &Function, name: &str) -> bool {
    let [part] = function.name.0.as_slice() else {
        return false;
    };
    part.as_ident()
        .is_some_and(|ident| ident.value.eq_ignore_ascii_case(name))
}

/// The separator may be left out of `listagg`.
fn write(function: &mut Function, is_listagg: bool) {
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    if is_listagg && list.args.len() == 1 {
        let none = Expr::value(Value::SingleQuotedString(String::new()));
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(none)));
    }
    if !function.within_group.is_empty() {
        let order = std::mem::take(&mut function.within_group);
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}

#[cfg(test)]
mod tests {
    use crate::sql::{ParseLimits, Statement, parse_one};

    #[test]
    fn the_order_stands_among_the_arguments() {
        for (written, expected) in [
            (
                "listagg(a, ',') WITHIN GROUP (ORDER BY b DESC)",
                "listagg(a, ',' ORDER BY b DESC)",
            ),
            ("listagg(a)", "listagg(a, '')"),
            (
                "string_agg(a, ',' ORDER BY b)",
                "string_agg(a, ',' ORDER BY b)",
            ),
        ] {
            let sql = format!("SELECT {written} FROM t");
            let parsed = parse_one(&sql, &ParseLimits::default()).expect(written);
            let Statement::Query(query) = parsed.statement else {
                panic!("{written} is a query");
            };
            assert_eq!(query.to_string(), format!("SELECT {expected} FROM t"));
        }
    }
}
