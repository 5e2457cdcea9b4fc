//! Private keys on elliptic curves that come without their public half, as the JDK writes them.
//!
//! The standard (RFC 5915) lets a key leave it out; the library that signs asks for it. The certificate has it, so it is copied to where
//! the library looks. Nothing is decided here: the library derives the public half from the private one and refuses a copy that
//! is another's, so that the key of another certificate is refused as ever. What is no such key is left as it is.

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;

pub(super) const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
pub(super) const SEQUENCE: u8 = 0x30;
/// Fields of a key that have no place of their own: its curve, which the algorithm beside it names too, and its public half.
const CURVE: u8 = 0xa0;
const PUBLIC: u8 = 0xa1;

/// The key, with the public half of `certificate` where it has none.
pub(super) fn completed(
    key: PrivateKeyDer<'static>,
    certificate: &CertificateDer<'_>,
) -> PrivateKeyDer<'static> {
    let whole = match &key {
        PrivateKeyDer::Pkcs8(key) => wrapped_with_public(key.secret_pkcs8_der(), certificate)
            .map(|whole| PrivateKeyDer::Pkcs8(whole.into())),
        PrivateKeyDer::Sec1(key) => {
            with_public(key.secret_sec1_der(), certificate).map(|whole| PrivateKeyDer::Sec1(whole.into()))
        }
        _ => None,
    };
    whole.unwrap_or(key)
}

/// PKCS #8: version, algorithm, the key as bytes, and attributes that may follow.
fn wrapped_with_public(der: &[u8], certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let fields = content(SEQUENCE, der)?;
    let (INTEGER, _, rest) = element(fields)? else { return None };
    let (SEQUENCE, _, rest) = element(rest)? else { return None };
    let before = &fields[..fields.len() - rest.len()];
    let (OCTET_STRING, key, rest) = element(rest)? else { return None };
    let key = tagged(OCTET_STRING, &[&with_public(key, certificate)?]);
    Some(tagged(SEQUENCE, &[before, &key, rest]))
}

/// SEC 1: version, private half, and two fields that may be missing. `None` where the public half is not.
fn with_public(der: &[u8], certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let fields = content(SEQUENCE, der)?;
    let (INTEGER, _, rest) = element(fields)? else { return None };
    let (OCTET_STRING, _, rest) = element(rest)? else { return None };
    let last = match element(rest) {
        Some((CURVE, _, last)) => last,
        _ => rest,
    };
    if !last.is_empty() {
        return None;
    }
    let public = tagged(PUBLIC, &[&public_half(certificate)?]);
    Some(tagged(SEQUENCE, &[fields, &public]))
}

/// The public key of a certificate: a string of bits, tag and length included.
fn public_half(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let info = ParsedCertificate::try_from(certificate).ok()?.subject_public_key_info();
    let (SEQUENCE, _, bits) = element(content(SEQUENCE, &info)?)? else { return None };
    content(BIT_STRING, bits).map(|_| bits.to_vec())
}

/// What a lone element of this tag holds.
pub(super) fn content(tag: u8, der: &[u8]) -> Option<&[u8]> {
    match element(der)? {
        (found, content, []) if found == tag => Some(content),
        _ => None,
    }
}

/// The first element's tag and content, and what follows it. Lengths of up to two bytes: no key is longer, and no certificate that
/// anybody shows.
pub(super) fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, length, rest) = match *der {
        [tag, 0x81, length, ref rest @ ..] => (tag, usize::from(length), rest),
        [tag, 0x82, high, low, ref rest @ ..] => (tag, usize::from(u16::from_be_bytes([high, low])), rest),
        [tag, length @ ..=0x7f, ref rest @ ..] => (tag, usize::from(length), rest),
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// An element of these parts, none of which is longer than [`element`] reads.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    match length {
        ..=0x7f => der.push(length as u8),
        0x80..=0xff => der.extend_from_slice(&[0x81, length as u8]),
        _ => der.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    parts.iter().for_each(|part| der.extend_from_slice(part));
    der
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The same key (PKCS #8) without its public half.
    pub(in crate::tls) fn without_public(der: &[u8]) -> Vec<u8> {
        let fields = content(SEQUENCE, der).unwrap();
        let (_, _, rest) = element(fields).unwrap();
        let (_, _, rest) = element(rest).unwrap();
        let before = &fields[..fields.len() - rest.len()];
        let key = content(SEQUENCE, element(rest).unwrap().1).unwrap();
        let (_, _, after_version) = element(key).unwrap();
        let (_, _, after_private) = element(after_version).unwrap();
        let bare = tagged(SEQUENCE, &[&key[..key.len() - after_private.len()]]);
        tagged(SEQUENCE, &[before, &tagged(OCTET_STRING, &[&bare])])
    }

    fn a_key() -> (Vec<u8>, CertificateDer<'static>) {
        let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (pair.signing_key.serialize_der(), pair.cert.der().clone())
    }

    #[test]
    fn a_key_without_its_public_half_gets_that_of_the_certificate() {
        let (whole, certificate) = a_key();
        let bare = without_public(&whole);
        assert!(bare.len() < whole.len() && !bare.is_empty());
        let key = completed(PrivateKeyDer::Pkcs8(bare.clone().into()), &certificate);
        assert_eq!(key.secret_der(), whole);
        let inner = |der: &[u8]| {
            let (_, _, rest) = element(content(SEQUENCE, der).unwrap()).unwrap();
            element(element(rest).unwrap().2).unwrap().1.to_vec()
        };
        let key = completed(PrivateKeyDer::Sec1(inner(&bare).into()), &certificate);
        assert_eq!(key.secret_der(), inner(&whole));
    }

    #[test]
    fn what_is_whole_or_no_such_key_is_left_as_it_is() {
        let (whole, certificate) = a_key();
        let edwards = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_der();
        for der in [whole.clone(), edwards, b"\x30\x82\xff\xff".to_vec(), Vec::new(), whole[..40].to_vec()] {
            let key = completed(PrivateKeyDer::Pkcs8(der.clone().into()), &certificate);
            assert_eq!(key.secret_der(), der);
        }
        let bare = without_public(&whole);
        let no_certificate = CertificateDer::from(vec![0x30, 0]);
        let key = completed(PrivateKeyDer::Pkcs8(bare.clone().into()), &no_certificate);
        assert_eq!(key.secret_der(), bare);
    }

    #[test]
    fn lengths_of_all_forms_are_read_as_they_are_written() {
        for length in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff] {
            let content = vec![7; length];
            let der = tagged(OCTET_STRING, &[&content, b""]);
            assert_eq!(element(&der), Some((OCTET_STRING, &content[..], &b""[..])));
            assert_eq!(element(&der[..der.len() - 1]), None);
        }
    }
}
