//! A value made of files, made again when they change.
//!
//! The files are looked at when the value is asked for, at most once a second. The new value takes
//! the place of the old one as a whole: files that do not fit together, as a new certificate beside
//! the key of the old one, leave the old value in use until they do.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;
use tracing::{info, warn};
use waterbuck_engine::Result;

const INTERVAL: Duration = Duration::from_secs(1);

/// A value made of `files`.
pub(crate) struct Reloading<T> {
    files: Vec<PathBuf>,
    make: Box<dyn Fn() -> Result<T> + Send + Sync>,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    /// The files when a value was last tried to be made of them.
    tried: Vec<Option<Stamp>>,
    looked: Instant,
}

/// By what a changed file is known: also one that was moved into the place of another of its age.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let facts = std::fs::metadata(path).ok()?;
        Some(Self {
            modified: facts.modified().ok(),
            bytes: facts.len(),
            inode: facts.ino(),
        })
    }
}

impl<T> Reloading<T> {
    /// The value that `make` gives, which reads `files`.
    ///
    /// # Errors
    /// Those of `make`; later ones are only logged.
    pub(crate) fn new(
        files: Vec<PathBuf>,
        make: impl Fn() -> Result<T> + Send + Sync + 'static,
    ) -> Result<Self> {
        // Before they are read: a file that changes meanwhile is read again.
        let tried = stamps(&files);
        let value = Arc::new(make()?);
        Ok(Self {
            files,
            make: Box::new(make),
            state: Mutex::new(State {
                value,
                tried,
                looked: Instant::now(),
            }),
        })
    }

    /// The value of the files as they are, or were a second ago.
    pub(crate) fn current(&self) -> Arc<T> {
        self.at(Instant::now())
    }

    fn at(&self, now: Instant) -> Arc<T> {
        let mut state = self.state.lock();
        if now.saturating_duration_since(state.looked) >= INTERVAL {
            state.looked = now;
            self.look(&mut state);
        }
        Arc::clone(&state.value)
    }

    fn look(&self, state: &mut State<T>) {
        let found = stamps(&self.files);
        if found == state.tried {
            return;
        }
        state.tried = found;
        match (self.make)() {
            Ok(value) => {
                state.value = Arc::new(value);
                info!(files = ?self.files, "certificates read again");
            }
            Err(error) => {
                warn!(%error, "changed certificates cannot be used, the old ones stay in use");
            }
        }
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    files.iter().map(|path| Stamp::of(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use waterbuck_engine::Error;

    use super::*;

    /// The text of a file, unless that is "broken".
    fn reloading(path: &Path) -> Reloading<String> {
        let file = path.to_owned();
        let make = move || match fs::read_to_string(&file) {
            Ok(text) if text != "broken" => Ok(text),
            _ => Err(Error::invalid("broken")),
        };
        Reloading::new(vec![path.to_owned()], make).unwrap()
    }

    fn later(seconds: u64) -> Instant {
        Instant::now() + Duration::from_secs(seconds)
    }

    #[test]
    fn a_changed_file_is_read_again_after_a_second() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "first").unwrap();
        let value = reloading(&path);
        fs::write(&path, "the second").unwrap();
        let begun = value.state.lock().looked;
        assert_eq!(*value.at(begun), "first");
        assert_eq!(*value.at(begun + INTERVAL), "the second");
    }

    #[test]
    fn a_broken_file_leaves_the_old_value_until_it_is_whole() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "first").unwrap();
        let value = reloading(&path);
        fs::write(&path, "broken").unwrap();
        assert_eq!(*value.at(later(2)), "first");
        fs::remove_file(&path).unwrap();
        assert_eq!(*value.at(later(4)), "first");
        fs::write(&path, "whole again").unwrap();
        assert_eq!(*value.at(later(6)), "whole again");
    }

    #[test]
    fn a_file_moved_into_place_is_seen_whatever_its_age() {
        let directory = tempfile::tempdir().unwrap();
        let (path, other) = (directory.path().join("file"), directory.path().join("new"));
        fs::write(&path, "one").unwrap();
        fs::write(&other, "two").unwrap();
        let age = fs::metadata(&path).unwrap().modified().unwrap();
        let file = fs::File::options().write(true).open(&other).unwrap();
        file.set_modified(age).unwrap();
        let value = reloading(&path);
        fs::rename(&other, &path).unwrap();
        assert_eq!(*value.at(later(2)), "two");
    }

    #[test]
    fn a_broken_file_at_the_start_is_an_error() {
        let make = || Err::<String, _>(Error::invalid("broken"));
        assert!(Reloading::new(vec![], make).is_err());
    }
}
