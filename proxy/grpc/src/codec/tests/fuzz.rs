//! Broken messages against the codec, both ways: what a server reads of clients, and what a client reads of servers.
//!
//! `FOREBAY_FUZZ_RUNS` sets how many messages (100,000 without it), `FOREBAY_FUZZ_SEED` which; each message has a seed of its own,
//! so that a failing one is made again alone by the seed that its text names. Messages are broken as trees of fields, so that
//! lengths fit and what is inside is reached, and as bytes.

use api::expr::Author;
use api::{ErrorKind, OpKind};
use prost::encoding::WireType;

use super::super::wire::{Field, Fields, put_key, put_message, put_varint};
use super::super::{Question, decode_request, decode_response, encode_request, encode_response};
use super::round_trip::{requests, responses};

/// Memory that a message may take at once, whatever it is: read, written and read again. Unit: bytes.
const FIXED_BYTES: u64 = 64 << 10;
/// And for each byte: an element of a list that takes two bytes on the wire is a value in memory, and a message of a table of
/// keys a few hundred bytes.
const BYTES_PER_BYTE: u64 = 512;
/// The longest message that is made. Unit: bytes.
const MESSAGE_BYTES: usize = 16 << 10;

/// A small deterministic generator (xorshift64*).
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % bound
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().expect("a number"))
}

/// A message whose fields may be anything.
#[derive(Debug, Clone)]
enum Node {
    Varint(u64),
    Bytes(Vec<u8>),
    Message(Vec<(u32, Node)>),
}

fn parse(message: &[u8]) -> Option<Vec<(u32, Node)>> {
    let fields = Fields::of(message).map(|field| match field {
        Ok((tag, Field::Varint(number))) => Some((tag, Node::Varint(number))),
        // Text is a message by accident at times; either way something is changed in it.
        Ok((tag, Field::Bytes(bytes))) => match parse(bytes) {
            Some(inner) if !inner.is_empty() => Some((tag, Node::Message(inner))),
            _ => Some((tag, Node::Bytes(bytes.to_vec()))),
        },
        Ok((_, Field::Other)) | Err(_) => None,
    });
    fields.collect()
}

fn write(out: &mut Vec<u8>, fields: &[(u32, Node)]) {
    for (tag, node) in fields {
        match node {
            Node::Varint(number) => {
                put_key(out, *tag, WireType::Varint);
                put_varint(out, *number);
            }
            Node::Bytes(bytes) => put_message(out, *tag, |out| out.extend_from_slice(bytes)),
            Node::Message(inner) => put_message(out, *tag, |out| write(out, inner)),
        }
    }
}

const TEXTS: [&[u8]; 16] = [
    b"",
    b"#n",
    b":v",
    b"1e400",
    b"-0.0",
    b"NaN",
    b"\xff\xfe",
    b"a = :v",
    b"SET #n = :v",
    b"a.b[0]",
    b"pk",
    b"ALL",
    b"PROVISIONED",
    b"INCLUDE",
    b"arn:aws:dynamodb:us-east-1:000000000000:table/orders",
    b"size(#n) > :v",
];

/// Breaks one thing, somewhere in the tree.
fn break_fields(fields: &mut Vec<(u32, Node)>, dice: &mut Dice) {
    if fields.is_empty() {
        fields.push((1 + dice.below(12) as u32, Node::Bytes(TEXTS[dice.below(TEXTS.len())].to_vec())));
        return;
    }
    let at = dice.below(fields.len());
    if let Node::Message(inner) = &mut fields[at].1
        && dice.below(5) > 0
    {
        return break_fields(inner, dice);
    }
    match dice.below(8) {
        0 => drop(fields.remove(at)),
        1 => {
            let twice = fields[at].clone();
            fields.push(twice);
        }
        2 => fields[at].0 = 1 + dice.below(14) as u32,
        3 => fields[at].1 = Node::Varint(1 << dice.below(64)),
        4 | 5 => fields[at].1 = Node::Bytes(TEXTS[dice.below(TEXTS.len())].to_vec()),
        6 => {
            // Deep in itself, as lists and maps may be.
            let tag = 6 + dice.below(2) as u32;
            for _ in 0..dice.below(40) {
                let inner = std::mem::replace(&mut fields[at].1, Node::Varint(0));
                fields[at].1 = Node::Message(vec![(tag, Node::Message(vec![(1, inner)]))]);
            }
        }
        _ => {
            let often = dice.below(400);
            let element = fields[at].clone();
            fields.extend(std::iter::repeat_n(element, often));
        }
    }
}

fn broken(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut fields = parse(message).expect("the corpus is sound");
    for _ in 0..dice.below(4) {
        break_fields(&mut fields, dice);
    }
    let mut bytes = Vec::new();
    write(&mut bytes, &fields);
    if dice.below(4) == 0 && !bytes.is_empty() {
        for _ in 0..1 + dice.below(3) {
            let at = dice.below(bytes.len());
            bytes[at] ^= 1 << dice.below(8);
        }
    }
    if dice.below(10) == 0 {
        bytes.truncate(dice.below(bytes.len() + 1));
    }
    bytes.truncate(MESSAGE_BYTES);
    bytes
}

/// Reads a request as a server does. `true` where it is one: then it means the same when it is written and read again.
fn read_as_server(op: OpKind, bytes: &[u8]) -> bool {
    let request = match decode_request(op, bytes.to_vec().into(), Author::Client) {
        Ok(request) => request,
        Err(error) => {
            let expected = matches!(
                error.kind,
                ErrorKind::SerializationException
                    | ErrorKind::ValidationException
                    | ErrorKind::AccessDeniedException
            );
            assert!(expected, "{error}");
            return false;
        }
    };
    let mut written = Vec::new();
    encode_request(&request, &mut written);
    match decode_request(op, written.into(), Author::Node) {
        Ok(again) => assert_eq!(again, request),
        // Of an update that only asked for no stream nothing is left.
        Err(error) => {
            assert!(op == OpKind::UpdateTable && error.message.starts_with("At least one of"), "{error}")
        }
    }
    true
}

/// The same, of an answer, as a client does.
fn read_as_client(question: Question, bytes: &[u8]) -> bool {
    let Ok(response) = decode_response(question, bytes.to_vec().into()) else { return false };
    let mut written = Vec::new();
    encode_response(&response, &mut written).expect("it is in no other form");
    // Compared as text: some numbers of capacity are none, and equal to nothing.
    let again = decode_response(question, written.into()).expect("what was written is sound");
    assert_eq!(format!("{again:?}"), format!("{response:?}"));
    true
}

#[test]
fn fuzz_grpc_codec() {
    let runs = setting("FOREBAY_FUZZ_RUNS", 100_000);
    let first = setting("FOREBAY_FUZZ_SEED", 1);
    let asked: Vec<(OpKind, Vec<u8>)> = requests()
        .iter()
        .map(|request| {
            let mut message = Vec::new();
            encode_request(request, &mut message);
            (request.kind(), message)
        })
        .collect();
    let answered: Vec<(OpKind, Vec<u8>)> = responses()
        .iter()
        .map(|(op, response)| {
            let mut message = Vec::new();
            encode_response(response, &mut message).unwrap();
            (*op, message)
        })
        .collect();
    let (mut accepted, mut most) = (0u64, (0, 0));
    for seed in first..first + runs {
        let mut dice = Dice::new(seed);
        let of_server = dice.below(4) == 0;
        let corpus = if of_server { &answered } else { &asked };
        let (op, message) = &corpus[dice.below(corpus.len())];
        let bytes = broken(message, &mut dice);
        let mut sound = false;
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            allocation_counter::measure(|| {
                sound = match of_server {
                    true => read_as_client(Question { op: *op, counts: false }, &bytes),
                    false => read_as_server(*op, &bytes),
                };
            })
        }));
        let memory = ran.unwrap_or_else(|_| panic!("seed {seed}, {op:?}: {bytes:02x?}"));
        accepted += u64::from(sound);
        most = most.max((memory.bytes_max, seed));
        assert!(
            memory.bytes_max <= FIXED_BYTES + BYTES_PER_BYTE * bytes.len() as u64,
            "seed {seed}, {op:?}: {} bytes of memory for a message of {}",
            memory.bytes_max,
            bytes.len()
        );
    }
    let (bytes, seed) = most;
    println!(
        "{runs} messages from seed {first}, {accepted} accepted; at most {bytes} bytes of memory (seed {seed})"
    );
    // A fuzzer whose messages are all refused at the first byte tests nothing.
    assert!(accepted * 10 > runs, "only {accepted} of {runs} messages were accepted");
}
