//! What a `COPY` does about the files that are in its directory already: it refuses to mix with
//! them unless it is told to replace them or to add to them.

use std::collections::BTreeMap;

use waterbuck_connectors::files::write::{OverwriteScope, TableBase, WriteTarget};
use waterbuck_connectors::files::{find_files, readable};
use waterbuck_engine::{Error, ErrorKind, Result};

use super::StatementContext;
use super::overwrite::current_files;
use crate::tables;

const OVERWRITE: &str = "overwrite";
const APPEND: &str = "append";

/// What is to be done about files that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfFilled {
    Refuse,
    Overwrite,
    Append,
}

impl IfFilled {
    /// Takes what the options say of it out of them; the others are the format's.
    pub(super) fn take(options: &mut BTreeMap<String, String>) -> Result<Self> {
        match (is_set(options, OVERWRITE)?, is_set(options, APPEND)?) {
            (true, true) => Err(Error::invalid(
                "the options \"overwrite\" and \"append\" exclude each other",
            )),
            (true, false) => Ok(Self::Overwrite),
            (false, true) => Ok(Self::Append),
            (false, false) => Ok(Self::Refuse),
        }
    }

    /// What the files of `target` will take the place of; nothing if they are added. Called before
    /// the rows are planned, so that no file is replaced that came after they were read.
    ///
    /// # Errors
    /// `AlreadyExists` naming the directory, when it has files and they are not to be touched.
    pub(super) async fn replaced(
        self,
        context: &StatementContext,
        target: &WriteTarget,
    ) -> Result<Option<(OverwriteScope, TableBase)>> {
        if target.single_file.is_some() {
            // A file is replaced by one of its name, as everywhere.
            return match self {
                Self::Append => Err(Error::invalid(
                    "rows are not appended to a single file: name a directory, with a \"/\" at \
                     its end",
                )),
                Self::Refuse | Self::Overwrite => Ok(None),
            };
        }
        let base = match self {
            Self::Append => return Ok(None),
            Self::Overwrite => current_files(context, target).await?,
            Self::Refuse => {
                refuse_filled(context, target).await?;
                TableBase::default()
            }
        };
        Ok(Some((OverwriteScope::All, base)))
    }
}

fn is_set(options: &mut BTreeMap<String, String>, name: &str) -> Result<bool> {
    let Some(value) = options.remove(name) else {
        return Ok(false);
    };
    match value.trim().to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::invalid(format!(
            "the option \"{name}\" is true or false, not \"{value}\""
        ))),
    }
}

async fn refuse_filled(context: &StatementContext, target: &WriteTarget) -> Result<()> {
    let core = context.core();
    let location = tables::parse_location(&target.location)?;
    let store = tables::store_of(core, &location).await?;
    let _whole = core.gate.listing(&location).await;
    let files = match find_files(&store, &location).await {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let Some(file) = files.first() else {
        return Ok(());
    };
    Err(Error::already_exists(format!(
        "directory \"{}\" has files already, such as \"{}\": say OPTIONS (overwrite true) to \
         replace the {} files in it, or OPTIONS (append true) to add to them",
        readable(location.store_url(), &location.prefix()),
        readable(location.store_url(), &file.meta.location),
        target.format
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(given: &[(&str, &str)]) -> (Result<IfFilled>, usize) {
        let mut options = BTreeMap::new();
        for (name, value) in given {
            options.insert((*name).to_owned(), (*value).to_owned());
        }
        (IfFilled::take(&mut options), options.len())
    }

    #[test]
    fn the_format_gets_the_options_that_are_its_own() {
        let (mode, left) = taken(&[("overwrite", "TRUE"), ("compression", "zstd")]);
        assert_eq!((mode.unwrap(), left), (IfFilled::Overwrite, 1));
        let (mode, left) = taken(&[("append", "true"), ("overwrite", "false")]);
        assert_eq!((mode.unwrap(), left), (IfFilled::Append, 0));
        let (mode, left) = taken(&[("compression", "zstd")]);
        assert_eq!((mode.unwrap(), left), (IfFilled::Refuse, 1));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for given in [
            [("overwrite", "true"), ("append", "true")],
            [("overwrite", "yes"), ("append", "false")],
        ] {
            assert!(taken(&given).0.is_err(), "{given:?}");
        }
    }
}
