//! The end of an HTTP/2 connection when the front stops, frame by frame: what a client gets to read of it.

use tokio::io::AsyncRead;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;

/// Types of frames. Source: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
/// Of a setting or a ping: it answers one.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
/// `POST http://db.example/`, packed. Source: RFC 7541, appendix A.
const HEAD: &[u8] = b"\x83\x86\x84\x41\x0adb.example";

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The payload of the next frame of a type. `None`: the connection is closed in good order.
async fn hear(io: &mut (impl AsyncRead + Unpin), wanted: u8) -> std::io::Result<Option<Vec<u8>>> {
    loop {
        let mut head = [0; 9];
        if io.read(&mut head[..1]).await? == 0 {
            return Ok(None);
        }
        io.read_exact(&mut head[1..]).await?;
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        io.read_exact(&mut payload).await?;
        if head[3] == wanted {
            return Ok(Some(payload));
        }
    }
}

#[tokio::test]
async fn a_request_that_crosses_the_farewell_does_not_have_the_connection_reset() {
    let server = server(&Told::new(Act::Json(Bytes::from_static(b"{}"))));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    near.set_nodelay(true).unwrap();
    let (far, _) = listener.accept().await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let serving = tokio::spawn(async move { server.serve_connection(far, stopped).await });
    let begin = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &frame(SETTINGS, 0, 0, b"")].concat();
    near.write_all(&begin).await.unwrap();
    hear(&mut near, SETTINGS).await.unwrap().expect("it begins, too");
    near.write_all(&frame(SETTINGS, ACK, 0, b"")).await.unwrap();
    stop.send(()).unwrap();
    // First it takes whatever may yet come, and asks what does; then it says what was the last.
    let farewell = hear(&mut near, GOAWAY).await.unwrap();
    assert_eq!(farewell.as_deref(), Some(&b"\x7f\xff\xff\xff\0\0\0\0"[..]));
    let asked = hear(&mut near, PING).await.unwrap().expect("it asks where we are");
    near.write_all(&frame(PING, ACK, 0, &asked)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    near.write_all(&frame(HEADERS, END_HEADERS, 1, HEAD)).await.unwrap();
    for _ in 0..20 {
        // Where the connection is reset, the first to be written does not tell of it.
        tokio::time::sleep(Duration::from_millis(5)).await;
        near.write_all(&frame(DATA, 0, 1, &[b' '; 1000])).await.expect("the front still reads");
    }
    let farewell = hear(&mut near, GOAWAY).await.unwrap();
    assert_eq!(farewell.as_deref(), Some(&[0; 8][..]), "it was not taken, and may be repeated");
    assert_eq!(hear(&mut near, GOAWAY).await.expect("no reset"), None);
    drop(near);
    serving.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_begins_http2_while_the_server_stops_is_answered_and_told_that_it_was_the_last() {
    let server = server(&Told::new(Act::Json(Bytes::from_static(b"{}"))));
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(async move { server.serve_connection(far, std::future::ready(())).await });
    tokio::time::sleep(crate::server::http1::LAST_REQUEST_WAIT / 2).await;
    let request = [HEAD, b"\x0f\x0d\x010"].concat();
    let begin = [
        &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..],
        &frame(SETTINGS, 0, 0, b""),
        &frame(HEADERS, END_HEADERS | END_STREAM, 1, &request),
    ]
    .concat();
    near.write_all(&begin).await.unwrap();
    let farewell = hear(&mut near, GOAWAY).await.unwrap();
    assert_eq!(farewell.as_deref(), Some(&b"\x7f\xff\xff\xff\0\0\0\0"[..]));
    let asked = hear(&mut near, PING).await.unwrap().expect("it asks where we are");
    assert!(hear(&mut near, HEADERS).await.unwrap().is_some(), "an answer");
    near.write_all(&frame(PING, ACK, 0, &asked)).await.unwrap();
    let farewell = hear(&mut near, GOAWAY).await.unwrap();
    assert_eq!(farewell.as_deref(), Some(&b"\0\0\0\x01\0\0\0\0"[..]));
    assert_eq!(hear(&mut near, GOAWAY).await.unwrap(), None);
    drop(near);
    serving.await.unwrap().unwrap();
}
