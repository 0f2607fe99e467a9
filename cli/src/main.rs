//! The `waterbuck` binary: names the concrete parts and wires them together.

mod args;
mod bench;
mod config;
mod demo;
mod output;
mod processes;
mod shell;
mod tls_args;

use std::io::IsTerminal;
use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use waterbuck_engine::Result;
use waterbuck_engine::panics::silence_expected_panics;

use crate::args::{Cli, Command, ServeArgs, SqlArgs};
use crate::config::{Config, Role};

fn main() -> ExitCode {
    let command = Cli::read().into_command();
    silence_expected_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Plans nest, and so do the futures and visitors that walk them.
        .thread_stack_size(16 << 20)
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(run(command));
            runtime.shutdown_timeout(std::time::Duration::from_secs(1));
            code
        }
        Err(error) => {
            output::error(format_args!("the process cannot start: {error}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> ExitCode {
    for warning in config::warnings() {
        output::warning(warning);
    }
    match command {
        Command::Sql(args) => sql(args).await,
        Command::Server(args) => {
            finish(with_config(Role::Server, &args, processes::run_server).await)
        }
        Command::Coordinator(args) => {
            finish(with_config(Role::Coordinator, &args, processes::run_coordinator).await)
        }
        Command::Executor(args) => {
            finish(with_config(Role::Executor, &args, processes::run_executor).await)
        }
        Command::Demo(args) => finish(demo::run(args).await),
        Command::Bench(args) => finish(bench::run(args).await),
        Command::BenchPeer(args) => finish(bench::run_peer(args).await),
    }
}

async fn with_config(
    role: Role,
    args: &ServeArgs,
    process: impl AsyncFnOnce(&Config) -> Result<()>,
) -> Result<()> {
    let config = config::load(role, args)?;
    start_log(&config);
    process(&config).await
}

async fn sql(args: SqlArgs) -> ExitCode {
    let serve = ServeArgs::from(args.config.clone());
    shell::run(args, async move || {
        let config = config::load(Role::Shell, &serve)?;
        processes::open_embedded(&config).await
    })
    .await
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
}

fn finish(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}
