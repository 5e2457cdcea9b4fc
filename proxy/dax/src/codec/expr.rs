//! Expressions: trees of arrays that begin with an opcode, and the values they refer to by number.
//!
//! A condition, filter, key condition or update is `[1, tree, [values]]`, a projection `[1, [paths]]`. Names are substituted
//! already. What is read is judged by the contract's own `validate`, so it is refused in the words that the same expression
//! as text would be.

mod condition;
mod update;

use api::expr::check::TREE_DEPTH;
use api::expr::{Condition, ExpressionKind, KeyCondition, KeyTest, Path, Projection, Step, Update};
use api::limits::REQUEST_BYTES;
use api::value::size;
use api::{AttributeValue, Error};

use super::malformed;
use super::value::{Room, read_value, write_value};
use crate::cbor::{Kind, Reader, write};

/// The version of the form; its first element.
const VERSION: u8 = 1;

/// Deepest tree: a level for each operator, and a few for operands.
const EXPRESSION_DEPTH: usize = TREE_DEPTH + 8;

/// What a node of a tree is counted as. Unit: bytes.
const NODE_BYTES: usize = 64;

/// Most steps of a path that are read before its length is judged.
const PATH_STEPS: usize = 1024;

/// Marks a list index in a path.
const INDEX_TAG: u64 = 3324;

/// Opcodes, as the first element of a node says them.
mod code {
    pub const EQ: u8 = 0;
    pub const NE: u8 = 1;
    pub const LT: u8 = 2;
    pub const GE: u8 = 3;
    pub const GT: u8 = 4;
    pub const LE: u8 = 5;
    pub const AND: u8 = 6;
    pub const OR: u8 = 7;
    pub const NOT: u8 = 8;
    pub const BETWEEN: u8 = 9;
    pub const IN: u8 = 10;
    pub const ATTRIBUTE_EXISTS: u8 = 11;
    pub const ATTRIBUTE_NOT_EXISTS: u8 = 12;
    pub const ATTRIBUTE_TYPE: u8 = 13;
    pub const BEGINS_WITH: u8 = 14;
    pub const CONTAINS: u8 = 15;
    pub const SIZE: u8 = 16;
    pub const VALUE: u8 = 17;
    pub const PATH: u8 = 18;
    pub const SET: u8 = 19;
    pub const ADD: u8 = 20;
    pub const DELETE: u8 = 21;
    pub const REMOVE: u8 = 22;
    pub const IF_NOT_EXISTS: u8 = 23;
    pub const LIST_APPEND: u8 = 24;
    pub const PLUS: u8 = 25;
    pub const MINUS: u8 = 26;
}

/// Room for what the expressions of one request come to once values stand where they are referred to: a short tree can
/// refer to one large value many times, and trees own their values.
pub fn room_of_request() -> Room {
    Room::new(REQUEST_BYTES, || {
        Error::validation(format!(
            "The expressions of one request may stand for at most {REQUEST_BYTES} bytes of names and values; name fewer \
             or smaller ones"
        ))
    })
}

/// Whether bytes are an expression of this form. Python also sends the expression's text in the same place.
pub fn is_encoded(bytes: &[u8]) -> bool {
    matches!(bytes, [0x82 | 0x83, VERSION, ..])
}

/// The values of an expression, while its tree is read.
struct Values<'r> {
    kind: ExpressionKind,
    values: Vec<AttributeValue>,
    room: &'r mut Room,
}

impl Values<'_> {
    /// What is said of an expression of this kind, in the words of the same expression as text.
    fn invalid(&self, problem: &str) -> Error {
        Error::validation(format!("Invalid {}: {problem}", self.kind.name()))
    }

    /// Makes room for a node of the tree, which is larger in memory than on the wire.
    fn node(&mut self) -> Result<(), Error> {
        self.room.take(NODE_BYTES)
    }

    fn get(&mut self, index: usize) -> Result<AttributeValue, Error> {
        let value = self
            .values
            .get(index)
            .ok_or_else(|| malformed("an expression that refers to a value it does not bring"))?;
        self.room.take(size::value_bytes(value))?;
        Ok(value.clone())
    }
}

/// Takes an expression apart: its tree, and its values where the form has them.
fn open<'a, 'r>(
    kind: ExpressionKind,
    bytes: &'a [u8],
    room: &'r mut Room,
) -> Result<(Reader<'a>, Values<'r>), Error> {
    let mut reader = Reader::new(bytes);
    let mut parts = reader.array()?;
    if !parts.more(&mut reader)? || reader.int_as::<u8>()? != VERSION {
        return Err(malformed("an expression of a version that is not known"));
    }
    if !parts.more(&mut reader)? {
        return Err(malformed("an expression without a tree"));
    }
    let tree = reader.raw(EXPRESSION_DEPTH)?;
    let mut values = Vec::new();
    if kind != ExpressionKind::Projection {
        if !parts.more(&mut reader)? {
            return Err(malformed("an expression without its values"));
        }
        let mut elements = reader.array()?;
        while elements.more(&mut reader)? {
            room.take(NODE_BYTES)?;
            values.push(read_value(&mut reader, room)?);
        }
    }
    if parts.more(&mut reader)? {
        return Err(malformed("an expression of too many parts"));
    }
    reader.end()?;
    Ok((Reader::new(tree), Values { kind, values, room }))
}

/// One node: its opcode, its arguments one by one, and nothing behind them.
struct Node {
    code: u8,
    arguments: crate::cbor::Elements,
}

impl Node {
    fn open(reader: &mut Reader<'_>) -> Result<Node, Error> {
        let mut arguments = reader.array()?;
        if !arguments.more(reader)? {
            return Err(malformed("an expression node without an opcode"));
        }
        Ok(Node { code: reader.int_as()?, arguments })
    }

    /// Says that an argument follows.
    fn argument(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if self.arguments.more(reader)? { Ok(()) } else { Err(self.wrong_count()) }
    }

    /// Says that no argument follows.
    fn end(&mut self, reader: &mut Reader<'_>) -> Result<(), Error> {
        if self.arguments.more(reader)? { Err(self.wrong_count()) } else { Ok(()) }
    }

    fn wrong_count(&self) -> Error {
        malformed("an expression node with a wrong number of arguments")
    }
}

/// The values of an expression, while its tree is written: equal ones once, in the order of their first use.
#[derive(Debug, Default)]
struct Used<'a>(Vec<&'a AttributeValue>);

impl<'a> Used<'a> {
    fn write(&mut self, out: &mut Vec<u8>, value: &'a AttributeValue) {
        let known = self.0.iter().position(|known| *known == value);
        let index = known.unwrap_or_else(|| {
            self.0.push(value);
            self.0.len() - 1
        });
        node(out, code::VALUE, 1);
        write::unsigned(out, index as u64);
    }
}

fn node(out: &mut Vec<u8>, code: u8, arguments: usize) {
    write::array(out, arguments + 1);
    write::unsigned(out, u64::from(code));
}

fn write_envelope<'a>(out: &mut Vec<u8>, tree: impl FnOnce(&mut Vec<u8>, &mut Used<'a>)) {
    write::array(out, 3);
    write::unsigned(out, u64::from(VERSION));
    let mut used = Used::default();
    tree(out, &mut used);
    write::array(out, used.0.len());
    used.0.into_iter().for_each(|value| write_value(out, value));
}

/// Appends a condition or filter.
pub fn write_condition(out: &mut Vec<u8>, condition: &Condition) {
    write_envelope(out, |out, used| condition::write(out, used, condition));
}

/// Reads a condition or filter; `kind` names it in errors.
pub fn read_condition(kind: ExpressionKind, bytes: &[u8], room: &mut Room) -> Result<Condition, Error> {
    let (mut reader, mut values) = open(kind, bytes, room)?;
    let condition = condition::read(&mut reader, &mut values)?;
    condition.validate(kind)?;
    Ok(condition)
}

/// Appends a key condition.
pub fn write_key_condition(out: &mut Vec<u8>, condition: &KeyCondition) {
    write_envelope(out, |out, used| {
        let mut left = condition.tests.iter().peekable();
        while let Some((attribute, test)) = left.next() {
            if left.peek().is_some() {
                node(out, code::AND, 2);
            }
            write_key_test(out, used, attribute, test);
        }
    });
}

fn write_key_test<'a>(out: &mut Vec<u8>, used: &mut Used<'a>, attribute: &str, test: &'a KeyTest) {
    let mut test_node = |code, values: &[&'a AttributeValue]| {
        node(out, code, values.len() + 1);
        node(out, code::PATH, 1);
        write::text(out, attribute);
        values.iter().for_each(|value| used.write(out, value));
    };
    match test {
        KeyTest::Compare(comparator, value) => test_node(condition::comparator_code(*comparator), &[value]),
        KeyTest::Between(lower, upper) => test_node(code::BETWEEN, &[lower, upper]),
        KeyTest::BeginsWith(prefix) => test_node(code::BEGINS_WITH, &[prefix]),
    }
}

/// Reads a key condition.
pub fn read_key_condition(bytes: &[u8], room: &mut Room) -> Result<KeyCondition, Error> {
    KeyCondition::from_condition(read_condition(ExpressionKind::KeyCondition, bytes, room)?)
}

/// Appends an update.
pub fn write_update(out: &mut Vec<u8>, update: &Update) {
    // A legacy append has no form of its own here: it is `SET path = list_append(if_not_exists(path, []), values)`.
    let appended: Vec<_> = update.actions.iter().map(update::as_written).collect();
    write_envelope(out, |out, used| update::write(out, used, &appended));
}

/// Reads an update.
pub fn read_update(bytes: &[u8], room: &mut Room) -> Result<Update, Error> {
    let (mut reader, mut values) = open(ExpressionKind::Update, bytes, room)?;
    let update = update::read(&mut reader, &mut values)?;
    update.validate()?;
    Ok(update)
}

/// Appends a projection.
pub fn write_projection(out: &mut Vec<u8>, projection: &Projection) {
    write::array(out, 2);
    write::unsigned(out, u64::from(VERSION));
    write::array(out, projection.paths.len());
    projection.paths.iter().for_each(|path| write_path(out, path));
}

/// Reads a projection.
pub fn read_projection(bytes: &[u8], room: &mut Room) -> Result<Projection, Error> {
    let (mut reader, mut values) = open(ExpressionKind::Projection, bytes, room)?;
    let mut elements = reader.array()?;
    let mut paths = Vec::new();
    while elements.more(&mut reader)? {
        values.node()?;
        paths.push(read_path_node(&mut reader)?);
    }
    let projection = Projection { paths };
    projection.validate()?;
    Ok(projection)
}

fn write_path(out: &mut Vec<u8>, path: &Path) {
    node(out, code::PATH, path.steps.len() + 1);
    write::text(out, &path.attribute);
    for step in &path.steps {
        match step {
            Step::Field(name) => write::text(out, name),
            Step::Index(index) => {
                write::tag(out, INDEX_TAG);
                write::unsigned(out, u64::from(*index));
            }
        }
    }
}

fn read_path_node(reader: &mut Reader<'_>) -> Result<Path, Error> {
    let mut node = Node::open(reader)?;
    if node.code != code::PATH {
        return Err(malformed("an expression that has something else where a path belongs"));
    }
    read_path(reader, &mut node)
}

fn read_path(reader: &mut Reader<'_>, node: &mut Node) -> Result<Path, Error> {
    node.argument(reader)?;
    let attribute = reader.text()?.to_owned();
    let mut steps = Vec::new();
    while node.arguments.more(reader)? {
        if steps.len() >= PATH_STEPS {
            return Err(malformed("a document path of too many steps"));
        }
        steps.push(match reader.kind()? {
            Kind::Text => Step::Field(reader.text()?.to_owned()),
            Kind::Tag if reader.tag()? == INDEX_TAG => Step::Index(reader.int_as()?),
            _ => return Err(malformed("a document path of something else than names and positions")),
        });
    }
    Ok(Path { attribute, steps })
}

#[cfg(test)]
mod tests;
