//! Connections: keep-alive, pipelining, bytes that come in any pieces, HTTP/2, TLS, stopping.

use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

fn json() -> Arc<Told> {
    Told::new(Act::Json(Bytes::from_static(b"{\"answer\":1}")))
}

#[tokio::test]
async fn requests_follow_each_other_on_one_connection() {
    let mut io = connect(&server(&json()));
    for _ in 0..3 {
        let (status, head, body) = ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
        assert_eq!((status, &body[..]), (200, &b"{\"answer\":1}"[..]));
        assert!(
            head.contains("date: sat, 21 nov 2026 00:00:00 gmt\r\n") && !head.contains("connection:"),
            "{head}"
        );
    }
    assert_eq!(ask(&mut io, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap().0, 200);
    assert_eq!(ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap().0, 200);
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let mut io = connect(&server(&json()));
    for byte in plain("GetItem", "", GET_BODY).bytes() {
        io.write_all(&[byte]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(read_answer(&mut io).await.unwrap().0, 200);
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_order_and_together() {
    let mut io = connect(&server(&json()));
    let many: String = (0..40).map(|_| plain("GetItem", "", GET_BODY)).collect();
    io.write_all(many.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    let mut first_read = None;
    while all.windows(12).filter(|at| at == b"{\"answer\":1}").count() < 40 {
        let mut part = vec![0; 256 * 1024];
        let read = io.read(&mut part).await.unwrap();
        assert_ne!(read, 0);
        first_read.get_or_insert(read);
        all.extend_from_slice(&part[..read]);
    }
    assert!(
        first_read.unwrap() > 1000,
        "answers to one read leave in one write, not {first_read:?} bytes at a time"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_does_not_wait_for_a_slower_one_behind_it() {
    let db = Told::new(Act::Late(Duration::from_secs(5)));
    let mut io = connect(&server(&db));
    let both = format!("GET / HTTP/1.1\r\nhost: x\r\n\r\n{}", plain("GetItem", "", GET_BODY));
    io.write_all(both.as_bytes()).await.unwrap();
    let begun = tokio::time::Instant::now();
    assert_eq!(read_answer(&mut io).await.unwrap().0, 200);
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(read_answer(&mut io).await.unwrap().0, 200);
    assert!(begun.elapsed() >= Duration::from_secs(5));
}

#[tokio::test]
async fn connection_close_is_obeyed() {
    let mut io = connect(&server(&json()));
    let (status, head, _) =
        ask(&mut io, plain("GetItem", "connection: close\r\n", GET_BODY).as_bytes()).await.unwrap();
    assert!(status == 200 && head.contains("connection: close\r\n"));
    assert_eq!(io.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn large_answers_and_large_requests_pass_whole() {
    let large: Bytes = (0..3_000_000_u32).map(|n| b'a' + (n % 23) as u8).collect();
    let mut io = connect(&server(&Told::new(Act::Json(large.clone()))));
    let body = format!("{GET_BODY}{}", " ".repeat(1 << 20));
    for _ in 0..2 {
        let (status, _, body) = ask(&mut io, plain("GetItem", "", &body).as_bytes()).await.unwrap();
        assert!(status == 200 && body == large);
    }
}

#[tokio::test]
async fn chunked_bodies_and_old_versions_are_served_too() {
    let mut io = connect(&server(&json()));
    assert_eq!(ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap().0, 200);
    let (front, back) = GET_BODY.split_at(10);
    let head = plain("GetItem", "", "").replace("content-length: 0", "transfer-encoding: chunked");
    let chunked = format!("{head}{:x}\r\n{front}\r\n{:x}\r\n{back}\r\n0\r\n\r\n", front.len(), back.len());
    for _ in 0..2 {
        let (status, head, body) = ask(&mut io, chunked.as_bytes()).await.unwrap();
        assert_eq!((status, &body[..]), (200, &b"{\"answer\":1}"[..]), "{head}");
    }
    let mut io = connect(&server(&json()));
    let old = plain("GetItem", "", GET_BODY).replace("HTTP/1.1", "HTTP/1.0");
    assert_eq!(ask(&mut io, old.as_bytes()).await.unwrap().0, 200);
}

#[tokio::test(start_paused = true)]
async fn a_wish_for_another_protocol_is_passed_over_and_shortens_no_connection() {
    let server = server(&json());
    let mut io = connect(&server);
    let wish = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAEAAEAAAAIAAAAB\r\n";
    for _ in 0..2 {
        let (status, head, body) = ask(&mut io, plain("GetItem", wish, GET_BODY).as_bytes()).await.unwrap();
        assert_eq!((status, &body[..]), (200, &b"{\"answer\":1}"[..]), "{head}");
        // Long past the time that a head may take.
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}

#[tokio::test]
async fn expect_continue_is_continued() {
    let mut io = connect(&server(&json()));
    let request = plain("GetItem", "expect: 100-continue\r\n", GET_BODY);
    let (head, body) = request.split_at(request.len() - GET_BODY.len());
    assert_eq!(ask(&mut io, head.as_bytes()).await.unwrap().0, 100);
    assert_eq!(ask(&mut io, body.as_bytes()).await.unwrap().0, 200);
}

async fn over_http2(io: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static) {
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await.unwrap();
    tokio::spawn(connection);
    for size in [0, 1 << 20] {
        let body: Bytes = format!("{GET_BODY}{}", " ".repeat(size)).into();
        let request = http::Request::post("http://db.example/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.GetItem")
            .body(Full::new(body))
            .unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.version()), (200, http::Version::HTTP_2));
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "{\"answer\":1}");
    }
}

#[tokio::test]
async fn own_writes_are_followed_within_an_http2_connection() {
    let db = json();
    *db.version.lock() = Some(Version { incarnation: 1, shard: 0, index: 4 });
    over_http2(connect(&server(&db))).await;
    assert_eq!(db.floors(), [None, Some(Version { incarnation: 1, shard: 0, index: 4 })]);
}

#[tokio::test]
async fn tls_serves_what_alpn_chose() {
    let made = rcgen::generate_simple_self_signed(["db.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut serving = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    serving.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let serving = Arc::new(serving);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    for protocol in ["h2", "http/1.1"] {
        let mut asking = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots.clone())
            .with_no_client_auth();
        asking.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let (near, far) = tokio::io::duplex(64 * 1024);
        let (server, serving) = (server(&json()), Arc::clone(&serving));
        tokio::spawn(async move { server.serve_tls(far, serving, std::future::pending()).await });
        let name = rustls::pki_types::ServerName::try_from("db.example").unwrap();
        let mut io = tokio_rustls::TlsConnector::from(Arc::new(asking)).connect(name, near).await.unwrap();
        if protocol == "h2" {
            over_http2(io).await;
        } else {
            io.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
            let mut answer = vec![0; 4096];
            let read = io.read(&mut answer).await.unwrap();
            assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK\r\n"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_the_request_under_way_finish() {
    let server = server(&Told::new(Act::Late(Duration::from_secs(1))));
    let (mut busy, far) = tokio::io::duplex(4096);
    let (mut idle, idle_far) = tokio::io::duplex(4096);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut serving = Vec::new();
    for far in [far, idle_far] {
        let (server, mut stopped) = (server.clone(), stopped.clone());
        let stop = async move { drop(stopped.wait_for(|stop| *stop).await.unwrap()) };
        serving.push(tokio::spawn(async move { server.serve_connection(far, stop).await }));
    }
    busy.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stop.send(true).unwrap();
    assert_eq!(read_answer(&mut busy).await.unwrap().0, 200);
    assert_eq!(busy.read(&mut [0; 16]).await.unwrap(), 0);
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap(), 0);
    for task in serving {
        task.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_asks_again_while_the_server_stops_is_answered_and_told_that_it_was_the_last() {
    let server = server(&json());
    let (mut io, far) = tokio::io::duplex(4096);
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stopped = async move { drop(stopped.await) };
    let serving = tokio::spawn(async move { server.serve_connection(far, stopped).await });
    let (_, head, _) = ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    assert!(!head.contains("connection:"), "{head}");
    stop.send(()).unwrap();
    tokio::time::sleep(crate::server::http1::LAST_REQUEST_WAIT / 2).await;
    let (status, head, _) = ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    assert!(status == 200 && head.contains("connection: close\r\n"), "{status} {head}");
    assert_eq!(io.read(&mut [0; 16]).await.unwrap(), 0);
    serving.await.unwrap().unwrap();
}
