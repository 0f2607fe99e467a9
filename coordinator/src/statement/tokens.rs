//! `CREATE TOKEN`, `DROP TOKEN`, `SHOW TOKENS`.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use waterbuck_engine::sql::{CreateToken, DropToken, TokenLife};
use waterbuck_engine::{Error, Result};

use super::StatementContext;
use super::rows::text_outcome;
use crate::login::new_api_token;
use crate::session::Outcome;

/// The columns of what `CREATE TOKEN` gives: the only time that a token is seen.
pub(super) const CREATED: &[&str] = &["name", "user", "token", "expires_at"];
/// The columns of `SHOW TOKENS`.
pub(super) const LISTED: &[&str] = &["name", "user", "created_at", "expires_at"];

/// How long a token lasts of which nothing else was said.
const LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// `CREATE TOKEN name …`: for oneself, or by an administrator for others.
pub(super) async fn create(context: &StatementContext, create: &CreateToken) -> Result<Outcome> {
    let user = owner(context, create.user.as_deref(), "make tokens for others")?;
    let now = Utc::now().timestamp();
    let expires_at = match create.life {
        TokenLife::Endless => None,
        TokenLife::Default => Some(end(now, LIFE)?),
        TokenLife::For(life) => Some(end(now, life)?),
    };
    let new = new_api_token(&create.name, &user, now, expires_at);
    context.core().catalog.create_token(new.kept).await?;
    let row = vec![
        Some(create.name.clone()),
        Some(user),
        Some(new.text),
        expires_at.and_then(time_text),
    ];
    text_outcome(context, CREATED, &[row])
}

/// `DROP TOKEN name`: one's own, or by an administrator those of others.
pub(super) async fn remove(context: &StatementContext, drop: &DropToken) -> Result<Outcome> {
    let user = owner(context, drop.user.as_deref(), "drop tokens of others")?;
    let core = context.core();
    let dropped = core.catalog.drop_token(&user, &drop.name, drop.if_exists);
    if let Some(token) = dropped.await? {
        core.authority.dropped(&token);
    }
    Ok(context.done())
}

/// The rows of `SHOW TOKENS`: one's own, and all of them to administrators.
pub(super) async fn rows(context: &StatementContext) -> Result<Vec<Vec<Option<String>>>> {
    let (user, admin) = (context.session.user(), context.session.is_admin());
    let tokens = context.core().catalog.tokens().await?;
    Ok(tokens
        .into_iter()
        .filter(|token| admin || token.user == user.name)
        .map(|token| {
            vec![
                Some(token.name),
                Some(token.user),
                time_text(token.created_at),
                token.expires_at.and_then(time_text),
            ]
        })
        .collect())
}

fn owner(context: &StatementContext, named: Option<&str>, what: &str) -> Result<String> {
    let own = &context.session.user().name;
    match named {
        Some(other) if other != own => {
            context.admin_only(what)?;
            Ok(other.to_owned())
        }
        _ => Ok(own.clone()),
    }
}

fn end(now: i64, life: Duration) -> Result<i64> {
    let end = i64::try_from(life.as_secs())
        .ok()
        .and_then(|life| now.checked_add(life));
    end.filter(|end| DateTime::<Utc>::from_timestamp(*end, 0).is_some())
        .ok_or_else(|| Error::invalid("a token cannot last so long: write EXPIRES 'never'"))
}

fn time_text(seconds: i64) -> Option<String> {
    DateTime::<Utc>::from_timestamp(seconds, 0)
        .map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}
