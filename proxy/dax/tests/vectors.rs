//! Exchanges captured from official clients, replayed against the codec in both directions: every request is read as a
//! server reads it and written again as our client would; every answer is read as our client reads it and written again as
//! a server would. Where clients differ from each other in form (order of options, spelling of numbers, texts sent twice),
//! what is written is another form of the same, and must read back as the same value.

#![allow(clippy::unwrap_used, reason = "a test that fails")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use api::schema::{KeyAttribute, KeySchema};
use api::value::ValueType;
use api::{Error, ErrorKind, Request, TableName};
use forebay_dax::attribute_lists::{ListId, Names};
use forebay_dax::codec::answer::{read_answer, write_answer};
use forebay_dax::codec::frame::{AnswerScanner, Frame, FrameScanner};
use forebay_dax::codec::handshake::{self, AuthorizeConnection, Preamble};
use forebay_dax::codec::item::{ListIds, ListNames, is_separable};
use forebay_dax::codec::method::Method;
use forebay_dax::codec::question::{ItemsOf, Question};
use forebay_dax::codec::request::{SelectAll, read_request, write_request};
use forebay_dax::codec::schema::{NamedKey, Schema};
use forebay_dax::error::{UNKNOWN_TABLE, read_error, write_error, write_with_codes};

const VECTORS: &str = include_str!("vectors.json");

/// What the capturing server called every request.
const REQUEST_ID: &str = "REQ-0001";

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

struct Capture {
    name: String,
    client: String,
    request: Vec<u8>,
    response: Vec<u8>,
}

fn captures() -> (Vec<Capture>, BTreeMap<String, KeySchema>) {
    let vectors: serde_json::Value = serde_json::from_str(VECTORS).unwrap();
    let part = |part: &serde_json::Value| KeyAttribute {
        name: part[0].as_str().unwrap().to_owned(),
        value_type: ValueType::from_name(part[1].as_str().unwrap()).unwrap(),
    };
    let tables = vectors["tables"].as_object().unwrap().iter().map(|(table, parts)| {
        let parts = parts.as_array().unwrap();
        let schema = KeySchema { partition: part(&parts[0]), sort: parts.get(1).map(part) };
        (table.clone(), schema)
    });
    let captures = vectors["captures"].as_array().unwrap().iter().map(|capture| {
        let name = capture["name"].as_str().unwrap().to_owned();
        Capture {
            client: name.split('/').next().unwrap().to_owned(),
            request: unhex(capture["request_hex"].as_str().unwrap()),
            response: unhex(capture["response_hex"].as_str().unwrap_or_default()),
            name,
        }
    });
    (captures.collect(), tables.collect())
}

/// The attribute lists of one client's run, and ids for those that only this test needs.
#[derive(Default)]
struct Lists {
    names: HashMap<ListId, Names>,
    ids: HashMap<Vec<String>, ListId>,
}

impl Lists {
    fn add(&mut self, id: ListId, names: &Names) {
        self.names.insert(id, names.clone());
        self.ids.insert(names.to_vec(), id);
    }
}

/// What came of writing again what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// The bytes that were captured.
    ToTheByte,
    /// Another form of the same value.
    SameValue,
    /// A projection of several elements of one list: a server makes it of the whole item, which the answer does not have.
    NotWritten,
}

impl Again {
    fn of(written: &[u8], captured: &[u8]) -> Again {
        if written == captured { Again::ToTheByte } else { Again::SameValue }
    }
}

/// How many of each.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    to_the_byte: usize,
    same_value: usize,
    not_written: usize,
}

impl Count {
    fn add(&mut self, again: Again) {
        *match again {
            Again::ToTheByte => &mut self.to_the_byte,
            Again::SameValue => &mut self.same_value,
            Again::NotWritten => &mut self.not_written,
        } += 1;
    }
}

/// Whether the values at an answer's paths can be told from the items that a client makes of them.
fn separable(question: &Question) -> bool {
    let separable = |items: &ItemsOf| {
        items.projected.as_ref().is_none_or(|projected| is_separable(&projected.projection))
    };
    match question {
        Question::GetItem(items) => separable(items),
        Question::Query(page) | Question::Scan(page) => separable(&page.items),
        Question::BatchGetItem(all) | Question::TransactGetItems(all) => all.iter().all(separable),
        Question::PutItem(_)
        | Question::UpdateItem { .. }
        | Question::DeleteItem(_)
        | Question::BatchWriteItem(_)
        | Question::TransactWriteItems(_) => true,
    }
}

struct Replay {
    tables: BTreeMap<String, KeySchema>,
    lists: RefCell<Lists>,
}

impl Replay {
    fn find(&self, name: &str) -> Result<Schema, Error> {
        let key = self.tables.get(name).cloned();
        let key = key.ok_or_else(|| Error::new(ErrorKind::ResourceNotFoundException, name.to_owned()))?;
        Ok(Schema::Key(Arc::new(NamedKey { table: TableName::new(name).unwrap(), key })))
    }

    fn write(&self, write: impl Fn(&mut Vec<u8>, &mut ListIds<'_>)) -> Vec<u8> {
        loop {
            let mut out = Vec::new();
            let find = |names: &[&str]| {
                let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
                self.lists.borrow().ids.get(&names).copied()
            };
            let mut lists = ListIds::new(&find);
            write(&mut out, &mut lists);
            let missing = lists.missing();
            if missing.is_empty() {
                return out;
            }
            for names in missing {
                let id = ListId(1000 + self.lists.borrow().ids.len() as u64);
                self.lists.borrow_mut().add(id, &names);
            }
        }
    }

    fn read<T>(&self, read: impl FnOnce(&mut ListNames<'_>) -> T) -> T {
        let find = |id| self.lists.borrow().names.get(&id).cloned();
        let mut lists = ListNames::new(&find);
        let value = read(&mut lists);
        assert!(lists.missing().is_empty(), "the run defined every list it used");
        value
    }

    fn request(&self, method: Method, values: &[u8]) -> (Request, Question) {
        let Method::Operation(op) = method else { panic!("{method:?} is no operation") };
        self.read(|lists| read_request(op, values, SelectAll::Meant, &|name| self.find(name), lists)).unwrap()
    }

    /// Reads and writes a request of the API. Gives what its answer needs, and whether the bytes were the same.
    fn replay_request(&self, capture: &Capture, method: Method, values: &[u8]) -> (Request, Question, Again) {
        let (request, question) = self.request(method, values);
        let written =
            self.write(|out, lists| write_request(out, &request, &|name| self.find(name), lists).unwrap());
        let Frame::Request { header_bytes, .. } = frame(&written) else { panic!("a request") };
        assert_eq!(self.request(method, &written[header_bytes..]).0, request, "{}", capture.name);
        (request, question, Again::of(&written, &capture.request))
    }

    /// Reads and writes an answer of the API.
    fn replay_answer(&self, capture: &Capture, request: &Request, question: &Question) -> Again {
        let read = |answer: &[u8]| {
            let schemas = |name: &str| self.find(name);
            self.read(|lists| read_answer(&answer[1..], request, &schemas, lists)).unwrap()
        };
        let response = read(&capture.response);
        if !separable(question) {
            return Again::NotWritten;
        }
        let written = self.write(|out, lists| write_answer(out, question, &response, lists).unwrap());
        assert_eq!(read(&written), response, "{}", capture.name);
        Again::of(&written, &capture.response)
    }

    fn replay_error(
        &self,
        capture: &Capture,
        request: Option<&Request>,
        question: Option<&Question>,
    ) -> Again {
        let read = |answer: &[u8]| {
            let schemas = |name: &str| self.find(name);
            self.read(|lists| read_error(answer, request, &schemas, lists)).unwrap()
        };
        let error = read(&capture.response);
        let written = self.write(|out, lists| match question {
            Some(_) => write_error(out, &error, REQUEST_ID, question, lists),
            None => write_with_codes(out, UNKNOWN_TABLE, &error, REQUEST_ID, None, lists),
        });
        assert_eq!(read(&written), error, "{}", capture.name);
        Again::of(&written, &capture.response)
    }
}

/// The one frame that bytes are, on a connection that has begun.
fn frame(bytes: &[u8]) -> Frame {
    let mut scanner = FrameScanner::new();
    let mut preamble = Vec::new();
    Preamble::default().write(&mut preamble);
    scanner.next(&preamble).unwrap().unwrap();
    let frame = scanner.next(bytes).unwrap().unwrap();
    assert!(matches!(frame, Frame::Request { bytes: length, .. } if length == bytes.len()));
    frame
}

fn payload(capture: &Capture, method: Method) -> &[u8] {
    let end = AnswerScanner::new(method, capture.response.len()).next(&capture.response);
    assert_eq!(end, Ok(Some(capture.response.len())), "{}", capture.name);
    &capture.response[1..]
}

/// All lists that a client's run defined, in either direction.
fn lists_of(client: &str, captures: &[Capture]) -> Lists {
    // The older line's captures are a part of the same run's.
    let run = if client == "js-v2-1.2.10" { "js-v3-3.1.0" } else { client };
    let mut lists = Lists::default();
    for capture in captures.iter().filter(|capture| capture.client == run) {
        let method = if capture.name.contains("/handshake/") { continue } else { frame(&capture.request) };
        let Frame::Request { method, header_bytes, .. } = method else { continue };
        let values = &capture.request[header_bytes..];
        match method {
            Method::DefineAttributeListId => {
                let names = handshake::read_define_attribute_list_id(values).unwrap();
                lists.add(handshake::read_list_id(payload(capture, method)).unwrap(), &names);
            }
            Method::DefineAttributeList => {
                let names = handshake::read_define_attribute_list_id(payload(capture, method)).unwrap();
                lists.add(handshake::read_list_id(values).unwrap(), &names);
            }
            _ => {}
        }
    }
    lists
}

/// Requests and answers of the wire's own methods. `None` for one of the API's.
fn replay_own(
    replay: &Replay,
    capture: &Capture,
    method: Method,
    values: &[u8],
) -> Option<(Again, Option<Again>)> {
    let mut written = Vec::new();
    let mut answer = vec![0x80];
    match method {
        Method::AuthorizeConnection => {
            AuthorizeConnection::read(values).unwrap().write(&mut written).unwrap();
            assert!(capture.response.is_empty(), "it has no answer");
            return Some((Again::of(&written, &capture.request), None));
        }
        Method::Endpoints => {
            handshake::write_endpoints_request(&mut written).unwrap();
            let endpoints = handshake::read_endpoints(payload(capture, method)).unwrap();
            handshake::write_endpoints(&mut answer, &endpoints);
        }
        Method::DefineKeySchema => {
            let table = handshake::read_define_key_schema(values).unwrap();
            handshake::write_define_key_schema(&mut written, table).unwrap();
            if capture.response[0] != 0x80 {
                let exact = replay.replay_error(capture, None, None);
                return Some((Again::of(&written, &capture.request), Some(exact)));
            }
            let schema = handshake::read_key_schema(payload(capture, method)).unwrap();
            assert_eq!(schema, replay.tables[table]);
            handshake::write_key_schema(&mut answer, &schema);
        }
        Method::DefineAttributeListId => {
            let names = handshake::read_define_attribute_list_id(values).unwrap();
            handshake::write_define_attribute_list_id(&mut written, &names).unwrap();
            let id = handshake::read_list_id(payload(capture, method)).unwrap();
            forebay_dax::cbor::write::unsigned(&mut answer, id.0);
        }
        Method::DefineAttributeList => {
            let id = handshake::read_list_id(values).unwrap();
            handshake::write_define_attribute_list(&mut written, id).unwrap();
            let names = handshake::read_define_attribute_list_id(payload(capture, method)).unwrap();
            handshake::write_names(&mut answer, &names);
        }
        Method::Operation(_) => return None,
    }
    Some((Again::of(&written, &capture.request), Some(Again::of(&answer, &capture.response))))
}

#[test]
fn every_captured_exchange_is_read_and_written_again() {
    let (captures, tables) = captures();
    let (mut requests, mut answers) = (Count::default(), Count::default());
    let mut other_forms = Vec::new();
    for capture in &captures {
        let lists = RefCell::new(lists_of(&capture.client, &captures));
        let replay = Replay { tables: tables.clone(), lists };
        if capture.name.contains("/handshake/") {
            let mut scanner = FrameScanner::new();
            let end = capture.request.len();
            assert_eq!(scanner.next(&capture.request), Ok(Some(Frame::Preamble { bytes: end })));
            let preamble = Preamble::read(&capture.request).unwrap();
            let mut written = Vec::new();
            preamble.write(&mut written);
            assert_eq!(Preamble::read(&written).unwrap(), preamble);
            requests.add(Again::of(&written, &capture.request));
            continue;
        }
        let Frame::Request { method, header_bytes, .. } = frame(&capture.request) else {
            panic!("a request")
        };
        let values = &capture.request[header_bytes..];
        let (request_exact, answer_exact) = match replay_own(&replay, capture, method, values) {
            Some(own) => own,
            None => {
                let (request, question, request_exact) = replay.replay_request(capture, method, values);
                let answer_exact = if capture.response[0] == 0x80 {
                    payload(capture, method);
                    replay.replay_answer(capture, &request, &question)
                } else {
                    replay.replay_error(capture, Some(&request), Some(&question))
                };
                (request_exact, Some(answer_exact))
            }
        };
        requests.add(request_exact);
        if let Some(exact) = answer_exact {
            answers.add(exact);
            if exact != Again::ToTheByte {
                other_forms.push(capture.name.as_str());
            }
        }
    }
    println!("requests: {requests:?}; answers: {answers:?}; in another form: {other_forms:?}");
    assert_eq!(captures.len(), 172);
    // Requests in another form: options in a client's own order or left out, texts sent twice, numbers as floats. Answers:
    // places of an index in another order, attribute lists of an update or numbers of a set, and the two maps that only the
    // Java client, which nobody captured, insists to have in the indefinite form.
    assert_eq!(requests, Count { to_the_byte: 96, same_value: 76, not_written: 0 });
    // Four preambles and four claims have no answer.
    assert_eq!(answers, Count { to_the_byte: 143, same_value: 19, not_written: 2 });
}
