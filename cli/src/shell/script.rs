//! Runs statements that nobody types: those of `-e`, of files and of standard input.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::ControlFlow::{self, Break, Continue};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;
use waterbuck_engine::Error;

use super::exit::Exit;
use super::session::{Session, Step};
use super::split::{Input, Splitter};
use crate::output;

/// Lines that are read ahead of the statement that runs.
const LINES_AHEAD: usize = 256;

/// A run over one or more texts, which share a session. It breaks at the first failure unless it
/// was told to go on.
pub(super) struct Script {
    session: Session,
    continue_on_error: bool,
    has_failed: bool,
}

impl Script {
    pub(super) fn new(session: Session, continue_on_error: bool) -> Self {
        Self {
            session,
            continue_on_error,
            has_failed: false,
        }
    }

    /// The end of a run that nothing broke.
    pub(super) fn end(&self) -> Exit {
        if self.has_failed {
            Exit::Failed
        } else {
            Exit::Success
        }
    }

    /// Runs the statements of one `-e`.
    pub(super) async fn text(&mut self, sql: &str) -> ControlFlow<Exit> {
        let mut splitter = Splitter::default();
        splitter.push(sql);
        self.complete(&mut splitter, "").await?;
        self.rest(&mut splitter, "").await
    }

    /// Runs the statements of a file; `-` is standard input.
    pub(super) async fn file(&mut self, path: &Path) -> ControlFlow<Exit> {
        if path == Path::new("-") {
            return self.lines(io::stdin(), "standard input").await;
        }
        match File::open(path) {
            Ok(file) => {
                self.lines(file, &format!("file \"{}\"", path.display()))
                    .await
            }
            Err(error) => {
                let message = format!("file \"{}\" cannot be opened", path.display());
                output::error(Error::not_found(message).with_source(error));
                Break(Exit::Usage)
            }
        }
    }

    /// Runs statements as their lines arrive, so that a program may write one, read its result and
    /// go on.
    async fn lines(
        &mut self,
        input: impl Read + Send + 'static,
        origin: &str,
    ) -> ControlFlow<Exit> {
        let mut lines = match read_lines(input) {
            Ok(lines) => lines,
            Err(error) => return self.unreadable(origin, error),
        };
        let mut splitter = Splitter::default();
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                _ = tokio::signal::ctrl_c() => return Break(Exit::Cancelled),
            };
            match line {
                Some(Ok(line)) => splitter.push(&line),
                Some(Err(error)) => return self.unreadable(origin, error),
                None => return self.rest(&mut splitter, origin).await,
            }
            self.complete(&mut splitter, origin).await?;
        }
    }

    fn unreadable(&self, origin: &str, error: io::Error) -> ControlFlow<Exit> {
        output::error(Error::data(format!("{origin} cannot be read")).with_source(error));
        Break(Exit::Failed)
    }

    async fn complete(&mut self, splitter: &mut Splitter, origin: &str) -> ControlFlow<Exit> {
        while let Some(input) = splitter.take_next() {
            self.run(input, origin).await?;
        }
        Continue(())
    }

    async fn rest(&mut self, splitter: &mut Splitter, origin: &str) -> ControlFlow<Exit> {
        match splitter.finish() {
            Some(input) => self.run(input, origin).await,
            None => Continue(()),
        }
    }

    async fn run(&mut self, input: Input, origin: &str) -> ControlFlow<Exit> {
        match self.session.run(input, origin).await {
            Step::Done => Continue(()),
            Step::Failed if self.continue_on_error => {
                self.has_failed = true;
                Continue(())
            }
            Step::Failed => Break(Exit::Failed),
            Step::Cancelled => Break(Exit::Cancelled),
            Step::Leave => Break(self.end()),
        }
    }
}

/// The lines of `input`, read by a thread of its own: a read of standard input cannot be taken
/// back, and a thread, other than a blocking task, does not hold up the end of the process.
fn read_lines(input: impl Read + Send + 'static) -> io::Result<mpsc::Receiver<io::Result<String>>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    let read = move || {
        let mut input = BufReader::with_capacity(64 << 10, input);
        let mut is_first = true;
        loop {
            let mut line = String::new();
            let read = match input.read_line(&mut line) {
                Ok(0) => return,
                Ok(_) if is_first => Ok(line.trim_start_matches('\u{feff}').to_owned()),
                Ok(_) => Ok(line),
                Err(error) => Err(error),
            };
            is_first = false;
            if sender.blocking_send(read).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("script".to_owned())
        .spawn(read)?;
    Ok(receiver)
}
