//! `CREATE SECRET`, `DROP SECRET`.

use super::clauses::options;
use super::create::both;
use crate::Error;
use crate::sql::cursor::Cursor;
use crate::sql::fault::Parsed;
use crate::sql::security::{CreateSecret, DropSecret, Hidden};
use crate::sql::statement::Statement;

/// Kinds of secrets by the names people use for them.
const KINDS: &[(&str, &str)] = &[
    ("s3", "s3"),
    ("s3a", "s3"),
    ("aws", "s3"),
    ("gcs", "gcs"),
    ("gs", "gcs"),
    ("azure", "azure"),
    ("az", "azure"),
    ("abfs", "azure"),
    ("abfss", "azure"),
    ("http", "http"),
    ("https", "http"),
    ("hdfs", "hdfs"),
];

pub(super) fn create_secret(cursor: &mut Cursor<'_>, or_replace: bool) -> Parsed<Statement> {
    let if_not_exists = cursor.if_not_exists();
    if if_not_exists && or_replace {
        return Err(both().into());
    }
    let name = cursor.name()?;
    let mut options = options(cursor)?;
    let Some(kind) = options.remove("type") else {
        return Err(Error::invalid(format!(
            "secret \"{name}\" has no TYPE: write one of s3, gcs, azure, http, hdfs"
        ))
        .into());
    };
    let wanted = kind.to_lowercase();
    let Some((_, kind)) = KINDS.iter().find(|(word, _)| *word == wanted) else {
        return Err(Error::invalid(format!(
            "secret \"{name}\" has the unknown TYPE \"{kind}\": write one of s3, gcs, azure, http, \
             hdfs"
        ))
        .into());
    };
    let scope = options.remove("scope");
    let options = options
        .into_iter()
        .map(|(key, value)| (key, Hidden::new(value)))
        .collect();
    let kind = (*kind).to_string();
    Ok(Statement::CreateSecret(CreateSecret {
        name,
        or_replace,
        if_not_exists,
        kind,
        scope,
        options,
    }))
}

pub(super) fn drop_secret(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let if_exists = cursor.if_exists();
    Ok(Statement::DropSecret(DropSecret {
        name: cursor.name()?,
        if_exists,
    }))
}
