//! The wire's own methods, both ways: how a connection begins, who calls, which nodes there are, key schemas and attribute
//! lists.

use std::net::IpAddr;

use api::Error;
use api::limits::{ATTRIBUTE_NAME_BYTES, ITEM_BYTES};
use api::schema::{KeyAttribute, KeySchema};
use api::value::ValueType;

use super::layering::Layering;
use super::malformed;
use super::method::Method;
use super::options::utf8;
use super::request::write_header;
use super::value::STRING_SET;
use crate::attribute_lists::{ListId, Names};
use crate::cbor::{CborError, FRAME_DEPTH, Kind, Reader, write};

/// The first text of every connection.
const MAGIC: &str = "J7yne5G";
/// The magic as it is sent, with its head.
const BEGINNING: &[u8; 8] = b"\x67J7yne5G";
/// The one client mode that is ever sent.
const CLIENT_MODE: u8 = 0;
const USER_AGENT: &str = "UserAgent";

/// How a connection begins. Nothing is answered to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Preamble {
    /// What answers are to stand behind.
    pub layering: Layering,
    /// Marks the generation of a client's pool; for the client's own use.
    pub session: Vec<u8>,
    /// Name and version of the client.
    pub user_agent: Option<String>,
}

/// Why a connection that begins so is none of this wire, and must be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PreambleError {
    /// Something else than this wire.
    #[error("the connection does not begin as one of DAX")]
    NotDax,
    /// A layering that nobody knows.
    #[error("layering {0} is not known")]
    Layering(i64),
    /// A client mode that nobody knows.
    #[error("client mode {0} is not known")]
    ClientMode(i64),
    /// Not as CBOR should be.
    #[error(transparent)]
    Cbor(#[from] CborError),
}

impl Preamble {
    /// Appends the five values.
    pub fn write(&self, out: &mut Vec<u8>) {
        write::text(out, MAGIC);
        write::unsigned(out, self.layering.number());
        write::bytes(out, &self.session);
        match &self.user_agent {
            Some(agent) => {
                write::map(out, 1);
                write::text(out, USER_AGENT);
                write::text(out, agent);
            }
            None => write::map(out, 0),
        }
        write::unsigned(out, u64::from(CLIENT_MODE));
    }

    /// Whether a connection that begins with these bytes may be one of this wire. Tells another protocol by its first bytes,
    /// which as CBOR might announce much that never comes.
    pub fn may_begin(bytes: &[u8]) -> bool {
        bytes.iter().zip(BEGINNING).all(|(found, wanted)| found == wanted)
    }

    /// Reads the five values, all of `bytes`. Sessions are bytes, text or null, as clients please.
    pub fn read(bytes: &[u8]) -> Result<Preamble, PreambleError> {
        let reader = &mut Reader::new(bytes);
        // In the one form that its first bytes are told by: what is let in must not hang on how its bytes were parted.
        if !Preamble::may_begin(bytes) || reader.text() != Ok(MAGIC) {
            return Err(PreambleError::NotDax);
        }
        let number = reader.int_as()?;
        let layering = Layering::from_number(number).ok_or(PreambleError::Layering(number))?;
        let session = match reader.kind()? {
            Kind::Bytes => reader.bytes()?.to_vec(),
            Kind::Text => reader.text()?.as_bytes().to_vec(),
            _ => {
                reader.raw(FRAME_DEPTH)?;
                Vec::new()
            }
        };
        let mut user_agent = None;
        if !reader.null()? {
            let mut entries = reader.map()?;
            while entries.more(reader)? {
                let agent = reader.text() == Ok(USER_AGENT);
                if agent && reader.kind()? == Kind::Text {
                    user_agent = Some(reader.text()?.to_owned());
                } else {
                    reader.raw(FRAME_DEPTH)?;
                }
            }
        }
        match reader.int_as::<i64>()? {
            mode if mode != i64::from(CLIENT_MODE) => return Err(PreambleError::ClientMode(mode)),
            _ => {}
        }
        reader.end()?;
        Ok(Preamble { layering, session, user_agent })
    }
}

/// Who calls, as a client claims it. The string to sign is sent along, so that it can be verified without the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizeConnection<'a> {
    /// The access key id.
    pub access_key: &'a str,
    /// The signature, in hexadecimal.
    pub signature: &'a str,
    /// What was signed.
    pub string_to_sign: &'a [u8],
    /// The token of temporary credentials.
    pub session_token: Option<&'a str>,
    /// Name and version of the client.
    pub user_agent: Option<&'a str>,
}

impl<'a> AuthorizeConnection<'a> {
    /// Appends the whole request.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), Error> {
        write_header(out, Method::AuthorizeConnection)?;
        write::text(out, self.access_key);
        write::text(out, self.signature);
        write::bytes(out, self.string_to_sign);
        write::text_or_null(out, self.session_token);
        write::text_or_null(out, self.user_agent);
        Ok(())
    }

    /// Reads the values behind the method id.
    pub fn read(bytes: &'a [u8]) -> Result<AuthorizeConnection<'a>, Error> {
        let reader = &mut Reader::new(bytes);
        let claim = AuthorizeConnection {
            access_key: reader.text()?,
            signature: reader.text()?,
            string_to_sign: reader.bytes()?,
            session_token: text_or_null(reader)?,
            user_agent: text_or_null(reader)?,
        };
        reader.end()?;
        Ok(claim)
    }
}

fn text_or_null<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a str>, CborError> {
    if reader.null()? { Ok(None) } else { reader.text().map(Some) }
}

/// What a node is in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes writes first; the primary.
    Leader,
    /// The others.
    Replica,
}

/// A node, as clients are told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Identifies the node; opaque to clients.
    pub node: i64,
    /// Its name, for people.
    pub host: String,
    /// Where clients connect to; of the same family as the connection that asked.
    pub address: IpAddr,
    /// The port, of the protocol of the connection that asked.
    pub port: u16,
    /// Leader or replica. At least one node of a cluster must be leader, or one client waits for ever.
    pub role: Role,
    /// Its availability zone.
    pub zone: String,
    /// Changes whenever leadership does.
    pub leader_session: i64,
}

/// Keys of a node's map. Exactly these: one client fails on others.
mod field {
    pub const NODE: u64 = 0;
    pub const HOST: u64 = 1;
    pub const ADDRESS: u64 = 2;
    pub const PORT: u64 = 3;
    pub const ROLE: u64 = 4;
    pub const ZONE: u64 = 5;
    pub const LEADER_SESSION: u64 = 6;
}

const LEADER: i64 = 1;
const REPLICA: i64 = 2;

/// Most nodes that are read of an answer.
const NODES: usize = 64;

/// Appends the payload of an answer to `endpoints`.
pub fn write_endpoints(out: &mut Vec<u8>, endpoints: &[Endpoint]) {
    write::array(out, endpoints.len());
    for each in endpoints {
        write::map(out, 7);
        write::unsigned(out, field::NODE);
        write::int(out, each.node);
        write::unsigned(out, field::HOST);
        write::text(out, &each.host);
        write::unsigned(out, field::ADDRESS);
        match each.address {
            IpAddr::V4(address) => write::bytes(out, &address.octets()),
            IpAddr::V6(address) => write::bytes(out, &address.octets()),
        }
        write::unsigned(out, field::PORT);
        write::unsigned(out, u64::from(each.port));
        write::unsigned(out, field::ROLE);
        write::int(
            out,
            match each.role {
                Role::Leader => LEADER,
                Role::Replica => REPLICA,
            },
        );
        write::unsigned(out, field::ZONE);
        write::text(out, &each.zone);
        write::unsigned(out, field::LEADER_SESSION);
        write::int(out, each.leader_session);
    }
}

/// Reads the payload of an answer to `endpoints`. Nodes without an address are left out.
pub fn read_endpoints(bytes: &[u8]) -> Result<Vec<Endpoint>, Error> {
    let reader = &mut Reader::new(bytes);
    let mut all = Vec::new();
    let mut elements = reader.array()?;
    while elements.more(reader)? {
        if all.len() == NODES {
            return Err(malformed("a cluster of more nodes than there can be"));
        }
        let mut address = None;
        let mut each = Endpoint {
            node: 0,
            host: String::new(),
            address: IpAddr::from([0; 4]),
            port: 0,
            role: Role::Replica,
            zone: String::new(),
            leader_session: 0,
        };
        let mut entries = reader.map()?;
        while entries.more(reader)? {
            match reader.int_as::<u64>()? {
                field::NODE => each.node = reader.int_as()?,
                field::HOST => each.host = reader.text()?.to_owned(),
                field::ADDRESS => address = read_address(reader.bytes()?),
                field::PORT => each.port = reader.int_as()?,
                field::ROLE => {
                    each.role =
                        if reader.int()? == i128::from(LEADER) { Role::Leader } else { Role::Replica };
                }
                field::ZONE => each.zone = reader.text()?.to_owned(),
                field::LEADER_SESSION => each.leader_session = reader.int_as()?,
                _ => {
                    reader.raw(FRAME_DEPTH)?;
                }
            }
        }
        all.extend(address.map(|address| Endpoint { address, ..each }));
    }
    reader.end()?;
    Ok(all)
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    let four: Result<[u8; 4], _> = bytes.try_into();
    let sixteen: Result<[u8; 16], _> = bytes.try_into();
    four.map(IpAddr::from).or(sixteen.map(IpAddr::from)).ok()
}

/// Appends the request for a table's key schema.
pub fn write_define_key_schema(out: &mut Vec<u8>, table: &str) -> Result<(), Error> {
    write_header(out, Method::DefineKeySchema)?;
    write::bytes(out, table.as_bytes());
    Ok(())
}

/// Reads the values of a request for a table's key schema.
pub fn read_define_key_schema(bytes: &[u8]) -> Result<&str, Error> {
    let reader = &mut Reader::new(bytes);
    let table = utf8(reader.bytes()?)?;
    reader.end()?;
    Ok(table)
}

/// Appends a key schema, as an answer's payload: name to type, the partition key first.
pub fn write_key_schema(out: &mut Vec<u8>, schema: &KeySchema) {
    write::map(out, schema.attributes().count());
    for part in schema.attributes() {
        write::text(out, &part.name);
        write::text(out, part.value_type.name());
    }
}

/// Reads a key schema.
pub fn read_key_schema(bytes: &[u8]) -> Result<KeySchema, Error> {
    let reader = &mut Reader::new(bytes);
    let mut entries = reader.map()?;
    let mut part = |reader: &mut Reader<'_>| -> Result<Option<KeyAttribute>, Error> {
        if !entries.more(reader)? {
            return Ok(None);
        }
        let name = reader.text()?.to_owned();
        let value_type = ValueType::from_name(reader.text()?)
            .filter(|value_type| matches!(value_type, ValueType::S | ValueType::N | ValueType::B))
            .ok_or_else(|| malformed("a key attribute of a type that keys do not have"))?;
        Ok(Some(KeyAttribute { name, value_type }))
    };
    let partition = part(reader)?.ok_or_else(|| malformed("a key schema without attributes"))?;
    let sort = part(reader)?;
    if part(reader)?.is_some() {
        return Err(malformed("a key schema of more than two attributes"));
    }
    reader.end()?;
    Ok(KeySchema { partition, sort })
}

/// Appends the request for the id of an attribute list.
pub fn write_define_attribute_list_id(out: &mut Vec<u8>, names: &[String]) -> Result<(), Error> {
    write_header(out, Method::DefineAttributeListId)?;
    write_names(out, names);
    Ok(())
}

/// Reads the values of a request for the id of an attribute list. The Java client sends the names as a set of strings, though
/// their order counts. Errors: names that no item can have together.
pub fn read_define_attribute_list_id(bytes: &[u8]) -> Result<Names, Error> {
    let reader = &mut Reader::new(bytes);
    if reader.kind()? == Kind::Tag && reader.tag()? != STRING_SET {
        return Err(malformed("an attribute list that is no set of strings"));
    }
    let names = read_names(reader)?;
    reader.end()?;
    Ok(names)
}

/// Appends the names of an attribute list, as an answer's payload.
pub fn write_names(out: &mut Vec<u8>, names: &[String]) {
    write::array(out, names.len());
    names.iter().for_each(|name| write::text(out, name));
}

/// Reads the names of an attribute list. Errors: a name that is empty, too long or there twice, or more bytes of names than an
/// item has room for.
pub fn read_names(reader: &mut Reader<'_>) -> Result<Names, Error> {
    let mut elements = reader.array()?;
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    let mut bytes = 0;
    while elements.more(reader)? {
        let name = reader.text()?;
        bytes += name.len();
        if name.is_empty() {
            return Err(Error::validation("One or more parameter values were invalid: Empty attribute name"));
        }
        if name.len() > ATTRIBUTE_NAME_BYTES {
            return Err(Error::validation(format!(
                "One or more parameter values were invalid: Attribute name is too large, must be less than {} bytes",
                ATTRIBUTE_NAME_BYTES + 1
            )));
        }
        if bytes > ITEM_BYTES {
            return Err(Error::validation("Item size has exceeded the maximum allowed size"));
        }
        if !seen.insert(name) {
            return Err(malformed("an attribute list that names an attribute twice"));
        }
        names.push(name.to_owned());
    }
    Ok(names.into())
}

/// Appends the request for the names of an attribute list.
pub fn write_define_attribute_list(out: &mut Vec<u8>, id: ListId) -> Result<(), Error> {
    write_header(out, Method::DefineAttributeList)?;
    write::unsigned(out, id.0);
    Ok(())
}

/// Reads an id of an attribute list: all of a request's values, or of an answer's payload.
pub fn read_list_id(bytes: &[u8]) -> Result<ListId, Error> {
    let reader = &mut Reader::new(bytes);
    let id = reader.int_as()?;
    reader.end()?;
    Ok(ListId(id))
}

/// Appends the request for the nodes of the cluster.
pub fn write_endpoints_request(out: &mut Vec<u8>) -> Result<(), Error> {
    write_header(out, Method::Endpoints)
}

#[cfg(test)]
mod tests;
