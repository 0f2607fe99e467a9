//! The line below the prompt that shows how far the running query is. It is drawn only where
//! standard error is a terminal, and only once a query has taken a moment.

use std::convert::Infallible;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::connection::{Connection, Progress};
use crate::output;

const DELAY: Duration = Duration::from_millis(150);
const PERIOD: Duration = Duration::from_millis(200);

/// The display of one statement.
pub(super) struct ProgressLine {
    bar: ProgressBar,
    query_id: Mutex<Option<String>>,
    is_output_terminal: bool,
}

impl ProgressLine {
    /// A display that is not drawn yet.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        bar.set_style(spinner());
        bar.set_message("starting");
        Self {
            bar,
            query_id: Mutex::new(None),
            is_output_terminal: io::stdout().is_terminal(),
        }
    }

    /// From here on the query can be asked about.
    pub(super) fn set_query_id(&self, id: Option<String>) {
        *self.query_id.lock() = id;
    }

    pub(super) fn query_id(&self) -> Option<String> {
        self.query_id.lock().clone()
    }

    /// Shows the progress until the future is dropped.
    pub(super) async fn follow(&self, connection: &dyn Connection) -> Infallible {
        tokio::time::sleep(DELAY).await;
        if io::stderr().is_terminal() && !self.bar.is_finished() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
        loop {
            if let Some(id) = self.query_id()
                && let Some(progress) = connection.progress(&id).await
            {
                self.show(&progress);
            }
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Makes room for results that are written to the same terminal.
    pub(super) fn yield_terminal(&self) {
        if self.is_output_terminal {
            self.bar.finish_and_clear();
        }
    }

    /// Removes the line after Ctrl-C. The line fills the terminal's width, so that the `^C` which
    /// the terminal shows has taken one more.
    pub(super) fn clear_interrupted(&self) {
        let is_drawn = !self.bar.is_hidden() && !self.bar.is_finished();
        self.bar.finish_and_clear();
        if is_drawn {
            write!(io::stderr(), "\x1b[1A\x1b[2K").ok();
        }
    }

    fn show(&self, progress: &Progress) {
        if progress.tasks_total > 0 && self.bar.length().is_none() {
            self.bar.set_style(stages());
        }
        if progress.tasks_total > 0 {
            self.bar.set_length(progress.tasks_total);
            self.bar
                .set_position(progress.tasks_done.min(progress.tasks_total));
        }
        self.bar.set_message(message(progress));
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn message(progress: &Progress) -> String {
    let mut parts = vec![progress.state.to_lowercase()];
    if progress.stages_total > 0 {
        parts.push(format!(
            "stages {}/{}",
            progress.stages_done, progress.stages_total
        ));
    }
    if progress.tasks_total > 0 {
        parts.push(format!(
            "tasks {}/{}",
            progress.tasks_done, progress.tasks_total
        ));
    }
    if progress.rows_read > 0 {
        let read = output::count(progress.rows_read);
        parts.push(format!("{read} rows read"));
    }
    if progress.rows > 0 {
        parts.push(format!("{} rows", output::count(progress.rows)));
    }
    if progress.bytes > 0 {
        parts.push(output::size(progress.bytes));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

fn spinner() -> ProgressStyle {
    style("{spinner:.cyan} {elapsed:>3} {msg}")
}

fn stages() -> ProgressStyle {
    style("{spinner:.cyan} {elapsed:>3} [{bar:24.cyan}] {msg}").progress_chars("━╸ ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_only_what_is_known() {
        let mut progress = Progress {
            state: "Planning".to_owned(),
            ..Progress::default()
        };
        assert_eq!(message(&progress), "planning");
        (progress.stages_total, progress.tasks_total) = (3, 12);
        (progress.rows_read, progress.rows, progress.bytes) = (2_000_000, 1_234_567, 64 << 20);
        assert_eq!(
            message(&progress),
            "planning · stages 0/3 · tasks 0/12 · 2 000 000 rows read · 1 234 567 rows · 64.0 MiB"
        );
    }

    #[test]
    fn the_styles_are_well_formed() {
        for template in [
            "{spinner:.cyan} {elapsed:>3} {msg}",
            "[{bar:24.cyan}] {msg}",
        ] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
