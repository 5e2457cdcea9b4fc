use ring::hmac;

use super::*;
use crate::codec::frame::{Frame, FrameScanner};
use crate::codec::handshake::Preamble;
use crate::codec::tests::{hex, unhex};

pub(crate) const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// Knows one key.
pub(crate) struct OneKey;

impl Signers for OneKey {
    fn verify(&self, signed: Signed<'_>) -> Result<Arc<Caller>, Error> {
        if signed.access_key != ACCESS_KEY || signed.session_token.is_some() {
            return Err(Error::new(ErrorKind::UnrecognizedClientException, "not known"));
        }
        if signed.signature == hex(&sign(signed.scope, signed.string_to_sign)) {
            Ok(Arc::new(Caller { access_key: ACCESS_KEY.into() }))
        } else {
            Err(invalid("not right"))
        }
    }
}

fn sign(scope: &str, text: &[u8]) -> Vec<u8> {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{SECRET}").as_bytes());
    let key = scope.split('/').fold(first, |key, part| {
        hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&key, part.as_bytes()).as_ref())
    });
    hmac::sign(&key, text).as_ref().to_vec()
}

/// A claim signed at a time, as a client makes it.
pub(crate) fn claim_frame(time: &str, secret_is_right: bool) -> Vec<u8> {
    let scope = format!("{}/us-east-1/dax/aws4_request", &time[..8]);
    let text = format!("{ALGORITHM}\n{time}\n{scope}\n{}", request_hash(HOSTS[0], time));
    let mut signature = hex(&sign(&scope, text.as_bytes()));
    if !secret_is_right {
        signature.replace_range(..1, if signature.starts_with('0') { "1" } else { "0" });
    }
    let mut out = Vec::new();
    let claim = AuthorizeConnection {
        access_key: ACCESS_KEY,
        signature: &signature,
        string_to_sign: text.as_bytes(),
        session_token: None,
        user_agent: None,
    };
    claim.write(&mut out).unwrap();
    out
}

fn claim<'a>(signature: &'a str, text: &'a str) -> AuthorizeConnection<'a> {
    AuthorizeConnection {
        access_key: ACCESS_KEY,
        signature,
        string_to_sign: text.as_bytes(),
        session_token: None,
        user_agent: None,
    }
}

#[test]
fn both_hosts_that_clients_sign_for_are_right() {
    for (hash, signature) in [
        (
            "a78725a0e503ef79ee0591668a82e8111022c1f5dfb15e3c496b76531caa1940",
            "2b6a77536b7ae60b931a4ee56277cb98bad74d78eed6b45c01abd35dbe7c1e47",
        ),
        (
            "2752fe302481479ce3c303ad2baefe6c9c3c77aa0eef00f485306f7641ea47bc",
            "1f135640c53f02833646e3a0d3b66942efdb5a2310ffa37fbf58944cd682b5b5",
        ),
    ] {
        let text = format!("{ALGORITHM}\n20240102T030405Z\n20240102/us-east-1/dax/aws4_request\n{hash}");
        let now = seconds("20240102T030405Z").unwrap();
        let caller = check(&claim(signature, &text), &OneKey, now).unwrap();
        assert_eq!(caller.access_key, ACCESS_KEY);
    }
}

/// The claims of the official clients in the test vectors, at the times they were made.
#[test]
fn captured_claims_are_right() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../tests/vectors.json")).unwrap();
    let mut checked = 0;
    for capture in vectors["captures"].as_array().unwrap() {
        if !capture["name"].as_str().unwrap().contains("/authorizeConnection/") {
            continue;
        }
        let bytes = unhex(capture["request_hex"].as_str().unwrap());
        let mut scanner = FrameScanner::new();
        let mut preamble = Vec::new();
        Preamble::default().write(&mut preamble);
        scanner.next(&preamble).unwrap().unwrap();
        let Ok(Some(Frame::Request { header_bytes, .. })) = scanner.next(&bytes) else { panic!("a request") };
        let claim = AuthorizeConnection::read(&bytes[header_bytes..]).unwrap();
        let time = std::str::from_utf8(claim.string_to_sign).unwrap().lines().nth(1).unwrap();
        let made = seconds(time).unwrap();
        check(&claim, &OneKey, made).unwrap();
        // A replay within the window is right still: the wire has nothing that would tell it. Beyond, it is not.
        check(&claim, &OneKey, made + SKEW_SECONDS).unwrap();
        let late = check(&claim, &OneKey, made + SKEW_SECONDS + 1).unwrap_err();
        assert_eq!(late.kind, ErrorKind::InvalidSignatureException);
        assert!(check(&claim, &OneKey, made - SKEW_SECONDS - 1).is_err());
        checked += 1;
    }
    assert_eq!(checked, 4);
}

#[test]
fn each_part_of_the_string_is_judged() {
    let now = seconds("20240102T030405Z").unwrap();
    let hash = request_hash(HOSTS[0], "20240102T030405Z");
    let sound = format!("{ALGORITHM}\n20240102T030405Z\n20240102/us-east-1/dax/aws4_request\n{hash}");
    for (from, to) in [
        (ALGORITHM, "AWS4-HMAC-SHA1"),
        ("\n20240102T030405Z", "\nyesterday"),
        ("20240102/", "20240103/"),
        ("20240102/", "2024010/"),
        ("us-east-1", ""),
        ("/dax/", "/dynamodb/"),
        ("aws4_request", "aws4"),
        ("/us-east-1", ""),
        (&hash[..4], "ffff"),
    ] {
        let text = sound.replacen(from, to, 1);
        assert_ne!(text, sound);
        let scope = text.lines().nth(2).unwrap().to_owned();
        let signature = hex(&sign(&scope, text.as_bytes()));
        assert!(check(&claim(&signature, &text), &OneKey, now).is_err(), "{text}");
    }
    let signature = hex(&sign("20240102/us-east-1/dax/aws4_request", sound.as_bytes()));
    check(&claim(&signature, &sound), &OneKey, now).unwrap();
    assert!(check(&claim(&signature.to_uppercase(), &sound), &OneKey, now).is_err());
    let longer = format!("{sound}\n");
    let signature = hex(&sign("20240102/us-east-1/dax/aws4_request", longer.as_bytes()));
    assert!(check(&claim(&signature, &longer), &OneKey, now).is_err());
}

#[test]
fn times_are_those_of_the_calendar() {
    for (time, expected) in [
        ("19700101T000000Z", Some(0)),
        ("20000229T235959Z", Some(951_868_799)),
        ("20240102T030405Z", Some(1_704_164_645)),
        ("20261121T035812Z", Some(1_795_233_492)),
        ("19691231T235959Z", None),
        ("20240102T030405", None),
        ("20240102 030405Z", None),
        ("2024010xT030405Z", None),
        ("20241302T030405Z", None),
        ("20240102T240000Z", None),
    ] {
        assert_eq!(seconds(time), expected, "{time}");
    }
}
