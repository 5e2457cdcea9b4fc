//! Raw requests of the DAX wire and their answers, over a blocking socket.
//!
//! Deliberately keeps nothing of what a client would keep: which id stands for which attributes is for the test to say.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use api::schema::KeySchema;
use dax::attribute_lists::{ListId, Names};
use dax::cbor::{Reader, write};
use dax::codec::frame::AnswerScanner;
use dax::codec::handshake::{self, Endpoint, Preamble};
use dax::codec::method::Method;

use crate::wire::ANSWER_TIMEOUT;

/// The longest answer that is read.
const ANSWER_BYTES_MAX: usize = 32 << 20;

/// A connection. Tables have a string as partition key, and no other.
pub struct DaxWire {
    stream: TcpStream,
    read: Vec<u8>,
}

/// What is answered with an error: its codes.
pub type Codes = Vec<i64>;

impl DaxWire {
    /// Connects and begins.
    pub fn connect(address: SocketAddr) -> io::Result<DaxWire> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut preamble = Vec::new();
        Preamble::default().write(&mut preamble);
        stream.write_all(&preamble)?;
        Ok(DaxWire { stream, read: Vec::new() })
    }

    /// Sends a request, and reads the payload of its answer.
    pub fn ask(&mut self, method: Method, request: &[u8]) -> io::Result<Result<Vec<u8>, Codes>> {
        self.stream.write_all(request)?;
        let mut scanner = AnswerScanner::new(method, ANSWER_BYTES_MAX);
        let mut part = [0; 16 * 1024];
        let end = loop {
            match scanner.next(&self.read) {
                Ok(Some(end)) => break end,
                Ok(None) => match self.stream.read(&mut part)? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    count => self.read.extend_from_slice(&part[..count]),
                },
                Err(error) => return Err(io::Error::other(error)),
            }
        };
        let answer: Vec<u8> = self.read.drain(..end).collect();
        let reader = &mut Reader::new(&answer);
        let mut elements = reader.array().expect("codes come first");
        let mut codes = Vec::new();
        while elements.more(reader).expect("an array of codes") {
            codes.push(reader.int_as().expect("a code"));
        }
        Ok(if codes.is_empty() { Ok(reader.rest().to_vec()) } else { Err(codes) })
    }

    /// Whether the node has closed the connection, which must have nothing more to say. Waits for it.
    pub fn is_closed(&mut self) -> bool {
        // A reset says no less than an orderly end.
        !matches!(self.stream.read(&mut [0; 1]), Ok(1..))
    }

    /// The id of these names.
    pub fn define(&mut self, names: &[&str]) -> ListId {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut request = Vec::new();
        handshake::write_define_attribute_list_id(&mut request, &names).expect("the wire has it");
        let id = self.ask(Method::DefineAttributeListId, &request).expect("an answer").expect("an id");
        handshake::read_list_id(&id).expect("an id")
    }

    /// The names of an id, if it is known.
    pub fn names(&mut self, id: ListId) -> Result<Names, Codes> {
        let mut request = Vec::new();
        handshake::write_define_attribute_list(&mut request, id).expect("the wire has it");
        let names = self.ask(Method::DefineAttributeList, &request).expect("an answer")?;
        Ok(handshake::read_names(&mut Reader::new(&names)).expect("names"))
    }

    /// The nodes that the node tells of.
    pub fn endpoints(&mut self) -> Vec<Endpoint> {
        let mut request = Vec::new();
        handshake::write_endpoints_request(&mut request).expect("the wire has it");
        let nodes = self.ask(Method::Endpoints, &request).expect("an answer").expect("nodes");
        handshake::read_endpoints(&nodes).expect("nodes")
    }

    /// The key of a table, if it is known.
    pub fn schema(&mut self, table: &str) -> Result<KeySchema, Codes> {
        let mut request = Vec::new();
        handshake::write_define_key_schema(&mut request, table).expect("the wire has it");
        let schema = self.ask(Method::DefineKeySchema, &request).expect("an answer")?;
        Ok(handshake::read_key_schema(&schema).expect("a schema"))
    }

    /// Puts an item whose attributes, all strings, stand in the order of a list.
    pub fn put(&mut self, table: &str, key: &str, list: ListId, values: &[&str]) -> Result<(), Codes> {
        let mut item = Vec::new();
        write::unsigned(&mut item, list.0);
        values.iter().for_each(|value| write::text(&mut item, value));
        let method = Method::Operation(api::OpKind::PutItem);
        let request = request(method, &[table.as_bytes(), key.as_bytes(), &item]);
        self.ask(method, &request).expect("an answer").map(|_| ())
    }

    /// The list and the attributes, all strings, of an item that is there.
    pub fn get(&mut self, table: &str, key: &str) -> (ListId, Vec<String>) {
        let method = Method::Operation(api::OpKind::GetItem);
        let request = request(method, &[table.as_bytes(), key.as_bytes()]);
        let payload = self.ask(method, &request).expect("an answer").expect("an item");
        let reader = &mut Reader::new(&payload);
        let mut entries = reader.map().expect("a map");
        assert!(entries.more(reader).expect("a map"), "the item is there");
        assert_eq!(
            reader.int_as::<u64>().expect("a number"),
            0,
            "of what was asked for nothing but the item"
        );
        let item = &mut Reader::new(reader.bytes().expect("an item"));
        let id = ListId(item.int_as().expect("an id"));
        let mut values = Vec::new();
        while !item.rest().is_empty() {
            values.push(item.text().expect("a string").to_owned());
        }
        (id, values)
    }
}

/// A request of byte strings, with no options.
fn request(method: Method, values: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write::unsigned(&mut out, 1);
    write::int(&mut out, i64::from(method.id().expect("the wire has it")));
    values.iter().for_each(|value| write::bytes(&mut out, value));
    write::null(&mut out);
    out
}
