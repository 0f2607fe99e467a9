//! Where the server goes for its users: which locations may be read and written, and which hosts
//! may be called.
//!
//! Without a configuration administrators may name every location, and everybody else none: their
//! tables live under the data directory. A configured list holds for administrators too, and for
//! tables that were made before it. What is compared is the location after it was normalised, and
//! on the local disk after its symbolic links were followed.

use std::net::IpAddr;
use std::path::{Path as FsPath, PathBuf};

use object_store::path::Path;
use url::{Host, Url};
use waterbuck_connectors::files::{
    Location, Referrals, is_hidden_address, is_metadata_name, names_host, plain_name, readable,
};
use waterbuck_engine::{Error, ErrorKind, Result};

use crate::tables::parse_location;

/// Where users may send the server; `None` leaves it to administrators.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlacesConfig {
    /// Paths and URLs: everything below them is allowed.
    pub locations: Option<Vec<String>>,
    /// Names and addresses; `.example.org` stands for all names below it.
    pub hosts: Option<Vec<String>>,
}

impl PlacesConfig {
    /// Whom web servers may send this process on to, besides themselves.
    pub fn referrals(&self) -> Referrals {
        match (&self.hosts, &self.locations) {
            (Some(names), _) => {
                Referrals::Named(names.iter().map(|name| name.to_lowercase()).collect())
            }
            (None, Some(_)) => Referrals::Named(vec![]),
            (None, None) => Referrals::Public,
        }
    }
}

/// Where users may send the server.
#[derive(Debug)]
pub(crate) struct Places {
    data: Location,
    locations: Option<Vec<Location>>,
    hosts: Option<Vec<String>>,
}

impl Places {
    /// The places of a configuration, and the data directory.
    ///
    /// # Errors
    /// When a location of the configuration is none, or is a pattern.
    pub(crate) fn new(config: &PlacesConfig, data_url: &str) -> Result<Self> {
        let locations = config.locations.as_ref().map(|texts| {
            let directory = |text: &String| {
                let location = parse_location(text)?;
                if location.is_directory_like() {
                    return Ok(location);
                }
                Err(Error::invalid(format!(
                    "the allowed location \"{text}\" is a pattern: name a directory"
                )))
            };
            texts.iter().map(directory).collect::<Result<Vec<_>>>()
        });
        let hosts = config.hosts.as_ref();
        Ok(Self {
            data: parse_location(data_url)?,
            locations: locations.transpose()?,
            hosts: hosts.map(|names| names.iter().map(|name| name.to_lowercase()).collect()),
        })
    }

    /// Whether a table over `location`, or a path to it, may be used.
    ///
    /// # Errors
    /// `PermissionDenied` when it is outside of what is allowed.
    pub(crate) fn check_use(&self, location: &Location) -> Result<()> {
        self.check(location, true)
    }

    /// Whether a user may name `location` in a statement.
    ///
    /// # Errors
    /// `PermissionDenied` when it is outside of what is allowed.
    pub(crate) fn check(&self, location: &Location, admin: bool) -> Result<()> {
        if is_within(&self.data, location) {
            return Ok(());
        }
        match &self.locations {
            Some(allowed) => {
                let fits = allowed.iter().any(|allowed| is_within(allowed, location));
                fits.then_some(()).ok_or_else(|| {
                    denied(format!(
                        "the location \"{location}\" is not below one that --allowed-locations \
                         names"
                    ))
                })
            }
            None if !admin => Err(denied(format!(
                "only administrators may name the location \"{location}\": have one make the \
                 table, or allow it with --allowed-locations"
            ))),
            None => match location.store_url().scheme() {
                "http" | "https" | "hdfs" | "viewfs" => self.check_url(location.store_url()),
                _ => Ok(()),
            },
        }
    }

    /// Whether files of a location have to be looked at by [`Self::check_files`].
    pub(crate) fn confines(&self, location: &Location) -> bool {
        self.locations.is_some() && location.is_local()
    }

    /// Whether files found at a location are there, and are no links to somewhere else.
    ///
    /// # Errors
    /// `PermissionDenied` when one is outside of what is allowed.
    pub(crate) fn check_files<'a>(
        &self,
        location: &Location,
        files: impl Iterator<Item = &'a Path>,
    ) -> Result<()> {
        let Some(allowed) = self.locations.as_ref().filter(|_| self.confines(location)) else {
            return Ok(());
        };
        for file in files {
            let real = real_path(file);
            let mut places = allowed.iter().chain([&self.data]);
            if !places.any(|place| place.is_local() && real.starts_with(real_path(&place.prefix())))
            {
                let file = readable(location.store_url(), file);
                return Err(denied(format!(
                    "the file \"{file}\" is a link to a place that --allowed-locations does not \
                     name"
                )));
            }
        }
        Ok(())
    }

    /// Whether the server may call the host of an endpoint: a URL, a name, or a name and port.
    ///
    /// # Errors
    /// `PermissionDenied` when it may not; `InvalidQuery` when there is no host in it.
    pub(crate) fn check_endpoint(&self, endpoint: &str) -> Result<()> {
        let text = match endpoint.contains("://") {
            true => endpoint.to_owned(),
            false => format!("http://{endpoint}"),
        };
        let url = Url::parse(&text).map_err(|error| {
            // It may hold a password, so it is not shown.
            Error::invalid("the endpoint is no URL: write it as https://host:port")
                .with_source(error)
        })?;
        self.check_url(&url)
    }

    fn check_url(&self, url: &Url) -> Result<()> {
        let Some(host) = url.host_str() else {
            return Err(Error::invalid("the URL names no host"));
        };
        // Of other schemes the host is text as it was written: numbers in other spellings too.
        let parsed = Host::parse(host).unwrap_or_else(|_odd| Host::Domain(host.to_owned()));
        let name = plain_name(&parsed.to_string());
        if let Some(allowed) = &self.hosts {
            if allowed.iter().any(|known| names_host(known, &name)) {
                return Ok(());
            }
            return Err(denied(format!(
                "the host \"{name}\" is not among those that --allowed-hosts names"
            )));
        }
        let hidden = match parsed {
            Host::Domain(_) => is_metadata_name(&name),
            Host::Ipv4(ip) => is_hidden_address(IpAddr::V4(ip)),
            Host::Ipv6(ip) => is_hidden_address(IpAddr::V6(ip)),
        };
        if hidden {
            return Err(denied(format!(
                "the host \"{name}\" is only called when --allowed-hosts names it"
            )));
        }
        Ok(())
    }
}

/// Whether all of `location` is below `place`.
fn is_within(place: &Location, location: &Location) -> bool {
    if place.store_url() != location.store_url() {
        return false;
    }
    if place.is_local() {
        return real_path(&location.prefix()).starts_with(real_path(&place.prefix()));
    }
    location.prefix().prefix_matches(&place.prefix())
}

/// A path on the local disk without symbolic links, as far as it exists.
fn real_path(path: &Path) -> PathBuf {
    let whole = FsPath::new("/").join(path.as_ref());
    for above in whole.ancestors() {
        if let Ok(real) = above.canonicalize()
            && let Ok(rest) = whole.strip_prefix(above)
        {
            return real.join(rest);
        }
    }
    whole
}

fn denied(message: String) -> Error {
    Error::new(ErrorKind::PermissionDenied, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(locations: Option<&[&str]>, hosts: Option<&[&str]>) -> Places {
        let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect();
        let config = PlacesConfig {
            locations: locations.map(texts),
            hosts: hosts.map(texts),
        };
        Places::new(&config, "/srv/waterbuck/tables/").unwrap()
    }

    fn check(places: &Places, text: &str, admin: bool) -> bool {
        match places.check(&parse_location(text).unwrap(), admin) {
            Ok(()) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
                false
            }
        }
    }

    #[test]
    fn by_default_administrators_may_all_and_others_the_data_directory() {
        let places = places(None, None);
        for text in ["s3://bucket/a/", "/etc/", "http://10.0.0.1/a.csv"] {
            assert!(check(&places, text, true), "{text}");
            assert!(!check(&places, text, false), "{text}");
        }
        assert!(check(&places, "/srv/waterbuck/tables/main/t/", false));
        assert!(!check(
            &places,
            "/srv/waterbuck/tables/../catalog.sqlite",
            false
        ));
        assert!(!check(&places, "/srv/waterbuck/tables2/", false));
    }

    #[test]
    fn a_list_holds_for_everybody() {
        let places = places(Some(&["s3://lake/public/", "/data"]), None);
        for admin in [true, false] {
            for text in ["s3://lake/public/x/", "/data/a.csv", "/data/{a,b}/*.csv"] {
                assert!(check(&places, text, admin), "{text}");
            }
            for text in [
                "s3://lake/",
                "s3://lake/publicity/",
                "s3://lake2/public/",
                "/data/../etc/passwd",
                "/dat/",
                "/{data,etc}/x",
                "/*/x",
                "https://lake/public/",
            ] {
                assert!(!check(&places, text, admin), "{text}");
            }
        }
        let config = PlacesConfig {
            locations: Some(vec!["/data/*".to_owned()]),
            hosts: None,
        };
        assert!(Places::new(&config, "/srv/").is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_out_of_an_allowed_directory_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let (inside, outside) = (root.join("in"), root.join("out"));
        for path in [&inside, &outside] {
            std::fs::create_dir(path).unwrap();
            std::fs::write(path.join("a.csv"), "1").unwrap();
        }
        std::os::unix::fs::symlink(&outside, inside.join("link")).unwrap();
        let allowed = inside.to_string_lossy().into_owned();
        let places = places(Some(&[allowed.as_str()]), None);
        assert!(check(&places, &format!("{allowed}/a.csv"), true));
        assert!(check(&places, &format!("{allowed}/new/b.csv"), true));
        assert!(!check(&places, &format!("{allowed}/link/"), true));
        assert!(!check(&places, &format!("{allowed}/link/new/b.csv"), true));
        let location = parse_location(&format!("{allowed}/")).unwrap();
        let files = |name: &str| [Path::parse(format!("{allowed}/{name}")).unwrap()];
        let (own, linked) = (files("a.csv"), files("link/a.csv"));
        assert!(places.check_files(&location, own.iter()).is_ok());
        assert!(places.check_files(&location, linked.iter()).is_err());
    }

    #[test]
    fn hosts_of_credentials_are_called_only_when_named() {
        let free = places(None, None);
        for endpoint in [
            "http://169.254.169.254/latest",
            "169.254.169.254",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
            "http://[::169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[2002:a9fe:a9fe::1]/",
            "http://[fd00:ec2::254]/",
            "http://metadata.google.internal./",
            "0.0.0.0:80",
        ] {
            assert!(free.check_endpoint(endpoint).is_err(), "{endpoint}");
        }
        for endpoint in [
            "http://localhost:9000",
            "http://[::1]:9000",
            "http://[2001:db8::1]",
        ] {
            assert!(free.check_endpoint(endpoint).is_ok(), "{endpoint}");
        }
        let named = places(
            None,
            Some(&["minio.example.org", ".amazonaws.com", "169.254.169.254"]),
        );
        for endpoint in [
            "https://minio.example.org:9000",
            "MINIO.example.org",
            "https://s3.eu-west-1.amazonaws.com",
            "http://169.254.169.254/",
        ] {
            assert!(named.check_endpoint(endpoint).is_ok(), "{endpoint}");
        }
        for endpoint in [
            "http://example.org",
            "http://evilamazonaws.com",
            "http://minio.example.org.evil.com",
            "http://minio.example.org@evil.com",
            "http://10.0.0.1",
        ] {
            assert!(named.check_endpoint(endpoint).is_err(), "{endpoint}");
        }
    }
}
