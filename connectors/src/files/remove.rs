//! Removing the files of a dropped table.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use waterbuck_engine::{Error, Result};

use super::local_walk::on_disk;
use super::location::Location;
use super::naming::{disk_error, store_error};

/// Removes everything below a directory that belongs to nobody else; one that is not there is fine.
///
/// # Errors
/// What the storage says of the first file it does not remove.
pub async fn remove_directory(store: &Arc<dyn ObjectStore>, location: &Location) -> Result<()> {
    if !location.is_directory_like() {
        return Err(Error::internal(format!(
            "\"{location}\" is a pattern and no directory: nothing is removed"
        )));
    }
    let prefix = location.prefix();
    if location.is_local() {
        let place = on_disk(&prefix);
        return match tokio::fs::remove_dir_all(&place).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(disk_error(
                &format!("directory \"{location}\" cannot be removed"),
                error,
            )),
            _ => Ok(()),
        };
    }
    let failed = |error| {
        store_error(
            &format!("files under \"{location}\" cannot be removed"),
            error,
        )
    };
    let paths = store
        .list(Some(&prefix))
        .map_ok(|meta| meta.location)
        .boxed();
    store
        .delete_stream(paths)
        .try_for_each(|_| async { Ok(()) })
        .await
        .map_err(failed)
}
