//! What must never hurt: lies, floods, bombs and patience. Each gets an answer, and the next client gets its own.

use api::limits::REQUEST_BYTES;

use super::super::encoding::{Coding, fold};
use super::super::http1::HEADERS;
use super::*;

fn json() -> Arc<Told> {
    Told::new(Act::Json(Bytes::from_static(b"{}")))
}

fn head(extra: &str) -> String {
    format!(
        "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-amz-json-1.0\r\n\
         x-amz-target: DynamoDB_20120810.GetItem\r\n{extra}\r\n"
    )
}

/// The peer is told `status` and the connection ends.
async fn refused(io: &mut DuplexStream, request: &[u8], status: u16) {
    let answer = ask(io, request).await;
    let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
    assert_eq!(answer.map(|(status, ..)| status), Some(status), "{shown}");
    let mut rest = Vec::new();
    io.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn the_largest_body_is_read_and_one_byte_more_is_not() {
    let server = server(&json());
    let mut body = GET_BODY.as_bytes().to_vec();
    body.resize(REQUEST_BYTES, b' ');
    let largest = [head(&format!("content-length: {REQUEST_BYTES}\r\n")).as_bytes(), &body].concat();
    assert_eq!(ask(&mut connect(&server), &largest).await.unwrap().0, 200);
    let announced = head(&format!("content-length: {}\r\n", REQUEST_BYTES + 1));
    refused(&mut connect(&server), announced.as_bytes(), 413).await;
    body.push(b' ');
    let seen = handle(&server, get_item().body(&body[..]).unwrap()).await;
    assert_eq!((seen.status, seen.text()), (413, ""));
}

#[tokio::test]
async fn a_chunked_body_over_the_limit_is_cut_off() {
    let mut io = connect(&server(&json()));
    let chunk = [b"100000\r\n".as_slice(), &vec![b' '; 1 << 20], b"\r\n"].concat();
    io.write_all(head("transfer-encoding: chunked\r\n").as_bytes()).await.unwrap();
    for _ in 0..40 {
        // At some point the server reads no further, which is what is wanted.
        match tokio::time::timeout(Duration::from_millis(500), io.write_all(&chunk)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => break,
        }
    }
    assert_eq!(read_answer(&mut io).await.unwrap().0, 413);
}

#[tokio::test]
async fn lengths_and_chunk_sizes_that_lie_are_refused() {
    for extra in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: -1\r\n",
        "content-length: 1e3\r\n",
        "content-length: 99999999999999999999999999\r\n",
        "content-length: \r\n",
    ] {
        refused(&mut connect(&server(&json())), format!("{}{GET_BODY}", head(extra)).as_bytes(), 400).await;
    }
    refused(&mut connect(&server(&json())), head("content-length: 9999999999999999999\r\n").as_bytes(), 413)
        .await;
    for chunks in ["ffffffffffffffff\r\n{}", "fffffffffffffffff0\r\n{}", "zz\r\n{}", "-1\r\n{}"] {
        let mut io = connect(&server(&json()));
        let request = format!("{}{chunks}", head("transfer-encoding: chunked\r\n"));
        io.write_all(request.as_bytes()).await.unwrap();
        io.shutdown().await.unwrap();
        match read_answer(&mut io).await {
            Some((status, ..)) => assert!(matches!(status, 400 | 413), "{chunks} {status}"),
            None => assert_eq!(io.read(&mut [0; 16]).await.unwrap(), 0),
        }
    }
}

#[tokio::test]
async fn a_length_that_is_too_short_makes_garbage_of_the_rest_and_no_more() {
    let db = json();
    let mut io = connect(&server(&db));
    let request = format!("{}{{}}garbage\r\n\r\n", head("content-length: 2\r\n"));
    io.write_all(request.as_bytes()).await.unwrap();
    assert!(read_answer(&mut io).await.is_some());
    assert_eq!(read_answer(&mut io).await.unwrap().0, 400);
}

#[tokio::test]
async fn length_and_chunks_together_never_smuggle_a_second_request() {
    let db = json();
    let mut io = connect(&server(&db));
    let smuggled = plain("GetItem", "", GET_BODY);
    let request =
        format!("{}0\r\n\r\n{smuggled}", head("content-length: 4\r\ntransfer-encoding: chunked\r\n"));
    io.write_all(request.as_bytes()).await.unwrap();
    io.shutdown().await.unwrap();
    let mut answers = Vec::new();
    io.read_to_end(&mut answers).await.unwrap();
    assert!(db.asked.lock().is_empty(), "{}", String::from_utf8_lossy(&answers));
}

#[tokio::test]
async fn floods_of_headers_are_refused() {
    let server = server(&json());
    let many: String = (0..=HEADERS).map(|n| format!("x-{n}: y\r\n")).collect();
    refused(&mut connect(&server), head(&many).as_bytes(), 431).await;
    let endless = format!("POST / HTTP/1.1\r\nx: {}", "y".repeat(48 * 1024));
    refused(&mut connect(&server), endless.as_bytes(), 431).await;
}

#[tokio::test]
async fn a_bomb_unfolds_no_further_than_a_request() {
    // A gigabyte, a member for each megabyte.
    let bomb = fold(Coding::Gzip, &vec![b' '; 1 << 20]).repeat(1024);
    let seen =
        handle(&server(&json()), get_item().header("content-encoding", "gzip").body(&bomb[..]).unwrap())
            .await;
    assert_eq!(seen.status, 413);
}

#[tokio::test(start_paused = true)]
async fn slow_heads_and_bodies_are_given_up() {
    let server = server(&json());
    refused(&mut connect(&server), b"POST / HTTP/1.1\r\nhost:", 408).await;
    refused(&mut connect(&server), format!("{}{{", head("content-length: 100\r\n")).as_bytes(), 408).await;
    let chunked = format!("{}5\r\n{{", head("transfer-encoding: chunked\r\n"));
    assert_eq!(ask(&mut connect(&server), chunked.as_bytes()).await.unwrap().0, 408);
    assert_eq!(
        connect(&server).read(&mut [0; 16]).await.unwrap(),
        0,
        "an idle connection ends without a word"
    );
    let mut dripping = connect(&server);
    let mut sent = 0;
    for byte in head(&format!("x: {}\r\n", "y".repeat(300))).bytes() {
        if dripping.write_all(&[byte]).await.is_err() {
            break;
        }
        sent += 1;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!((50..100).contains(&sent), "a dripping head lived for {sent} bytes");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_nothing_is_given_up() {
    let server = server(&Told::new(Act::Json(vec![b'a'; 1 << 20].into())));
    let (mut near, far) = tokio::io::duplex(4096);
    let serving = tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
    near.write_all(plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(120), serving).await;
    assert!(ended.expect("given up").unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn eight_hundred_slow_connections_hold_up_nobody() {
    let server = server(&json());
    let mut slow = Vec::new();
    for number in 0..800 {
        let mut io = connect(&server);
        let part = match number % 3 {
            0 => "POST / HTT".to_owned(),
            1 => format!("{}{{", head("content-length: 16000000\r\n")),
            _ => format!("{}5\r\n{{", head("transfer-encoding: chunked\r\n")),
        };
        io.write_all(part.as_bytes()).await.unwrap();
        slow.push(io);
    }
    tokio::time::sleep(Duration::from_millis(10)).await;
    let mut io = connect(&server);
    for _ in 0..10 {
        assert_eq!(ask(&mut io, plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap().0, 200);
    }
    let nearly_all = HttpSettings::default().max_body_bytes_in_flight - (1 << 20);
    assert!(server.0.account.hold().grow(nearly_all), "announced lengths hold no memory");
    for mut io in slow {
        assert_eq!(read_answer(&mut io).await.map(|(status, ..)| status), Some(408));
    }
}

#[tokio::test]
async fn bodies_past_the_bound_of_memory_are_throttled() {
    let settings = HttpSettings { max_body_bytes_in_flight: 100_000, ..HttpSettings::default() };
    let server = with_settings(&json(), settings);
    let body = " ".repeat(1 << 20);
    let chunked =
        format!("{}{:x}\r\n{body}\r\n0\r\n\r\n", head("transfer-encoding: chunked\r\n"), body.len());
    for request in [plain("GetItem", "", &body), chunked] {
        let mut io = connect(&server);
        // The rest may find nobody reading any more.
        drop(tokio::time::timeout(Duration::from_millis(500), io.write_all(request.as_bytes())).await);
        let (status, _, answer) = read_answer(&mut io).await.unwrap();
        assert!(status == 400 && String::from_utf8_lossy(&answer).contains("#ThrottlingException"));
    }
    assert_eq!(ask(&mut connect(&server), plain("GetItem", "", GET_BODY).as_bytes()).await.unwrap().0, 200);
}

#[tokio::test]
async fn what_is_no_http_at_all_is_refused() {
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..],
        b"\0\0\0\0\r\n\r\n",
        b"hello world\r\n\r\n",
    ] {
        refused(&mut connect(&server(&json())), bytes, 400).await;
    }
}
