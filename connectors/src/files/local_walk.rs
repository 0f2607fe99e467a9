//! Lists directories of the local disk in parallel.
//!
//! The object store's own walk goes through URLs and one thread; a table of a hundred thousand
//! small files is planned several times faster this way.

use std::fs::{self, DirEntry, Metadata};
use std::path::{Path as FsPath, PathBuf};

use object_store::ObjectMeta;
use object_store::path::Path;
use tokio::task::JoinSet;
use waterbuck_engine::{Error, Result};

use super::naming::disk_error;

/// Directories below the location are shared out to this many threads.
const THREADS: usize = 8;

/// Symbolic links may form a circle; no real data set is nested this deep.
const MAX_DEPTH: usize = 64;

/// What lies at a path of the local disk.
pub(super) enum Found {
    File(ObjectMeta),
    Directory,
    Nothing,
}

/// The path on the disk of a path on the store.
pub(super) fn on_disk(path: &Path) -> PathBuf {
    FsPath::new("/").join(path.as_ref())
}

/// Looks at one path.
///
/// # Errors
/// When the disk refuses to tell.
pub(super) async fn look(path: &Path) -> Result<Found> {
    let path = path.clone();
    blocking(move || {
        let disk = on_disk(&path);
        match fs::metadata(&disk) {
            Ok(meta) if meta.is_dir() => Ok(Found::Directory),
            Ok(meta) => Ok(Found::File(object_meta(path, &meta)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Found::Nothing),
            Err(error) => Err(disk_error(
                &format!("location \"{}\"", disk.display()),
                error,
            )),
        }
    })
    .await
}

/// Every visible file below a directory, in no order.
///
/// # Errors
/// Naming the directory that cannot be listed.
pub(super) async fn walk(base: &Path) -> Result<Vec<ObjectMeta>> {
    let root = base.clone();
    let (mut files, directories) = blocking(move || list(&root)).await?;
    let mut shares: Vec<Vec<Path>> = vec![Vec::new(); THREADS.min(directories.len())];
    let count = shares.len();
    for (i, directory) in directories.into_iter().enumerate() {
        shares[i % count].push(directory);
    }
    let mut tasks = JoinSet::new();
    for share in shares {
        tasks.spawn_blocking(move || {
            let mut files = Vec::new();
            for directory in share {
                descend(&directory, 1, &mut files)?;
            }
            Ok::<_, Error>(files)
        });
    }
    while let Some(done) = tasks.join_next().await {
        files.extend(done.map_err(lost)??);
    }
    Ok(files)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(work);
    match tasks.join_next().await {
        Some(done) => done.map_err(lost)?,
        None => Err(Error::internal("a listing thread was lost")),
    }
}

fn lost(error: tokio::task::JoinError) -> Error {
    Error::internal("a listing thread failed").with_source(error)
}

fn descend(directory: &Path, depth: usize, files: &mut Vec<ObjectMeta>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(Error::data(format!(
            "directory \"/{directory}\" is nested more than {MAX_DEPTH} deep; does a link point to \
             its own parent?"
        )));
    }
    let (found, directories) = list(directory)?;
    files.extend(found);
    directories
        .iter()
        .try_for_each(|directory| descend(directory, depth + 1, files))
}

/// The visible files and directories directly inside a directory.
fn list(directory: &Path) -> Result<(Vec<ObjectMeta>, Vec<Path>)> {
    let disk = on_disk(directory);
    let failed = |error| disk_error(&format!("directory \"{}\"", disk.display()), error);
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(&disk).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(Error::data(format!(
                "file \"{}\" has a name that is not valid UTF-8",
                entry.path().display()
            )));
        };
        if is_hidden(name) || is_unfinished(name) {
            continue;
        }
        let Some(meta) = metadata(&entry).map_err(failed)? else {
            continue;
        };
        let path = child(directory, name)?;
        if meta.is_dir() {
            directories.push(path);
        } else if meta.is_file() && meta.len() > 0 {
            files.push(object_meta(path, &meta)?);
        }
    }
    Ok((files, directories))
}

/// Metadata with links followed; nothing for a file that is gone or a link to nowhere.
fn metadata(entry: &DirEntry) -> std::io::Result<Option<Metadata>> {
    let meta = entry.metadata().and_then(|meta| match meta.is_symlink() {
        true => fs::metadata(entry.path()),
        false => Ok(meta),
    });
    match meta {
        Ok(meta) => Ok(Some(meta)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn child(directory: &Path, name: &str) -> Result<Path> {
    let text = match directory.as_ref() {
        "" => name.to_string(),
        parent => format!("{parent}/{name}"),
    };
    Path::parse(&text).map_err(|error| {
        Error::data(format!("file \"/{text}\" has an unusable name")).with_source(error)
    })
}

/// The identity of a local file is its size and modification time, which the pins compare.
fn object_meta(location: Path, meta: &Metadata) -> Result<ObjectMeta> {
    let modified = meta
        .modified()
        .map_err(|error| disk_error(&format!("file \"/{location}\""), error))?;
    Ok(ObjectMeta {
        location,
        last_modified: modified.into(),
        size: meta.len(),
        e_tag: None,
        version: None,
    })
}

/// Files and directories that no table sees: marks, logs and work in progress.
pub(super) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || (name.starts_with('_') && !name.contains('='))
}

/// The local store writes aside to `name#<number>`.
fn is_unfinished(name: &str) -> bool {
    name.rsplit_once('#')
        .is_some_and(|(_, n)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
