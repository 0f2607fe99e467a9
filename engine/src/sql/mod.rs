//! SQL text to statements, and planning errors back to the place in the text.

mod balance;
mod called_words;
mod caret;
mod column_types;
mod cte_scopes;
mod cursor;
mod ddl;
mod error_words;
mod exact_numbers;
mod explain;
mod fault;
mod fetch_clause;
mod function_words;
mod grammar;
mod inspect;
mod inspect_conditions;
mod interval_numbers;
mod join_chain;
mod limits;
mod list_aggregates;
mod merged_columns;
mod merged_names;
mod nesting;
mod number_tokens;
mod parse;
mod pattern_texts;
mod patterns;
mod placeholders;
mod plan_error;
mod prepared;
mod references;
mod refused;
mod refused_exprs;
mod rights;
mod security;
mod show;
mod source;
mod statement;
mod storage_words;
mod syntax_error;
mod type_names;
mod type_words;
mod url_secrets;
mod write;

#[cfg(test)]
mod limit_tests;
#[cfg(test)]
mod plan_error_tests;
#[cfg(test)]
mod rights_tests;
#[cfg(test)]
mod session_tests;
#[cfg(test)]
mod statement_tests;

pub use caret::caret;
pub use column_types::column_fields;
pub use ddl::{
    AlterSchemaRename, AlterTableRename, ColumnSpec, CommentOn, CommentTarget, CreateExternalTable,
    CreateSchema, CreateTable, CreateView, Drop, DropTarget, PartitionColumn, SortColumn,
};
pub use explain::{Explain, ExplainKind};
pub use limits::ParseLimits;
pub use parse::{parse, parse_one};
pub use placeholders::number_placeholders;
pub use plan_error::describe_plan_error;
pub use prepared::{Prepared, PreparedQuery};
pub use references::TableReferences;
pub use refused::Refused;
pub use rights::{
    ADMIN_ROLE, ActiveRoles, AlterOwner, CreatePolicy, CreateRole, DropPolicy, DropRole, Grant,
    GrantObject, GrantRole, Grantee, NamedPrivilege, OwnedObject, PUBLIC_ROLE, PolicyKind,
    Privilege, RightsStatement, ViewSecurity,
};
pub use security::{
    AlterLimit, AlterUser, CertificateChange, CreateSecret, CreateToken, CreateUser, DropSecret,
    DropToken, DropUser, Hidden, TokenLife,
};
pub use show::{Describe, Show};
pub use statement::{Analyze, ParsedStatement, Statement};
pub use type_names::{fraction_digits, sql_type};
pub use type_words::with_sql_types;
pub use url_secrets::without_url_secrets;
pub use write::{CopySource, CopyTo, Insert, PartitionValue, Truncate};
