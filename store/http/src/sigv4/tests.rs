//! Signatures that others made, ours read back, and what each wrong one is told.

use api::{Error, ErrorKind};
use httparse::Header;

use super::canonical::hash;
use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2026-11-21T07:32:18Z, when boto3 1.43 signed the requests below.
const BOTO_SECONDS: u64 = 1_795_246_338;
const BOTO_BODY: &[u8] = br#"{"TableName": "table", "Key": {"k": {"S": "a"}}}"#;
const BOTO_AUTHORIZATION: &str = "AWS4-HMAC-SHA256 \
    Credential=AKIDBOTO/20261121/eu-central-1/dynamodb/aws4_request, \
    SignedHeaders=content-type;host;x-amz-date;x-amz-target, \
    Signature=9490b167d886a563eb683cc9e3c8ab397788800189ae6bc7249dd888699f29fe";

fn key(access_key: &str, session_token: Option<&str>) -> Credentials {
    Credentials {
        access_key: access_key.into(),
        secret_key: SECRET.into(),
        session_token: session_token.map(str::to_owned),
    }
}

fn boto_headers(authorization: &str) -> Vec<(&'static str, String)> {
    vec![
        ("X-Amz-Target", "DynamoDB_20120810.GetItem".into()),
        ("Content-Type", "application/x-amz-json-1.0".into()),
        ("X-Amz-Date", "20261121T073218Z".into()),
        ("Authorization", authorization.into()),
        ("Host", "db.example:8000".into()),
    ]
}

fn check(
    keyring: &Keyring,
    uri: &str,
    headers: &[(&'static str, String)],
    body: &[u8],
    now: u64,
) -> Result<String, Error> {
    let headers: Vec<Header<'_>> =
        headers.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
    verify::verify(keyring, &Head::new("POST", uri, &headers), body, now)
        .map(|caller| caller.access_key.clone())
}

fn boto(keyring: &Keyring, authorization: &str, now: u64) -> Result<String, Error> {
    check(keyring, "/", &boto_headers(authorization), BOTO_BODY, now)
}

/// Method, path and query, more headers, body, signature.
type Vector =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static [u8], &'static str);

#[test]
fn the_published_vectors_come_out() {
    let form: &[u8] = b"Param1=value1";
    let vectors: [Vector; 5] = [
        ("GET", "/", &[], b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", &[], b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "GET",
            "/?Param2=value2&Param1=value1",
            &[],
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        (
            "GET",
            "/",
            &[("My-Header1", " value1"), ("My-Header2", " \"a   b   c\"")],
            b"",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "POST",
            "/",
            &[("Content-Type", "application/x-www-form-urlencoded")],
            form,
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ];
    for (method, uri, more, body, expected) in vectors {
        let mut headers = vec![
            Header { name: "Host", value: b"example.amazonaws.com" },
            Header { name: "X-Amz-Date", value: b"20150830T123600Z" },
        ];
        headers.extend(more.iter().map(|(name, value)| Header { name, value: value.as_bytes() }));
        let seconds = time::read(b"20150830T123600Z").unwrap();
        let signed =
            sign(&key("AKIDEXAMPLE", None), "us-east-1", "service", seconds, method, uri, &headers, body);
        assert!(
            signed.authorization.ends_with(expected),
            "{method} {uri} {more:?}: {}",
            signed.authorization
        );
    }
}

#[test]
fn a_request_that_boto3_signed_is_let_in() {
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    for _ in 0..2 {
        assert_eq!(boto(&keyring, BOTO_AUTHORIZATION, BOTO_SECONDS).unwrap(), "AKIDBOTO");
    }
    let elsewhere = Keyring::new([key("AKIDBOTO", None)], Some("us-east-1".into()));
    let error = boto(&elsewhere, BOTO_AUTHORIZATION, BOTO_SECONDS).unwrap_err();
    assert_eq!(error.message, "Credential should be scoped to a valid region, not 'eu-central-1'.");
}

#[test]
fn a_session_token_must_be_the_keys_own() {
    const TOKEN: &str = "IQoJb3JpZ2luX2VjEXAMPLE//token==";
    let authorization = "AWS4-HMAC-SHA256 Credential=AKIDBOTO/20261121/eu-central-1/dynamodb/aws4_request, \
        SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
        Signature=93285bdcbf0fb68d533f936ffe4ff98c305b9f004d2b7f4610ff563a0d09dcdf";
    let mut headers = boto_headers(authorization);
    headers[2].1 = "20261121T073219Z".into();
    headers.push(("X-Amz-Security-Token", TOKEN.into()));
    let with =
        |token| check(&Keyring::new([key("AKIDBOTO", token)], None), "/", &headers, BOTO_BODY, BOTO_SECONDS);
    assert_eq!(with(Some(TOKEN)).unwrap(), "AKIDBOTO");
    for wrong in [None, Some("another"), Some("IQoJb3JpZ2luX2VjEXAMPLE//token=!")] {
        let error = with(wrong).unwrap_err();
        assert_eq!(error.kind, ErrorKind::UnrecognizedClientException);
        assert_eq!(error.message, "The security token included in the request is invalid.");
    }
    let bound = Keyring::new([key("AKIDBOTO", Some(TOKEN))], None);
    assert_eq!(
        boto(&bound, BOTO_AUTHORIZATION, BOTO_SECONDS).unwrap_err().kind,
        ErrorKind::UnrecognizedClientException,
        "a key with a token is no use without it"
    );
}

#[test]
fn a_signed_text_is_judged_as_a_signed_request_is() {
    const SCOPE: &str = "20240102/us-east-1/dax/aws4_request";
    // A connection's string to sign, and the signature that the official Python client made of it.
    let text = format!(
        "AWS4-HMAC-SHA256\n20240102T030405Z\n{SCOPE}\na78725a0e503ef79ee0591668a82e8111022c1f5dfb15e3c496b76531caa1940"
    );
    let right = SignedText {
        access_key: "AKIDEXAMPLE",
        session_token: None,
        region: "us-east-1",
        scope: SCOPE,
        text: text.as_bytes(),
        signature: "2b6a77536b7ae60b931a4ee56277cb98bad74d78eed6b45c01abd35dbe7c1e47",
    };
    let keyring = Keyring::new([key("AKIDEXAMPLE", None)], None);
    for _ in 0..2 {
        assert_eq!(keyring.verify_text(&right).unwrap().access_key, "AKIDEXAMPLE");
    }
    let kind = |keyring: &Keyring, signed: SignedText<'_>| keyring.verify_text(&signed).unwrap_err().kind;
    let (invalid, unrecognized) =
        (ErrorKind::InvalidSignatureException, ErrorKind::UnrecognizedClientException);
    let upper = right.signature.to_uppercase();
    for signature in ["", "00", &upper, &right.signature[1..]] {
        assert_eq!(kind(&keyring, SignedText { signature, ..right }), invalid);
    }
    assert_eq!(kind(&keyring, SignedText { text: &right.text[1..], ..right }), invalid);
    assert_eq!(kind(&keyring, SignedText { access_key: "AKID", ..right }), unrecognized);
    assert_eq!(kind(&keyring, SignedText { session_token: Some("t"), ..right }), unrecognized);
    let bound = Keyring::new([key("AKIDEXAMPLE", Some("t"))], Some("us-east-1".into()));
    assert_eq!(kind(&bound, right), unrecognized);
    assert!(bound.verify_text(&SignedText { session_token: Some("t"), ..right }).is_ok());
    let elsewhere = Keyring::new([key("AKIDEXAMPLE", None)], Some("eu-west-1".into()));
    assert_eq!(kind(&elsewhere, right), invalid);
}

#[test]
fn a_call_that_botocore_signed_is_let_in_with_its_message_or_without() {
    const MESSAGE: &[u8] = b"\x0a\x05table";
    const HASH: &str = "2a7333a03d2288d87acccc576b7fa105db1a7cfe2f61b318ef1e72b82643413d";
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let verify = |payload: &str, signature: &str, path: &str, message: &[u8]| {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIDBOTO/20261121/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
        );
        let headers: [(&str, &[u8]); 4] = [
            ("x-amz-date", b"20261121T073218Z"),
            ("x-amz-content-sha256", payload.as_bytes()),
            ("authorization", authorization.as_bytes()),
            ("host", b"127.0.0.1:8500"),
        ];
        let call = SignedCall { path, headers: &headers, message };
        keyring
            .verify_call(&call, BOTO_SECONDS)
            .map(|caller| caller.access_key.clone())
            .map_err(|error| error.kind)
    };
    let path = "/forebay.dynamodb.v1.DynamoDb/DescribeTable";
    let unsigned = "2d484f5a374662c1b480ce08fe16e7efc036bb852ee732056d544f73599649e8";
    let signed = "97ccbf242ec4d9b33ddb8fbcae034b04fae7fd343eed7f83bf7a7c96cdf08296";
    let invalid = Err(ErrorKind::InvalidSignatureException);
    let kim = Ok("AKIDBOTO".to_owned());
    assert_eq!(verify("UNSIGNED-PAYLOAD", unsigned, path, MESSAGE), kim);
    assert_eq!(verify("UNSIGNED-PAYLOAD", unsigned, path, b"another"), kim);
    assert_eq!(verify(HASH, signed, path, MESSAGE), kim);
    assert_eq!(verify(HASH, signed, path, b"another"), invalid);
    // What was not signed does not become so by saying it.
    assert_eq!(verify("UNSIGNED-PAYLOAD", signed, path, MESSAGE), invalid);
    assert_eq!(
        verify("UNSIGNED-PAYLOAD", unsigned, "/forebay.dynamodb.v1.DynamoDb/DeleteTable", MESSAGE),
        invalid
    );
}

#[test]
fn a_request_signed_in_its_query_is_let_in_while_it_lasts() {
    let uri = "/?TableName=table&Key=%7B%27k%27%3A%20%7B%27S%27%3A%20%27a%27%7D%7D&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIDBOTO%2F20261121%2Feu-central-1%2Fdynamodb%2Faws4_request&X-Amz-Date=20261121T073219Z\
        &X-Amz-Expires=60&X-Amz-SignedHeaders=content-type%3Bhost%3Bx-amz-target\
        &X-Amz-Signature=900090c68c66f3a6fc8a8e87a1a113a8d69e3023fff8b0876a49b45be4223d01";
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let mut headers = boto_headers("");
    headers.retain(|(name, _)| !matches!(*name, "Authorization" | "X-Amz-Date"));
    let at = |uri: &str, now| check(&keyring, uri, &headers, b"", now);
    assert_eq!(at(uri, BOTO_SECONDS + 61).unwrap(), "AKIDBOTO");
    let late = at(uri, BOTO_SECONDS + 62).unwrap_err();
    assert_eq!(
        late.message,
        "Signature expired: 20261121T073219Z is now earlier than 20261121T073220Z (20261121T073320Z - 1 min.)"
    );
    assert_eq!(
        at(&uri.replace("=table", "=tables"), BOTO_SECONDS).unwrap_err().kind,
        ErrorKind::InvalidSignatureException
    );
    let without = at(&uri.replace("&X-Amz-Date=20261121T073219Z", ""), BOTO_SECONDS).unwrap_err();
    assert_eq!(without.kind, ErrorKind::IncompleteSignatureException);
    assert_eq!(
        without.message,
        "AWS query-string parameters must include 'X-Amz-Date'. Re-examine the query-string parameters."
    );
    let both = check(&keyring, uri, &boto_headers(BOTO_AUTHORIZATION), b"", BOTO_SECONDS).unwrap_err();
    assert_eq!(
        both.message,
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    );
}

#[test]
fn each_wrong_signature_is_told_what_the_service_tells_it() {
    use ErrorKind::{IncompleteSignatureException as Incomplete, InvalidSignatureException as Invalid};
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let changed = |from: &str, to: &str| BOTO_AUTHORIZATION.replace(from, to);
    let cases = [
        (
            changed("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA25"),
            Incomplete,
            "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA25' (only AWS4-HMAC-SHA256 for now). ",
        ),
        (
            changed("host;", ""),
            Invalid,
            "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            changed(";x-amz-target", ""),
            Invalid,
            "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization.",
        ),
        (
            changed("/aws4_request", ""),
            Incomplete,
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, \
             got 'AKIDBOTO/20261121/eu-central-1/dynamodb'",
        ),
        (
            changed("20261121/eu-central-1/dynamodb/aws4_request", "20261120/eu-central-1/s3/aws5"),
            Invalid,
            "Credential should be scoped to correct service: 'dynamodb'. \
             Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5'. \
             Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: \
             '20261120' != '20261121', from '20261121T073218Z'.",
        ),
        (
            changed("AKIDBOTO", "AKIDOTHER"),
            ErrorKind::UnrecognizedClientException,
            "The security token included in the request is invalid.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, Signature".into(),
            Incomplete,
            "'Signature' not a valid key=value pair (missing equal-sign) in Authorization header: \
             'AWS4-HMAC-SHA256 Credential=a/b, Signature'.",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=a/b, Signature=c".into(),
            Incomplete,
            "Authorization header requires 'SignedHeaders' parameter. \
             Authorization=AWS4-HMAC-SHA256 Credential=a/b, Signature=c",
        ),
        (
            "Basic abc".into(),
            ErrorKind::MissingAuthenticationTokenException,
            "Request is missing Authentication Token",
        ),
    ];
    for (authorization, kind, message) in cases {
        let error = boto(&keyring, &authorization, BOTO_SECONDS).unwrap_err();
        assert_eq!((error.kind, &*error.message), (kind, message));
    }
}

#[test]
fn a_header_of_amazons_that_was_added_on_the_way_is_noticed() {
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let mut headers = boto_headers(BOTO_AUTHORIZATION);
    headers.push(("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678".into()));
    assert!(check(&keyring, "/", &headers, BOTO_BODY, BOTO_SECONDS).is_ok(), "proxies add this one");
    headers.push(("X-AMZ-Content-Sha256", "0".repeat(64)));
    let error = check(&keyring, "/", &headers, BOTO_BODY, BOTO_SECONDS).unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidSignatureException);
    assert_eq!(error.message, "'X-AMZ-Content-Sha256' must be a 'SignedHeader' in the AWS Authorization.");
}

#[test]
fn a_clock_may_differ_by_five_minutes_either_way() {
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let at = |now| boto(&keyring, BOTO_AUTHORIZATION, now);
    assert!(at(BOTO_SECONDS + 300).is_ok() && at(BOTO_SECONDS - 300).is_ok());
    assert_eq!(
        at(BOTO_SECONDS + 301).unwrap_err().message,
        "Signature expired: 20261121T073218Z is now earlier than 20261121T073219Z (20261121T073719Z - 5 min.)"
    );
    assert_eq!(
        at(BOTO_SECONDS - 301).unwrap_err().message,
        "Signature not yet current: 20261121T073218Z is still later than 20261121T073217Z (20261121T072717Z + 5 min.)"
    );
    let mut headers = boto_headers(BOTO_AUTHORIZATION);
    headers[2].1 = "201".into();
    assert_eq!(
        check(&keyring, "/", &headers, BOTO_BODY, BOTO_SECONDS).unwrap_err().message,
        "Date must be in ISO-8601 'basic format'. Got '201'. See http://en.wikipedia.org/wiki/ISO_8601"
    );
}

#[test]
fn whatever_was_signed_and_changed_is_noticed_and_the_message_shows_what_was_seen() {
    let keyring = Keyring::new([key("AKIDBOTO", None)], None);
    let good = boto_headers(BOTO_AUTHORIZATION);
    for (index, header) in good.iter().enumerate().filter(|(_, (name, _))| *name != "Authorization") {
        let mut bad = good.clone();
        bad[index].1 = match header.0 {
            "X-Amz-Date" => "20261121T073219Z".into(),
            _ => format!("{}x", header.1),
        };
        assert!(check(&keyring, "/", &bad, BOTO_BODY, BOTO_SECONDS).is_err(), "{}", header.0);
    }
    let error = check(&keyring, "/", &good, b"{}", BOTO_SECONDS).unwrap_err();
    let canonical = "POST\n/\n\ncontent-type:application/x-amz-json-1.0\nhost:db.example:8000\n\
        x-amz-date:20261121T073218Z\nx-amz-target:DynamoDB_20120810.GetItem\n\n\
        content-type;host;x-amz-date;x-amz-target\n\
        44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let canonical_hash = String::from_utf8(hash(canonical.as_bytes()).to_vec()).unwrap();
    let expected = format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details.\n\nThe Canonical String for this \
         request should have been\n'{canonical}'\n\nThe String-to-Sign should have been\n\
         'AWS4-HMAC-SHA256\n20261121T073218Z\n20261121/eu-central-1/dynamodb/aws4_request\n{canonical_hash}'\n"
    );
    assert_eq!((error.kind, &*error.message), (ErrorKind::InvalidSignatureException, expected.as_str()));
}

#[test]
fn what_we_sign_we_let_in() {
    let credentials = Credentials { session_token: Some("t".into()), ..key("ASIA", None) };
    let keyring = Keyring::new([credentials.clone()], Some("us-east-1".into()));
    for body in [&b"{}"[..], b"", &vec![b'x'; 100_000]] {
        for uri in ["/", "/?b=2&a=1&a=0&c", "/a%20b//c/../d/"] {
            let date = time::write(BOTO_SECONDS);
            let mut headers = vec![
                Header { name: "host", value: b"x" },
                Header { name: "x-amz-security-token", value: b"t" },
                Header { name: "x-amz-date", value: &date },
                Header { name: "x-spaced", value: b"  a   b " },
                Header { name: "x-twice", value: b"1" },
                Header { name: "x-twice", value: b"2" },
            ];
            let signed =
                sign(&credentials, "us-east-1", "dynamodb", BOTO_SECONDS, "POST", uri, &headers, body)
                    .authorization;
            headers.push(Header { name: "authorization", value: signed.as_bytes() });
            let caller =
                verify::verify(&keyring, &Head::new("POST", uri, &headers), body, BOTO_SECONDS).unwrap();
            assert_eq!(caller.access_key, "ASIA");
        }
    }
}
