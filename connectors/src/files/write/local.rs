//! What object stores do not offer and local files need: reaching the disk, and directories.
//!
//! Object stores answer a write when it is durable and have no directories. The file system
//! answers when the data is in memory, and an aborted write would leave its directories behind.

use std::io;
use std::path::Path;

use tokio::fs;

/// Waits until a file's content is on disk.
pub(super) async fn sync_file(path: &Path) -> io::Result<()> {
    fs::File::open(path).await?.sync_all().await
}

/// Waits until the names in a directory are on disk, so that a crash cannot undo a rename.
pub(super) async fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        fs::File::open(path).await?.sync_all().await
    } else {
        Ok(())
    }
}

/// Removes a directory and all in it; one that is not there is removed already.
pub(super) async fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the files below `directory` that have `text` in their names, finished or not, and the
/// directories this leaves empty.
pub(super) async fn remove_named(directory: &Path, text: &str) -> io::Result<()> {
    let mut ahead = vec![directory.to_owned()];
    let mut left = Vec::new();
    while let Some(current) = ahead.pop() {
        let mut entries = match fs::read_dir(&current).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        while let Some(entry) = entries.next_entry().await? {
            // A link is neither: what it points to belongs to somebody else.
            let kind = entry.file_type().await?;
            if kind.is_dir() {
                ahead.push(entry.path());
            } else if kind.is_file() && entry.file_name().to_string_lossy().contains(text) {
                fs::remove_file(entry.path()).await?;
                left.push(current.clone());
            }
        }
    }
    for mut current in left {
        while current != directory && fs::remove_dir(&current).await.is_ok() && current.pop() {}
    }
    Ok(())
}

/// Removes a directory that is empty.
pub(super) async fn remove_empty(directory: &Path) -> io::Result<()> {
    fs::remove_dir(directory).await
}
