//! The little of a certificate (RFC 5280 4.1) that tells why nobody believes it: who it is of, who signed it, and whether
//! it says where its signer's own certificate can be had.
//!
//! Nothing here decides whom to trust. A certificate that was refused is read, so that its owner learns what to mend.

/// Tags of DER (X.690 8).
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
const OCTET_STRING: u8 = 0x04;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;

/// `id-at-commonName`, `id-at-organizationName`, `id-pe-authorityInfoAccess`, `id-ad-caIssuers`, in DER.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const ORGANIZATION: &[u8] = &[0x55, 0x04, 0x0a];
const AUTHORITY_INFORMATION: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01];
const CA_ISSUERS: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];

/// What a certificate says of itself, unproven.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Certificate<'a> {
    issuer: &'a [u8],
    subject: &'a [u8],
    extensions: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads DER; `None` for what has another shape.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader(Reader(der).expect(SEQUENCE)?);
        let mut signed = Reader(outer.expect(SEQUENCE)?);
        let (first, _) = signed.next()?;
        if first == VERSION {
            let _serial_number = signed.next()?;
        }
        let _algorithm = signed.expect(SEQUENCE)?;
        let issuer = signed.expect(SEQUENCE)?;
        let _validity = signed.expect(SEQUENCE)?;
        let subject = signed.expect(SEQUENCE)?;
        let extensions = signed.find(|tag, _| tag == EXTENSIONS).unwrap_or_default();
        Some(Self { issuer, subject, extensions })
    }

    /// Whether it is signed by whom it is of, as far as names tell.
    pub(super) fn is_its_own_issuer(&self) -> bool {
        self.issuer == self.subject
    }

    /// Who signed it, for a person.
    pub(super) fn issuer_name(&self) -> String {
        name(self.issuer)
    }

    /// Who it is of, for a person.
    pub(super) fn subject_name(&self) -> String {
        name(self.subject)
    }

    /// Whether it says where its issuer's certificate can be fetched (RFC 5280 4.2.2.1), as those of public authorities
    /// do: then the issuer is one of a chain, and no root.
    pub(super) fn tells_of_its_issuer(&self) -> bool {
        let Some(list) = Reader(self.extensions).expect(SEQUENCE) else { return false };
        let access = Reader(list).items().find_map(|(_, extension)| {
            let mut members = Reader(extension);
            (members.expect(OBJECT_IDENTIFIER)? == AUTHORITY_INFORMATION).then_some(())?;
            members.find(|tag, _| tag == OCTET_STRING)
        });
        let Some(descriptions) = access.and_then(|text| Reader(text).expect(SEQUENCE)) else { return false };
        Reader(descriptions).items().any(|(_, description)| {
            Reader(description).expect(OBJECT_IDENTIFIER).is_some_and(|method| method == CA_ISSUERS)
        })
    }
}

/// The common name of a distinguished name, or the organization where there is none.
fn name(distinguished: &[u8]) -> String {
    let attributes: Vec<_> = Reader(distinguished)
        .items()
        .filter(|(tag, _)| *tag == SET)
        .flat_map(|(_, set)| Reader(set).items())
        .filter_map(|(_, attribute)| {
            let mut members = Reader(attribute);
            Some((members.expect(OBJECT_IDENTIFIER)?, members.next()?.1))
        })
        .collect();
    let of = |kind: &[u8]| attributes.iter().find(|(have, _)| *have == kind).map(|(_, value)| *value);
    match of(COMMON_NAME).or_else(|| of(ORGANIZATION)) {
        Some(value) => String::from_utf8_lossy(value).into_owned(),
        None => "nobody in particular".to_owned(),
    }
}

/// Values one after the other, each with its tag and its length.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// The next value: its tag and its content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // No certificate needs more than three bytes for a length.
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The next value, if it has this tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(have, _)| *have == tag).map(|(_, content)| content)
    }

    /// The first of the following values that is as wanted.
    fn find(&mut self, wanted: impl Fn(u8, &[u8]) -> bool) -> Option<&'a [u8]> {
        self.items().find(|(tag, content)| wanted(*tag, content)).map(|(_, content)| content)
    }

    fn items(mut self) -> impl Iterator<Item = (u8, &'a [u8])> {
        std::iter::from_fn(move || self.next())
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType,
        IsCa, KeyPair,
    };

    use super::*;

    fn named(name: &str, names: &[&str]) -> CertificateParams {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    }

    #[test]
    fn it_tells_who_it_is_of_and_who_signed_it() {
        let mut params = named("A homelab's authority", &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let leaf = named("notes", &["notes.test"]);
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &authority).unwrap();
        let (authority, leaf) = (authority.der().to_vec(), leaf.der().to_vec());
        let authority = Certificate::read(&authority).unwrap();
        let leaf = Certificate::read(&leaf).unwrap();
        assert!(authority.is_its_own_issuer() && !leaf.is_its_own_issuer());
        assert_eq!(leaf.issuer_name(), "A homelab's authority");
        assert_eq!(leaf.subject_name(), "notes");
        assert!(!leaf.tells_of_its_issuer());
    }

    #[test]
    fn it_tells_where_its_issuers_certificate_is() {
        let mut params = named("notes", &["notes.test"]);
        params.custom_extensions.push(CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 5, 5, 7, 1, 1],
            // SEQUENCE { SEQUENCE { caIssuers, [6] "http://a/" } }
            [&[0x30, 0x15, 0x30, 0x13, 0x06, 0x08], CA_ISSUERS, &[0x86, 0x07], b"http:/a"].concat(),
        ));
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        assert!(Certificate::read(&der).unwrap().tells_of_its_issuer());
    }

    #[test]
    fn what_is_no_certificate_is_none_whatever_it_says_of_its_length() {
        let key = KeyPair::generate().unwrap();
        let der = named("notes", &["notes.test"]).self_signed(&key).unwrap().der().to_vec();
        for end in 0..der.len() {
            assert_eq!(Certificate::read(&der[..end]), None, "{end}");
        }
        for wrong in
            [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 0x80], b"-----BEGIN CERTIFICATE-----"]
        {
            assert_eq!(Certificate::read(wrong), None);
        }
    }
}
