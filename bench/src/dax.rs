//! The DAX wire: how a connection begins, requests, and what their answers look like. Bytes are those of the codec that the
//! server uses; what a client would learn before it asks (key schemas, the id of an attribute list) is known or asked for
//! once.

use std::io::{Read, Write};
use std::sync::Arc;

use ::dax::attribute_lists::{FIRST, ListId};
use ::dax::client::Credentials;
use ::dax::codec::answer::{SUCCESS, write_answer};
use ::dax::codec::frame::AnswerScanner;
use ::dax::codec::handshake::{self, Preamble};
use ::dax::codec::item::ListIds;
use ::dax::codec::method::Method;
use ::dax::codec::question::{ItemsOf, PageOf, Question};
use ::dax::codec::request::write_request;
use ::dax::codec::schema::{NamedKey, Schema};
use api::expr::{Comparator, KeyCondition, KeyTest};
use api::op::{
    GetItemInput, GetItemOutput, Page, PutItemInput, PutItemOutput, QueryInput, ReturnConsumedCapacity,
    ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure, Select,
};
use api::schema::{KeyAttribute, KeySchema};
use api::value::ValueType;
use api::{AttributeValue, Error, Item, ItemBody, Number, OpKind, Request, Response, TableName};

use crate::BenchError;
use crate::exchange::{AnswerEnd, Shape};
use crate::item::{self, PARTED_TABLE, PARTITION_ITEMS, TABLE};
use crate::scenario::Scenario;
use crate::target::{Target, connect};

/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// The one attribute of the items besides their keys.
const PAYLOAD: &str = "payload";

/// The method of a scenario.
const fn method(scenario: Scenario) -> Method {
    Method::Operation(match scenario {
        Scenario::GetItem | Scenario::GetItemStrong => OpKind::GetItem,
        Scenario::PutItem => OpKind::PutItem,
        Scenario::Query => OpKind::Query,
    })
}

fn table(name: &str) -> TableName {
    TableName::new(name).expect("the tables have names that tables may have")
}

fn schema(of: &str) -> Schema {
    let part = |name: &str, value_type| KeyAttribute { name: name.to_owned(), value_type };
    let sort = (of == PARTED_TABLE).then(|| part("sk", ValueType::N));
    let key = KeySchema { partition: part("pk", ValueType::S), sort };
    Schema::Key(Arc::new(NamedKey { table: table(of), key }))
}

fn an_item(key: u64, value_bytes: usize) -> Item {
    Item::new()
        .with("pk", AttributeValue::S(item::name(key)))
        .with(PAYLOAD, AttributeValue::S(item::payload(key, value_bytes)))
}

fn parted_item(key: u64, value_bytes: usize) -> Item {
    let place = Number::from_parts(i128::from(key % PARTITION_ITEMS), 0);
    Item::new()
        .with("pk", AttributeValue::S(item::partition_name(key)))
        .with("sk", AttributeValue::N(place.expect("a digit is a number")))
        .with(PAYLOAD, AttributeValue::S(item::payload(key, value_bytes)))
}

fn request(scenario: Scenario, key: u64, value_bytes: usize) -> Request {
    let get = |consistent| {
        Request::from(GetItemInput {
            table: table(TABLE),
            key: Item::new().with("pk", AttributeValue::S(item::name(key))),
            projection: None,
            consistent,
            return_capacity: ReturnConsumedCapacity::None,
        })
    };
    match scenario {
        Scenario::GetItem => get(false),
        Scenario::GetItemStrong => get(true),
        Scenario::PutItem => PutItemInput {
            table: table(TABLE),
            item: an_item(key, value_bytes),
            condition: None,
            return_values: ReturnOld::None,
            return_on_failure: ReturnOnFailure::None,
            return_capacity: ReturnConsumedCapacity::None,
            return_collection: ReturnItemCollectionMetrics::None,
        }
        .into(),
        Scenario::Query => {
            let partition = AttributeValue::S(item::partition_name(key));
            QueryInput {
                table: table(PARTED_TABLE),
                index: None,
                key_condition: KeyCondition {
                    tests: vec![("pk".to_owned(), KeyTest::Compare(Comparator::Eq, partition))],
                },
                filter: None,
                select: Select::AllAttributes,
                limit: None,
                consistent: false,
                forward: true,
                start: None,
                return_capacity: ReturnConsumedCapacity::None,
            }
            .into()
        }
    }
}

/// A good answer, as a value.
fn response(scenario: Scenario, value_bytes: usize) -> (Question, Response) {
    let items = |of| ItemsOf { schema: schema(of), projected: None };
    match scenario {
        Scenario::GetItem | Scenario::GetItemStrong => {
            let item = Some(ItemBody::Tree(Arc::new(an_item(0, value_bytes))));
            (Question::GetItem(items(TABLE)), Response::GetItem(GetItemOutput { item, capacity: None }))
        }
        Scenario::PutItem => (Question::PutItem(schema(TABLE)), Response::PutItem(PutItemOutput::default())),
        Scenario::Query => {
            let of_partition = (0..PARTITION_ITEMS).map(|key| parted_item(key, value_bytes));
            let page = Page {
                items: Some(of_partition.map(|item| ItemBody::Tree(Arc::new(item))).collect()),
                count: PARTITION_ITEMS as u32,
                scanned_count: PARTITION_ITEMS as u32,
                ..Page::default()
            };
            (Question::Query(PageOf { items: items(PARTED_TABLE), of_index: false }), Response::Query(page))
        }
    }
}

/// What was asked for before a load begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Learned {
    /// The id of the attribute list of all items.
    list: ListId,
}

impl Learned {
    /// What a server says that never gave an id before: all ids have about the same length.
    pub(crate) const ASSUMED: Learned = Learned { list: FIRST };

    /// Asks a target, on a connection of its own.
    pub(crate) fn ask(target: &Target, opening: &[u8]) -> Result<Learned, BenchError> {
        let names = [PAYLOAD.to_owned()];
        let mut request = Vec::new();
        handshake::write_define_attribute_list_id(&mut request, &names).expect("the wire has this method");
        let answer = exchange(target, opening, &request, Method::DefineAttributeListId)?;
        let list = answer.strip_prefix(&[SUCCESS]).and_then(|id| handshake::read_list_id(id).ok());
        let list = list.ok_or_else(|| BenchError::answer(target, "defineAttributeListId", &answer))?;
        Ok(Learned { list })
    }

    fn with_ids<T>(self, write: impl FnOnce(&mut ListIds<'_>) -> Result<T, Error>) -> T {
        let find = |names: &[&str]| (names == [PAYLOAD]).then_some(self.list);
        write(&mut ListIds::new(&find)).expect("what is written here is of this wire")
    }

    /// Appends the request for a key.
    pub(crate) fn write(self, scenario: Scenario, key: u64, value_bytes: usize, out: &mut Vec<u8>) {
        let schemas = |name: &str| Ok(schema(name));
        let request = request(scenario, key, value_bytes);
        self.with_ids(|lists| write_request(out, &request, &schemas, lists));
    }

    /// What good answers look like.
    pub(crate) fn shape(self, scenario: Scenario, value_bytes: usize) -> Shape {
        let (question, response) = response(scenario, value_bytes);
        let mut answer = Vec::new();
        self.with_ids(|lists| write_answer(&mut answer, &question, &response, lists));
        let payload = item::payload(0, value_bytes);
        let of_key = [&b"-0000000000"[..], payload.as_bytes()];
        let places = of_key.iter().filter_map(|part| memchr::memmem::find(&answer, part));
        let begins = answer[..places.min().unwrap_or(answer.len())].to_vec();
        Shape { begins, bytes: answer.len() }
    }
}

/// How a connection begins: who it is, and whose.
pub(crate) fn opening(credentials: Option<&Credentials>) -> Vec<u8> {
    let mut opening = Vec::new();
    let user_agent = format!("forebay-bench-{}", env!("CARGO_PKG_VERSION"));
    Preamble { user_agent: Some(user_agent.clone()), ..Preamble::default() }.write(&mut opening);
    if let Some(credentials) = credentials {
        #[allow(clippy::disallowed_methods, reason = "a signature is of the machine's own time")]
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        credentials
            .write_claim(&mut opening, api::limits::REGION, &user_agent, now.as_secs())
            .expect("the wire has this method");
    }
    opening
}

/// Sends a request on a connection of its own and reads the answer.
fn exchange(target: &Target, opening: &[u8], request: &[u8], method: Method) -> Result<Vec<u8>, BenchError> {
    let failed = || BenchError::io(format!("talking to {}", target.name));
    let mut stream = connect(target, opening)?;
    stream.write_all(request).map_err(failed())?;
    let (mut answer, mut scanner) = (Vec::new(), AnswerScanner::new(method, ANSWER_BYTES_MAX));
    let mut part = [0; 4096];
    loop {
        match scanner.next(&answer) {
            Ok(Some(_)) => return Ok(answer),
            Ok(None) => {}
            Err(_) => return Err(BenchError::answer(target, "a request over DAX", &answer)),
        }
        let bytes = stream.read(&mut part).map_err(failed())?;
        if bytes == 0 {
            return Err(failed()(std::io::ErrorKind::UnexpectedEof.into()));
        }
        answer.extend_from_slice(&part[..bytes]);
    }
}

/// Where the first answer in `bytes` ends, whatever it is; `None` while it is not whole.
pub(crate) fn answer_end(bytes: &[u8], scenario: Scenario) -> Option<AnswerEnd> {
    match AnswerScanner::new(method(scenario), ANSWER_BYTES_MAX).next(bytes) {
        Ok(end) => {
            let end = end?;
            // An item that is not there leaves an empty map.
            let empty = end <= b"\x80\xbf\xff".len() && scenario != Scenario::PutItem;
            Some(AnswerEnd { bytes: end, good: bytes[0] == SUCCESS && !empty })
        }
        Err(_) => Some(AnswerEnd { bytes: bytes.len(), good: false }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_shape_is_whole_and_good() {
        for scenario in [Scenario::GetItem, Scenario::GetItemStrong, Scenario::PutItem, Scenario::Query] {
            let (question, response) = response(scenario, 470);
            let mut answer = Vec::new();
            Learned::ASSUMED.with_ids(|lists| write_answer(&mut answer, &question, &response, lists));
            let shape = Learned::ASSUMED.shape(scenario, 470);
            assert_eq!(shape.bytes, answer.len());
            assert!(answer.starts_with(&shape.begins) && !shape.begins.is_empty());
            assert_eq!(answer_end(&answer, scenario), Some(AnswerEnd { bytes: answer.len(), good: true }));
            assert_eq!(answer_end(&answer[..answer.len() - 1], scenario), None);
            assert!(item::is_answered(&answer, scenario, 0, 470));
        }
    }

    #[test]
    fn absence_and_errors_are_no_good_answers() {
        for bytes in [&b"\x80\xbf\xff"[..], b"\x80\xf6", b"\x81\x04\x60\xf6"] {
            let end = answer_end(bytes, Scenario::GetItem);
            assert_eq!(end, Some(AnswerEnd { bytes: bytes.len(), good: false }), "{bytes:?}");
        }
        assert_eq!(answer_end(b"\xff", Scenario::GetItem), Some(AnswerEnd { bytes: 1, good: false }));
    }
}
