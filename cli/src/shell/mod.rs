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
mod progress;
mod run;
mod scan;
mod script;
mod session;
mod split;
mod statement;
mod url;

pub use connection::{Connection, Execution, Outcome, Progress};
pub use run::run;
pub use url::ServerUrl;
