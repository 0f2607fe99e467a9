//! The catalog in one SQLite file.

mod alter;
mod bulk;
mod cache;
mod cipher;
mod columns;
mod comment;
mod commit;
mod conflict;
mod create;
mod database;
mod ddl;
mod drop;
mod fault;
mod files;
mod insert_files;
mod limits;
mod lookup;
mod managed;
mod open;
mod quote;
mod read;
mod rename;
mod rights;
mod schemas;
mod secrets;
mod settings;
mod statistics;
mod store;
mod table_stats;
mod tokens;
mod upgrade;
mod users;

#[cfg(test)]
mod tests;

pub use open::open_sqlite;
