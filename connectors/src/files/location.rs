//! Where the files of a table lie.
//!
//! A location is written as a local path (`data/sales`, `/data/sales/*.csv`) or as a URL
//! (`s3://bucket/sales/`). A local path is taken letter by letter; in a URL `%41` means `A`, and
//! characters that a URL may not hold are accepted as they are. Both may hold the wildcards `*`,
//! `?`, `[…]` and `**`, and the alternatives `{a,b}`, which are an explicit list.

use std::fmt;
use std::path::Path as FsPath;

use object_store::path::Path;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;
use waterbuck_engine::sql::without_url_secrets;
use waterbuck_engine::{Error, Result};

use super::target::{Target, expand_alternatives, target};

/// What must be escaped so that a printed URL reads back as the same location.
const URL_PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'`');

/// A parsed location: one store and one or more targets on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    store: Url,
    targets: Vec<Target>,
    /// The path part as written after normalisation, decoded; alternatives unexpanded.
    path: String,
}

impl Location {
    /// Parses a path or URL; a relative local path is taken below `cwd`.
    ///
    /// # Errors
    /// `InvalidQuery` for an unknown scheme, credentials inside the URL, `..` in a URL, a malformed
    /// pattern, or a wildcard on `http(s)`, whose servers cannot list.
    pub fn parse(text: &str, cwd: &FsPath) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::invalid("the location is empty"));
        }
        match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => Self::parse_url(text, scheme, rest),
            _ => Self::parse_local(text, cwd),
        }
    }

    fn parse_local(text: &str, cwd: &FsPath) -> Result<Self> {
        let absolute = cwd.join(text);
        let whole = absolute
            .to_str()
            .ok_or_else(|| Error::invalid(format!("the location \"{text}\" is not valid UTF-8")))?;
        let mut path = clean_path(whole);
        if (text.ends_with('/') || text == ".") && !path.ends_with('/') {
            path.push('/');
        }
        let literal = is_wildcard_file(&path);
        Self::build(file_store(), path, literal, text)
    }

    fn parse_url(text: &str, scheme: &str, rest: &str) -> Result<Self> {
        // From here on it is for messages alone.
        let shown = without_url_secrets(text);
        let text = shown.as_ref();
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        if scheme == "file" {
            if !matches!(authority, "" | "localhost") {
                return Err(Error::invalid(format!(
                    "the location \"{text}\" names the host \"{authority}\"; a local file is \
                     written as file:///path"
                )));
            }
            let path = clean_path(&decode(path, text)?);
            let literal = is_wildcard_file(&path);
            return Self::build(file_store(), path, literal, text);
        }
        let store = store_url(&scheme, authority, text)?;
        let http = matches!(scheme.as_str(), "http" | "https");
        if http && (path.contains('?') || path.contains('#')) {
            return Err(Error::invalid(format!(
                "the location \"{text}\" has a query or fragment; name the file by its path alone"
            )));
        }
        let decoded = decode(path, text)?;
        if decoded.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(Error::invalid(format!(
                "the location \"{text}\" contains \".\" or \"..\"; write the path out"
            )));
        }
        let location = Self::build(store, decoded, false, text)?;
        if http
            && location
                .targets
                .iter()
                .any(|target| target.pattern.is_some())
        {
            return Err(Error::invalid(format!(
                "the location \"{text}\" has a wildcard, but {scheme} servers cannot be listed; \
                 name the files as {{a,b}}"
            )));
        }
        Ok(location)
    }

    fn build(store: Url, path: String, literal: bool, text: &str) -> Result<Self> {
        let alternatives = if literal {
            vec![path.clone()]
        } else {
            expand_alternatives(&path, text)?
        };
        let targets = alternatives
            .iter()
            .map(|path| target(path, literal, text))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self {
            store,
            targets,
            path,
        })
    }

    /// The store's URL: scheme and authority, path `/`.
    pub fn store_url(&self) -> &Url {
        &self.store
    }

    /// The longest path on the store that holds every file of the table.
    pub fn prefix(&self) -> Path {
        let mut targets = self.targets.iter();
        let Some(first) = targets.next() else {
            return Path::default();
        };
        let mut common: Vec<_> = first.base.parts().map(|p| p.as_ref().to_string()).collect();
        for target in targets {
            let shared = common
                .iter()
                .zip(target.base.parts())
                .take_while(|(left, right)| left.as_str() == right.as_ref())
                .count();
            common.truncate(shared);
        }
        Path::parse(common.join("/")).unwrap_or_default()
    }

    /// Whether the location can be listed: `http(s)` servers cannot.
    pub fn is_listable(&self) -> bool {
        !matches!(self.store.scheme(), "http" | "https")
    }

    /// Whether the location is on the local disk.
    pub fn is_local(&self) -> bool {
        self.store.scheme() == "file"
    }

    /// Whether the location names a place new files can be added to: no wildcard, no list.
    pub fn is_directory_like(&self) -> bool {
        matches!(self.targets.as_slice(), [only] if only.pattern.is_none())
    }

    pub(super) fn targets(&self) -> &[Target] {
        &self.targets
    }
}

/// A URL that [`Location::parse`] reads back as the same location.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = self.store.as_str().trim_end_matches('/');
        let store = if self.is_local() { "file://" } else { store };
        write!(f, "{store}{}", utf8_percent_encode(&self.path, URL_PATH))
    }
}

/// How people name a file: a plain path on the local disk, else its URL, undecoded.
pub fn readable(store: &Url, path: &Path) -> String {
    match store.scheme() {
        "file" => format!("/{path}"),
        _ => format!("{}/{path}", store.as_str().trim_end_matches('/')),
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn file_store() -> Url {
    Url::parse("file:///").expect("a constant URL parses")
}

fn store_url(scheme: &str, authority: &str, text: &str) -> Result<Url> {
    const SCHEMES: [&str; 14] = [
        "s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss", "http", "https", "hdfs",
        "viewfs", "file", "memory",
    ];
    if !SCHEMES.contains(&scheme) {
        return Err(Error::invalid(format!(
            "the location \"{text}\" has the unknown scheme \"{scheme}\"; known are s3, gs, az, \
             abfs, abfss, http, https, hdfs and file"
        )));
    }
    let url = Url::parse(&format!("{scheme}://{authority}/")).map_err(|error| {
        Error::invalid(format!("the location \"{text}\" is not a URL")).with_source(error)
    })?;
    let container_in_user = matches!(scheme, "abfs" | "abfss");
    if url.password().is_some() || (!url.username().is_empty() && !container_in_user) {
        return Err(Error::invalid(
            "a location may not hold credentials, as it is printed back; use CREATE SECRET",
        ));
    }
    let nameless = url.host_str().is_none_or(str::is_empty);
    if nameless && !matches!(scheme, "hdfs" | "viewfs" | "memory") {
        return Err(Error::invalid(format!(
            "the location \"{text}\" names no bucket, container or host"
        )));
    }
    Ok(url)
}

fn decode(path: &str, text: &str) -> Result<String> {
    let decoded = percent_decode_str(path).decode_utf8().map_err(|_| {
        Error::invalid(format!(
            "the location \"{text}\" is not valid UTF-8 once decoded"
        ))
    })?;
    Ok(decoded.into_owned())
}

/// Resolves `.` and `..` in an absolute local path, keeping a trailing `/`.
fn clean_path(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    let slash = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", parts.join("/"))
}

/// A file that is really called `a[1].csv` is meant literally.
fn is_wildcard_file(path: &str) -> bool {
    path.contains(['*', '?', '[', '{']) && FsPath::new(path).symlink_metadata().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Location {
        Location::parse(text, FsPath::new("/home/me")).expect("location")
    }

    fn refusal(text: &str) -> String {
        Location::parse(text, FsPath::new("/home/me"))
            .expect_err("refused")
            .to_string()
    }

    #[test]
    fn local_paths_are_taken_letter_by_letter() {
        let location = parse("data/../sales/a%20b c");
        assert_eq!(location.prefix().as_ref(), "home/me/sales/a%20b c");
        assert_eq!(location.to_string(), "file:///home/me/sales/a%2520b%20c");
        assert!(location.is_local());
        assert!(parse("/data/").targets()[0].directory);
    }

    #[test]
    fn urls_are_decoded_and_printed_back() {
        for text in [
            "s3://bucket/a%20b/c%25d/",
            "gs://b/x/*.parquet",
            "hdfs://node:8020/t/p=1%252F2",
            "abfss://container@account.dfs.core.windows.net/x",
            "file:///tmp/a%20b.csv",
            "s3://b/",
        ] {
            let location = parse(text);
            assert_eq!(parse(&location.to_string()), location, "{text}");
        }
        assert_eq!(parse("s3://bucket/a b/%C3%A4").prefix().as_ref(), "a b/ä");
        assert_eq!(parse("s3://bucket").store_url().as_str(), "s3://bucket/");
        assert_eq!(
            parse("hdfs://node:8020/t").store_url().as_str(),
            "hdfs://node:8020/"
        );
    }

    #[test]
    fn wildcards_split_into_base_and_pattern() {
        let location = parse("s3://b/sales/year=*/**/*.parquet");
        let target = &location.targets()[0];
        assert_eq!(target.base.as_ref(), "sales");
        assert!(target.matches(&Path::from("sales/year=1/a/b/x.parquet")));
        assert!(target.matches(&Path::from("sales/year=1/x.parquet")));
        assert!(!target.matches(&Path::from("sales/other/x.parquet")));
        assert!(!parse("s3://b/*.csv").targets()[0].matches(&Path::from("a/b.csv")));
    }

    #[test]
    fn alternatives_are_an_explicit_list() {
        let location = parse("https://host/data/{a,b{1,2}}.csv");
        let bases: Vec<_> = location
            .targets()
            .iter()
            .map(|t| t.base.to_string())
            .collect();
        assert_eq!(bases, ["data/a.csv", "data/b1.csv", "data/b2.csv"]);
        assert_eq!(location.prefix().as_ref(), "data");
    }

    #[test]
    fn a_file_that_exists_is_never_a_pattern() {
        let dir = tempfile::tempdir().expect("dir");
        std::fs::write(dir.path().join("a[1].csv"), "x").expect("write");
        let location = Location::parse("a[1].csv", dir.path()).expect("location");
        assert!(location.targets()[0].pattern.is_none());
        assert_eq!(parse(&location.to_string()), location);
    }

    #[test]
    fn refusals_say_what_to_do() {
        assert!(refusal("s3://key:secret@bucket/x").contains("CREATE SECRET"));
        assert!(refusal("http://me@host/x").contains("CREATE SECRET"));
        for text in [
            "http://h/x?sig=hush",
            "http://me:hush@[/x",
            "what://me:hush@h/x",
        ] {
            assert!(!refusal(text).contains("hush"), "{text}");
        }
        assert!(refusal("ftp://host/x").contains("unknown scheme \"ftp\""));
        assert!(refusal("http://host/*.csv").contains("cannot be listed"));
        assert!(refusal("s3://bucket/a/../b").contains("write the path out"));
        assert!(refusal("s3:///x").contains("names no bucket"));
        assert!(refusal(" ").contains("empty"));
    }
}
