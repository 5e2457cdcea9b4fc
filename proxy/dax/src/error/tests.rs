use super::*;
use crate::codec::tests::{hex, unhex};

fn nowhere(_: &str) -> Result<crate::codec::schema::Schema, Error> {
    Err(Error::new(ErrorKind::ResourceNotFoundException, ""))
}

fn read(bytes: &str) -> Result<Error, Error> {
    read_error(&unhex(&bytes.replace(' ', "")), None, &nowhere, &mut ListNames::new(&|_| None))
}

#[test]
fn every_kind_has_codes_of_its_own_or_shares_them_knowingly() {
    for kind in ErrorKind::ALL {
        let codes: Vec<i64> = codes(*kind).iter().map(|code| i64::from(*code)).collect();
        let back = kind_of(&codes);
        let shared = match kind {
            ErrorKind::ExpiredTokenException
            | ErrorKind::IncompleteSignatureException
            | ErrorKind::InvalidSignatureException
            | ErrorKind::UnrecognizedClientException => ErrorKind::MissingAuthenticationTokenException,
            ErrorKind::SerializationException => ErrorKind::ValidationException,
            other => *other,
        };
        assert_eq!(back, shared, "{}", kind.name());
    }
}

#[test]
fn a_failed_condition_is_the_bytes_that_clients_took() {
    let error = Error::new(ErrorKind::ConditionalCheckFailedException, "The conditional request failed");
    let mut out = Vec::new();
    write_error(&mut out, &error, "REQ-0001", None, &mut ListIds::new(&|_| None));
    assert_eq!(
        hex(&out),
        "8504182518261827182b781e54686520636f6e646974696f6e616c2072657175657374206661696c656483685245512d30303031781f436f\
         6e646974696f6e616c436865636b4661696c6564457863657074696f6e190190"
            .replace(' ', "")
    );
}

#[test]
fn the_name_decides_where_it_is_known_and_the_class_where_nothing_is() {
    for (bytes, kind) in [
        ("8101 6161 f6", ErrorKind::ServiceUnavailableException),
        ("8102 6161 f6", ErrorKind::ServiceUnavailableException),
        ("83031825 1836 6161 f6", ErrorKind::InternalServerError),
        ("8104 6161 f6", ErrorKind::ValidationException),
        ("83041718 18 6161 f6", ErrorKind::ResourceNotFoundException),
        ("8404 17 181f 1822 6161 f6", ErrorKind::MissingAuthenticationTokenException),
        ("8104 f6 83 f6 73 5468726f74746c696e67457863657074696f6e f6", ErrorKind::ThrottlingException),
        ("8104 6161 83 f6 6161 190190", ErrorKind::ValidationException),
    ] {
        assert_eq!(read(bytes).unwrap().kind, kind, "{bytes}");
    }
    for bytes in ["", "f6", "8104", "8104 6161", "8104 6161 f6 00", "8104 6161 84f6f6f68161 61"] {
        assert!(read(bytes).is_err(), "{bytes}");
    }
}
