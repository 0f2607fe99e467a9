//! The loop of the interactive shell.

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::common::runtime::SpawnedTask;
use reedline::Signal;

use super::command::Command;
use super::complete::Names;
use super::connection::Connection;
use super::editor::{SqlPrompt, editor};
use super::exit::Exit;
use super::scan::{PieceKind, pieces};
use super::session::{Session, Step};
use super::split::{Input, Splitter};
use crate::output;

/// Reads and runs statements until the user leaves. Must run on a runtime of several threads: the
/// line editor blocks the one it is on.
pub(super) async fn run(mut session: Session, history_file: Option<PathBuf>) -> Exit {
    let mut names = NameSource::new(Arc::clone(&session.connection));
    let mut editor = editor(Arc::clone(&names.names), history_file);
    names.refresh();
    greet(session.connection.as_ref());
    let mut was_interrupted = false;
    loop {
        let line = match tokio::task::block_in_place(|| editor.read_line(&SqlPrompt)) {
            Ok(Signal::Success(line)) => line,
            Ok(Signal::CtrlD) => return Exit::Success,
            Ok(Signal::CtrlC) if was_interrupted => return Exit::Success,
            Ok(Signal::CtrlC) => {
                was_interrupted = true;
                output::notice("Ctrl-C once more, or Ctrl-D, leaves");
                continue;
            }
            Ok(_) => continue,
            Err(error) => {
                output::error(format_args!("the terminal cannot be read: {error}"));
                return Exit::Failed;
            }
        };
        was_interrupted = false;
        let inputs = inputs(&line);
        let changes_names = inputs.iter().any(changes_names);
        if run_all(&mut session, inputs).await == Step::Leave {
            return Exit::Success;
        }
        if changes_names {
            names.refresh();
        }
    }
}

/// The names for completion, asked for in the background while the user types.
struct NameSource {
    connection: Arc<dyn Connection>,
    names: Names,
    /// The question under way; dropping it stops it.
    task: Option<SpawnedTask<()>>,
}

impl NameSource {
    fn new(connection: Arc<dyn Connection>) -> Self {
        Self {
            connection,
            names: Names::default(),
            task: None,
        }
    }

    /// Asks again; a question still under way is given up.
    fn refresh(&mut self) {
        let (connection, names) = (Arc::clone(&self.connection), Arc::clone(&self.names));
        self.task = Some(SpawnedTask::spawn(async move {
            let mut found = connection.names().await;
            found.sort();
            found.dedup();
            *names.write() = found;
        }));
    }
}

fn greet(connection: &dyn Connection) {
    output::notice(format_args!(
        "Waterbuck {}, {}\nA statement ends with a semicolon; \\? for help, \\q to leave.",
        env!("CARGO_PKG_VERSION"),
        connection.describe()
    ));
}

/// What one reading of the editor holds.
fn inputs(line: &str) -> Vec<Input> {
    if let Some(command) = Command::plain(line) {
        let name = if command == Command::Help { "?" } else { "q" };
        return vec![Input::Command(name.to_owned())];
    }
    let mut splitter = Splitter::default();
    splitter.push(line);
    let mut inputs: Vec<_> = std::iter::from_fn(|| splitter.take_next()).collect();
    inputs.extend(splitter.finish());
    inputs
}

/// Runs the inputs up to the first that does not end well.
async fn run_all(session: &mut Session, inputs: Vec<Input>) -> Step {
    for input in inputs {
        let step = session.run(input, "").await;
        if step != Step::Done {
            return step;
        }
    }
    Step::Done
}

/// Whether other names may exist after the statement.
fn changes_names(input: &Input) -> bool {
    let Input::Statement { text, .. } = input else {
        return false;
    };
    let first = pieces(text, 0).find(|piece| piece.kind == PieceKind::Word);
    first.is_some_and(|word| {
        let word = text[word.start..word.end].to_ascii_uppercase();
        matches!(word.as_str(), "CREATE" | "DROP" | "ALTER" | "USE")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_reading_may_hold_several_inputs() {
        assert_eq!(inputs("select 1; select 2;").len(), 2);
        assert_eq!(inputs("exit"), [Input::Command("q".to_owned())]);
        assert!(inputs("  ").is_empty());
    }

    #[test]
    fn ddl_changes_names() {
        let changes = |sql| inputs(sql).iter().any(changes_names);
        assert!(changes("/* new */ create table t (a int);"));
        assert!(!changes("select 'create';"));
    }
}
