//! A chain of joins in which USING is written as ON.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, ExceptSelectItem, Expr, Function, FunctionArg, FunctionArgExpr,
    FunctionArgumentList, FunctionArguments, Ident, JoinConstraint, JoinOperator, ObjectName,
    SelectItem, SelectItemQualifiedWildcardKind, TableFactor, TableWithJoins,
    WildcardAdditionalOptions,
};

use super::cte_scopes::single;
use super::merged_columns::refused;
use super::merged_names::{MergedColumn, MergedNames, quoted};
use crate::Error;

/// Whether a join of the chain makes merged columns that are not simply those of the left side.
pub(super) fn merges_right(from: &TableWithJoins) -> bool {
    from.joins.iter().any(|join| {
        matches!(
            &join.join_operator,
            JoinOperator::FullOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
            if matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
        )
    })
}

/// What `*` stands for in a chain without merged columns.
///
/// # Errors
/// When its tables' columns are not all columns of the chain, or a table has no name.
pub(super) fn stands_for(from: &TableWithJoins) -> Result<Vec<SelectItem>, Error> {
    let plain = from.joins.iter().all(|join| {
        matches!(
            &join.join_operator,
            JoinOperator::Join(constraint)
                | JoinOperator::Inner(constraint)
                | JoinOperator::Left(constraint)
                | JoinOperator::LeftOuter(constraint)
                | JoinOperator::Right(constraint)
                | JoinOperator::RightOuter(constraint)
                | JoinOperator::FullOuter(constraint)
                | JoinOperator::CrossJoin(constraint)
            if matches!(constraint, JoinConstraint::On(_) | JoinConstraint::None)
        )
    });
    if !plain {
        return Err(refused(
            "\"*\" stands for other joins as well: list the columns",
        ));
    }
    let joined = from.joins.iter().map(|join| &join.relation);
    let tables = [&from.relation].into_iter().chain(joined);
    tables.map(|table| Ok(Side::of(table)?.item())).collect()
}

/// The tables of a chain and the columns merged so far, those of the last join first.
pub(super) struct JoinChain {
    sides: Vec<Side>,
    pub(super) merged: Vec<MergedColumn>,
    /// Whether it is known which table's column each USING means.
    known: bool,
}

/// Which side's column a merged column is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Left,
    Right,
    Either,
}

impl JoinChain {
    /// Writes the joins of `from` with ON.
    ///
    /// # Errors
    /// When that takes the columns of the tables.
    pub(super) fn of(from: &mut TableWithJoins) -> Result<Self, Error> {
        let mut chain = Self {
            sides: vec![Side::of(&from.relation)?],
            merged: Vec::new(),
            known: true,
        };
        for join in &mut from.joins {
            let mut side = Side::of(&join.relation)?;
            let (constraint, keeps) = constraint_of(&mut join.join_operator)?;
            match constraint {
                JoinConstraint::On(condition) => {
                    MergedNames::new(&chain.merged).replace(condition)?
                }
                JoinConstraint::Using(names) => {
                    let names = names
                        .iter()
                        .map(single_name)
                        .collect::<Result<Vec<_>, _>>()?;
                    if let Some(on) = chain.merge(&names, &mut side, keeps)? {
                        *constraint = JoinConstraint::On(on);
                    }
                }
                JoinConstraint::Natural => {
                    return Err(refused("NATURAL does not say what is merged"));
                }
                JoinConstraint::None => {}
            }
            chain.sides.push(side);
        }
        Ok(chain)
    }

    /// Merges the columns `names` with those of `right`; returns the condition, or nothing when
    /// USING has to stay.
    fn merge(
        &mut self,
        names: &[String],
        right: &mut Side,
        keeps: Keeps,
    ) -> Result<Option<Expr>, Error> {
        let lefts: Vec<Option<Expr>> = names.iter().map(|name| self.left(name)).collect();
        let known = lefts.iter().all(Option::is_some);
        if !known {
            let merged = names.iter().any(|name| self.find(name).is_some());
            if merged || keeps == Keeps::Either {
                return Err(refused(
                    "the text does not say which table the left column is of",
                ));
            }
            self.known = false;
        }
        let mut on = None;
        let mut newer = Vec::with_capacity(names.len());
        for (name, left) in names.iter().zip(lefts) {
            let from_right = right.column(name);
            let value = match (&left, keeps) {
                (Some(left), Keeps::Left) => left.clone(),
                (Some(left), Keeps::Either) => coalesce(left.clone(), from_right.clone()),
                (_, Keeps::Right) => from_right.clone(),
                (None, _) => continue,
            };
            newer.push(MergedColumn {
                name: name.clone(),
                value,
            });
            if let Some(left) = left.filter(|_| known) {
                on = Some(and(on, equal(left, from_right)));
                if let [only] = self.sides.as_mut_slice() {
                    only.merged.push(name.clone());
                }
                right.merged.push(name.clone());
            }
        }
        self.merged.retain(|column| !names.contains(&column.name));
        self.merged.splice(0..0, newer);
        Ok(on)
    }

    /// The column of that name on the left of the join that comes next.
    fn left(&self, name: &str) -> Option<Expr> {
        match (self.find(name), self.sides.as_slice()) {
            (Some(column), _) => Some(column.value.clone()),
            (None, [only]) => Some(only.column(name)),
            (None, _) => None,
        }
    }

    fn find(&self, name: &str) -> Option<&MergedColumn> {
        self.merged.iter().find(|column| column.name == name)
    }

    /// What `*` stands for: merged columns once and first, then those of each table.
    ///
    /// # Errors
    /// When it is not known which columns of the tables are merged.
    pub(super) fn items(&self) -> Result<Vec<SelectItem>, Error> {
        if !self.known {
            return Err(refused(
                "\"*\" stands for columns of unknown tables: list the columns",
            ));
        }
        let merged = self.merged.iter().map(|column| SelectItem::ExprWithAlias {
            expr: column.value.clone(),
            alias: quoted(&column.name),
        });
        Ok(merged.chain(self.sides.iter().map(Side::item)).collect())
    }
}

/// One table of a chain.
struct Side {
    name: Vec<Ident>,
    /// Its columns that are part of merged ones.
    merged: Vec<String>,
}

impl Side {
    fn of(table: &TableFactor) -> Result<Self, Error> {
        let (alias, name) = match table {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => (alias, Some(name)),
            TableFactor::Table { alias, .. }
            | TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => (alias, None),
            _ => (&None, None),
        };
        let name = match (alias, name) {
            (Some(alias), _) => Some(vec![alias.name.clone()]),
            (None, Some(name)) => name.0.iter().map(|part| part.as_ident().cloned()).collect(),
            (None, None) => None,
        };
        let named = name.filter(|name| name.iter().all(|part| part.quote_style != Some('\'')));
        Ok(Self {
            name: named.ok_or_else(|| refused("a table has no name: write … AS name"))?,
            merged: Vec::new(),
        })
    }

    fn column(&self, name: &str) -> Expr {
        let parts = self.name.iter().cloned().chain([quoted(name)]);
        Expr::CompoundIdentifier(parts.collect())
    }

    /// All columns but the merged ones.
    fn item(&self) -> SelectItem {
        let mut merged = self.merged.iter().map(|name| quoted(name));
        let opt_except = merged.next().map(|first_element| ExceptSelectItem {
            first_element,
            additional_elements: merged.collect(),
        });
        let options = WildcardAdditionalOptions {
            opt_except,
            ..Default::default()
        };
        let name = ObjectName::from(self.name.clone());
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options)
    }
}

fn constraint_of(operator: &mut JoinOperator) -> Result<(&mut JoinConstraint, Keeps), Error> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::CrossJoin(constraint) => Ok((constraint, Keeps::Left)),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            Ok((constraint, Keeps::Right))
        }
        JoinOperator::FullOuter(constraint) => Ok((constraint, Keeps::Either)),
        _ => Err(refused("a join of another kind stands beside it")),
    }
}

fn single_name(name: &ObjectName) -> Result<String, Error> {
    match single(name) {
        Some(ident) => Ok(MergedNames::normal(ident)),
        None => Err(Error::invalid(format!(
            "USING takes names of columns, not \"{name}\""
        ))),
    }
}

fn equal(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Eq,
        right: Box::new(right),
    }
}

fn and(conditions: Option<Expr>, condition: Expr) -> Expr {
    match conditions {
        None => condition,
        Some(conditions) => Expr::BinaryOp {
            left: Box::new(conditions),
            op: BinaryOperator::And,
            right: Box::new(condition),
        },
    }
}

/// The first of the two that is not NULL; a column merged before takes one more argument.
fn coalesce(left: Expr, right: Expr) -> Expr {
    let argument = |expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr));
    let left = match left {
        Expr::Function(mut merged) => {
            if let FunctionArguments::List(list) = &mut merged.args {
                list.args.push(argument(right));
            }
            return Expr::Function(merged);
        }
        left => left,
    };
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("coalesce")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![argument(left), argument(right)],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
