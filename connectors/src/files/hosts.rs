//! Hosts and addresses: which ones nobody is to be led to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// A name under which a cloud gives its machines their credentials.
const METADATA_HOST: &str = "metadata.google.internal";
/// Addresses outside the link-local range at which clouds do the same: Alibaba's, Azure's, Oracle's.
const METADATA_ADDRESSES: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Whom a web server may send us on to, besides itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Referrals {
    /// Anybody in the public network.
    #[default]
    Public,
    /// Hosts of these names alone, in the words of [`names_host`].
    Named(Vec<String>),
}

impl Referrals {
    /// Whether a referral to `url` is followed.
    pub(super) fn allow(&self, url: &Url) -> bool {
        match (self, url.host()) {
            (_, None) => false,
            (Self::Named(names), Some(host)) => {
                let host = plain_name(&host.to_string());
                names.iter().any(|known| names_host(known, &host))
            }
            (Self::Public, Some(Host::Domain(name))) => !is_internal_name(&plain_name(name)),
            (Self::Public, Some(Host::Ipv4(ip))) => is_public(IpAddr::V4(ip)),
            (Self::Public, Some(Host::Ipv6(ip))) => is_public(IpAddr::V6(ip)),
        }
    }
}

/// Whether `known` names `host`, a name in lower case: `.example.org` stands for all names below it.
pub fn names_host(known: &str, host: &str) -> bool {
    match known.strip_prefix('.') {
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|below| below.ends_with('.')),
        None => known == host,
    }
}

/// A host's name as it is compared.
pub fn plain_name(host: &str) -> String {
    host.trim_end_matches('.').to_lowercase()
}

/// Whether clouds answer with credentials under a name.
pub fn is_metadata_name(name: &str) -> bool {
    name == METADATA_HOST
}

/// Addresses of the machine's own network card and the like, where clouds answer with credentials.
pub fn is_hidden_address(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_multicast()
                || METADATA_ADDRESSES.contains(&ip)
        }
        IpAddr::V6(ip) => match embedded(ip) {
            Some(embedded) => is_hidden_address(IpAddr::V4(embedded)),
            None => {
                ip.segments()[0] & 0xffc0 == 0xfe80
                    || ip.is_unspecified()
                    || ip.is_multicast()
                    // Where AWS answers over IPv6.
                    || ip.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254]
            }
        },
    }
}

/// The address of the old kind that one of the new kind leads to: mapped, compatible, through a
/// translator (RFC 6052) or a tunnel (RFC 3056).
fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match ip.segments() {
        // The unspecified address, and that of the machine itself.
        [0, 0, 0, 0, 0, 0, 0, _] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            Some(of(high, low))
        }
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

fn is_public(ip: IpAddr) -> bool {
    let is_internal = match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            // The last range is that of carriers.
            ip.is_loopback() || ip.is_private() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => match embedded(ip) {
            Some(embedded) => !is_public(IpAddr::V4(embedded)),
            None => ip.is_loopback() || ip.segments()[0] & 0xfe00 == 0xfc00,
        },
    };
    !is_internal && !is_hidden_address(ip)
}

fn is_internal_name(name: &str) -> bool {
    let endings = [".localhost", ".local", ".internal"];
    name == "localhost" || endings.iter().any(|ending| name.ends_with(ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(referrals: &Referrals, url: &str) -> bool {
        referrals.allow(&Url::parse(url).expect("url"))
    }

    #[test]
    fn referrals_lead_to_public_places_or_to_named_ones() {
        let public = Referrals::Public;
        for url in [
            "https://cdn.example.org/x",
            "http://8.8.8.8/",
            "http://[2001:db8::1]/",
        ] {
            assert!(allows(&public, url), "{url}");
        }
        for url in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://100.100.100.200/",
            "http://127.0.0.1/",
            "http://10.1.2.3/",
            "http://100.64.0.1/",
            "http://192.168.0.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://[fd12::1]/",
            "http://localhost/",
            "http://LOCALHOST./",
            "http://metadata.google.internal/",
        ] {
            assert!(!allows(&public, url), "{url}");
        }
        let named = Referrals::Named(vec!["10.1.2.3".to_owned(), ".example.org".to_owned()]);
        for url in ["http://10.1.2.3:80/", "https://cdn.EXAMPLE.org/"] {
            assert!(allows(&named, url), "{url}");
        }
        for url in [
            "https://example.org/",
            "https://evilexample.org/",
            "http://8.8.8.8/",
        ] {
            assert!(!allows(&named, url), "{url}");
        }
    }
}
