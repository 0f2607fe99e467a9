//! The line editor of the interactive shell, set up: colours, completion, history, and lines that
//! go on until a statement is complete.

use std::borrow::Cow;
use std::path::PathBuf;

use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, DefaultHinter, EditCommand, Emacs, KeyCode, KeyModifiers, MenuBuilder, Prompt,
    PromptEditMode, PromptHistorySearch, PromptHistorySearchStatus, Reedline, ReedlineEvent,
    ReedlineMenu, ValidationResult, Validator, default_emacs_keybindings,
};

use super::command::Command;
use super::complete::{Names, SqlCompleter};
use super::highlight::SqlHighlighter;
use super::history::{self, DiscreetHistory};
use super::split::is_complete;
use crate::output;

const MENU: &str = "completion";

/// An editor with its history in `history_file`, or in the default place; a history that cannot be
/// had is reported and done without.
pub(super) fn editor(names: Names, history_file: Option<PathBuf>) -> Reedline {
    let mut keys = default_emacs_keybindings();
    keys.add_binding(
        KeyModifiers::NONE,
        KeyCode::Tab,
        ReedlineEvent::UntilFound(vec![
            ReedlineEvent::Menu(MENU.to_owned()),
            ReedlineEvent::MenuNext,
        ]),
    );
    keys.add_binding(
        KeyModifiers::ALT,
        KeyCode::Enter,
        ReedlineEvent::Edit(vec![EditCommand::InsertNewline]),
    );
    let menu = Box::new(ColumnarMenu::default().with_name(MENU));
    let hinter = DefaultHinter::default().with_style(Style::new().fg(Color::DarkGray));
    let editor = Reedline::create()
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_menu(ReedlineMenu::EngineCompleter(menu))
        .with_completer(Box::new(SqlCompleter::new(names)))
        .with_partial_completions(true)
        .with_quick_completions(true)
        .with_highlighter(Box::new(SqlHighlighter))
        .with_hinter(Box::new(hinter))
        .with_validator(Box::new(StatementValidator))
        .use_bracketed_paste(true);
    let Some(path) = history_file.or_else(history::default_path) else {
        return editor;
    };
    match DiscreetHistory::open(&path) {
        Ok(history) => editor.with_history(Box::new(history)),
        Err(error) => {
            let path = path.display();
            output::notice(format_args!(
                "the history \"{path}\" cannot be used: {error}"
            ));
            editor
        }
    }
}

struct StatementValidator;

impl Validator for StatementValidator {
    fn validate(&self, line: &str) -> ValidationResult {
        if Command::plain(line).is_some() || is_complete(line) {
            ValidationResult::Complete
        } else {
            ValidationResult::Incomplete
        }
    }
}

pub(super) struct SqlPrompt;

impl Prompt for SqlPrompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "waterbuck".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "        -> ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let found = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "nothing found ",
        };
        format!(" ({found}history: {}) ", search.term).into()
    }
}
