//! `GRANT …` and `REVOKE …`, of privileges and of roles.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::session::setting_name;
use super::users::user_name;
use crate::Error;
use crate::sql::cursor::{Cursor, is_word};
use crate::sql::fault::Parsed;
use crate::sql::rights::{
    Grant, GrantObject, GrantRole, Grantee, NamedPrivilege, PUBLIC_ROLE, Privilege, RightsStatement,
};
use crate::sql::statement::Statement;

const PRIVILEGES: &str = "a privilege: SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, USAGE, \
                          EXECUTE, SET or ALL";

pub(super) fn grant(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let listed = Listed::read(cursor)?;
    if cursor.eat(&["ON"]) {
        let (privileges, object) = on_object(cursor, &listed)?;
        cursor.expect(&["TO"])?;
        let grantees = grantees(cursor)?;
        let grant_option = cursor.eat(&["WITH", "GRANT", "OPTION"]);
        return Ok(grants(Grant {
            revoke: false,
            privileges,
            object,
            grantees,
            grant_option,
        }));
    }
    let roles = listed.roles(cursor, "TO")?;
    let grantees = grantees(cursor)?;
    let admin_option = cursor.eat(&["WITH", "ADMIN", "OPTION"]);
    Ok(memberships(GrantRole {
        revoke: false,
        roles,
        grantees,
        admin_option,
    }))
}

pub(super) fn revoke(cursor: &mut Cursor<'_>) -> Parsed<Statement> {
    let grant_option = cursor.eat(&["GRANT", "OPTION", "FOR"]);
    let admin_option = !grant_option && cursor.eat(&["ADMIN", "OPTION", "FOR"]);
    let listed = Listed::read(cursor)?;
    if !admin_option && cursor.eat(&["ON"]) {
        let (privileges, object) = on_object(cursor, &listed)?;
        cursor.expect(&["FROM"])?;
        let grantees = grantees(cursor)?;
        return Ok(grants(Grant {
            revoke: true,
            privileges,
            object,
            grantees,
            grant_option,
        }));
    }
    if grant_option {
        return cursor.expected("ON and an object");
    }
    let roles = listed.roles(cursor, "FROM")?;
    let grantees = grantees(cursor)?;
    Ok(memberships(GrantRole {
        revoke: true,
        roles,
        grantees,
        admin_option,
    }))
}

fn grants(grant: Grant) -> Statement {
    Statement::Rights(Box::new(RightsStatement::Grant(grant)))
}

fn memberships(grant: GrantRole) -> Statement {
    Statement::Rights(Box::new(RightsStatement::GrantRole(grant)))
}

/// What stands before ON, TO or FROM: only these tell privileges from roles.
struct Listed {
    items: Vec<Item>,
    /// The word ROLE stood in front.
    roles: bool,
}

struct Item {
    start: TokenWithSpan,
    name: String,
    columns: Vec<String>,
}

impl Item {
    fn read(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let start = cursor.parser.peek_token_ref().clone();
        let name = cursor.name()?;
        if is_word(&start.token, "ALL") {
            cursor.eat(&["PRIVILEGES"]);
        }
        let columns = if cursor.at_token(&Token::LParen) {
            cursor.names()?
        } else {
            Vec::new()
        };
        Ok(Self {
            start,
            name,
            columns,
        })
    }

    /// The privileges the word stands for; none when it is no such word.
    fn privileges(&self) -> Vec<Privilege> {
        if is_word(&self.start.token, "ALL") {
            return Privilege::ALL.to_vec();
        }
        let word = Privilege::parse(&self.name);
        word.filter(|privilege| is_word(&self.start.token, privilege.as_str()))
            .into_iter()
            .collect()
    }
}

impl Listed {
    fn read(cursor: &mut Cursor<'_>) -> Parsed<Self> {
        let next = &cursor.parser.peek_nth_token_ref(1).token;
        let roles = matches!(next, Token::Word(_))
            && !["ON", "TO", "FROM"].iter().any(|word| is_word(next, word))
            && cursor.eat(&["ROLE"]);
        let items = cursor.comma_separated(Item::read)?;
        Ok(Self { items, roles })
    }

    /// The roles, with the word that follows them.
    fn roles(self, cursor: &mut Cursor<'_>, word: &str) -> Parsed<Vec<String>> {
        let privileges = !self.roles && self.items.iter().any(|item| !item.privileges().is_empty());
        if privileges || self.items.iter().any(|item| !item.columns.is_empty()) {
            return cursor.expected("ON and an object");
        }
        cursor.expect(&[word])?;
        Ok(self.items.into_iter().map(|item| item.name).collect())
    }
}

/// `ON` has been read: the object, and the privileges that were listed, which must fit it.
fn on_object(
    cursor: &mut Cursor<'_>,
    listed: &Listed,
) -> Parsed<(Vec<NamedPrivilege>, GrantObject)> {
    for item in &listed.items {
        if listed.roles || item.privileges().is_empty() {
            return Ok(cursor.parser.expected_ref(PRIVILEGES, &item.start)?);
        }
    }
    let object = object(cursor)?;
    let mut columns = Vec::new();
    if cursor.at_token(&Token::LParen) {
        columns = cursor.names()?;
        if listed.items.iter().any(|item| !item.columns.is_empty()) {
            return Err(Error::invalid(
                "columns are named twice: write them after the privileges or after the table",
            )
            .into());
        }
    }
    let mut privileges = Vec::new();
    for item in &listed.items {
        let columns = if columns.is_empty() {
            &item.columns
        } else {
            &columns
        };
        let everything = is_word(&item.start.token, "ALL");
        for privilege in item.privileges() {
            let fits = object.privileges().contains(&privilege)
                && (columns.is_empty() || privilege.takes_columns());
            if fits {
                privileges.push(NamedPrivilege {
                    privilege,
                    columns: columns.clone(),
                });
            } else if !everything {
                return Err(unfit(privilege, &object).into());
            }
        }
        if !columns.is_empty() && !takes_columns(&object) {
            return Err(Error::invalid(
                "columns can be named on one table or view only: write ON TABLE and its name",
            )
            .into());
        }
    }
    Ok((privileges, object))
}

fn takes_columns(object: &GrantObject) -> bool {
    matches!(object, GrantObject::Table(_) | GrantObject::View(_))
}

fn unfit(privilege: Privilege, object: &GrantObject) -> Error {
    let noun = object.noun();
    if object.privileges().contains(&privilege) {
        return Error::invalid(format!(
            "{privilege} is not given on columns: only SELECT, INSERT and UPDATE are"
        ));
    }
    let words: Vec<&str> = object.privileges().iter().map(|p| p.as_str()).collect();
    Error::invalid(format!(
        "there is no {privilege} on a {noun}: on a {noun} there is {}",
        words.join(", ")
    ))
}

/// What a grant is on.
pub(super) fn object(cursor: &mut Cursor<'_>) -> Parsed<GrantObject> {
    // A table may have one of these words for a name.
    let bare = !matches!(
        cursor.parser.peek_nth_token_ref(1).token,
        Token::Word(_) | Token::DoubleQuotedString(_)
    ) || ["TO", "FROM"]
        .iter()
        .any(|word| is_word(&cursor.parser.peek_nth_token_ref(1).token, word));
    if bare {
        return Ok(GrantObject::Table(cursor.new_table()?));
    }
    if cursor.eat(&["CATALOG"]) {
        return Ok(GrantObject::Catalog(cursor.name()?));
    }
    if cursor.eat_any(&["SCHEMA", "DATABASE"]) {
        return Ok(GrantObject::Schema(cursor.schema()?));
    }
    if cursor.eat(&["ALL", "TABLES"]) {
        cursor.expect(&["IN"])?;
        if !cursor.eat_any(&["SCHEMA", "DATABASE"]) {
            return cursor.expected("SCHEMA");
        }
        return Ok(GrantObject::AllTables(cursor.schema()?));
    }
    if cursor.eat(&["VIEW"]) {
        return Ok(GrantObject::View(cursor.new_table()?));
    }
    if cursor.eat(&["FUNCTION"]) {
        return Ok(GrantObject::Function(cursor.name()?));
    }
    if cursor.eat(&["SETTING"]) {
        return Ok(GrantObject::Setting(setting_name(cursor)?));
    }
    cursor.eat(&["TABLE"]);
    Ok(GrantObject::Table(cursor.new_table()?))
}

/// `USER u | ROLE r | PUBLIC [, …]`.
pub(super) fn grantees(cursor: &mut Cursor<'_>) -> Parsed<Vec<Grantee>> {
    let mut grantees = cursor.comma_separated(grantee)?;
    grantees.sort();
    grantees.dedup();
    Ok(grantees)
}

/// `USER u | ROLE r | PUBLIC`.
pub(super) fn grantee(cursor: &mut Cursor<'_>) -> Parsed<Grantee> {
    if cursor.eat(&["USER"]) {
        return Ok(Grantee::User(user_name(cursor)?));
    }
    if cursor.eat(&["ROLE"]) {
        return Ok(Grantee::Role(cursor.name()?));
    }
    if cursor.eat(&["PUBLIC"]) {
        return Ok(Grantee::Role(PUBLIC_ROLE.to_string()));
    }
    cursor.expected("USER and a name, ROLE and a name, or PUBLIC")
}
