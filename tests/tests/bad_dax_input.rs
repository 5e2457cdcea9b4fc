//! Bad input to the DAX port of the real binary, over a real socket: each lie has its answer or its end, nothing is held for what
//! never comes, and the node serves on.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use dax::cbor::Reader;
use dax::client::Credentials;
use dax::codec::handshake::{self, Preamble};
use forebay_tests::directory::Directory;
use forebay_tests::node::Node;

/// Longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long this node lets a request take to arrive.
const FRAME_TIME: Duration = Duration::from_secs(2);

/// An error, as a client shows it: codes, kind, message.
#[derive(Debug, PartialEq)]
struct Told {
    codes: Vec<i64>,
    kind: String,
    message: String,
}

fn told(codes: &[i64], kind: &str, message: &str) -> Told {
    Told { codes: codes.to_vec(), kind: kind.to_owned(), message: message.to_owned() }
}

fn unauthorized(kind: &str, message: &str) -> Told {
    told(&[4, 23, 31, 33], kind, message)
}

fn read(answer: &[u8]) -> Told {
    let reader = &mut Reader::new(answer);
    let mut elements = reader.array().expect("an answer begins with its codes");
    let mut codes = Vec::new();
    while elements.more(reader).expect("the answer is whole") {
        codes.push(reader.int_as().expect("codes are numbers"));
    }
    assert!(!codes.is_empty(), "an error has codes: {answer:02x?}");
    let message = reader.text().expect("then comes a message").to_owned();
    assert_eq!(reader.array().expect("then what is known of it").announced(), Some(3));
    assert_eq!(reader.text().expect("an id").len(), 32);
    let kind = reader.text().expect("a kind").to_owned();
    assert_eq!(reader.int_as::<i64>(), Ok(400));
    Told { codes, kind, message }
}

/// A node that knows one access key.
struct Subject {
    node: Node,
    _directory: Directory,
}

fn subject() -> Subject {
    let directory = Directory::new("bad-dax-input");
    let file = directory.path().join("credentials");
    std::fs::write(&file, "[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = right\n")
        .expect("written");
    let file = format!("credentials.file={}", file.to_str().expect("temporary paths are text"));
    let frame_time = format!("dax.frame_timeout_millis={}", FRAME_TIME.as_millis());
    let node = Node::dev(&["--in-memory", "--set", &file, "--set", &frame_time]);
    Subject { node, _directory: directory }
}

fn now() -> u64 {
    #[allow(clippy::disallowed_methods, reason = "signatures are of the machine's own time")]
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

fn claim(access_key: &str, secret_key: &str, at: u64) -> Vec<u8> {
    let credentials = Credentials {
        access_key: access_key.to_owned(),
        secret_key: secret_key.to_owned(),
        session_token: None,
    };
    let mut claim = Vec::new();
    credentials.write_claim(&mut claim, "us-east-1", "test", at).expect("the wire has the method");
    claim
}

fn preamble() -> Vec<u8> {
    let mut bytes = Vec::new();
    Preamble::default().write(&mut bytes);
    bytes
}

fn endpoints() -> Vec<u8> {
    let mut bytes = Vec::new();
    handshake::write_endpoints_request(&mut bytes).expect("the wire has the method");
    bytes
}

impl Subject {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.node.dax.expect("it serves DAX")).expect("the node listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        stream.set_nodelay(true).expect("a socket can do without delay");
        stream
    }

    /// A connection of somebody who is let in.
    fn let_in(&self) -> TcpStream {
        let mut stream = self.connect();
        let opening = [preamble(), claim("AKIDTEST", "right", now())].concat();
        stream.write_all(&opening).expect("the node reads");
        stream
    }

    /// Says these bytes and nothing more, and reads until the node hangs up, or half a megabyte.
    fn answer(&self, mut stream: TcpStream, bytes: &[u8]) -> Vec<u8> {
        // It may have hung up before it had all.
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        stream
            .take(1 << 19)
            .read_to_end(&mut answer)
            .expect("the node answers, or ends the connection in order");
        answer
    }

    /// The node still does what it is for, and promptly.
    fn serves(&self) {
        #[allow(clippy::disallowed_methods, reason = "that it does not take long is what is tested")]
        let began = Instant::now();
        let answer = self.answer(self.let_in(), &endpoints());
        assert_eq!(handshake::read_endpoints(&answer[1..]).map(|nodes| nodes.len()), Ok(1));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    /// The most memory that the node ever had.
    fn peak_memory_bytes(&self) -> usize {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.node.pid())).expect("a process shows it");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its peak is among it");
        line.trim().trim_end_matches(" kB").parse::<usize>().expect("it is a number") << 10
    }
}

#[test]
fn who_claims_to_be_somebody_else_is_told_so() {
    let subject = subject();
    let opened = |claim: &[u8]| {
        let mut stream = subject.connect();
        stream.write_all(&[&preamble()[..], claim].concat()).expect("the node reads");
        stream
    };
    let judged = |claim: &[u8]| read(&subject.answer(opened(claim), &endpoints()));
    assert_eq!(
        judged(&[]),
        unauthorized("MissingAuthenticationTokenException", "The connection requires authentication.")
    );
    assert_eq!(
        judged(&claim("AKIDTEST", "wrong", now())),
        unauthorized(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details."
        )
    );
    assert_eq!(
        judged(&claim("AKIDOTHER", "right", now())),
        unauthorized("UnrecognizedClientException", "The security token included in the request is invalid.")
    );
    // Overheard six minutes ago, and said again.
    for (at, wanted) in [(now() - 360, "Signature expired: "), (now() + 360, "Signature not yet current: ")] {
        let refused = judged(&claim("AKIDTEST", "right", at));
        assert_eq!(refused.kind, "InvalidSignatureException");
        assert!(refused.message.starts_with(wanted), "{}", refused.message);
        assert!(refused.message.ends_with(". Check the clock of the client."), "{}", refused.message);
    }
    // Within its window it is as good as new, on any connection: the wire has nothing that would tell it.
    let overheard = claim("AKIDTEST", "right", now() - 200);
    for _ in 0..2 {
        assert_eq!(subject.answer(opened(&overheard), &endpoints())[0], 0x80);
    }
    subject.serves();
}

#[test]
fn what_is_no_request_has_its_answer() {
    let subject = subject();
    let too_long = "The request can't be read: a length is larger than the whole may be";
    let get = b"\x01\x1a\x0f\xb0\xcc\x6a\x44Hash".to_vec();
    let malformed = |message| told(&[4, 37, 38, 39, 46], "SerializationException", message);
    let unknown = |message| told(&[4, 37, 38, 44], "UnknownOperationException", message);
    let lies: [(Vec<u8>, Told); 7] = [
        ([&get[..], b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff"].concat(), malformed(too_long)),
        ([&get[..], b"\x5b\x00\x00\x00\x01\x00\x00\x00\x00"].concat(), malformed(too_long)),
        ([&get[..], b"\x7a\xff\xff\xff\xff"].concat(), malformed(too_long)),
        ([&get[..], b"\x9a\xff\xff\xff\xff"].concat(), malformed(too_long)),
        (
            [&get[..], &b"\x81".repeat(1_000_000)].concat(),
            malformed("The request can't be read: values are nested too deeply"),
        ),
        (b"\x01\x3a\x12\xae\x9a\x75\xa0".to_vec(), unknown("method id -313432694 is not known")),
        (b"\x02\x1a\x1b\x2b\xcf\x02".to_vec(), unknown("service id 2 is not known")),
    ];
    for (lie, wanted) in lies {
        // What follows is not answered any more.
        let bytes = [lie, endpoints()].concat();
        assert_eq!(read(&subject.answer(subject.let_in(), &bytes)), wanted);
    }
    // An id that nobody gave: the connection goes on.
    let mut asked = Vec::new();
    handshake::write_define_attribute_list(&mut asked, dax::attribute_lists::ListId(9))
        .expect("the wire has it");
    let answer = subject.answer(subject.let_in(), &[asked, endpoints()].concat());
    let unknown_list = "The attribute list 9 is not known here";
    assert_eq!(read(&answer), told(&[4, 37, 38, 39, 46], "ValidationException", unknown_list));
    assert!(answer.windows(4).any(|bytes| bytes == [127, 0, 0, 1]), "the nodes follow: {answer:02x?}");
    subject.serves();
}

/// Two hundred connections that announce three gigabytes in all, send a little of it, and then nothing, or a byte now and
/// then: nothing is held for what never comes, nobody else waits, and their time runs out.
#[test]
fn half_a_request_and_then_silence_or_almost() {
    let subject = subject();
    subject.serves();
    let before = subject.peak_memory_bytes();
    let begun = b"\x01\x1a\x0f\xb0\xcc\x6a\x44Hash\x5a\x00\xf0\x00\x00half of it";
    let mut streams: Vec<TcpStream> = (0..200).map(|_| subject.let_in()).collect();
    for stream in &mut streams {
        stream.write_all(begun).expect("the node reads");
    }
    #[allow(clippy::disallowed_methods, reason = "how long they are borne is what is tested")]
    let began = Instant::now();
    subject.serves();
    while began.elapsed() < FRAME_TIME + Duration::from_secs(1) {
        for stream in streams.iter_mut().step_by(2) {
            // At some point it hangs up.
            let _ = stream.write_all(b"x");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    for mut stream in streams {
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket takes a timeout");
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "half a request has no answer: {rest:02x?}"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error}"),
        }
    }
    let more = subject.peak_memory_bytes().saturating_sub(before);
    assert!(more < 32 << 20, "{} MiB", more >> 20);
    subject.serves();
}
