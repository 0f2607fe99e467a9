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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use parking_lot::Mutex;
    use waterbuck_engine::Result;

    use super::*;
    use crate::output::Format;
    use crate::shell::connection::{Connection, Execution, Outcome, Progress};
    use crate::shell::statement::View;

    /// Takes note of statements; those that hold `wrong` fail.
    #[derive(Default)]
    struct Recorder {
        statements: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl Connection for Recorder {
        async fn execute(&self, sql: &str) -> Result<Execution> {
            self.statements.lock().push(sql.to_owned());
            if sql.contains("wrong") {
                return Err(Error::invalid("that is wrong"));
            }
            Ok(Execution {
                query_id: None,
                outcome: Outcome::Updated(Some(1)),
            })
        }

        async fn progress(&self, _query_id: &str) -> Option<Progress> {
            None
        }

        async fn cancel(&self, _query_id: &str) {}

        async fn names(&self) -> Vec<String> {
            vec![]
        }

        fn describe(&self) -> String {
            String::new()
        }
    }

    /// How a run over `text` as `-e` and, once more, as a file ends, and what it executed.
    async fn run(text: &str, continue_on_error: bool) -> (Exit, Vec<String>) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let (mut script, recorder) = script(continue_on_error);
        let by_text = end(&script.text(text).await, &script);
        let (mut script, other_recorder) = self::script(continue_on_error);
        let by_file = end(&script.file(file.path()).await, &script);
        assert_eq!(by_text, by_file);
        assert_eq!(
            *recorder.statements.lock(),
            *other_recorder.statements.lock()
        );
        (by_text, std::mem::take(&mut recorder.statements.lock()))
    }

    fn script(continue_on_error: bool) -> (Script, Arc<Recorder>) {
        let recorder = Arc::new(Recorder::default());
        let view = View {
            format: Format::Csv,
            has_times: false,
            is_interactive: false,
        };
        let connection = Arc::clone(&recorder) as Arc<dyn Connection>;
        (
            Script::new(Session { connection, view }, continue_on_error),
            recorder,
        )
    }

    fn end(flow: &ControlFlow<Exit>, script: &Script) -> Exit {
        match flow {
            Continue(()) => script.end(),
            Break(exit) => *exit,
        }
    }

    #[tokio::test]
    async fn statements_run_in_order() {
        let (exit, statements) = run("a;\n\\timing off\nb; c\n -- last\n", false).await;
        assert_eq!(exit, Exit::Success);
        assert_eq!(statements, ["a", "b", "c\n -- last"]);
    }

    #[tokio::test]
    async fn the_first_failure_stops_the_run() {
        let (exit, statements) = run("a;\nwrong;\nb;", false).await;
        assert_eq!((exit, statements.len()), (Exit::Failed, 2));
        let (exit, statements) = run("a;\n\\nonsense\nb;", false).await;
        assert_eq!((exit, statements.len()), (Exit::Failed, 1));
    }

    #[tokio::test]
    async fn a_run_told_to_go_on_still_fails_at_its_end() {
        let (exit, statements) = run("wrong;\nb;", true).await;
        assert_eq!((exit, statements.len()), (Exit::Failed, 2));
        assert_eq!(run("wrong;\n\\q\nb;", true).await.0, Exit::Failed);
    }

    #[tokio::test]
    async fn quitting_is_no_failure() {
        let (exit, statements) = run("a;\n\\q\nb;", false).await;
        assert_eq!((exit, statements.len()), (Exit::Success, 1));
    }

    #[tokio::test]
    async fn a_missing_file_is_wrong_use() {
        let (mut script, _) = script(false);
        assert_eq!(
            script.file(Path::new("/nowhere.sql")).await,
            Break(Exit::Usage)
        );
    }
}
