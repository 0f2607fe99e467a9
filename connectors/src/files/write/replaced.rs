//! The files an overwrite replaces: those it was planned on, and no others.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::path::Path as FsPath;
use std::sync::Arc;

use datafusion::common::ScalarValue;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::partition::{PartitionValues, partition_directory};
use super::target::WriteTarget;
use super::written::WrittenFile;
use crate::files::listing::{FileFilter, RawFile, list};
use crate::files::partition::{PartitionColumn, engine_type, values};
use crate::files::pinned::is_same;
use crate::files::{FormatOptions, Location, readable};

/// Which of the files that are there an overwrite replaces.
#[derive(Debug, Clone, PartialEq)]
pub enum OverwriteScope {
    /// Every file of the table.
    All,
    /// The partitions that occur in the new files, and the ones named here, which are emptied even
    /// when no row was written to them. A name may give the first partition columns only: it then
    /// stands for every partition below.
    Partitions(Vec<PartitionValues>),
}

/// The files of a table when its overwrite was planned, before its source was read. The default is
/// that of a directory without files.
#[derive(Debug, Clone, Default)]
pub struct TableBase {
    files: Vec<RawFile>,
}

impl TableBase {
    /// Lists the files that are there now, past every cache.
    ///
    /// # Errors
    /// `InvalidQuery` when the target is no directory, else what the store says. A directory that
    /// does not exist yet has no files.
    pub async fn list(store: &Arc<dyn ObjectStore>, target: &WriteTarget) -> Result<Self> {
        let location = location_of(target)?;
        let options = FormatOptions::parse(target.format, &target.options)?;
        let filter = FileFilter {
            format: target.format,
            extension: options.extension,
        };
        let files = match list(store, &location, &filter).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            found => found?,
        };
        Ok(Self { files })
    }

    /// The files to be replaced, as paths on the store.
    ///
    /// # Errors
    /// `Conflict` naming one that was added, changed or removed since the base was listed.
    pub(super) async fn replaced(
        &self,
        store: &Arc<dyn ObjectStore>,
        target: &WriteTarget,
        files: &[WrittenFile],
        scope: &OverwriteScope,
    ) -> Result<Vec<String>> {
        let there = Self::list(store, target).await?.files;
        let (before, now): (Vec<&RawFile>, Vec<&RawFile>) = match scope {
            OverwriteScope::All => (self.files.iter().collect(), there.iter().collect()),
            OverwriteScope::Partitions(named) => {
                let columns = partition_columns(target)?;
                let wanted = wanted_partitions(files, named, &columns)?;
                (
                    in_partitions(&self.files, &wanted, &columns)?,
                    in_partitions(&there, &wanted, &columns)?,
                )
            }
        };
        if let Some((path, what)) = first_difference(&before, &now) {
            let location = location_of(target)?;
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "file \"{}\" was {what} by somebody else while the statement that writes there \
                     was running; nothing was changed, run the statement again",
                    readable(location.store_url(), path)
                ),
            ));
        }
        Ok(now
            .into_iter()
            .map(|file| file.meta.location.to_string())
            .collect())
    }
}

fn location_of(target: &WriteTarget) -> Result<Location> {
    let location = Location::parse(&target.location, FsPath::new("/"))?;
    match location.is_directory_like() {
        true => Ok(location),
        false => Err(Error::invalid(format!(
            "\"{}\" is a pattern; only a directory can be overwritten",
            target.location
        ))),
    }
}

/// The first path at which two listings, both in the order of their paths, are not the same.
fn first_difference<'a>(
    before: &[&'a RawFile],
    now: &[&'a RawFile],
) -> Option<(&'a Path, &'static str)> {
    let path = |file: &&'a RawFile| -> &'a ObjectMeta { &file.meta };
    let (mut before, mut now) = (
        before.iter().map(path).peekable(),
        now.iter().map(path).peekable(),
    );
    loop {
        match (before.peek(), now.peek()) {
            (None, None) => return None,
            (Some(old), None) => return Some((&old.location, "removed")),
            (None, Some(new)) => return Some((&new.location, "added")),
            (Some(old), Some(new)) => match old.location.cmp(&new.location) {
                Ordering::Less => return Some((&old.location, "removed")),
                Ordering::Greater => return Some((&new.location, "added")),
                Ordering::Equal if !is_same(old, new) => {
                    return Some((&new.location, "changed"));
                }
                Ordering::Equal => {
                    before.next();
                    now.next();
                }
            },
        }
    }
}

fn partition_columns(target: &WriteTarget) -> Result<Vec<PartitionColumn>> {
    let indices = target.partition_indices()?;
    Ok(indices
        .into_iter()
        .map(|index| {
            let field = target.schema.field(index);
            let data_type = engine_type(field.data_type());
            PartitionColumn {
                name: field.name().clone(),
                data_type,
            }
        })
        .collect())
}

/// The partitions to replace as typed values, since `month=7` and `month=07` are one partition.
fn wanted_partitions(
    files: &[WrittenFile],
    named: &[PartitionValues],
    columns: &[PartitionColumn],
) -> Result<HashSet<Vec<ScalarValue>>> {
    let written = files.iter().map(|file| &file.partition_values);
    let distinct: BTreeSet<&PartitionValues> = written.chain(named).collect();
    distinct
        .into_iter()
        .map(|partition| {
            let in_order = partition
                .iter()
                .zip(columns)
                .all(|((name, _), column)| *name == column.name);
            if !in_order || partition.len() > columns.len() {
                return Err(Error::invalid(format!(
                    "partition \"{}\" does not begin with the table's partition columns",
                    partition_directory(partition)
                )));
            }
            let file = format!("{}/file", partition_directory(partition));
            values(&file, &file, &columns[..partition.len()])
        })
        .collect()
}

fn in_partitions<'a>(
    files: &'a [RawFile],
    wanted: &HashSet<Vec<ScalarValue>>,
    columns: &[PartitionColumn],
) -> Result<Vec<&'a RawFile>> {
    let mut replaced = Vec::new();
    for file in files {
        let partition = values(file.relative(), file.relative(), columns)?;
        if (0..=columns.len()).any(|depth| wanted.contains(&partition[..depth])) {
            replaced.push(file);
        }
    }
    Ok(replaced)
}
