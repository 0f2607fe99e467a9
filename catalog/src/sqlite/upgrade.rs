//! Catalogs of earlier versions, brought up to this one: one version after the other.

use sqlx::sqlite::SqliteConnection;

use super::ddl::{LOGIN_TABLES, MEMBER_TABLES, RIGHTS_TABLES, WB_VERSION};
use super::fault::Outcome;
use super::open::WB_VERSION_KEY;

/// What makes of each version the next one, the oldest first.
const STEPS: [(&str, &[&str]); 3] = [
    ("1", &[LOGIN_TABLES]),
    ("2", &[RIGHTS_TABLES, ROLES]),
    ("3", &[MEMBER_TABLES]),
];

/// There were no roles: every user had every right but those of an administrator, which was said
/// beside the user's name. Both stay as they were, as roles and grants that can be taken away.
const ROLES: &str = r#"
INSERT INTO wb_role_member SELECT 'admin', 'user', name, 0, '' FROM wb_user WHERE admin;
ALTER TABLE wb_user DROP COLUMN admin;
INSERT INTO wb_grant SELECT 'role', 'public', column1, 'catalog', -1, '', '', 0, ''
  FROM (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE'), ('CREATE'), ('ALTER'), ('DROP'),
    ('USAGE'), ('EXECUTE'), ('SET'));
"#;

/// Brings a catalog of `version` up to this one, inside the caller's transaction; false when nothing
/// leads from there to here.
pub(super) async fn upgrade(connection: &mut SqliteConnection, version: &str) -> Outcome<bool> {
    let Some(first) = STEPS.iter().position(|(from, _)| *from == version) else {
        return Ok(false);
    };
    for (_, scripts) in STEPS.into_iter().skip(first) {
        for &script in scripts {
            sqlx::raw_sql(script).execute(&mut *connection).await?;
        }
    }
    sqlx::query("UPDATE wb_setting SET value = ? WHERE key = ?")
        .bind(WB_VERSION)
        .bind(WB_VERSION_KEY)
        .execute(connection)
        .await?;
    Ok(true)
}
