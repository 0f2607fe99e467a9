//! `NotFound` errors that offer the nearest existing name.

use waterbuck_engine::Error;
use waterbuck_engine::names::nearest;

use crate::model::TableName;

/// `table "ordrs" does not exist in schema "main"; did you mean "orders"?`
pub(crate) fn missing_table(
    noun: &str,
    name: &TableName,
    existing: impl IntoIterator<Item = String>,
) -> Error {
    let hint = hint(&name.name, existing);
    Error::not_found(format!(
        "{noun} \"{}\" does not exist in schema \"{}\"{hint}",
        name.name, name.schema
    ))
}

/// `schema "slaes" does not exist; did you mean "sales"?`, and likewise for secrets and users.
pub(crate) fn missing_named(
    noun: &str,
    name: &str,
    existing: impl IntoIterator<Item = String>,
) -> Error {
    let hint = hint(name, existing);
    Error::not_found(format!("{noun} \"{name}\" does not exist{hint}"))
}

/// `column "pirce" does not exist in table "main.orders"; did you mean "price"?`
pub(crate) fn missing_column(
    column: &str,
    table: &TableName,
    existing: impl IntoIterator<Item = String>,
) -> Error {
    let hint = hint(column, existing);
    Error::not_found(format!(
        "column \"{column}\" does not exist in \"{table}\"{hint}"
    ))
}

fn hint(name: &str, existing: impl IntoIterator<Item = String>) -> String {
    let existing: Vec<String> = existing.into_iter().collect();
    match nearest(name, existing.iter().map(String::as_str)) {
        Some(nearest) => format!("; did you mean \"{nearest}\"?"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_is_answered_with_the_nearest_name() {
        let names = || ["orders", "order_items", "lineitem"].map(str::to_owned);
        let error = missing_table("table", &TableName::new("main", "ordrs"), names());
        assert_eq!(
            error.message(),
            "table \"ordrs\" does not exist in schema \"main\"; did you mean \"orders\"?"
        );
        let error = missing_named("schema", "elsewhere", names());
        assert_eq!(error.message(), "schema \"elsewhere\" does not exist");
    }
}
