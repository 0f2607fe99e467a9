//! Paths of the data directory, of tables and of files, and how the one is stored relative to the
//! other.
//!
//! A path is a plain absolute local path or a URL of an object store, compared as text. What lies
//! below its parent is stored relative to it, so that a data directory can be moved as a whole.

use url::Url;
use waterbuck_engine::{Error, Result};

/// A directory as the catalog writes it: absolute or a URL, with a slash at its end.
pub(crate) fn directory(path: &str) -> Result<String> {
    let mut path = absolute(path)?;
    if !path.ends_with('/') {
        path.push('/');
    }
    Ok(path)
}

/// A local path made absolute, a `file:` URL made a path, any other URL as it is.
pub(crate) fn absolute(path: &str) -> Result<String> {
    if path.starts_with("file:") {
        let local = Url::parse(path)
            .ok()
            .and_then(|url| url.to_file_path().ok());
        let local = local.and_then(|path| path.into_os_string().into_string().ok());
        return local.ok_or_else(|| Error::invalid(format!("\"{path}\" is not a file URL")));
    }
    if path.contains("://") {
        return Ok(path.to_owned());
    }
    let absolute = std::path::absolute(path)
        .map_err(|e| Error::invalid(format!("\"{path}\" is not a path")).with_source(e))?;
    let text = absolute.into_os_string().into_string();
    let mut text =
        text.map_err(|_| Error::invalid(format!("\"{path}\" is not a path in UTF-8")))?;
    if path.ends_with('/') && !text.ends_with('/') {
        text.push('/');
    }
    Ok(text)
}

/// The path as stored and whether it is relative to `parent` (a directory with its slash).
pub(crate) fn stored<'a>(path: &'a str, parent: &str) -> (&'a str, bool) {
    match path.strip_prefix(parent) {
        Some(rest) if !rest.is_empty() => (rest, true),
        _ => (path, false),
    }
}

/// The whole path of what [`stored`] gave.
pub(crate) fn joined(path: &str, relative: bool, parent: &str) -> String {
    if relative {
        format!("{parent}{path}")
    } else {
        path.to_owned()
    }
}

/// A file's path as [`stored`]; a file named relative to the table lies below it.
pub(crate) fn file_in(path: &str, table_path: &str) -> Result<(String, bool)> {
    let rooted = path.starts_with('/') || path.starts_with("file:") || path.contains("://");
    if !rooted {
        return Ok((path.to_owned(), true));
    }
    let path = absolute(path)?;
    let (path, relative) = stored(&path, table_path);
    Ok((path.to_owned(), relative))
}

/// The directory of a schema below the data directory: its name where that is harmless as a
/// directory name, else its id.
pub(crate) fn schema_directory(name: &str, id: i64) -> String {
    let harmless = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if harmless {
        format!("{name}/")
    } else {
        format!("schema-{id}/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_below_the_parent_is_stored_relative() {
        assert_eq!(stored("/d/main/t/", "/d/main/"), ("t/", true));
        assert_eq!(stored("/d/main/", "/d/main/"), ("/d/main/", false));
        assert_eq!(stored("s3://b/t/", "/d/main/"), ("s3://b/t/", false));
        assert_eq!(joined("t/", true, "/d/main/"), "/d/main/t/");
        assert_eq!(joined("s3://b/t/", false, "/d/main/"), "s3://b/t/");
    }

    #[test]
    fn file_urls_become_plain_paths() {
        assert_eq!(directory("file:///d/k%3D1").unwrap(), "/d/k=1/");
        assert_eq!(directory("s3://b/p").unwrap(), "s3://b/p/");
        assert_eq!(
            file_in("file:///d/t/f.parquet", "/d/t/").unwrap(),
            ("f.parquet".into(), true)
        );
        assert_eq!(
            file_in("k=1/f.parquet", "/d/t/").unwrap(),
            ("k=1/f.parquet".into(), true)
        );
        assert_eq!(
            file_in("/e/f.parquet", "/d/t/").unwrap(),
            ("/e/f.parquet".into(), false)
        );
    }

    #[test]
    fn odd_schema_names_do_not_become_directories() {
        assert_eq!(schema_directory("sales_2024", 7), "sales_2024/");
        assert_eq!(schema_directory("../x", 7), "schema-7/");
        assert_eq!(schema_directory("Sales", 7), "schema-7/");
    }
}
