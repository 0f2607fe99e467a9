//! The Flight SQL door: the only module that knows the client protocol.

mod actions;
mod backend;
mod client;
mod config;
mod delivery;
mod door;
mod ingest;
mod login;
mod messages;
mod metadata;
mod pattern;
mod peer;
mod poll;
mod put;
mod results;
mod sql_info;
mod statement;
mod token;
mod type_info;
mod unions;
mod upload;
mod whole_body;
mod words;

#[cfg(test)]
mod tests;

use waterbuck_results::{encode, status, wire};

pub use backend::{
    Backend, COLUMN_COMMENT, Execution, FlightSession, IssuedToken, OptionValue, Prepared,
    SchemaInfo, StatementInput, TableInfo, TokenLogin,
};
pub use config::FlightConfig;
pub use door::{incoming, service, transport};
pub use whole_body::WholeRequests;
