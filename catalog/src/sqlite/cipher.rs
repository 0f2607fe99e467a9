//! Secrets at rest: what nobody may read in a copy of the catalog is sealed with a key that lies in a
//! file beside it.
//!
//! ```text
//!   sealed1:<nonce, text and tag of AES-256-GCM in base64>
//! ```
//! The name of a value is sealed with it: one cannot be put in the place of another.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use uuid::Uuid;
use waterbuck_engine::{Error, Result};

const PREFIX: &str = "sealed1:";
const KEY_BYTES: usize = 32;

/// The key of a catalog.
pub(super) struct Cipher {
    key: LessSafeKey,
    file: PathBuf,
}

impl Cipher {
    /// The key beside the catalog in the file `catalog`; it is made when it is absent.
    ///
    /// # Errors
    /// When the key's file cannot be read or made, or holds no key.
    pub(super) fn beside(catalog: &Path) -> Result<Self> {
        let file = catalog.with_extension("key");
        let failed = |what: &str, error: io::Error| {
            let message = format!("the catalog's key \"{}\" cannot be {what}", file.display());
            Error::unavailable(message).with_source(error)
        };
        if !file.exists() {
            make(&file).map_err(|error| failed("made", error))?;
        }
        let text = fs::read_to_string(&file).map_err(|error| failed("read", error))?;
        let bytes = STANDARD_NO_PAD.decode(text.trim()).ok();
        let key = bytes.and_then(|bytes| UnboundKey::new(&AES_256_GCM, &bytes).ok());
        let key = key.ok_or_else(|| {
            let file = file.display();
            Error::data(format!(
                "the catalog's key \"{file}\" is damaged: bring back a copy"
            ))
        })?;
        Ok(Self {
            key: LessSafeKey::new(key),
            file,
        })
    }

    /// The value `name` as it is kept.
    ///
    /// # Errors
    /// When the system has no random numbers.
    pub(super) fn seal(&self, name: &str, value: &str) -> Result<String> {
        let unsealed = |_no_cause| Error::internal("a secret cannot be sealed");
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(unsealed)?;
        let mut text = value.as_bytes().to_vec();
        let sealed = self.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(name.as_bytes()),
            &mut text,
        );
        sealed.map_err(unsealed)?;
        let whole = [&nonce[..], &text[..]].concat();
        Ok(format!("{PREFIX}{}", STANDARD_NO_PAD.encode(whole)))
    }

    /// The value `name` as it was before [`Self::seal`]; one that was kept as it is stays so.
    ///
    /// # Errors
    /// `Data` when it was sealed with another key, or as another value.
    pub(super) fn open(&self, name: &str, kept: &str) -> Result<String> {
        let Some(encoded) = kept.strip_prefix(PREFIX) else {
            return Ok(kept.to_owned());
        };
        self.opened(name, encoded).ok_or_else(|| {
            Error::data(format!(
                "\"{name}\" in the catalog was sealed with another key than \"{}\": bring back the \
                 file that was beside the catalog",
                self.file.display()
            ))
        })
    }

    fn opened(&self, name: &str, encoded: &str) -> Option<String> {
        let mut whole = STANDARD_NO_PAD.decode(encoded).ok()?;
        let (nonce, text) = whole.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = self
            .key
            .open_in_place(nonce, Aad::from(name.as_bytes()), text);
        String::from_utf8(opened.ok()?.to_vec()).ok()
    }
}

/// The key is not shown.
impl fmt::Debug for Cipher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cipher")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// Whether a value is kept sealed.
pub(super) fn is_sealed(kept: &str) -> bool {
    kept.starts_with(PREFIX)
}

/// Makes a key, its owner's alone. Of several processes that make one together all use the first.
fn make(file: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    let no_numbers = |_no_cause| io::Error::other("the system has no random numbers");
    SystemRandom::new().fill(&mut key).map_err(no_numbers)?;
    let aside = file.with_extension(format!("key.{}", Uuid::now_v7()));
    let mut options = OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut out = options.open(&aside)?;
    writeln!(out, "{}", STANDARD_NO_PAD.encode(key))?;
    out.sync_all()?;
    let linked = fs::hard_link(&aside, file);
    fs::remove_file(&aside)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cipher(directory: &tempfile::TempDir) -> Cipher {
        Cipher::beside(&directory.path().join("catalog.sqlite")).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_with_the_same_key_and_name() {
        let directory = tempfile::tempdir().unwrap();
        let sealed = cipher(&directory).seal("lake", "hush").unwrap();
        assert!(is_sealed(&sealed) && !sealed.contains("hush"), "{sealed}");
        let again = cipher(&directory);
        assert_eq!(again.open("lake", &sealed).unwrap(), "hush");
        assert_ne!(again.seal("lake", "hush").unwrap(), sealed);
        assert!(again.open("pond", &sealed).is_err());
        assert!(again.open("lake", &sealed[..sealed.len() - 2]).is_err());
        assert_eq!(again.open("lake", "in clear").unwrap(), "in clear");
        let error = cipher(&tempfile::tempdir().unwrap());
        let error = error.open("lake", &sealed).unwrap_err();
        assert!(error.to_string().contains("another key"), "{error}");
    }

    #[test]
    fn a_key_is_its_owners_and_is_not_made_twice() {
        let directory = tempfile::tempdir().unwrap();
        let sealed = cipher(&directory).seal("lake", "hush").unwrap();
        let file = directory.path().join("catalog.key");
        make(&file).unwrap();
        assert_eq!(cipher(&directory).open("lake", &sealed).unwrap(), "hush");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        fs::write(&file, "no key").unwrap();
        assert!(Cipher::beside(&directory.path().join("catalog.sqlite")).is_err());
    }
}
