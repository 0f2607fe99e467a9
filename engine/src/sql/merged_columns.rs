//! `FULL JOIN … USING` and `RIGHT JOIN … USING`, with the merged columns that SQL gives them.
//!
//! The planner takes the left side's column for the merged one, which is NULL in rows of the right
//! side alone. Such a join is written with ON here, and the merged column is written out:
//!
//! ```text
//! SELECT *, k + 1 FROM l FULL JOIN r USING (k)
//! SELECT coalesce(l.k, r.k) AS k, l.* EXCEPT (k), r.* EXCEPT (k), coalesce(l.k, r.k) + 1
//! FROM l FULL JOIN r ON l.k = r.k
//! ```
//! The columns of tables are not known here. What cannot be written without them is refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Distinct, OrderBy, OrderByKind, Query as SqlQuery, Select, SelectFlavor, SelectItem, SetExpr,
    TableFactor, TableWithJoins, VisitMut, VisitorMut, WildcardAdditionalOptions,
};

use super::join_chain::{JoinChain, merges_right, stands_for};
use super::merged_names::{MergedColumn, MergedNames, quoted};
use crate::Error;

/// Writes out the merged columns of every query inside `tree`.
///
/// # Errors
/// `Unsupported`, where that takes more than the text says.
pub(super) fn merge_columns<T: VisitMut>(tree: &mut T) -> Result<(), Error> {
    match tree.visit(&mut Merge) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(error) => Err(*error),
    }
}

struct Merge;

impl VisitorMut for Merge {
    type Break = Box<Error>;

    fn post_visit_query(&mut self, query: &mut SqlQuery) -> ControlFlow<Self::Break> {
        match in_body(&mut query.body, query.order_by.as_mut()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

fn in_body(body: &mut SetExpr, order_by: Option<&mut OrderBy>) -> Result<(), Error> {
    match body {
        SetExpr::Select(select) => in_select(select, order_by),
        SetExpr::SetOperation { left, right, .. } => {
            in_body(left, None)?;
            in_body(right, None)
        }
        _ => Ok(()),
    }
}

fn in_select(select: &mut Select, order_by: Option<&mut OrderBy>) -> Result<(), Error> {
    for from in &mut select.from {
        open_parentheses(from);
        refuse_inner_chains(from)?;
    }
    if !select.from.iter().any(merges_right) {
        return Ok(());
    }
    let mut merged: Vec<MergedColumn> = Vec::new();
    let mut everything = Ok(Vec::new());
    for from in &mut select.from {
        let items = if merges_right(from) {
            let chain = JoinChain::of(from)?;
            let items = chain.items();
            for column in chain.merged {
                if merged.iter().any(|other| other.name == column.name) {
                    return Err(refused(&format!(
                        "column \"{}\" is merged by more than one of the tables in FROM",
                        column.name
                    )));
                }
                merged.push(column);
            }
            items
        } else {
            stands_for(from)
        };
        everything = everything.and_then(|mut all: Vec<SelectItem>| {
            all.extend(items?);
            Ok(all)
        });
    }
    let mut names = MergedNames::new(&merged);
    for from in &mut select.from {
        let joined = from.joins.iter_mut().map(|join| &mut join.relation);
        for table in joined.chain([&mut from.relation]) {
            names.replace_in_table(table)?;
        }
    }
    order(order_by, select, &mut names)?;
    expand(select, everything, &mut names)?;
    if let Some(Distinct::On(keys)) = &mut select.distinct {
        names.replace(keys)?;
    }
    names.replace(&mut select.selection)?;
    names.replace(&mut select.group_by)?;
    names.replace(&mut select.having)?;
    names.replace(&mut select.named_window)?;
    names.replace(&mut select.qualify)
}

/// `(a FULL JOIN b) JOIN c` is `a FULL JOIN b JOIN c`.
fn open_parentheses(from: &mut TableWithJoins) {
    while let TableFactor::NestedJoin {
        table_with_joins,
        alias: None,
    } = &mut from.relation
    {
        let mut joins = std::mem::take(&mut table_with_joins.joins);
        let relation = table_with_joins.relation.clone();
        joins.append(&mut from.joins);
        from.joins = joins;
        from.relation = relation;
    }
}

/// Refuses joins with merged columns between parentheses that cannot be opened.
fn refuse_inner_chains(from: &TableWithJoins) -> Result<(), Error> {
    let joined = from.joins.iter().map(|join| &join.relation);
    for table in joined.chain([&from.relation]) {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = table
        {
            if merges_right(table_with_joins) {
                return Err(refused("it stands between parentheses"));
            }
            refuse_inner_chains(table_with_joins)?;
        }
    }
    Ok(())
}

/// A name alone in `ORDER BY` is first that of a column of the result.
fn order(
    order_by: Option<&mut OrderBy>,
    select: &Select,
    names: &mut MergedNames<'_>,
) -> Result<(), Error> {
    let Some(OrderBy {
        kind: OrderByKind::Expressions(keys),
        ..
    }) = order_by
    else {
        return Ok(());
    };
    for key in keys {
        let of_result = names.find(&key.expr).is_some_and(|column| {
            select
                .projection
                .iter()
                .any(|item| gives(item, &column.name))
        });
        if !of_result {
            names.replace(key)?;
        }
    }
    Ok(())
}

/// Whether an item of a SELECT list gives, or may give, a column of that name.
fn gives(item: &SelectItem, name: &str) -> bool {
    match item {
        SelectItem::UnnamedExpr(expr) => MergedNames::last_name(expr).as_deref() == Some(name),
        SelectItem::ExprWithAlias { alias, .. } => MergedNames::normal(alias) == name,
        SelectItem::ExprWithAliases { aliases, .. } => aliases
            .iter()
            .any(|alias| MergedNames::normal(alias) == name),
        SelectItem::QualifiedWildcard(..) | SelectItem::Wildcard(_) => true,
    }
}

/// Writes out the SELECT list. `everything` is what `*` stands for.
fn expand(
    select: &mut Select,
    everything: Result<Vec<SelectItem>, Error>,
    names: &mut MergedNames<'_>,
) -> Result<(), Error> {
    if matches!(select.flavor, SelectFlavor::FromFirstNoSelect) {
        select.flavor = SelectFlavor::Standard;
        select.projection = everything?;
        return Ok(());
    }
    let bare = |item: &SelectItem| matches!(item, SelectItem::Wildcard(_));
    let everything = if select.projection.iter().any(bare) {
        everything?
    } else {
        Vec::new()
    };
    let mut items = Vec::with_capacity(select.projection.len() + everything.len());
    for mut item in std::mem::take(&mut select.projection) {
        match &item {
            SelectItem::Wildcard(options) if has_no_options(options) => {
                items.extend(everything.iter().cloned());
                continue;
            }
            SelectItem::Wildcard(_) => {
                return Err(refused("\"*\" has options beside it: list the columns"));
            }
            SelectItem::UnnamedExpr(expr) => {
                if let Some(column) = names.find(expr) {
                    items.push(SelectItem::ExprWithAlias {
                        expr: column.value.clone(),
                        alias: quoted(&column.name),
                    });
                    continue;
                }
            }
            _ => {}
        }
        names.replace(&mut item)?;
        items.push(item);
    }
    select.projection = items;
    Ok(())
}

fn has_no_options(options: &WildcardAdditionalOptions) -> bool {
    let plain = WildcardAdditionalOptions {
        wildcard_token: options.wildcard_token.clone(),
        ..Default::default()
    };
    *options == plain
}

/// The error of a join that cannot be written with ON.
pub(super) fn refused(why: &str) -> Error {
    Error::unsupported(format!(
        "FULL JOIN … USING or RIGHT JOIN … USING is not supported here, since {why}; write \
         JOIN … ON and coalesce(l.key, r.key)"
    ))
}

#[cfg(test)]
mod tests {
    use crate::sql::{ParseLimits, Statement, parse_one};

    fn written(sql: &str) -> Result<String, String> {
        let parsed = parse_one(sql, &ParseLimits::default()).map_err(|error| error.to_string())?;
        match parsed.statement {
            Statement::Query(query) => Ok(query.to_string()),
            other => Err(other.kind_name().to_owned()),
        }
    }

    #[test]
    fn merged_columns_are_written_out() {
        for (sql, expected) in [
            (
                "SELECT * FROM l FULL JOIN r USING (k)",
                "SELECT coalesce(l.\"k\", r.\"k\") AS \"k\", l.* EXCEPT (\"k\"), r.* EXCEPT (\"k\") \
                 FROM l FULL JOIN r ON l.\"k\" = r.\"k\"",
            ),
            (
                "SELECT K, l.k FROM s.l FULL JOIN u AS r USING (k) WHERE k > 1 ORDER BY k, k + 1",
                "SELECT coalesce(s.l.\"k\", r.\"k\") AS \"k\", l.k FROM s.l FULL JOIN u AS r \
                 ON s.l.\"k\" = r.\"k\" WHERE coalesce(s.l.\"k\", r.\"k\") > 1 \
                 ORDER BY k, coalesce(s.l.\"k\", r.\"k\") + 1",
            ),
            (
                "SELECT count(k) FROM (l RIGHT JOIN r USING (k))",
                "SELECT count(r.\"k\") FROM l RIGHT JOIN r ON l.\"k\" = r.\"k\"",
            ),
            (
                "SELECT v FROM l LEFT JOIN r USING (k)",
                "SELECT v FROM l LEFT JOIN r USING(k)",
            ),
        ] {
            assert_eq!(written(sql).as_deref(), Ok(expected), "{sql}");
        }
    }

    #[test]
    fn what_the_text_does_not_say_is_refused() {
        for sql in [
            "SELECT * FROM l NATURAL FULL JOIN r",
            "SELECT * FROM l NATURAL RIGHT JOIN r",
            "SELECT 1 FROM a JOIN b ON a.x = b.x FULL JOIN c USING (k)",
            "SELECT * FROM a JOIN b ON a.x = b.x RIGHT JOIN c USING (k)",
            "SELECT 1 FROM a JOIN (l FULL JOIN r USING (k)) ON a.k = l.k",
            "SELECT (SELECT max(v) FROM t WHERE t.x = k) FROM l FULL JOIN r USING (k)",
            "SELECT * EXCEPT (v) FROM l FULL JOIN r USING (k)",
            "SELECT 1 FROM (SELECT 1 AS k) FULL JOIN r USING (k)",
        ] {
            let refused = written(sql).expect_err(sql);
            assert!(
                refused.contains("USING is not supported"),
                "{sql}: {refused}"
            );
        }
    }
}
