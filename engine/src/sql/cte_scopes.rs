//! Which common table expression a name means, and how large queries become through them.
//!
//! DataFusion puts the plan of a common table expression wherever its name stands. A chain of
//! expressions that each name the one before twice therefore doubles at every step.

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query as SqlQuery};

use super::cursor::lower_unless_quoted;

/// The expressions in scope while a tree of queries is visited: call
/// [`enter`](Self::enter) before a query's children and [`leave`](Self::leave) behind them.
#[derive(Default)]
pub(super) struct CteScopes {
    scopes: Vec<Scope>,
}

/// One query's expressions.
struct Scope {
    names: Vec<String>,
    /// Tables each finished expression expands to. The queries inside a query are visited in order,
    /// those of its expressions first, so these are also the names that are in scope.
    sizes: Vec<u64>,
    recursive: bool,
    /// Tables this query has expanded to so far.
    size: u64,
}

impl Scope {
    /// The size of the expression called `name`, where it is in scope.
    fn find(&self, name: &str) -> Option<u64> {
        // A recursive expression may also name itself.
        let visible = self.sizes.len() + usize::from(self.recursive);
        let at = self
            .names
            .iter()
            .take(visible)
            .rposition(|cte| cte == name)?;
        Some(self.sizes.get(at).copied().unwrap_or(1))
    }
}

impl CteScopes {
    pub(super) fn enter(&mut self, query: &SqlQuery) {
        let (names, recursive) = match &query.with {
            Some(with) => {
                let name = |ident: &Ident| lower_unless_quoted(ident.clone());
                let names = with
                    .cte_tables
                    .iter()
                    .map(|cte| name(&cte.alias.name))
                    .collect();
                (names, with.recursive)
            }
            None => (Vec::new(), false),
        };
        self.scopes.push(Scope {
            names,
            sizes: Vec::new(),
            recursive,
            size: 0,
        });
    }

    /// Ends a query and returns how many tables it expands to.
    pub(super) fn leave(&mut self) -> u64 {
        let size = self.scopes.pop().map_or(0, |scope| scope.size);
        if let Some(parent) = self.scopes.last_mut() {
            if parent.sizes.len() < parent.names.len() {
                parent.sizes.push(size);
            } else {
                parent.size = parent.size.saturating_add(size);
            }
        }
        size
    }

    /// Takes note of a name where a table stands; true when it is a common table expression.
    pub(super) fn refer(&mut self, name: &ObjectName) -> bool {
        let found = single(name).and_then(|ident| {
            let name = lower_unless_quoted(ident.clone());
            self.scopes.iter().rev().find_map(|scope| scope.find(&name))
        });
        if let Some(current) = self.scopes.last_mut() {
            current.size = current.size.saturating_add(found.unwrap_or(1));
        }
        found.is_some()
    }
}

/// The one part of a name that has no more.
pub(super) fn single(name: &ObjectName) -> Option<&Ident> {
    match name.0.as_slice() {
        [part] => part.as_ident(),
        _ => None,
    }
}
