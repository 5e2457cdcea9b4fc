//! Bad input to the real binary over a real socket: each gets DynamoDB's answer, and the node serves on.

use std::io::Write;
use std::time::{Duration, Instant};

use forebay_tests::contract::tables::simple;
use forebay_tests::node::Node;
use forebay_tests::wire::{Reply, Wire, head, request};
use serde_json::{Value, json};

const TABLE: &str = "bad.input";
/// The largest request the service takes.
const BODY_BYTES_MAX: usize = 16 << 20;

fn node() -> Node {
    let node = Node::dev(&["--in-memory"]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    node
}

/// The node still does what it is for.
fn serves(node: &Node) {
    let item = json!({"p": {"S": "alive"}});
    node.ok("PutItem", &json!({"TableName": TABLE, "Item": item}));
    assert_eq!(node.ok("GetItem", &json!({"TableName": TABLE, "Key": item}))["Item"], item);
}

fn ask_raw(node: &Node, op: &str, body: &[u8], headers: &[(&str, &str)]) -> Reply {
    let mut wire = node.connect();
    wire.send(&request(op, body, headers)).expect("the node reads");
    wire.reply().expect("the node answers")
}

fn is(reply: &Reply, status: u16, kind: &str) {
    assert_eq!(
        (reply.status, reply.kind().as_str()),
        (status, kind),
        "{}",
        String::from_utf8_lossy(&reply.body)
    );
    assert!(reply.header("x-amzn-requestid").is_some_and(|id| id.len() == 52), "{:?}", reply.headers);
    let sum: u32 = reply.header("x-amz-crc32").and_then(|sum| sum.parse().ok()).expect("a CRC32");
    assert_eq!(sum, crc32(&reply.body));
}

/// The most memory the node ever had, as the system counts it.
fn peak_memory_bytes(node: &Node) -> usize {
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("a process shows its status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak is among it");
    let kib: usize = line.trim().trim_end_matches(" kB").parse().expect("it is a number");
    kib << 10
}

/// CRC-32 as IEEE has it, bit by bit: independent of the server's own.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(
            sum ^ u32::from(*byte),
            |sum, _| if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 },
        )
    })
}

fn put(value: &Value) -> Vec<u8> {
    json!({"TableName": TABLE, "Item": {"p": {"S": "x"}, "v": value}}).to_string().into_bytes()
}

#[test]
fn one_byte_more_than_16_mib_is_refused_before_it_is_read() {
    let node = node();
    let mut wire = node.connect();
    let mut announced = head("PutItem", &[]);
    announced.extend_from_slice(format!("content-length: {}\r\n\r\n", BODY_BYTES_MAX + 1).as_bytes());
    wire.send(&announced).expect("the node reads");
    assert_eq!(wire.reply().expect("it answers without the body").status, 413);
    // The most that is taken is read and judged as what it is: no JSON.
    let reply = ask_raw(&node, "PutItem", &vec![b' '; BODY_BYTES_MAX], &[]);
    is(&reply, 400, "SerializationException");
    serves(&node);
}

#[test]
fn deep_nesting_is_refused() {
    let node = node();
    let nested = |levels: usize| (0..levels).fold(json!({"S": "leaf"}), |inner, _| json!({"L": [inner]}));
    assert_eq!(ask_raw(&node, "PutItem", &put(&nested(31)), &[]).status, 200);
    let reply = ask_raw(&node, "PutItem", &put(&nested(32)), &[]);
    is(&reply, 400, "ValidationException");
    assert!(
        reply.message().starts_with("Nesting Levels have exceeded supported limits"),
        "{}",
        reply.message()
    );
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"L\":[", "]}")] {
        for whole in [true, false] {
            const DEPTH: usize = 100_000;
            let mut body = format!("{{\"TableName\":\"{TABLE}\",\"Item\":{{\"p\":{{\"S\":\"x\"}},\"v\":");
            body.push_str(&open.repeat(DEPTH));
            if whole {
                body.push('1');
                body.push_str(&close.repeat(DEPTH));
                body.push_str("}}");
            }
            let reply = ask_raw(&node, "PutItem", body.as_bytes(), &[]);
            assert_eq!(reply.status, 400, "{open} {whole}");
            assert!(
                ["SerializationException", "ValidationException"].contains(&reply.kind().as_str()),
                "{}",
                reply.kind()
            );
        }
    }
    serves(&node);
}

#[test]
fn four_thousand_parentheses_are_refused() {
    let node = node();
    for text in
        ["(".repeat(4000), format!("{}a=b{}", "(".repeat(2000), ")".repeat(2000)), "NOT ".repeat(1000)]
    {
        let body =
            json!({"TableName": TABLE, "Key": {"p": {"S": "x"}}, "ConditionExpression": text}).to_string();
        let reply = ask_raw(&node, "DeleteItem", body.as_bytes(), &[]);
        is(&reply, 400, "ValidationException");
        assert!(reply.message().starts_with("Invalid ConditionExpression: "), "{}", reply.message());
    }
    serves(&node);
}

#[test]
fn a_body_that_unfolds_to_a_gigabyte_is_refused() {
    let node = node();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![b' '; 1 << 20];
    for _ in 0..1024 {
        packed.write_all(&block).expect("memory takes it");
    }
    let bomb = packed.finish().expect("memory takes it");
    serves(&node);
    let before = peak_memory_bytes(&node);
    let reply = ask_raw(&node, "PutItem", &bomb, &[("content-encoding", "gzip")]);
    assert_eq!(reply.status, 413);
    let grown = peak_memory_bytes(&node) - before;
    // The most a request may have; three times that while a buffer that grows by doubling moves; the rest is the allocator's.
    assert!(grown <= 5 * BODY_BYTES_MAX, "it took {grown} bytes to find out");
    let reply = ask_raw(&node, "PutItem", b"this is no gzip", &[("content-encoding", "gzip")]);
    is(&reply, 400, "SerializationException");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(&put(&json!({"S": "packed"}))).expect("memory takes it");
    let good = packed.finish().expect("memory takes it");
    assert_eq!(ask_raw(&node, "PutItem", &good, &[("content-encoding", "gzip")]).status, 200);
    serves(&node);
}

#[test]
fn lying_lengths_hurt_nobody_else() {
    let node = node();
    // Shorter than said: the node waits for the rest, the peer goes, nothing was done.
    let mut wire = node.connect();
    let body = put(&json!({"S": "short"}));
    let mut short = head("PutItem", &[]);
    short.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len() + 10).as_bytes());
    short.extend_from_slice(&body);
    wire.send(&short).expect("the node reads");
    drop(wire);
    // Longer than said: what is left over is no request.
    let mut wire = node.connect();
    let mut long = head("PutItem", &[]);
    long.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len() - 5).as_bytes());
    long.extend_from_slice(&body);
    wire.send(&long).expect("the node reads");
    let reply = wire.reply().expect("the node answers what was said to be the body");
    is(&reply, 400, "SerializationException");
    for bad in [
        "content-length: -1\r\n\r\n",
        "content-length: ten\r\n\r\n",
        "content-length: 3\r\ncontent-length: 4\r\n\r\n{}",
    ] {
        let mut wire = node.connect();
        let mut request = head("PutItem", &[]);
        request.extend_from_slice(bad.as_bytes());
        wire.send(&request).expect("the node reads");
        match wire.reply() {
            Ok(reply) => assert!((400..500).contains(&reply.status), "{bad}: {}", reply.status),
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::UnexpectedEof, "{bad}: closed without an answer")
            }
        }
    }
    for chunks in ["zz\r\n", "ffffffffffffffff\r\nx", "-1\r\n", "5\r\nabc\r\n0\r\n\r\n", "1000001\r\n"] {
        let mut wire = node.connect();
        let mut request = head("PutItem", &[("transfer-encoding", "chunked")]);
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(chunks.as_bytes());
        wire.send(&request).expect("the node reads");
        // The promised bytes never come.
        wire.socket().shutdown(std::net::Shutdown::Write).expect("it is open");
        match wire.reply() {
            Ok(reply) => assert!((400..500).contains(&reply.status), "{chunks:?}: {}", reply.status),
            Err(error) => {
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "{chunks:?}: held open for nothing")
            }
        }
    }
    // Chunks that are honest, and together too many.
    let mut wire = node.connect();
    let mut request = head("PutItem", &[("transfer-encoding", "chunked")]);
    request.extend_from_slice(b"\r\n");
    wire.send(&request).expect("the node reads");
    let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    for _ in 0..17 {
        // The node may answer and close before all is sent.
        if wire.send(&chunk).is_err() {
            break;
        }
    }
    match wire.reply() {
        Ok(reply) => assert_eq!(reply.status, 413),
        Err(error) => assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "17 MiB in chunks"),
    }
    let got = node.ok("GetItem", &json!({"TableName": TABLE, "Key": {"p": {"S": "x"}}}));
    assert_eq!(got, json!({}), "nothing of it was written");
    serves(&node);
}

#[test]
fn eight_hundred_slow_connections_do_not_stand_in_the_way() {
    const SLOW: usize = 800;
    let node = node();
    serves(&node);
    let mut slow = Vec::with_capacity(SLOW);
    for number in 0..SLOW {
        let mut wire = Wire::connect(node.http).expect("the node takes connections");
        // A third stop within the head, a third before the body, a third in its middle.
        let whole = request("PutItem", &put(&json!({"S": "slow"})), &[]);
        let body = whole.windows(4).position(|window| window == b"\r\n\r\n").expect("a head ends") + 4;
        let sent = [30, body, body + 20][number % 3];
        wire.send(&whole[..sent]).expect("the node reads");
        slow.push((wire, whole, sent));
    }
    let mut wire = node.connect();
    #[allow(clippy::disallowed_methods, reason = "the time it takes is what is tested")]
    let begun = Instant::now();
    for number in 0..300 {
        let item = json!({"p": {"S": format!("normal-{number}")}});
        assert_eq!(
            wire.ask("PutItem", &json!({"TableName": TABLE, "Item": item})).expect("an answer").status,
            200
        );
        let got = wire.ask("GetItem", &json!({"TableName": TABLE, "Key": item})).expect("an answer");
        assert_eq!(got.json()["Item"], item);
    }
    let took = begun.elapsed();
    println!("600 requests beside {SLOW} slow connections: {took:?}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    // The slow were slow, not lost: those within their time are answered when they finish.
    for (wire, whole, sent) in slow.iter_mut().take(3) {
        wire.send(&whole[*sent..]).expect("the node reads");
        assert_eq!(wire.reply().expect("an answer").status, 200);
    }
}

#[test]
fn keys_and_numbers_past_their_limits() {
    let node = node();
    let key = |bytes: usize| json!({"TableName": TABLE, "Item": {"p": {"S": "k".repeat(bytes)}}}).to_string();
    assert_eq!(ask_raw(&node, "PutItem", key(2048).as_bytes(), &[]).status, 200);
    let reply = ask_raw(&node, "PutItem", key(2049).as_bytes(), &[]);
    is(&reply, 400, "ValidationException");
    assert_eq!(
        reply.message(),
        "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
    );
    let reply = ask_raw(&node, "PutItem", &put(&json!({"N": "1".repeat(39)})), &[]);
    is(&reply, 400, "ValidationException");
    assert_eq!(reply.message(), "Attempting to store more than 38 significant digits in a Number");
    serves(&node);
}

#[test]
fn what_is_no_text_no_base64_and_no_json() {
    let node = node();
    let mut invalid = put(&json!({"S": "here"}));
    let at = invalid.windows(4).position(|window| window == b"here").expect("it is there");
    invalid[at] = 0xff;
    for body in [
        &invalid[..],
        b"",
        b"not json",
        b"{",
        b"{\"TableName\"",
        b"[]",
        b"null",
        b"{\"TableName\": \"\\ud800\"}",
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ] {
        let reply = ask_raw(&node, "PutItem", body, &[]);
        is(&reply, 400, "SerializationException");
    }
    for text in ["abc", "a===", "!!!!", "AAA\\n"] {
        let body = format!(
            "{{\"TableName\":\"{TABLE}\",\"Item\":{{\"p\":{{\"S\":\"x\"}},\"v\":{{\"B\":\"{text}\"}}}}}}"
        );
        let reply = ask_raw(&node, "PutItem", body.as_bytes(), &[]);
        is(&reply, 400, "SerializationException");
    }
    serves(&node);
}

#[test]
fn of_a_key_that_stands_twice_the_last_counts() {
    let node = node();
    let body = format!(
        "{{\"TableName\":\"nobody\",\"TableName\":\"{TABLE}\",\"Item\":{{\"p\":{{\"S\":\"first\"}},\"p\":{{\"S\":\"twice\"}}}}}}"
    );
    let reply = ask_raw(&node, "PutItem", body.as_bytes(), &[]);
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    let got = node.ok("GetItem", &json!({"TableName": TABLE, "Key": {"p": {"S": "twice"}}}));
    assert_eq!(got["Item"], json!({"p": {"S": "twice"}}));
    serves(&node);
}

#[test]
fn unknown_targets_are_unknown_operations() {
    let node = node();
    for target in ["NoSuchOperation", "getitem", ""] {
        let reply = ask_raw(&node, target, b"{}", &[]);
        assert_eq!((reply.status, reply.kind().as_str()), (400, "UnknownOperationException"), "{target:?}");
    }
    let mut wire = node.connect();
    wire.send(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n\r\n{}").expect("the node reads");
    let reply = wire.reply().expect("an answer");
    assert!((400..500).contains(&reply.status), "{}", reply.status);
    // An operation of the service that is not built yet is told apart from a typing error, honestly.
    let reply = ask_raw(&node, "ExecuteStatement", b"{\"Statement\": \"SELECT * FROM x\"}", &[]);
    is(&reply, 400, "UnknownOperationException");
    assert!(reply.message().contains("ExecuteStatement"), "{}", reply.message());
    serves(&node);
}

#[test]
fn bytes_that_are_no_http() {
    let node = node();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nno colon here\r\n\r\n",
    ] {
        let mut wire = node.connect();
        wire.send(bytes).expect("the node reads");
        match wire.reply() {
            Ok(reply) => assert!((400..600).contains(&reply.status), "{}", reply.status),
            Err(error) => assert_ne!(
                error.kind(),
                std::io::ErrorKind::WouldBlock,
                "neither answered nor closed: {bytes:?}"
            ),
        }
    }
    // A head without end.
    let mut wire = node.connect();
    let endless = format!("POST / HTTP/1.1\r\nx: {}", "y".repeat(2 << 20));
    // The node may close while the head is still being sent.
    let _ = wire.send(endless.as_bytes());
    match wire.reply() {
        Ok(reply) => assert!((400..500).contains(&reply.status), "{}", reply.status),
        Err(error) => {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "an endless head is read without end")
        }
    }
    serves(&node);
}
