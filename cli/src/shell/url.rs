//! The address of a server as people write it: `grpc://user:password@host:port`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use waterbuck_engine::{Error, Result};

const DEFAULT_PORT: u16 = 32_010;

/// Where a server is and who asks. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    pub(crate) tls: bool,
    /// A name or an address; an IPv6 address is in brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<String>,
}

impl ServerUrl {
    /// The address in the form the transport takes.
    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}:{}", self.host, self.port)
    }

    /// What may be shown of a text that was given as an address, however wrong it is: nothing that
    /// stands where a password could.
    pub(crate) fn shown(text: &str) -> String {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (format!("{scheme}://"), rest),
            _ => (String::new(), text),
        };
        match (rest.rsplit_once('@'), rest.split_once(':')) {
            (Some((_, address)), _) => format!("{scheme}…@{address}"),
            (None, Some((host, _))) if !rest.starts_with('[') => format!("{scheme}{host}:…"),
            _ => format!("{scheme}{rest}"),
        }
    }

    fn wrong(reason: &str) -> Error {
        Error::invalid(format!(
            "{reason}, a server is named as grpc://user:password@host:port or grpc+tls://…"
        ))
    }
}

impl FromStr for ServerUrl {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (scheme, rest) = text
            .split_once("://")
            .filter(|(scheme, _)| is_scheme(scheme))
            .ok_or_else(|| Self::wrong(&format!("\"{}\" is no URL", Self::shown(text))))?;
        let tls = match scheme {
            "grpc" | "grpc+tcp" => false,
            "grpc+tls" => true,
            _ => {
                return Err(Self::wrong(&format!(
                    "\"{scheme}\" is no scheme of a server"
                )));
            }
        };
        // The last @, so that a password need not be escaped if it has one.
        let (login, address) = match rest.rsplit_once('@') {
            Some((login, address)) => (Some(login), address),
            None => (None, rest),
        };
        let (user, password) = match login.map(|login| login.split_once(':').unwrap_or((login, "")))
        {
            None => (None, None),
            Some((user, password)) => (decoded(user)?, decoded(password)?),
        };
        let (host, port) = host_and_port(address.strip_suffix('/').unwrap_or(address))?;
        Ok(Self {
            tls,
            host,
            port,
            user,
            password,
        })
    }
}

fn is_scheme(text: &str) -> bool {
    text.chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

fn host_and_port(address: &str) -> Result<(String, u16)> {
    let wrong = || {
        let shown = ServerUrl::shown(address);
        ServerUrl::wrong(&format!("\"{shown}\" is no host and port"))
    };
    let parsed = url::Url::parse(&format!("grpc://{address}")).map_err(|_| wrong())?;
    let has_more = !parsed.path().is_empty()
        || parsed.query().is_some()
        || parsed.fragment().is_some()
        || !parsed.username().is_empty();
    let host = parsed
        .host_str()
        .filter(|host| !host.is_empty() && !has_more)
        .ok_or_else(wrong)?;
    Ok((host.to_owned(), parsed.port().unwrap_or(DEFAULT_PORT)))
}

/// The text with `%40` and the like replaced; `None` if it is empty.
fn decoded(text: &str) -> Result<Option<String>> {
    let text = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| ServerUrl::wrong("the user or the password is no UTF-8"))?;
    Ok(Some(text.into_owned()).filter(|text| !text.is_empty()))
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "grpc+tls://" } else { "grpc://" })?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> ServerUrl {
        text.parse().unwrap()
    }

    #[test]
    fn all_parts_are_read() {
        let url = parse("grpc+tls://ann:s%3Ae%40c@db.example.org:443");
        assert!(url.tls);
        assert_eq!((url.host.as_str(), url.port), ("db.example.org", 443));
        assert_eq!(url.user.as_deref(), Some("ann"));
        assert_eq!(url.password.as_deref(), Some("s:e@c"));
        assert_eq!(url.endpoint(), "https://db.example.org:443");
    }

    #[test]
    fn parts_may_be_left_out() {
        let url = parse("grpc://localhost/");
        assert_eq!((url.port, url.user, url.password), (32010, None, None));
        assert_eq!(parse("grpc://ann@h").user.as_deref(), Some("ann"));
        assert_eq!(parse("grpc://ann:@h").password, None);
    }

    #[test]
    fn addresses_of_version_6_are_in_brackets() {
        assert_eq!(parse("grpc://a:b@[::1]:7").endpoint(), "http://[::1]:7");
    }

    #[test]
    fn a_password_may_have_marks() {
        let url = parse("grpc://ann:p@ss:w/o#r?d%@h:1");
        assert_eq!(url.password.as_deref(), Some("p@ss:w/o#r?d%"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let url = parse("grpc://ann:secret@h:1");
        assert_eq!(url.to_string(), "grpc://ann@h:1");
        assert_eq!(format!("{url:?}"), "grpc://ann@h:1");
    }

    #[test]
    fn no_error_repeats_a_password() {
        for text in [
            "http://ann:hush@h:1",
            "ann:hush@h:1",
            "ann:hush",
            "grpc://ann:hush",
            "grpc://ann:hush@h:x",
            "grpc://ann:p@hush@h/db",
            "ann:hush://h:1",
            "grpc://ann:hush%ff@h",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(!error.contains("hush"), "{text}: {error}");
            let shown = ServerUrl::shown(text);
            assert!(!shown.contains("hush"), "{text}: {shown}");
        }
        assert_eq!(ServerUrl::shown("http://ann:hush@h:1"), "http://…@h:1");
        assert_eq!(ServerUrl::shown("sever"), "sever");
        assert_eq!(ServerUrl::shown("grpc://[::1]:x"), "grpc://[::1]:x");
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "localhost",
            "http://h:1",
            "grpc://",
            "grpc://h:x",
            "grpc://h:70000",
            "grpc://h/db",
            "grpc://:1",
            "grpc://a:%ff@h",
        ] {
            let error = text.parse::<ServerUrl>().unwrap_err().to_string();
            assert!(
                error.contains("grpc://user:password@host:port"),
                "{text}: {error}"
            );
        }
    }
}
