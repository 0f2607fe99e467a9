//! The Flight SQL door: the only module that knows the client protocol.

mod actions;
mod backend;
mod client;
mod coalesce;
mod config;
mod delivery;
mod door;
mod encode;
mod error_details;
mod ingest;
mod login;
mod messages;
mod metadata;
mod pattern;
mod poll;
mod put;
mod results;
mod sql_info;
mod statement;
mod status;
mod token;
mod type_info;
mod unions;
mod upload;
mod whole_body;
mod wire;
mod words;

#[cfg(test)]
mod tests;

pub use backend::{
    Backend, COLUMN_COMMENT, Execution, FlightSession, IssuedToken, OptionValue, Prepared,
    SchemaInfo, StatementInput, TableInfo, TokenLogin,
};
pub use config::FlightConfig;
pub use door::{incoming, service, transport};
pub use whole_body::WholeRequests;
