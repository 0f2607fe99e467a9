//! `waterbuck sql`: opens the connection, then runs what was asked or lets the user type.

use std::io::{self, IsTerminal};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use waterbuck_engine::{ErrorKind, Result};

use super::connection::Connection;
use super::exit::Exit;
use super::flight::FlightConnection;
use super::interactive;
use super::script::Script;
use super::session::Session;
use super::statement::View;
use super::tls::ShellTls;
use crate::args::SqlArgs;
use crate::output;

/// Runs the shell to its end. `embedded` opens an engine in this process; it is called only if no
/// server is named. Exit codes: 0 all well, 1 a statement failed, 2 wrong use, 3 no connection,
/// 130 stopped by Ctrl-C.
pub(crate) async fn run<F>(args: SqlArgs, embedded: F) -> ExitCode
where
    F: AsyncFnOnce() -> Result<Arc<dyn Connection>>,
{
    if let Some(missing) = args
        .file
        .iter()
        .find(|path| *path != Path::new("-") && !path.exists())
    {
        output::error(format_args!(
            "file \"{}\" does not exist",
            missing.display()
        ));
        return Exit::Usage.into();
    }
    let opened = tokio::select! {
        opened = connect(&args, embedded) => opened,
        _ = tokio::signal::ctrl_c() => return Exit::Cancelled.into(),
    };
    let connection = match opened {
        Ok(connection) => connection,
        Err(exit) => return exit.into(),
    };
    let is_interactive =
        args.execute.is_empty() && args.file.is_empty() && io::stdin().is_terminal();
    let view = View {
        format: args.format.unwrap_or_default(),
        has_times: true,
        is_interactive,
    };
    let session = Session { connection, view };
    if is_interactive {
        return interactive::run(session, args.history).await.into();
    }
    let mut script = Script::new(session, args.continue_on_error);
    match run_script(&mut script, &args).await {
        Continue(()) => script.end().into(),
        Break(exit) => exit.into(),
    }
}

async fn connect<F>(args: &SqlArgs, embedded: F) -> Result<Arc<dyn Connection>, Exit>
where
    F: AsyncFnOnce() -> Result<Arc<dyn Connection>>,
{
    let opened = match &args.url {
        Some(url) => match FlightConnection::open(url, &tls_files(args)).await {
            Ok(connection) => Ok(Arc::new(connection) as Arc<dyn Connection>),
            Err(error) => Err(error),
        },
        None => embedded().await,
    };
    opened.map_err(|error| {
        let is_usage = args.url.is_none() && error.kind() == ErrorKind::InvalidQuery;
        output::error(error);
        if is_usage {
            Exit::Usage
        } else {
            Exit::NoConnection
        }
    })
}

fn tls_files(args: &SqlArgs) -> ShellTls<'_> {
    ShellTls {
        ca: args.tls_ca.as_deref(),
        identity: args.tls_cert.as_deref().zip(args.tls_key.as_deref()),
    }
}

async fn run_script(script: &mut Script, args: &SqlArgs) -> ControlFlow<Exit> {
    for sql in &args.execute {
        script.text(sql).await?;
    }
    for path in &args.file {
        script.file(path).await?;
    }
    if args.execute.is_empty() && args.file.is_empty() {
        script.file(Path::new("-")).await?;
    }
    Continue(())
}
