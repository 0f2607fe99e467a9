//! The names in a certificate: the common name of its subject, and its alternative names.
//!
//! Only certificates that have been verified are read here. One that is not put together as X.509 says
//! gives no name.

use waterbuck_engine::client_certificate::ClientCertificate;

const INTEGER: u8 = 0x02;
const OCTETS: u8 = 0x04;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// Texts of which every byte is UTF-8: `UTF8String`, `PrintableString`, `IA5String`.
const TEXTS: [u8; 3] = [0x0c, 0x13, 0x16];
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 2.5.29.17
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];

/// The names in a certificate (DER); `None` when there are none.
pub(crate) fn client_certificate(der: &[u8]) -> Option<ClientCertificate> {
    let names = read(der).filter(|names| !names.is_empty())?;
    Some(ClientCertificate {
        names: names.into(),
    })
}

fn read(der: &[u8]) -> Option<Vec<String>> {
    let signed = Elements(der).expect(SEQUENCE)?;
    let mut fields = Elements(Elements(signed).expect(SEQUENCE)?);
    fields.skip(VERSION);
    // Serial number, signature algorithm, issuer, validity.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE] {
        fields.expect(tag)?;
    }
    let mut names = common_names(fields.expect(SEQUENCE)?)?;
    let _key = fields.expect(SEQUENCE)?;
    while let Some((tag, value)) = fields.next() {
        if tag == EXTENSIONS {
            names.extend(alternative_names(value)?);
        }
    }
    Some(names)
}

fn common_names(subject: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut sets = Elements(subject);
    while !sets.0.is_empty() {
        let mut attributes = Elements(sets.expect(SET)?);
        while !attributes.0.is_empty() {
            let mut attribute = Elements(attributes.expect(SEQUENCE)?);
            let kind = attribute.expect(OBJECT_ID)?;
            let (tag, value) = attribute.next()?;
            if kind == COMMON_NAME && TEXTS.contains(&tag) {
                names.push(named("CN=", value)?);
            }
        }
    }
    Some(names)
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut extensions = Elements(Elements(extensions).expect(SEQUENCE)?);
    while !extensions.0.is_empty() {
        let mut extension = Elements(extensions.expect(SEQUENCE)?);
        if extension.expect(OBJECT_ID)? != ALTERNATIVE_NAMES {
            continue;
        }
        // Whether it is critical may stand in between.
        let value = loop {
            match extension.next()? {
                (OCTETS, value) => break value,
                _critical => {}
            }
        };
        let mut alternatives = Elements(Elements(value).expect(SEQUENCE)?);
        while let Some((tag, value)) = alternatives.next() {
            let kind = match tag {
                0x81 => "EMAIL:",
                0x82 => "DNS:",
                0x86 => "URI:",
                _ => continue,
            };
            names.push(named(kind, value)?);
        }
    }
    Some(names)
}

fn named(kind: &str, value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?;
    Some(format!("{kind}{value}"))
}

/// Elements of DER that follow one another.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let mut length = usize::from(first);
        if first >= 0x80 {
            let bytes = usize::from(first & 0x7f);
            if bytes == 0 || bytes > 4 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(bytes)?;
            length = bytes
                .iter()
                .fold(0, |length, byte| (length << 8) | usize::from(*byte));
            rest = after;
        }
        let (value, after) = rest.split_at_checked(length)?;
        self.0 = after;
        Some((tag, value))
    }

    /// The content of the next element, which has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next()
            .filter(|(found, _)| *found == tag)
            .map(|(_, value)| value)
    }

    /// Passes over the next element if it has this tag.
    fn skip(&mut self, tag: u8) {
        if self.0.first() == Some(&tag) {
            let _skipped = self.next();
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_subject_and_its_alternative_names_are_read() {
        let der = certificate(|params| {
            let subject = &mut params.distinguished_name;
            subject.push(DnType::OrganizationName, "CN=admin");
            subject.push(DnType::CommonName, "Ann Élan");
            params.subject_alt_names = vec![
                SanType::DnsName("ann.example.org".try_into().unwrap()),
                SanType::Rfc822Name("ann@example.org".try_into().unwrap()),
                SanType::URI("spiffe://example.org/ann".try_into().unwrap()),
                SanType::IpAddress([127, 0, 0, 1].into()),
            ];
        });
        let names = client_certificate(&der).unwrap().names;
        let expected = [
            "CN=Ann Élan",
            "DNS:ann.example.org",
            "EMAIL:ann@example.org",
            "URI:spiffe://example.org/ann",
        ];
        assert_eq!(*names, expected.map(str::to_owned));
    }

    #[test]
    fn what_is_no_whole_certificate_has_no_names() {
        let der = certificate(|params| {
            params.distinguished_name.push(DnType::CommonName, "ann");
        });
        assert!(client_certificate(&der).is_some());
        for end in 0..der.len() {
            assert_eq!(client_certificate(&der[..end]), None, "{end}");
        }
        for (at, byte) in der.iter().enumerate() {
            let mut damaged = der.clone();
            damaged[at] = byte ^ 0xff;
            // Whatever is made of it, nothing panics.
            let _names = client_certificate(&damaged);
        }
    }
}
