//! Peers that take their time: with what they send, and with what they are sent.

use hyper_util::rt::{TokioExecutor, TokioIo};

use super::*;

fn large(bytes: usize) -> Arc<Told> {
    Told::new(Act::Json(vec![b'a'; bytes].into()))
}

/// Sends all but the last byte, then that byte; the status of the answer.
async fn last_byte_alone(request: &str) -> u16 {
    let mut io = connect(&server(&large(100)));
    let (most, last) = request.split_at(request.len() - 1);
    io.write_all(most.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    ask(&mut io, last.as_bytes()).await.unwrap().0
}

#[tokio::test(start_paused = true)]
async fn the_last_byte_of_a_body_may_come_alone_wherever_the_buffer_ends() {
    for whole in [8192, 8193, 8194, 16_384, 16_385] {
        let padding = |extra: &str, body: &str| whole - plain("GetItem", extra, body).len();
        // The body is padded; its length has as many digits as the one it is measured with.
        let body = format!("{GET_BODY}{}", " ".repeat(6000));
        let body = format!("{body}{}", " ".repeat(padding("", &body)));
        let in_body = plain("GetItem", "", &body);
        // The head is padded, and the body is a single byte, which is no JSON.
        let extra = format!("x-padding: {}\r\n", "y".repeat(padding("x-padding: \r\n", "{")));
        let in_head = plain("GetItem", &extra, "{");
        for (request, status) in [(in_body, 200), (in_head, 400)] {
            assert!(request.len().abs_diff(whole) <= 1, "{} {whole}", request.len());
            assert_eq!(last_byte_alone(&request).await, status, "{whole}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_drips_an_answer_out_is_cut_off() {
    let server = server(&large(1 << 20));
    let (mut near, far) = tokio::io::duplex(4096);
    tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
    let begun = tokio::time::Instant::now();
    near.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    while begun.elapsed() < Duration::from_secs(3600) {
        match near.read_u8().await {
            Ok(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            Err(_) => break,
        }
    }
    // What was in the pipe when it was cut off is still read, a byte a second.
    let limit = Duration::from_millis(HttpSettings::default().write_timeout_millis);
    assert!(begun.elapsed() < limit * 3 / 2 + Duration::from_secs(4096), "{:?}", begun.elapsed());
    assert!(near.write_all(b"x").await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_an_answer_slowly_but_in_time_gets_it_whole() {
    let server = server(&large(1 << 20));
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
    near.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    let (mut part, mut seen) = (vec![0; 32 * 1024], 0);
    while seen <= 1 << 20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let bytes = near.read(&mut part).await.unwrap();
        assert_ne!(bytes, 0, "cut off after {seen} bytes");
        seen += bytes;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_wait_are_charged_and_the_next_past_the_bound_is_cut_off() {
    let settings = HttpSettings { max_body_bytes_in_flight: 3 << 20, ..HttpSettings::default() };
    let server = with_settings(&large(2 << 20), settings);
    let mut first = connect(&server);
    first.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(server.0.account.hold().grow(1 << 20) && !server.0.account.hold().grow((1 << 20) + 100_000));
    let mut second = connect(&server);
    second.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    let mut part = Vec::new();
    second.read_to_end(&mut part).await.unwrap();
    assert!(part.len() < 1 << 20, "{}", part.len());
    assert_eq!(read_answer(&mut first).await.unwrap().2.len(), 2 << 20);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(server.0.account.hold().grow(3 << 20), "what was charged came back");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_was_made_is_answered_though_there_is_no_room_and_a_read_is_not() {
    let settings = HttpSettings { max_body_bytes_in_flight: 3 << 20, ..HttpSettings::default() };
    let put = r#"{"TableName":"table","Item":{"k":{"S":"a"}}}"#;
    for (target, body, made) in [("GetItem", GET_BODY, false), ("PutItem", put, true)] {
        let server = with_settings(&large(2 << 20), settings.clone());
        let mut others = server.0.account.hold();
        assert!(others.grow(2 << 20));
        let mut first = connect(&server);
        let answer = ask(&mut first, plain(target, "", body).as_bytes()).await;
        assert_eq!(answer.map(|answer| answer.2.len()), made.then_some(2 << 20), "{target}");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(connect(&server)))
                .await
                .unwrap();
        tokio::spawn(connection);
        let request = http::Request::post("http://db.example/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{target}"))
            .body(Full::new(Bytes::from_static(body.as_bytes())))
            .unwrap();
        let answer = Seen::of_body(sender.send_request(request).await.unwrap()).await;
        let expected = if made { (200, 2 << 20) } else { (400, answer.body.len()) };
        assert_eq!((answer.status, answer.body.len()), expected, "{target}");
        assert_eq!(answer.text().contains("ThrottlingException"), !made, "{target}");
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!(server.0.account.held_bytes(), 2 << 20, "what was charged came back");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http2_stream_with_its_window_shut_is_charged_and_cut_off() {
    let server = server(&large(1 << 20));
    let (sender, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(16)
        .handshake(TokioIo::new(connect(&server)))
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let request = || {
        http::Request::post("http://db.example/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", "DynamoDB_20120810.GetItem")
            .body(Full::new(Bytes::from_static(GET_BODY.as_bytes())))
            .unwrap()
    };
    let begun = tokio::time::Instant::now();
    let unread = sender.clone().send_request(request()).await.unwrap();
    let all = HttpSettings::default().max_body_bytes_in_flight;
    assert!(!server.0.account.hold().grow(all), "what waits is charged");
    // The connection looks alive all the while.
    let mut busy = sender.clone();
    while busy.ready().await.is_ok() && begun.elapsed() < Duration::from_secs(3600) {
        let Ok(answer) = busy.send_request(request()).await else { break };
        drop(answer);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let limit = Duration::from_millis(HttpSettings::default().write_timeout_millis);
    assert!((limit..limit * 3 / 2).contains(&begun.elapsed()), "{:?}", begun.elapsed());
    drop((unread, connection));
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert!(server.0.account.hold().grow(all), "what was charged came back");
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_can_never_fit_is_refused_before_it_comes() {
    for extra in ["transfer-encoding: chunked\r\n", "expect: 100-continue\r\ntransfer-encoding: chunked\r\n"]
    {
        for (chunks, status) in [("1000001\r\n", 413), ("1\r\n{\r\n1000000\r\n", 413), ("1000000\r\n", 408)] {
            let mut io = connect(&server(&large(100)));
            let head = plain("GetItem", extra, "").replace("content-length: 0\r\n", "");
            let begun = tokio::time::Instant::now();
            io.write_all(format!("{head}{chunks}").as_bytes()).await.unwrap();
            let mut answer = read_answer(&mut io).await.unwrap();
            if answer.0 == 100 {
                answer = read_answer(&mut io).await.unwrap();
            }
            assert_eq!(answer.0, status, "{chunks}");
            assert_eq!(begun.elapsed() < Duration::from_secs(1), status == 413, "{chunks}");
        }
    }
}

#[tokio::test]
async fn chunked_requests_may_be_cut_anywhere_and_follow_each_other() {
    let mut io = connect(&server(&large(100)));
    let head = plain("GetItem", "transfer-encoding: chunked\r\n", "").replace("content-length: 0\r\n", "");
    let (front, back) = GET_BODY.split_at(10);
    let one =
        format!("{head}{:x};a=b\r\n{front}\r\n{:X}\r\n{back}\r\n0\r\nx: y\r\n\r\n", front.len(), back.len());
    let all = format!("{one}{}{one}", plain("GetItem", "", GET_BODY));
    for piece in [1, 7, 100, all.len()] {
        for part in all.as_bytes().chunks(piece) {
            io.write_all(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        for _ in 0..3 {
            assert_eq!(read_answer(&mut io).await.unwrap().0, 200, "in pieces of {piece}");
        }
    }
}
