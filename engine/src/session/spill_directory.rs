//! Where one process spills.
//!
//! A process that is killed leaves its spill files. Each process has a directory of its own below
//! the configured one and holds a lock on it while it lives, so that the next one to start can tell
//! what nobody needs any more and remove it.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

const LOCK: &str = "lock";

/// The directory of this process; removed with all in it when dropped.
#[derive(Debug)]
pub(super) struct SpillDirectory {
    path: PathBuf,
    _lock: File,
}

impl SpillDirectory {
    /// A new directory below `parent`, where those of dead processes are removed.
    ///
    /// # Errors
    /// When nothing can be made there.
    pub(super) fn within(parent: &Path) -> io::Result<Self> {
        fs::create_dir_all(parent)?;
        remove_abandoned(parent)?;
        let path = parent.join(format!("spill-{}", Uuid::now_v7()));
        fs::create_dir(&path)?;
        let lock = File::create(path.join(LOCK))?;
        lock.lock()?;
        Ok(Self { path, _lock: lock })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SpillDirectory {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(directory = %self.path.display(), %error, "spill files were left behind");
        }
    }
}

fn remove_abandoned(parent: &Path) -> io::Result<()> {
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let ours = path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| name.starts_with("spill-"));
        // Without its lock file a directory is just being made, or was half removed.
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        if ours && lock.try_lock().is_ok() {
            tracing::info!(directory = %path.display(), "removing what a dead process spilled");
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_dead_left_is_removed_and_the_living_are_left_alone() {
        let parent = tempfile::tempdir().expect("a directory");
        let dead = parent.path().join("spill-dead");
        fs::create_dir(&dead).expect("it is made");
        fs::write(dead.join(LOCK), "").expect("it is written");
        fs::write(dead.join("run"), "rows").expect("it is written");
        let foreign = parent.path().join("foreign");
        fs::create_dir(&foreign).expect("it is made");
        let first = SpillDirectory::within(parent.path()).expect("a directory");
        let second = SpillDirectory::within(parent.path()).expect("a directory");
        assert!(!dead.exists() && foreign.exists());
        assert!(first.path().exists() && second.path().exists());
        let path = first.path().to_owned();
        drop(first);
        assert!(!path.exists() && second.path().exists());
    }
}
