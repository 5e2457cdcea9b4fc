//! The captured exchanges of official clients, as fuzzing begins with them, and the tables and attribute lists that they
//! lean on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use api::schema::{KeyAttribute, KeySchema, Table, TableId};
use api::value::ValueType;
use api::{Error, ErrorKind, TableName};

use super::unhex;
use crate::attribute_lists::{FIRST, ListId, Names};
use crate::codec::frame::{Frame, FrameScanner};
use crate::codec::handshake::{self, AuthorizeConnection, Preamble};
use crate::codec::method::Method;
use crate::codec::schema::Schema;
use crate::server::tests::hash_table;

/// A request that a client sent, and what it was answered.
pub(crate) struct Capture {
    pub(crate) method: Method,
    pub(crate) request: Vec<u8>,
    /// How much of the request is in front of its values.
    pub(crate) header_bytes: usize,
    /// Empty for a claim, which has no answer.
    pub(crate) response: Vec<u8>,
}

impl Capture {
    /// The request behind its method id.
    pub(crate) fn values(&self) -> &[u8] {
        &self.request[self.header_bytes..]
    }
}

/// What one client sent, all of it with the same attribute lists.
pub(crate) struct Run {
    pub(crate) preambles: Vec<Vec<u8>>,
    pub(crate) captures: Vec<Capture>,
    /// In the order of their ids, of which the first is [`FIRST`].
    pub(crate) lists: Vec<Names>,
}

/// All that was captured.
pub(crate) struct Corpus {
    pub(crate) runs: Vec<Run>,
    tables: HashMap<String, Arc<Table>>,
}

/// The corpus, read once.
pub(crate) static CORPUS: LazyLock<Corpus> = LazyLock::new(Corpus::read);

/// A scanner of a connection that has begun.
pub(crate) fn begun() -> FrameScanner {
    static PREAMBLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
        let mut preamble = Vec::new();
        Preamble::default().write(&mut preamble);
        preamble
    });
    let mut scanner = FrameScanner::new();
    assert!(matches!(scanner.next(&PREAMBLE), Ok(Some(Frame::Preamble { .. }))));
    scanner
}

fn table(name: &str, place: usize, key: &serde_json::Value) -> Table {
    let part = |part: &serde_json::Value| KeyAttribute {
        name: part[0].as_str().unwrap().to_owned(),
        value_type: ValueType::from_name(part[1].as_str().unwrap()).unwrap(),
    };
    let parts = key.as_array().unwrap();
    Table {
        id: TableId(1 + place as u64),
        name: TableName::new(name).unwrap(),
        key: KeySchema { partition: part(&parts[0]), sort: parts.get(1).map(part) },
        ..hash_table()
    }
}

impl Run {
    /// Gathers the lists that its captures define, in either direction.
    fn new(preambles: Vec<Vec<u8>>, captures: Vec<Capture>) -> Run {
        let mut lists = BTreeMap::new();
        for capture in &captures {
            let (id, names) = match capture.method {
                Method::DefineAttributeListId => (&capture.response[1..], capture.values()),
                Method::DefineAttributeList => (capture.values(), &capture.response[1..]),
                _ => continue,
            };
            let names = handshake::read_define_attribute_list_id(names).unwrap();
            lists.insert(handshake::read_list_id(id).unwrap(), names);
        }
        assert!(lists.keys().map(|id| id.0).eq(FIRST.0..FIRST.0 + lists.len() as u64));
        Run { preambles, captures, lists: lists.into_values().collect() }
    }

    /// A claim of who calls, and when it was made. Unit: seconds since 1970.
    pub(crate) fn claim(&self) -> (&[u8], u64) {
        let claim =
            self.captures.iter().find(|capture| capture.method == Method::AuthorizeConnection).unwrap();
        let signed = AuthorizeConnection::read(claim.values()).unwrap().string_to_sign;
        let time = std::str::from_utf8(signed).unwrap().lines().nth(1).unwrap();
        (&claim.request, crate::authorize::seconds(time).unwrap())
    }

    /// The names of an id.
    pub(crate) fn names(&self, id: ListId) -> Option<Names> {
        self.lists.get(usize::try_from(id.0.checked_sub(FIRST.0)?).ok()?).cloned()
    }

    /// The id of names.
    pub(crate) fn id(&self, names: &[&str]) -> Option<ListId> {
        self.lists.iter().position(|known| known.iter().eq(names)).map(|at| ListId(FIRST.0 + at as u64))
    }
}

/// The run that a client's captures belong to: one client went on where another version of it had begun.
fn run_of(name: &str) -> &str {
    let client = name.split('/').next().unwrap();
    if client == "js-v2-1.2.10" { "js-v3-3.1.0" } else { client }
}

impl Corpus {
    fn read() -> Corpus {
        let vectors = include_str!("../../../tests/vectors.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let tables = vectors["tables"].as_object().unwrap().iter().enumerate();
        let tables = tables.map(|(place, (name, key))| (name.clone(), Arc::new(table(name, place, key))));
        let mut runs: BTreeMap<&str, (Vec<_>, Vec<_>)> = BTreeMap::new();
        for capture in vectors["captures"].as_array().unwrap() {
            let name = capture["name"].as_str().unwrap();
            let (preambles, captures) = runs.entry(run_of(name)).or_default();
            let request = unhex(capture["request_hex"].as_str().unwrap());
            if name.contains("/handshake/") {
                preambles.push(request);
                continue;
            }
            let Ok(Some(Frame::Request { method, header_bytes, .. })) = begun().next(&request) else {
                panic!("a capture is a request: {capture}")
            };
            let response = unhex(capture["response_hex"].as_str().unwrap_or_default());
            captures.push(Capture { method, request, header_bytes, response });
        }
        let runs = runs.into_values().map(|(preambles, captures)| Run::new(preambles, captures));
        Corpus { runs: runs.collect(), tables: tables.collect() }
    }

    /// Every capture of every client.
    pub(crate) fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.runs.iter().flat_map(|run| &run.captures)
    }

    /// The table of a name.
    pub(crate) fn table(&self, name: &str) -> Option<Arc<Table>> {
        self.tables.get(name).cloned()
    }

    /// The schema of a table, as a server has it.
    pub(crate) fn find(&self, name: &str) -> Result<Schema, Error> {
        let table = self.table(name);
        let none = || Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found");
        table.map(Schema::Table).ok_or_else(none)
    }
}
