//! Where a write's files lie on its store, aside and published.
//!
//! ```text
//! <location>/_waterbuck_staging/<write id>/day=2024-05-01/part-<write id>-<writer>-0.parquet
//! <location>/                              day=2024-05-01/part-<write id>-<writer>-0.parquet
//! ```
//! A file keeps its name when it is published; the write id and the writer's random tag make it
//! unique, so that no write ever meets a file of another.

use std::path::PathBuf;

use datafusion::execution::object_store::ObjectStoreUrl;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use url::Url;
use uuid::Uuid;
use waterbuck_engine::{Error, Result};

use super::local;
use super::target::WriteTarget;
use crate::files::local_walk::on_disk;
use crate::files::location::readable;

/// Directory that holds the writes that are not yet published; readers skip it for its `_`.
pub(super) const STAGING: &str = "_waterbuck_staging";

/// The directories of one write.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    store_url: ObjectStoreUrl,
    directory: Path,
    staging: Path,
    staged: bool,
}

impl Layout {
    pub(super) fn of(target: &WriteTarget) -> Result<Self> {
        let mut layout = Self::of_directory(&target.location)?;
        layout.staging = child(&layout.staging, &target.write_id.to_string())?;
        layout.staged = target.staging;
        Ok(layout)
    }

    /// The layout of a directory without a write in it: its staging directory is the one that
    /// holds the writes.
    pub(super) fn of_directory(location: &str) -> Result<Self> {
        let invalid = |cause: String| {
            Error::invalid(format!(
                "\"{location}\" is not the URL of a directory: {cause}"
            ))
        };
        let (scheme, rest) = location
            .split_once("://")
            .ok_or_else(|| invalid("it has no scheme such as \"file://\"".to_owned()))?;
        // Split by hand: to a URL's own rules a `?` or `#` ends the path.
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let store_url = ObjectStoreUrl::parse(format!("{scheme}://{authority}"))
            .map_err(|e| invalid(e.to_string()))?;
        let directory = Path::from_url_path(path).map_err(|e| invalid(e.to_string()))?;
        let staging = child(&directory, STAGING)?;
        Ok(Self {
            store_url,
            directory,
            staging,
            staged: true,
        })
    }

    /// The key of the store in the runtime's registry.
    pub(super) fn store_url(&self) -> &ObjectStoreUrl {
        &self.store_url
    }

    /// The directory files are published in.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory of what this write has set aside.
    pub(super) fn staging(&self) -> &Path {
        &self.staging
    }

    /// The directory the tasks write to.
    pub(super) fn root(&self) -> &Path {
        if self.staged {
            &self.staging
        } else {
            &self.directory
        }
    }

    /// A path relative to the target's directory, in `/`-separated raw segments.
    pub(super) fn relative(&self, path: &Path) -> Result<String> {
        relative_to(&self.directory, path)
    }

    /// The path of a file named relative to the target's directory.
    pub(super) fn absolute(&self, relative: &str) -> Result<Path> {
        child(&self.directory, relative)
    }

    /// Where a written file is published: its path without the staging directory.
    pub(super) fn published(&self, path: &Path) -> Result<Path> {
        match relative_to(&self.staging, path) {
            Ok(relative) => child(&self.directory, &relative),
            Err(_) => Ok(path.clone()),
        }
    }

    /// The place of a path in the file system, when the target is local.
    pub(super) fn local_path(&self, path: &Path) -> Option<PathBuf> {
        (self.url().scheme() == "file").then(|| on_disk(path))
    }

    /// A path as users know it: a file system path when local, else a URL.
    pub(super) fn display(&self, path: &Path) -> String {
        readable(self.url(), path)
    }

    /// Removes the directories that a removed file leaves empty below the target's directory, on
    /// stores that have directories.
    pub(super) async fn remove_empty_directories(&self, store: &dyn ObjectStore, file: &Path) {
        let top = self.directory.as_ref();
        let mut directory = parent(file);
        while let Some(current) = directory.filter(|d| is_below(d, top)) {
            let removed = match self.url().scheme() {
                "file" => local::remove_empty(&on_disk(&current)).await.is_ok(),
                // A directory with something in it is not deleted but refused.
                "hdfs" | "viewfs" => store.delete(&current).await.is_ok(),
                _ => return,
            };
            directory = if removed { parent(&current) } else { None };
        }
    }

    fn url(&self) -> &Url {
        self.store_url.as_ref()
    }
}

/// What the names of all files of a write begin with.
pub(super) fn file_name_prefix(write_id: Uuid) -> String {
    format!("part-{}-", write_id.simple())
}

/// Appends raw segments. `Path::join` would encode the `%` of an encoded partition value again.
pub(super) fn child(directory: &Path, relative: &str) -> Result<Path> {
    let text = match directory.as_ref() {
        "" => relative.to_owned(),
        directory => format!("{directory}/{relative}"),
    };
    Path::parse(&text).map_err(|e| {
        Error::invalid(format!("\"{relative}\" cannot be a path on this store")).with_source(e)
    })
}

fn parent(path: &Path) -> Option<Path> {
    let (directory, _) = path.as_ref().rsplit_once('/')?;
    Path::parse(directory).ok()
}

fn is_below(directory: &Path, top: &str) -> bool {
    match directory.as_ref().strip_prefix(top) {
        Some(rest) => !rest.is_empty() && (top.is_empty() || rest.starts_with('/')),
        None => false,
    }
}

fn relative_to(directory: &Path, path: &Path) -> Result<String> {
    let rest = match directory.as_ref() {
        "" => Some(path.as_ref()),
        directory => path
            .as_ref()
            .strip_prefix(directory)
            .and_then(|p| p.strip_prefix('/')),
    };
    rest.map(ToOwned::to_owned)
        .ok_or_else(|| Error::internal(format!("\"{path}\" does not lie under \"{directory}\"")))
}
