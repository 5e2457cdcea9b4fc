//! Broken frames against the codec, both ways: what a server reads of clients, and what a client reads of servers.
//!
//! `FOREBAY_FUZZ_RUNS` sets how many frames (100,000 without it), `FOREBAY_FUZZ_SEED` which; each frame has a seed of its
//! own, so that a failing one is made again alone by the seed that its message names.

use std::cell::{Cell, RefCell};

use api::{Error, ErrorKind, Request, Response};

use super::corpus::{CORPUS, Capture, Run, begun};
use super::hex;
use super::mutation::{Dice, mutated, random_values, setting};
use crate::attribute_lists::{ListId, Names};
use crate::authorize::{self, tests::OneKey};
use crate::codec::answer::{read_answer, write_answer};
use crate::codec::frame::{AnswerScanner, Frame, FrameScanner};
use crate::codec::handshake::{self, AuthorizeConnection, Preamble};
use crate::codec::item::{ListIds, ListNames, is_separable};
use crate::codec::method::Method;
use crate::codec::question::{ItemsOf, Question};
use crate::codec::request::{SelectAll, read_request, write_request};
use crate::error::read_error;

/// Memory that a frame may take at once, whatever it is: read, written and read again. Unit: bytes.
const FIXED_BYTES: u64 = 64 << 10;
/// And for each byte of a request: a value of one byte is an element of a list in memory.
const BYTES_PER_REQUEST_BYTE: u64 = 256;
/// And for each byte of an answer: it may be nothing but items of a key each, of which the wire has six bytes and memory a
/// tree. Whom we ask, we trust that far; whoever asks us gets no hundred items into one request.
const BYTES_PER_ANSWER_BYTE: u64 = 1024;

/// The lists of a client, and those that only writing again needs.
struct Lists {
    run: &'static Run,
    own: RefCell<Vec<Names>>,
}

impl Lists {
    const FIRST_OWN: u64 = 100_000;

    const fn new(run: &'static Run) -> Lists {
        Lists { run, own: RefCell::new(Vec::new()) }
    }

    fn names(&self, id: ListId) -> Option<Names> {
        self.run.names(id).or_else(|| {
            let at = usize::try_from(id.0.checked_sub(Lists::FIRST_OWN)?).ok()?;
            self.own.borrow().get(at).cloned()
        })
    }

    fn id(&self, names: &[&str]) -> Option<ListId> {
        self.run.id(names).or_else(|| {
            let at = self.own.borrow().iter().position(|known| known.iter().eq(names))?;
            Some(ListId(Lists::FIRST_OWN + at as u64))
        })
    }

    fn write(&self, write: impl Fn(&mut Vec<u8>, &mut ListIds<'_>)) -> Vec<u8> {
        loop {
            let mut out = Vec::new();
            let find = |names: &[&str]| self.id(names);
            let mut lists = ListIds::new(&find);
            write(&mut out, &mut lists);
            let missing = lists.missing();
            if missing.is_empty() {
                return out;
            }
            self.own.borrow_mut().extend(missing);
        }
    }

    fn read<T>(&self, read: impl FnOnce(&mut ListNames<'_>) -> T) -> (T, bool) {
        let find = |id| self.names(id);
        let mut lists = ListNames::new(&find);
        let value = read(&mut lists);
        (value, lists.missing().is_empty())
    }

    fn request(&self, method: Method, values: &[u8]) -> Option<Result<(Request, Question), Error>> {
        let Method::Operation(op) = method else { return None };
        Some(
            self.read(|lists| read_request(op, values, SelectAll::Meant, &|name| CORPUS.find(name), lists)).0,
        )
    }
}

/// What an error of reading may be.
fn judge(error: &Error) {
    assert!(
        matches!(
            error.kind,
            ErrorKind::SerializationException
                | ErrorKind::ValidationException
                | ErrorKind::ResourceNotFoundException
                | ErrorKind::IncompleteSignatureException
                | ErrorKind::InvalidSignatureException
                | ErrorKind::UnrecognizedClientException
        ),
        "{error}"
    );
}

/// Finds the first frame in bytes; in one piece and in many it must be the same.
fn scanned(bytes: &[u8], dice: &mut Dice) -> Option<Frame> {
    let whole = begun().next(bytes);
    let mut scanner = begun();
    let mut end = 0;
    let in_pieces = loop {
        end = bytes.len().min(end + 1 + dice.below(40));
        match scanner.next(&bytes[..end]) {
            Ok(None) if end < bytes.len() => {}
            found => break found,
        }
    };
    assert_eq!(whole, in_pieces);
    whole.ok().flatten()
}

/// Reads a request as a server does. `true` where it is one.
fn read_as_server(lists: &Lists, method: Method, values: &[u8]) -> bool {
    let done = match method {
        Method::AuthorizeConnection => AuthorizeConnection::read(values)
            .and_then(|claim| authorize::check(&claim, &OneKey, lists.run.claim().1))
            .map(|_| ()),
        Method::Endpoints => Ok(()),
        Method::DefineKeySchema => handshake::read_define_key_schema(values).map(|_| ()),
        Method::DefineAttributeListId => handshake::read_define_attribute_list_id(values).map(|names| {
            let mut again = Vec::new();
            handshake::write_names(&mut again, &names);
            assert_eq!(handshake::read_define_attribute_list_id(&again), Ok(names));
        }),
        Method::DefineAttributeList => handshake::read_list_id(values).map(|_| ()),
        Method::Operation(_) => match lists.request(method, values).expect("it is an operation") {
            Ok((request, _)) => {
                means_the_same_again(lists, method, &request);
                Ok(())
            }
            Err(error) => Err(error),
        },
    };
    if let Err(error) = &done {
        judge(error);
    }
    done.is_ok()
}

/// What was accepted is written, and read again as the same.
fn means_the_same_again(lists: &Lists, method: Method, request: &Request) {
    let find = |name: &str| CORPUS.find(name);
    let written =
        lists.write(|out, lists| write_request(out, request, &find, lists).expect("it is of this wire"));
    let Ok(Some(Frame::Request { method: again, header_bytes, bytes })) = begun().next(&written) else {
        panic!("what is written is no frame: {}", hex(&written))
    };
    assert_eq!((again, bytes), (method, written.len()));
    match lists.request(method, &written[header_bytes..]) {
        Some(Ok((read, _))) => assert_eq!(&read, request),
        other => panic!("{request:?} was written as {} and read as {other:?}", hex(&written)),
    }
}

fn separable(question: &Question) -> bool {
    let separable = |items: &ItemsOf| {
        items.projected.as_ref().is_none_or(|projected| is_separable(&projected.projection))
    };
    match question {
        Question::GetItem(items) => separable(items),
        Question::Query(page) | Question::Scan(page) => separable(&page.items),
        Question::BatchGetItem(all) | Question::TransactGetItems(all) => all.iter().all(separable),
        _ => true,
    }
}

/// Reads an answer as a client does. `true` where it is one.
fn read_as_client(lists: &Lists, asked: &Capture, answer: &[u8], dice: &mut Dice) -> bool {
    let find = |name: &str| CORPUS.find(name);
    let request = lists.request(asked.method, asked.values());
    let request = request.map(|read| read.expect("captures are sound"));
    let mut scanner = AnswerScanner::new(asked.method, 1 << 20);
    let whole = scanner.next(answer);
    let mut scanner = AnswerScanner::new(asked.method, 1 << 20);
    let mut end = 0;
    let in_pieces = loop {
        end = answer.len().min(end + 1 + dice.below(40));
        match scanner.next(&answer[..end]) {
            Ok(None) if end < answer.len() => {}
            found => break found,
        }
    };
    assert_eq!(whole, in_pieces);
    // What the scanner would have kept from it is read all the same: nothing below relies on it.
    let asked_request = request.as_ref().map(|(request, _)| request);
    let (error, _) = lists.read(|lists| read_error(answer, asked_request, &find, lists));
    if let Err(error) = error {
        judge(&error);
    }
    let Some((_, payload)) = answer.split_first() else { return false };
    let read = |payload: &[u8]| match &request {
        Some((request, _)) => {
            let (read, complete) = lists.read(|lists| read_answer(payload, request, &find, lists));
            read.map(|response| complete.then_some(response))
        }
        None => match asked.method {
            Method::Endpoints => handshake::read_endpoints(payload).map(|_| None),
            Method::DefineKeySchema => handshake::read_key_schema(payload).map(|_| None),
            Method::DefineAttributeListId => handshake::read_list_id(payload).map(|_| None),
            _ => handshake::read_define_attribute_list_id(payload).map(|_| None),
        },
    };
    let response = match read(payload) {
        Ok(Some(response)) => response,
        Ok(None) => return true,
        Err(error) => {
            judge(&error);
            return false;
        }
    };
    let Some((_, question)) = request.as_ref().filter(|(_, question)| separable(question)) else {
        return true;
    };
    // Not every answer that a client takes is one that this server gives: keys that are missing, tables that nobody
    // asked for. What it does give must come back as it was.
    let again = |response: &Response| {
        let given = Cell::new(true);
        let written =
            lists.write(|out, lists| given.set(write_answer(out, question, response, lists).is_ok()));
        given.get().then(|| match read(&written[1..]) {
            Ok(Some(again)) => again,
            other => panic!("{response:?} was written as {} and read as {other:?}", hex(&written)),
        })
    };
    let Some(once) = again(&response) else { return true };
    // A server lists every table that it was asked for, each once, and its client goes by that; another may leave some out.
    let (wanted, found) = match once {
        Response::BatchGetItem(_) => (again(&once), Some(once)),
        once => (Some(response), Some(once)),
    };
    // A capacity that is no number is equal to nothing, but shown the same.
    assert!(
        wanted == found || format!("{wanted:?}") == format!("{found:?}"),
        "{wanted:?} came back as {found:?}"
    );
    true
}

/// What a seed makes of a client's captures.
struct Input {
    run: &'static Run,
    kind: Kind,
    bytes: Vec<u8>,
}

enum Kind {
    Preamble,
    Request(Method),
    Answer(&'static Capture),
}

impl Input {
    fn new(dice: &mut Dice) -> Input {
        let run = dice.pick::<Run>(&CORPUS.runs);
        let capture = dice.pick::<Capture>(&run.captures);
        let (kind, bytes) = match dice.below(16) {
            0 => (Kind::Preamble, mutated(dice.pick::<Vec<u8>>(&run.preambles), dice)),
            // Of which only the method is sound.
            1 => {
                let mut frame = capture.request[..capture.header_bytes].to_vec();
                frame.extend(random_values(dice, capture.method.request_values()));
                (Kind::Request(capture.method), frame)
            }
            2 => {
                let values = random_values(dice, capture.method.answer_values());
                (Kind::Answer(capture), [&[0x80], &values[..]].concat())
            }
            3..=6 => (Kind::Answer(capture), mutated(&capture.response, dice)),
            _ => (Kind::Request(capture.method), mutated(&capture.request, dice)),
        };
        Input { run, kind, bytes }
    }

    /// `true` where it is accepted as what it stands for.
    fn read(&self, dice: &mut Dice) -> bool {
        let (lists, bytes) = (Lists::new(self.run), &self.bytes);
        match self.kind {
            Kind::Preamble => match FrameScanner::new().next(bytes) {
                Ok(Some(Frame::Preamble { bytes: end })) => {
                    Preamble::read(&bytes[..end]).is_ok_and(|preamble| {
                        let mut written = Vec::new();
                        preamble.write(&mut written);
                        assert_eq!(Preamble::read(&written), Ok(preamble));
                        true
                    })
                }
                Ok(Some(Frame::Request { .. })) => panic!("a connection does not begin with a request"),
                Ok(None) | Err(_) => false,
            },
            Kind::Request(method) => match scanned(bytes, dice) {
                Some(Frame::Request { method, header_bytes, bytes: end }) => {
                    read_as_server(&lists, method, &bytes[header_bytes..end])
                }
                Some(Frame::Preamble { .. }) => panic!("a connection begins once"),
                // What the scanner keeps from the codec must not break it either.
                None => read_as_server(&lists, method, bytes.get(6..).unwrap_or_default()),
            },
            Kind::Answer(asked) => read_as_client(&lists, asked, bytes, dice),
        }
    }
}

#[test]
fn fuzz_dax_codec() {
    let runs = setting("FOREBAY_FUZZ_RUNS", 100_000);
    let first = setting("FOREBAY_FUZZ_SEED", 1);
    let (mut accepted, mut most) = (0u64, (0, 0));
    for seed in first..first + runs {
        let mut dice = Dice::new(seed);
        let input = Input::new(&mut dice);
        let mut sound = false;
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            allocation_counter::measure(|| sound = input.read(&mut dice))
        }));
        let memory = ran.unwrap_or_else(|_| panic!("seed {seed}: {}", hex(&input.bytes)));
        accepted += u64::from(sound);
        most = most.max((memory.bytes_max, seed));
        let of_each = match input.kind {
            Kind::Preamble | Kind::Request(_) => BYTES_PER_REQUEST_BYTE,
            Kind::Answer(_) => BYTES_PER_ANSWER_BYTE,
        };
        assert!(
            memory.bytes_max <= FIXED_BYTES + of_each * input.bytes.len() as u64,
            "seed {seed}: {} bytes of memory for a frame of {}: {}",
            memory.bytes_max,
            input.bytes.len(),
            hex(&input.bytes)
        );
    }
    let (bytes, seed) = most;
    println!(
        "{runs} frames from seed {first}, {accepted} accepted; at most {bytes} bytes of memory (seed {seed})"
    );
    // A fuzzer whose frames are all refused at the first byte tests nothing.
    assert!(accepted * 10 > runs, "only {accepted} of {runs} frames were accepted");
}
