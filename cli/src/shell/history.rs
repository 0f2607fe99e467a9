//! The history of the interactive shell: a file that only its user can read, without statements
//! that hold passwords or keys.

use std::path::{Path, PathBuf};

use reedline::{
    FileBackedHistory, History, HistoryItem, HistoryItemId, HistorySessionId, ReedlineError,
    ReedlineErrorVariants, Result, SearchQuery,
};

use super::scan::{PieceKind, pieces};

const ENTRIES_MAX: usize = 10_000;

/// A history that does not keep what should stay secret.
pub(super) struct DiscreetHistory {
    file: FileBackedHistory,
}

impl DiscreetHistory {
    /// Opens the file, which is made if it does not exist.
    pub(super) fn open(path: &Path) -> Result<Self> {
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        make_private(path)?;
        Ok(Self {
            file: FileBackedHistory::with_file(ENTRIES_MAX, path.to_owned())?,
        })
    }
}

/// The default place: the user's state directory, as the XDG rules have it.
pub(super) fn default_path() -> Option<PathBuf> {
    let from = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|p| p.is_absolute())
    };
    let state = from("XDG_STATE_HOME").or_else(|| from("HOME").map(|h| h.join(".local/state")))?;
    Some(state.join("waterbuck").join("history"))
}

#[cfg(unix)]
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn make_private(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Whether a statement may hold a password or a key: it makes or alters a secret or a user, or has
/// the word password outside of quotes.
fn is_secret(text: &str) -> bool {
    let words: Vec<_> = pieces(text, 0)
        .filter(|piece| piece.kind == PieceKind::Word)
        .map(|piece| text[piece.start..piece.end].to_ascii_uppercase())
        .collect();
    let has = |word: &str| words.iter().any(|known| known == word);
    has("PASSWORD") || ((has("CREATE") || has("ALTER")) && (has("SECRET") || has("USER")))
}

impl History for DiscreetHistory {
    /// Refuses a secret; the line editor then runs the line without keeping it.
    fn save(&mut self, item: HistoryItem) -> Result<HistoryItem> {
        if is_secret(&item.command_line) {
            let reason = "statements with secrets are not kept";
            return Err(ReedlineError(ReedlineErrorVariants::OtherHistoryError(
                reason,
            )));
        }
        self.file.save(item)
    }

    fn load(&self, id: HistoryItemId) -> Result<HistoryItem> {
        self.file.load(id)
    }

    fn count(&self, query: SearchQuery) -> Result<i64> {
        self.file.count(query)
    }

    fn search(&self, query: SearchQuery) -> Result<Vec<HistoryItem>> {
        self.file.search(query)
    }

    fn update(
        &mut self,
        id: HistoryItemId,
        updater: &dyn Fn(HistoryItem) -> HistoryItem,
    ) -> Result<()> {
        self.file.update(id, updater)
    }

    fn clear(&mut self) -> Result<()> {
        self.file.clear()
    }

    fn delete(&mut self, id: HistoryItemId) -> Result<()> {
        self.file.delete(id)
    }

    fn sync(&mut self) -> std::io::Result<()> {
        self.file.sync()
    }

    fn session(&self) -> Option<HistorySessionId> {
        self.file.session()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/history");
        let mut history = DiscreetHistory::open(&path).unwrap();
        for line in [
            "CREATE SECRET s (TYPE s3, KEY_ID 'k')",
            "alter user a password 'p'",
        ] {
            assert!(history.save(HistoryItem::from_command_line(line)).is_err());
        }
        for line in ["select 'password'", "select 1"] {
            history.save(HistoryItem::from_command_line(line)).unwrap();
        }
        history.sync().unwrap();
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "select 'password'\nselect 1\n"
        );
    }

    #[cfg(unix)]
    #[test]
    fn only_its_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history");
        std::fs::write(&path, "old\n").unwrap();
        DiscreetHistory::open(&path).unwrap();
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
