//! Attribute values and items: JSON to trees, and trees to JSON.
//!
//! Reading makes the checked tree at once and notes the first thing wrong with it, for the operation to report in its
//! turn. Nesting past the limit of lists and maps is skipped unread, so recursion ends there.

use std::borrow::Cow;
use std::collections::BTreeMap;

use api::op::unchecked::Unchecked;
use api::value::given::{self, Problems};
use api::{AttributeValue, Error, Item, Number, limits};

use crate::json::Reader;
use crate::json::read::Place;
use crate::json::write::{self, Object};

/// An item or key as a member of a structure; `None` for `null`.
pub(super) fn item(reader: &mut Reader<'_>) -> Result<Option<Unchecked<Item>>, Error> {
    let mut problems = Problems::default();
    let mut attributes = BTreeMap::new();
    let there = reader
        .map("AttributeValue", |reader, name| attribute(reader, name, &mut attributes, &mut problems))?;
    Ok(there.then(|| Unchecked::new(Item(attributes), problems.into_first())))
}

fn attribute(
    reader: &mut Reader<'_>,
    name: Cow<'_, str>,
    attributes: &mut BTreeMap<String, AttributeValue>,
    problems: &mut Problems,
) -> Result<(), Error> {
    if let Err(error) = given::check_name(&name) {
        problems.note(|| error);
    }
    let value = value_within(reader, Place::Value, 1, problems)?;
    attributes.insert(name.into_owned(), value);
    Ok(())
}

/// A value as a member of a structure or a map; `None` for `null` in a structure.
pub(super) fn value(
    reader: &mut Reader<'_>,
    place: Place,
) -> Result<Option<Unchecked<AttributeValue>>, Error> {
    if place == Place::Field && reader.null()? {
        return Ok(None);
    }
    let mut problems = Problems::default();
    let value = value_within(reader, place, 1, &mut problems)?;
    Ok(Some(Unchecked::new(value, problems.into_first())))
}

/// A list of values; `None` for `null`.
pub(super) fn values(reader: &mut Reader<'_>) -> Result<Option<Vec<Unchecked<AttributeValue>>>, Error> {
    let mut values = Vec::new();
    let there = reader.list(|reader| {
        values.extend(value(reader, Place::Value)?);
        Ok(())
    })?;
    Ok(there.then_some(values))
}

/// A value at a level of nesting, the attribute itself being level 1. What is wrong with it is noted, and what is then
/// returned is never looked at.
fn value_within(
    reader: &mut Reader<'_>,
    place: Place,
    level: usize,
    problems: &mut Problems,
) -> Result<AttributeValue, Error> {
    if level > limits::NESTING_LEVELS {
        reader.skip()?;
        problems.note(given::too_deep);
        return Ok(AttributeValue::Null);
    }
    let mut found: Option<AttributeValue> = None;
    let mut types = 0u32;
    reader.structure("AttributeValue", place, |reader, name| {
        let bit = type_bit(&name);
        if bit == 0 || reader.null()? {
            return if bit == 0 { reader.skip() } else { Ok(()) };
        }
        types |= bit;
        found = typed(reader, &name, level, problems)?;
        Ok(())
    })?;
    if types == 0 {
        problems.note(given::empty);
    } else if types.count_ones() > 1 {
        problems.note(given::several);
    }
    Ok(found.unwrap_or(AttributeValue::Null))
}

/// A bit for each type's member; 0 for a member the service does not know.
fn type_bit(name: &str) -> u32 {
    match name {
        "S" => 1,
        "N" => 1 << 1,
        "B" => 1 << 2,
        "BOOL" => 1 << 3,
        "NULL" => 1 << 4,
        "M" => 1 << 5,
        "L" => 1 << 6,
        "SS" => 1 << 7,
        "NS" => 1 << 8,
        "BS" => 1 << 9,
        _ => 0,
    }
}

fn typed(
    reader: &mut Reader<'_>,
    name: &str,
    level: usize,
    problems: &mut Problems,
) -> Result<Option<AttributeValue>, Error> {
    Ok(match name {
        "S" => reader.string()?.map(AttributeValue::S),
        "N" => reader.text()?.map(|text| problems.sound(given::number(&text))),
        "B" => reader.blob()?.map(AttributeValue::B),
        "BOOL" => reader.flag()?.map(AttributeValue::Bool),
        "NULL" => Some(problems.sound(given::null(reader.flag()? != Some(false)))),
        "M" => {
            let mut attributes = BTreeMap::new();
            reader.map("AttributeValue", |reader, name| {
                let value = value_within(reader, Place::Value, level + 1, problems)?;
                attributes.insert(name.into_owned(), value);
                Ok(())
            })?;
            Some(AttributeValue::M(attributes))
        }
        "L" => {
            let mut elements = Vec::new();
            reader.list(|reader| {
                elements.push(value_within(reader, Place::Value, level + 1, problems)?);
                Ok(())
            })?;
            Some(AttributeValue::L(elements))
        }
        "SS" => Some(string_set(reader, problems)?),
        "NS" => Some(number_set(reader, problems)?),
        _ => Some(binary_set(reader, problems)?),
    })
}

fn string_set(reader: &mut Reader<'_>, problems: &mut Problems) -> Result<AttributeValue, Error> {
    let mut set = Vec::new();
    let null = elements(reader, |reader| Ok(reader.string()?.map(|text| set.push(text))))?;
    if null {
        problems.note(|| null_member("An string set may not have a null string as a member"));
    }
    Ok(problems.sound(given::string_set(set)))
}

fn number_set(reader: &mut Reader<'_>, problems: &mut Problems) -> Result<AttributeValue, Error> {
    let mut texts = Vec::new();
    let null = elements(reader, |reader| Ok(reader.text()?.map(|text| texts.push(text.into_owned()))))?;
    if null {
        // What is no number is said first.
        if let Some(error) = texts.iter().find_map(|text| given::number(text).err()) {
            problems.note(|| error);
        }
        problems.note(|| null_member("An number set may not have a null string as a member"));
    }
    Ok(problems.sound(given::number_set(texts.iter().map(String::as_str))))
}

fn binary_set(reader: &mut Reader<'_>, problems: &mut Problems) -> Result<AttributeValue, Error> {
    let mut set = Vec::new();
    let null = elements(reader, |reader| Ok(reader.blob()?.map(|bytes| set.push(bytes))))?;
    if null {
        problems.note(|| null_member("Binary sets may not contain null values"));
    }
    Ok(problems.sound(given::binary_set(set)))
}

/// Reads the elements of a set, and tells whether one of them was `null`, which only JSON has.
fn elements<'a>(
    reader: &mut Reader<'a>,
    mut element: impl FnMut(&mut Reader<'a>) -> Result<Option<()>, Error>,
) -> Result<bool, Error> {
    let mut null = false;
    reader.list(|reader| {
        null |= element(reader)?.is_none();
        Ok(())
    })?;
    Ok(null)
}

fn null_member(what: &str) -> Error {
    Error::validation(format!("One or more parameter values were invalid: {what}"))
}

/// Writes an item.
pub(super) fn write_item(out: &mut Vec<u8>, item: &Item) {
    write_map(out, &item.0);
}

fn write_map(out: &mut Vec<u8>, map: &BTreeMap<String, AttributeValue>) {
    let mut object = Object::new(out);
    for (name, value) in map {
        write_value(object.member(name), value);
    }
    object.close();
}

/// Writes a value. Recursion ends at the nesting limit, which every value in a tree keeps.
pub(super) fn write_value(out: &mut Vec<u8>, value: &AttributeValue) {
    let mut object = Object::new(out);
    match value {
        AttributeValue::S(text) => object.text("S", text),
        AttributeValue::N(number) => write_number(object.field("N"), number),
        AttributeValue::B(bytes) => write::blob(object.field("B"), bytes),
        AttributeValue::Bool(value) => write::flag(object.field("BOOL"), *value),
        AttributeValue::Null => write::flag(object.field("NULL"), true),
        AttributeValue::M(map) => write_map(object.field("M"), map),
        AttributeValue::L(elements) => object.array("L", |array| {
            for element in elements {
                write_value(array.element(), element);
            }
        }),
        AttributeValue::Ss(set) => object.array("SS", |array| {
            for text in set {
                write::string(array.element(), text);
            }
        }),
        AttributeValue::Ns(set) => object.array("NS", |array| {
            for number in set {
                write_number(array.element(), number);
            }
        }),
        AttributeValue::Bs(set) => object.array("BS", |array| {
            for bytes in set {
                write::blob(array.element(), bytes);
            }
        }),
    }
    object.close();
}

/// Writes a number as the string the wire carries.
pub(super) fn write_number(out: &mut Vec<u8>, number: &Number) {
    use std::io::Write;
    // A number's text has digits, a point and a sign: nothing to escape.
    write!(out, "\"{number}\"").expect("writing to memory can't fail");
}
