//! Temporary.
pub mod args;
pub mod config;
pub mod output;
pub mod shell;
use clap::Parser;
#[tokio::main]
async fn main() -> std::process::ExitCode {
    match args::Cli::parse().into_command() {
        args::Command::Sql(a) => {
            shell::run(a, async || {
                Err(waterbuck_engine::Error::unsupported("embedded"))
            })
            .await
        }
        _ => std::process::ExitCode::SUCCESS,
    }
}
