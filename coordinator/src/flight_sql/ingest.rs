//! CommandStatementIngest in words of our own, or why it is refused.

use arrow_flight::sql::{CommandStatementIngest, TableExistsOption, TableNotExistOption};
use tonic::Status;

use super::statement::no_transaction;
use super::status::{malformed, unsupported};
use crate::ingest::{IfExists, Ingest};

/// What an upload asks for.
pub(super) fn ingest_of(command: CommandStatementIngest) -> Result<Ingest, Status> {
    no_transaction(command.transaction_id.as_ref())?;
    if command.temporary {
        return Err(unsupported(
            "temporary tables are not served: name a table that stays, and drop it",
        ));
    }
    if let Some(option) = command.options.keys().min() {
        return Err(unsupported(format!(
            "the option \"{option}\" of an upload is not known: there are none"
        )));
    }
    if command.table.is_empty() {
        return Err(malformed("the upload names no table"));
    }
    let Some(options) = command.table_definition_options else {
        return Err(malformed(
            "the upload does not say what is done when its table exists, and when it does not",
        ));
    };
    let create = match options.if_not_exist() {
        TableNotExistOption::Create => true,
        TableNotExistOption::Fail => false,
        TableNotExistOption::Unspecified => {
            return Err(malformed(
                "the upload does not say what is done when its table does not exist",
            ));
        }
    };
    let if_exists = match options.if_exists() {
        TableExistsOption::Fail => IfExists::Fail,
        TableExistsOption::Append => IfExists::Append,
        TableExistsOption::Replace => IfExists::Replace,
        TableExistsOption::Unspecified => {
            return Err(malformed(
                "the upload does not say what is done when its table exists",
            ));
        }
    };
    let named = |name: Option<String>| name.filter(|name| !name.is_empty());
    Ok(Ingest {
        catalog: named(command.catalog),
        schema: named(command.schema),
        table: command.table,
        create,
        if_exists,
    })
}
