//! The SQL shell: statements from the terminal, files or the command line go to an engine, their
//! results to standard output.

mod command;
mod complete;
mod connection;
mod editor;
mod exit;
mod flight;
mod flight_error;
mod highlight;
mod history;
mod interactive;
mod keywords;
mod names;
mod progress;
mod run;
mod scan;
mod script;
mod session;
mod split;
mod statement;
mod tls;
mod url;

pub(crate) use connection::{Connection, Execution, Outcome, Progress};
pub(crate) use names::{NAMES_SQL, text_column};
pub(crate) use run::run;
pub(crate) use url::ServerUrl;
