//! The local directories that a write makes on its way, so that one that fails can take them back.
//!
//! The store makes them with the first file; which of them are the write's own can only be told
//! before that. Stores without directories have none to take back.

use std::io;
use std::path::PathBuf;

use tokio::fs;
use waterbuck_engine::Result;

use super::layout::Layout;
use super::local;
use super::target::WriteTarget;

/// The directories that are not there before a write, innermost first.
#[derive(Debug, Clone, Default)]
pub struct NewDirectories(Vec<PathBuf>);

impl NewDirectories {
    /// What is missing of the way to the target's directory.
    pub async fn of(target: &WriteTarget) -> Result<Self> {
        let layout = Layout::of(target)?;
        let mut missing = Vec::new();
        let mut next = layout.local_path(layout.directory());
        while let Some(directory) = next {
            // What cannot be looked at is not this write's to remove.
            if fs::try_exists(&directory).await.unwrap_or(true) {
                break;
            }
            next = directory.parent().map(ToOwned::to_owned);
            missing.push(directory);
        }
        Ok(Self(missing))
    }

    /// Whether the write makes none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Removes them up to the first with something in it, which is no longer this write's alone.
    pub async fn remove_empty(&self) {
        for directory in &self.0 {
            match local::remove_empty(directory).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return,
                _ => {}
            }
        }
    }
}
