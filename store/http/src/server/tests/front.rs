//! What is answered, in which order it is judged, and what the headers say.

use api::ErrorKind;

use super::super::encoding::{Coding, fold, unfold};
use super::*;

fn json() -> Arc<Told> {
    Told::new(Act::Json(Bytes::from_static(br#"{"Item":{"k":{"S":"a"}}}"#)))
}

#[tokio::test]
async fn an_answer_carries_id_checksum_type_and_where_it_came_from() {
    let seen = handle(&server(&json()), get_item().body(GET_BODY.as_bytes()).unwrap()).await;
    assert_eq!((seen.status, seen.text()), (200, r#"{"Item":{"k":{"S":"a"}}}"#));
    assert_eq!(seen.header("content-type"), Some("application/x-amz-json-1.0"));
    assert_eq!(seen.header("x-amz-crc32"), Some(crc32fast::hash(&seen.body).to_string().as_str()));
    assert_eq!(seen.header("x-forebay-cache"), Some("hit"));
    let id = seen.header("x-amzn-requestid").unwrap();
    assert!(id.len() == 52 && id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{id}");
    assert_eq!(seen.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn what_is_not_a_request_of_this_api_gets_what_dynamodb_gives() {
    let server = server(&json());
    let healthy = handle(&server, http::Request::get("/").body(&b""[..]).unwrap()).await;
    assert_eq!((healthy.status, healthy.text()), (200, "healthy: dynamodb.us-east-1.amazonaws.com "));
    assert_eq!(healthy.header("x-amz-crc32"), Some("3128867991"));
    let nothing: [http::Request<&[u8]>; 5] = [
        http::Request::put("/").body(&b""[..]).unwrap(),
        http::Request::delete("/").body(&b""[..]).unwrap(),
        http::Request::options("/").body(&b""[..]).unwrap(),
        http::Request::post("/").body(&b"hi"[..]).unwrap(),
        http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.1")
            .body(&b"{}"[..])
            .unwrap(),
    ];
    for request in nothing {
        let what = format!("{} {:?}", request.method(), request.headers());
        let seen = handle(&server, request).await;
        assert_eq!((seen.status, seen.text()), (404, "<UnknownOperationException/>\n"), "{what}");
        assert_eq!(seen.header("x-amz-crc32"), Some("3552371480"));
        assert!(seen.header("x-amzn-requestid").is_some());
    }
}

#[tokio::test]
async fn a_preflight_allows_what_it_asks() {
    let server = server(&json());
    let request = http::Request::options("/")
        .header("origin", "https://app.example")
        .header("access-control-request-headers", "a, b, c")
        .header("access-control-request-method", "POST");
    let seen = handle(&server, request.body(&b""[..]).unwrap()).await;
    assert_eq!((seen.status, seen.text()), (200, ""));
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-headers", "a, b, c"),
        ("access-control-allow-methods", "POST"),
        ("access-control-max-age", "172800"),
    ] {
        assert_eq!(seen.header(name), Some(value));
    }
    let posted = handle(&server, get_item().header("origin", "x").body(GET_BODY.as_bytes()).unwrap()).await;
    assert_eq!(posted.header("access-control-allow-origin"), Some("*"));
}

#[tokio::test]
async fn json_is_judged_before_the_target_and_the_target_before_the_rest() {
    let server = server(&json());
    let post = |target: &str, content_type: &str| {
        http::Request::post("/").header("x-amz-target", target).header("content-type", content_type)
    };
    let serialization = r#"{"__type":"com.amazon.coral.service#SerializationException"}"#;
    let unknown = r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#;
    let (json10, json) = ("application/x-amz-json-1.0", "application/json");
    for (request, content_type, expected, crc32) in [
        (post("whatever", json).body(&b"hi"[..]), json, serialization, "3948637019"),
        (post("whatever", json10).body(&b"{\"a\":"[..]), json10, serialization, "3948637019"),
        (
            post("whatever", "application/x-amz-json-1.0; charset=utf-8").body(&b"{}"[..]),
            json10,
            unknown,
            "1368724161",
        ),
        (post("DynamoDB_20120810.ListTable", json).body(&b""[..]), json, unknown, "1368724161"),
        (http::Request::post("/").body(&b""[..]), json, unknown, "1368724161"),
        (post("DynamoDB_20120810.GetItem", json10).body(&b""[..]), json10, serialization, "3948637019"),
    ] {
        let seen = handle(&server, request.unwrap()).await;
        assert_eq!((seen.status, seen.text(), seen.header("x-amz-crc32")), (400, expected, Some(crc32)));
        assert_eq!(seen.header("content-type"), Some(content_type));
    }
}

#[tokio::test]
async fn an_operation_we_lack_is_named() {
    let request = http::Request::post("/")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "DynamoDB_20120810.ExecuteStatement");
    let seen = handle(&server(&json()), request.body(&b"{}"[..]).unwrap()).await;
    assert_eq!(seen.status, 400);
    assert!(seen.text().contains("#UnknownOperationException") && seen.text().contains("ExecuteStatement"));
}

#[tokio::test]
async fn with_credentials_configured_nobody_gets_in_unsigned() {
    let keyring = crate::sigv4::Keyring::new([], None);
    let server =
        HttpServer::new(json(), Auth::Keys(Arc::new(keyring)), HttpSettings::default(), Arc::new(Still));
    let seen = handle(&server, get_item().body(GET_BODY.as_bytes()).unwrap()).await;
    assert_eq!(seen.status, 400);
    assert_eq!(
        seen.text(),
        "{\"__type\":\"com.amazon.coral.service#MissingAuthenticationTokenException\",\
         \"message\":\"Request is missing Authentication Token\"}"
    );
    assert_eq!(seen.header("x-amz-crc32"), Some("2088342776"));
    let seen =
        handle(&server, get_item().header("authorization", "AWS4-").body(GET_BODY.as_bytes()).unwrap()).await;
    assert_eq!(seen.header("x-amz-crc32"), Some("1828866742"), "{}", seen.text());
    let seen = handle(&server, get_item().body(&b"not json"[..]).unwrap()).await;
    assert!(seen.text().contains("SerializationException"));
}

#[tokio::test]
async fn reads_on_a_connection_never_ask_for_less_than_it_has_seen() {
    let db = json();
    let server = server(&db);
    let connection = server.connection();
    let at = |index| Some(Version { incarnation: 5, shard: 0, index });
    let get = || get_item().body(GET_BODY.as_bytes()).unwrap();
    for index in [7, 3] {
        *db.version.lock() = at(index);
        on(&server, &connection, get()).await;
    }
    let seen = on(&server, &connection, get()).await;
    assert_eq!(seen.header("x-forebay-version"), Some("1.5.0.3"));
    assert_eq!(db.floors(), [None, at(7), at(7)]);
    let asked =
        get_item().header("x-forebay-min-version", "1.5.0.9").header("x-forebay-max-staleness", "250");
    on(&server, &connection, asked.body(GET_BODY.as_bytes()).unwrap()).await;
    assert_eq!(db.floors()[3], at(9));
    assert_eq!(db.asked.lock()[3].max_staleness, Some(Duration::from_millis(250)));
    on(&server, &server.connection(), get()).await;
    assert_eq!(db.floors()[4], None, "another connection has seen nothing");
    for (name, value) in [("x-forebay-min-version", "soon"), ("x-forebay-max-staleness", "-1")] {
        let seen =
            on(&server, &connection, get_item().header(name, value).body(GET_BODY.as_bytes()).unwrap()).await;
        assert!(seen.status == 400 && seen.text().contains(name), "{}", seen.text());
    }
}

#[tokio::test]
async fn errors_of_the_store_carry_their_status_and_type() {
    for (kind, status) in [(ErrorKind::ResourceNotFoundException, 400), (ErrorKind::InternalServerError, 500)]
    {
        let server = server(&Told::new(Act::Fail(Error::new(kind, "m"))));
        let seen = handle(&server, get_item().body(GET_BODY.as_bytes()).unwrap()).await;
        let expected =
            format!("{{\"__type\":\"com.amazonaws.dynamodb.v20120810#{}\",\"message\":\"m\"}}", kind.name());
        assert_eq!((seen.status, seen.text()), (status, expected.as_str()));
        assert_eq!(seen.header("x-forebay-cache"), None);
    }
}

#[tokio::test]
async fn an_endpoint_without_address_is_where_the_request_came_to() {
    let request = http::Request::post("/")
        .header("host", "db.example:8000")
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", "DynamoDB_20120810.DescribeEndpoints");
    let seen = handle(&server(&Told::new(Act::Endpoints)), request.body(&b"{}"[..]).unwrap()).await;
    assert_eq!(seen.text(), r#"{"Endpoints":[{"Address":"db.example:8000","CachePeriodInMinutes":1440}]}"#);
}

#[tokio::test]
async fn large_answers_are_compressed_for_who_asks_and_the_checksum_is_of_what_is_sent() {
    let large: Bytes = vec![b'a'; 4096].into();
    for (body, asks, coded) in [
        (large.clone(), Some("gzip"), Some(Coding::Gzip)),
        (large.clone(), Some("deflate"), Some(Coding::Deflate)),
        (large.clone(), Some("identity"), None),
        (large.clone(), None, None),
        (large.slice(1..), Some("gzip"), None),
    ] {
        let request = asks.map_or(get_item(), |asks| get_item().header("accept-encoding", asks));
        let server = server(&Told::new(Act::Json(body.clone())));
        let seen = handle(&server, request.body(GET_BODY.as_bytes()).unwrap()).await;
        assert_eq!(seen.header("content-encoding"), coded.map(Coding::name));
        assert_eq!(seen.header("x-amz-crc32"), Some(crc32fast::hash(&seen.body).to_string().as_str()));
        let plain = coded.map_or(seen.body.to_vec(), |coding| unfold(coding, &seen.body).unwrap());
        assert_eq!(plain, body);
    }
}

#[tokio::test]
async fn compressed_requests_are_read_and_what_only_claims_to_be_is_not() {
    let server = server(&json());
    for coding in [Coding::Gzip, Coding::Deflate] {
        let body = fold(coding, GET_BODY.as_bytes());
        let seen =
            handle(&server, get_item().header("content-encoding", coding.name()).body(&body[..]).unwrap())
                .await;
        assert_eq!(seen.status, 200, "{}", seen.text());
    }
    for coding in ["gzip", "br"] {
        let request = get_item().header("content-encoding", coding).body(GET_BODY.as_bytes()).unwrap();
        let seen = handle(&server, request).await;
        assert_eq!(
            (seen.status, seen.text()),
            (400, r#"{"__type":"com.amazon.coral.service#SerializationException"}"#)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_ends_in_a_retryable_error() {
    let server = server(&Told::new(Act::Late(Duration::from_secs(3600))));
    let seen = handle(&server, get_item().body(GET_BODY.as_bytes()).unwrap()).await;
    assert!(seen.status == 500 && seen.text().contains("#InternalServerError"), "{}", seen.text());
}

#[tokio::test(start_paused = true)]
async fn past_the_bound_of_requests_the_rest_are_throttled() {
    let db = Told::new(Act::Late(Duration::from_secs(1)));
    let server = with_settings(&db, HttpSettings { max_requests_in_flight: 3, ..HttpSettings::default() });
    let mut tasks = Vec::new();
    for _ in 0..5 {
        let server = server.clone();
        tasks.push(tokio::spawn(async move {
            let seen = handle(&server, get_item().body(GET_BODY.as_bytes()).unwrap()).await;
            (seen.status, seen.text().contains("#ThrottlingException"))
        }));
        tokio::task::yield_now().await;
    }
    let mut seen = Vec::new();
    for task in tasks {
        seen.push(task.await.unwrap());
    }
    assert_eq!(seen, [(200, false), (200, false), (200, false), (400, true), (400, true)]);
    assert_eq!(handle(&server, get_item().body(GET_BODY.as_bytes()).unwrap()).await.status, 200);
}
