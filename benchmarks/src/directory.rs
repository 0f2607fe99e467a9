//! Directories of generated data: whole, or made anew.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use waterbuck_engine::{Error, Result};

const MARKER: &str = "marker.json";

/// The absolute path of `dir`, filled by `fill` unless it already is by the same parameters.
///
/// `fill` writes into a directory beside `dir`, which takes its place only when everything is
/// there: the marker is written last and names the parameters.
///
/// # Errors
/// When `fill` fails, the directory cannot be written, or it holds something else already.
pub(crate) fn with_marker<M: Serialize + DeserializeOwned + PartialEq>(
    dir: &Path,
    marker: &M,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let dir = absolute(dir)?;
    let known = fs::read(dir.join(MARKER)).ok();
    if known
        .as_deref()
        .and_then(|json| serde_json::from_slice::<M>(json).ok())
        .as_ref()
        == Some(marker)
    {
        return Ok(dir);
    }
    if known.is_none() && fs::read_dir(&dir).is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!(
            "\"{}\" holds other files, name another directory",
            dir.display()
        );
        return Err(Error::already_exists(message));
    }
    let mut aside = dir.clone().into_os_string();
    aside.push(".partial");
    let aside = PathBuf::from(aside);
    remove(&aside)?;
    fs::create_dir_all(&aside).map_err(|error| failed("made", &aside, error))?;
    fill(&aside)?;
    let json = serde_json::to_vec(marker)
        .map_err(|error| Error::internal("the marker has no text").with_source(error))?;
    let path = aside.join(MARKER);
    fs::write(&path, json).map_err(|error| failed("written", &path, error))?;
    remove(&dir)?;
    fs::rename(&aside, &dir).map_err(|error| failed("moved into place", &aside, error))?;
    Ok(dir)
}

/// The path as other processes can use it.
pub(crate) fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| failed("found", path, error))
}

/// The error of a file operation: `"path" cannot be made`.
pub(crate) fn failed(
    what: &str,
    path: &Path,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> Error {
    Error::unavailable(format!("\"{}\" cannot be {what}", path.display())).with_source(error)
}

fn remove(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("removed", dir, error)),
    }
}
