//! Attribute values and items: the messages `AttributeValue` and `Item`, read straight into the contract's trees and written
//! straight from trees or encoded items.
//!
//! Reading makes the checked tree at once and notes the first thing wrong with it, for the operation to report in its turn; what
//! comes after that is not built. Bounded: nesting ends at the limit of lists and maps, and of a message nothing is built past
//! [`ROOM_BYTES`] as billed, since an empty list element takes two bytes on the wire and many in memory.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use api::item::encoded::{Attributes, ValueRef};
use api::op::unchecked::Unchecked;
use api::value::given::{self, Problems};
use api::{AttributeValue, EncodedItem, Error, Item, ItemBody, Number, limits};
use bytes::{Buf, BufMut, Bytes};
use prost::encoding::{self, DecodeContext, WireType};
use prost::{DecodeError, Message};

use super::wire::{Field, Fields, put_bytes, put_key, put_message, put_varint};

/// How much of one item or value is built. Unit: bytes as billed. More than any that is accepted, so that the operation's own
/// words about its size are what a caller hears.
const ROOM_BYTES: usize = 2 * limits::ITEM_BYTES;

mod tag {
    pub const S: u32 = 1;
    pub const N: u32 = 2;
    pub const B: u32 = 3;
    pub const BOOL: u32 = 4;
    pub const NULL: u32 = 5;
    pub const M: u32 = 6;
    pub const L: u32 = 7;
    pub const SS: u32 = 8;
    pub const NS: u32 = 9;
    pub const BS: u32 = 10;
    /// The only field of `Item`, of `List` and of the sets.
    pub const ELEMENTS: u32 = 1;
    pub const ENTRY_KEY: u32 = 1;
    pub const ENTRY_VALUE: u32 = 2;
}

/// The message `Item`.
#[derive(Debug, Clone, PartialEq)]
pub struct WireItem(Form<Item>);

/// The message `AttributeValue`.
#[derive(Debug, Clone, PartialEq)]
pub struct WireValue(Form<AttributeValue>);

/// Read or to be written.
#[derive(Debug, Clone, PartialEq)]
enum Form<T> {
    /// What was read so far.
    Read(Box<Reading<T>>),
    /// The bytes of the message.
    Ready(Bytes),
}

#[derive(Debug, Clone, PartialEq)]
struct Reading<T> {
    value: T,
    /// Of a value, a bit for each type that was there.
    types: u32,
    room: usize,
    problems: Problems,
}

impl<T> Reading<T> {
    fn new(value: T) -> Reading<T> {
        Reading { value, types: 0, room: ROOM_BYTES, problems: Problems::default() }
    }

    fn limits(&mut self) -> (&mut T, Limits<'_>) {
        (&mut self.value, Limits { room: &mut self.room, problems: &mut self.problems })
    }
}

impl Default for WireItem {
    fn default() -> Self {
        WireItem(Form::Read(Box::new(Reading::new(Item::new()))))
    }
}

impl Default for WireValue {
    fn default() -> Self {
        WireValue(Form::Read(Box::new(Reading::new(AttributeValue::Null))))
    }
}

impl WireItem {
    /// What was read. Of an item that was made to be written it is empty.
    pub fn into_unchecked(self) -> Unchecked<Item> {
        match self.0 {
            Form::Read(reading) => Unchecked::new(reading.value, reading.problems.into_first()),
            Form::Ready(_) => Unchecked::default(),
        }
    }

    /// What was read, checked. Errors: the first thing wrong with it.
    pub fn into_item(self) -> Result<Item, Error> {
        self.into_unchecked().check()
    }

    /// The same, as answers carry it.
    pub fn into_body(self) -> Result<ItemBody, Error> {
        Ok(ItemBody::Tree(Arc::new(self.into_item()?)))
    }
}

impl WireValue {
    /// What was read. Of a value that was made to be written it is the null value.
    pub fn into_unchecked(self) -> Unchecked<AttributeValue> {
        match self.0 {
            Form::Read(mut reading) => {
                judge_types(reading.types, &mut reading.problems);
                Unchecked::new(reading.value, reading.problems.into_first())
            }
            Form::Ready(_) => Unchecked::sound(AttributeValue::Null),
        }
    }
}

impl From<&Item> for WireItem {
    fn from(item: &Item) -> WireItem {
        let mut out = Vec::with_capacity(64);
        write_map(&mut out, &item.0);
        WireItem(Form::Ready(out.into()))
    }
}

impl From<&ItemBody> for WireItem {
    fn from(item: &ItemBody) -> WireItem {
        match item {
            ItemBody::Tree(item) => WireItem::from(&**item),
            ItemBody::Encoded(item) => WireItem::from(item),
            ItemBody::Ready(ready) => WireItem::from(&ready.item),
        }
    }
}

impl From<&EncodedItem> for WireItem {
    fn from(item: &EncodedItem) -> WireItem {
        // Keys and lengths come to a fraction of most items.
        let mut out = Vec::with_capacity(item.as_bytes().len() * 5 / 4 + 16);
        write_attributes(&mut out, item.attributes());
        WireItem(Form::Ready(out.into()))
    }
}

impl From<&AttributeValue> for WireValue {
    fn from(value: &AttributeValue) -> WireValue {
        let mut out = Vec::with_capacity(32);
        write_value(&mut out, value);
        WireValue(Form::Ready(out.into()))
    }
}

macro_rules! message {
    ($name:ident, |$reading:ident, $tag:ident, $field:ident| $read:expr) => {
        impl Message for $name {
            fn encode_raw(&self, buf: &mut impl BufMut) {
                match &self.0 {
                    Form::Ready(bytes) => buf.put_slice(bytes),
                    Form::Read(reading) => buf.put_slice(&reading.written()),
                }
            }

            fn encoded_len(&self) -> usize {
                match &self.0 {
                    Form::Ready(bytes) => bytes.len(),
                    Form::Read(reading) => reading.written().len(),
                }
            }

            fn merge_field(
                &mut self,
                $tag: u32,
                wire_type: WireType,
                buf: &mut impl Buf,
                ctx: DecodeContext,
            ) -> Result<(), DecodeError> {
                if let Form::Ready(_) = self.0 {
                    self.clear();
                }
                let Form::Read($reading) = &mut self.0 else { return Ok(()) };
                let bytes;
                let $field = match wire_type {
                    WireType::LengthDelimited => {
                        let mut whole = Bytes::new();
                        encoding::bytes::merge(wire_type, &mut whole, buf, ctx)?;
                        bytes = whole;
                        Field::Bytes(&bytes)
                    }
                    WireType::Varint => Field::Varint(encoding::decode_varint(buf)?),
                    _ => {
                        encoding::skip_field(wire_type, $tag, buf, ctx)?;
                        Field::Other
                    }
                };
                $read;
                Ok(())
            }

            fn clear(&mut self) {
                *self = $name::default();
            }
        }
    };
}

message!(WireItem, |reading, tag, field| {
    let (item, mut limits) = reading.limits();
    read_attribute(tag, field, 1, &mut item.0, &mut limits);
});

message!(WireValue, |reading, tag, field| {
    let mut types = reading.types;
    let (value, mut limits) = reading.limits();
    read_typed(tag, field, 1, value, &mut types, &mut limits);
    reading.types = types;
});

impl Reading<Item> {
    fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_map(&mut out, &self.value.0);
        out
    }
}

impl Reading<AttributeValue> {
    fn written(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_value(&mut out, &self.value);
        out
    }
}

/// What is left to be built, and what was found wrong.
struct Limits<'a> {
    room: &'a mut usize,
    problems: &'a mut Problems,
}

impl Limits<'_> {
    /// Takes room for an element of so many bytes; whether it is to be built.
    fn take(&mut self, bytes: usize) -> bool {
        match self.room.checked_sub(bytes) {
            Some(left) => *self.room = left,
            None => {
                self.problems.note(|| Error::validation("Item size has exceeded the maximum allowed size"))
            }
        }
        !self.problems.any()
    }

    fn malformed(&mut self) {
        self.problems.note(super::malformed);
    }

    fn text(&mut self, bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => {
                self.malformed();
                String::new()
            }
        }
    }
}

fn judge_types(types: u32, problems: &mut Problems) {
    match types.count_ones() {
        0 => problems.note(given::empty),
        1 => {}
        _ => problems.note(given::several),
    }
}

/// Reads a field of the message `Item` into a map. Only names of attributes themselves, level 1, are judged: within a map any name is
/// good, the empty one too.
fn read_attribute(
    field_tag: u32,
    field: Field<'_>,
    level: usize,
    map: &mut BTreeMap<String, AttributeValue>,
    limits: &mut Limits<'_>,
) {
    let entry = match (field_tag, field) {
        (tag::ELEMENTS, Field::Bytes(entry)) => entry,
        (tag::ELEMENTS, _) => return limits.malformed(),
        _ => return,
    };
    let (mut name, mut content): (&[u8], &[u8]) = (&[], &[]);
    for field in Fields::of(entry) {
        match field {
            Ok((tag::ENTRY_KEY, Field::Bytes(bytes))) => name = bytes,
            Ok((tag::ENTRY_VALUE, Field::Bytes(bytes))) => content = bytes,
            Ok(_) => {}
            Err(_) => return limits.malformed(),
        }
    }
    if !limits.take(name.len() + 1) {
        return;
    }
    let name = limits.text(name);
    if level == 1
        && let Err(error) = given::check_name(&name)
    {
        limits.problems.note(|| error);
    }
    let value = read_value(content, level, limits);
    map.insert(name, value);
}

/// Reads the message `AttributeValue` at a level of nesting, the attribute itself being level 1.
fn read_value(content: &[u8], level: usize, limits: &mut Limits<'_>) -> AttributeValue {
    let mut value = AttributeValue::Null;
    if level > limits::NESTING_LEVELS {
        limits.problems.note(given::too_deep);
        return value;
    }
    let mut types = 0;
    for field in Fields::of(content) {
        match field {
            Ok((tag, field)) => read_typed(tag, field, level, &mut value, &mut types, limits),
            Err(_) => limits.malformed(),
        }
    }
    judge_types(types, limits.problems);
    value
}

/// Reads a field of the message `AttributeValue`. A field that nobody knows is passed over.
fn read_typed(
    field_tag: u32,
    field: Field<'_>,
    level: usize,
    value: &mut AttributeValue,
    types: &mut u32,
    limits: &mut Limits<'_>,
) {
    if !(tag::S..=tag::BS).contains(&field_tag) {
        return;
    }
    *types |= 1 << field_tag;
    if !limits.take(1) {
        return;
    }
    *value = match (field_tag, field) {
        (tag::S | tag::N | tag::B, Field::Bytes(bytes)) if !limits.take(bytes.len()) => return,
        (tag::S, Field::Bytes(text)) => AttributeValue::S(limits.text(text)),
        (tag::N, Field::Bytes(text)) => {
            let text = limits.text(text);
            limits.problems.sound(given::number(&text))
        }
        (tag::B, Field::Bytes(bytes)) => AttributeValue::B(Bytes::copy_from_slice(bytes)),
        (tag::BOOL, Field::Varint(said)) => AttributeValue::Bool(said != 0),
        (tag::NULL, Field::Varint(said)) => limits.problems.sound(given::null(said != 0)),
        (tag::M, Field::Bytes(content)) => {
            let mut map = BTreeMap::new();
            each(content, limits, |field_tag, field, limits| {
                read_attribute(field_tag, field, level + 1, &mut map, limits);
            });
            AttributeValue::M(map)
        }
        (tag::L, Field::Bytes(content)) => {
            let mut list = Vec::new();
            elements(content, limits, |content, limits| {
                // What it holds is taken as it is read.
                list.push(read_value(content, level + 1, limits));
            });
            AttributeValue::L(list)
        }
        (tag::SS, Field::Bytes(content)) => {
            let mut set = Vec::new();
            set_elements(content, limits, |text, limits| set.push(limits.text(text)));
            limits.problems.sound(given::string_set(set))
        }
        (tag::NS, Field::Bytes(content)) => {
            let mut set = Vec::new();
            set_elements(content, limits, |text, limits| set.push(limits.text(text)));
            limits.problems.sound(given::number_set(set.iter().map(String::as_str)))
        }
        (tag::BS, Field::Bytes(content)) => {
            let mut set = Vec::new();
            set_elements(content, limits, |bytes, _| set.push(Bytes::copy_from_slice(bytes)));
            limits.problems.sound(given::binary_set(set))
        }
        _ => return limits.malformed(),
    };
}

/// The fields of a message, until something is wrong.
fn each(content: &[u8], limits: &mut Limits<'_>, mut read: impl FnMut(u32, Field<'_>, &mut Limits<'_>)) {
    for field in Fields::of(content) {
        match field {
            Ok((field_tag, field)) => read(field_tag, field, limits),
            Err(_) => limits.malformed(),
        }
        if limits.problems.any() {
            return;
        }
    }
}

/// The elements of a set, with the room for what they hold.
fn set_elements(content: &[u8], limits: &mut Limits<'_>, mut read: impl FnMut(&[u8], &mut Limits<'_>)) {
    elements(content, limits, |element, limits| {
        if limits.take(element.len()) {
            read(element, limits);
        }
    });
}

/// The elements of a list or a set.
fn elements(content: &[u8], limits: &mut Limits<'_>, mut read: impl FnMut(&[u8], &mut Limits<'_>)) {
    each(content, limits, |field_tag, field, limits| match (field_tag, field) {
        (tag::ELEMENTS, Field::Bytes(element)) if limits.take(1) => read(element, limits),
        // One too many: the limits remember it.
        (tag::ELEMENTS, Field::Bytes(_)) => {}
        (tag::ELEMENTS, _) => limits.malformed(),
        _ => {}
    });
}

fn write_map(out: &mut Vec<u8>, map: &BTreeMap<String, AttributeValue>) {
    for (name, value) in map {
        write_entry(out, name, |out| write_value(out, value));
    }
}

fn write_attributes(out: &mut Vec<u8>, attributes: Attributes<'_>) {
    for (name, value) in attributes {
        write_entry(out, name, |out| write_value_ref(out, value));
    }
}

fn write_entry(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    put_message(out, tag::ELEMENTS, |out| {
        put_bytes(out, tag::ENTRY_KEY, name.as_bytes());
        put_message(out, tag::ENTRY_VALUE, value);
    });
}

/// Writes the content of the message `AttributeValue`. Recursion ends at the nesting limit, which every value in a tree keeps.
fn write_value(out: &mut Vec<u8>, value: &AttributeValue) {
    match value {
        AttributeValue::S(text) => put_bytes(out, tag::S, text.as_bytes()),
        AttributeValue::N(number) => put_bytes(out, tag::N, text_of(number).as_bytes()),
        AttributeValue::B(bytes) => put_bytes(out, tag::B, bytes),
        AttributeValue::Bool(said) => write_flag(out, tag::BOOL, *said),
        AttributeValue::Null => write_flag(out, tag::NULL, true),
        AttributeValue::M(map) => put_message(out, tag::M, |out| write_map(out, map)),
        AttributeValue::L(list) => put_message(out, tag::L, |out| {
            for element in list {
                put_message(out, tag::ELEMENTS, |out| write_value(out, element));
            }
        }),
        AttributeValue::Ss(set) => {
            write_set(out, tag::SS, set.iter().map(|text| Cow::Borrowed(text.as_bytes())))
        }
        AttributeValue::Ns(set) => {
            write_set(out, tag::NS, set.iter().map(|number| Cow::Owned(text_of(number).into_bytes())));
        }
        AttributeValue::Bs(set) => write_set(out, tag::BS, set.iter().map(|bytes| Cow::Borrowed(&bytes[..]))),
    }
}

/// The same, out of an encoded item, without decoding it first.
fn write_value_ref(out: &mut Vec<u8>, value: ValueRef<'_>) {
    match value {
        ValueRef::S(text) => put_bytes(out, tag::S, text.as_bytes()),
        ValueRef::N(number) => put_bytes(out, tag::N, text_of(&number).as_bytes()),
        ValueRef::B(bytes) => put_bytes(out, tag::B, bytes),
        ValueRef::Bool(said) => write_flag(out, tag::BOOL, said),
        ValueRef::Null => write_flag(out, tag::NULL, true),
        ValueRef::M(map) => put_message(out, tag::M, |out| write_attributes(out, map)),
        ValueRef::L(list) => put_message(out, tag::L, |out| {
            for element in list {
                put_message(out, tag::ELEMENTS, |out| write_value_ref(out, element));
            }
        }),
        ValueRef::Ss(set) => write_set(out, tag::SS, set.map(|text| Cow::Borrowed(text.as_bytes()))),
        ValueRef::Ns(set) => {
            write_set(out, tag::NS, set.map(|number| Cow::Owned(text_of(&number).into_bytes())))
        }
        ValueRef::Bs(set) => write_set(out, tag::BS, set.map(Cow::Borrowed)),
    }
}

fn text_of(number: &Number) -> String {
    number.to_string()
}

fn write_flag(out: &mut Vec<u8>, field_tag: u32, said: bool) {
    put_key(out, field_tag, WireType::Varint);
    put_varint(out, u64::from(said));
}

fn write_set<'a>(out: &mut Vec<u8>, field_tag: u32, set: impl Iterator<Item = Cow<'a, [u8]>>) {
    put_message(out, field_tag, |out| {
        for element in set {
            put_bytes(out, tag::ELEMENTS, &element);
        }
    });
}
