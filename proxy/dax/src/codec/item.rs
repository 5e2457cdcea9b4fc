//! Items as this wire carries them: whole, as the id of an attribute list and a value for each of its names; in part, as
//! an id and a map from place in the list to value; projected, as a map from path to value.
//!
//! Key attributes are in none of the first two: who asked, or the key beside the item, has them.

use std::collections::{BTreeMap, BTreeSet};

use api::expr::{Path, Projection, Step};
use api::schema::KeySchema;
use api::{AttributeValue, EncodedItem, Error, Item, ItemBody};

use super::malformed;
use super::value::{Room, read_value, write_value, write_value_ref};
use crate::attribute_lists::{EMPTY, ListId, Names, PASSING};
use crate::cbor::{Reader, write};

/// Names to ids, while an answer is written. Lists without an id yet are gathered; what was written is then worth nothing.
pub struct ListIds<'a> {
    find: &'a dyn Fn(&[&str]) -> Option<ListId>,
    missing: BTreeSet<Vec<String>>,
    passing: bool,
}

impl std::fmt::Debug for ListIds<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListIds").field("missing", &self.missing).finish_non_exhaustive()
    }
}

impl<'a> ListIds<'a> {
    /// Finds ids with `find`, which is not asked for no names.
    pub fn new(find: &'a dyn Fn(&[&str]) -> Option<ListId>) -> ListIds<'a> {
        ListIds { find, missing: BTreeSet::new(), passing: false }
    }

    /// The id of these names.
    pub(super) fn id(&mut self, names: &[&str]) -> ListId {
        if names.is_empty() {
            return EMPTY;
        }
        if let Some(id) = (self.find)(names) {
            self.passing |= id >= PASSING;
            return id;
        }
        self.missing.insert(names.iter().map(|name| (*name).to_owned()).collect());
        EMPTY
    }

    /// Whether every list had an id, and one that lasts: what was written may be kept.
    pub fn all_lasting(&self) -> bool {
        self.missing.is_empty() && !self.passing
    }

    /// The lists that had no id; where there is none, what was written is right.
    pub fn missing(self) -> Vec<Names> {
        self.missing.into_iter().map(Names::from).collect()
    }
}

/// Ids to names, while bytes are read. Ids without names are gathered; what was read is then worth nothing.
pub struct ListNames<'a> {
    find: &'a dyn Fn(ListId) -> Option<Names>,
    missing: BTreeSet<ListId>,
}

impl std::fmt::Debug for ListNames<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListNames").field("missing", &self.missing).finish_non_exhaustive()
    }
}

impl<'a> ListNames<'a> {
    /// Finds names with `find`, which is not asked for [`EMPTY`].
    pub fn new(find: &'a dyn Fn(ListId) -> Option<Names>) -> ListNames<'a> {
        ListNames { find, missing: BTreeSet::new() }
    }

    fn names(&mut self, id: ListId) -> Option<Names> {
        if id == EMPTY {
            return Some(Names::default());
        }
        let names = (self.find)(id);
        if names.is_none() {
            self.missing.insert(id);
        }
        names
    }

    /// The ids that had no names; where there is none, what was read is right.
    pub fn missing(self) -> Vec<ListId> {
        self.missing.into_iter().collect()
    }

    /// Whether all ids had names so far.
    pub fn all_known(&self) -> Result<(), Error> {
        match self.missing.first() {
            None => Ok(()),
            Some(id) => Err(Error::validation(format!(
                "The attribute list {} is not known here; connect anew to learn the lists of this cluster",
                id.0
            ))),
        }
    }
}

fn is_key(schema: &KeySchema, name: &str) -> bool {
    schema.attributes().any(|part| part.name == name)
}

/// Appends the content of a whole item: list id and values.
pub fn write_item(out: &mut Vec<u8>, schema: &KeySchema, body: &ItemBody, lists: &mut ListIds<'_>) {
    match body {
        ItemBody::Tree(item) => write_tree(out, schema, item, lists),
        ItemBody::Encoded(item) => write_encoded(out, schema, item, lists),
        ItemBody::Ready(ready) => write_encoded(out, schema, &ready.item, lists),
    }
}

fn write_encoded(out: &mut Vec<u8>, schema: &KeySchema, item: &EncodedItem, lists: &mut ListIds<'_>) {
    let others = || item.attributes().filter(|(name, _)| !is_key(schema, name));
    let names: Vec<&str> = others().map(|(name, _)| name).collect();
    write::unsigned(out, lists.id(&names).0);
    others().for_each(|(_, value)| write_value_ref(out, value));
}

/// Appends the content of a whole decoded item.
pub fn write_tree(out: &mut Vec<u8>, schema: &KeySchema, item: &Item, lists: &mut ListIds<'_>) {
    let others = || item.0.iter().filter(|(name, _)| !is_key(schema, name));
    let names: Vec<&str> = others().map(|(name, _)| name.as_str()).collect();
    write::unsigned(out, lists.id(&names).0);
    others().for_each(|(_, value)| write_value(out, value));
}

/// Reads the content of a whole item into `item`, which has the key attributes already. Errors: the service's for values;
/// `SerializationException` where there are not as many values as names.
pub fn read_item(bytes: &[u8], mut item: Item, lists: &mut ListNames<'_>) -> Result<Item, Error> {
    let mut reader = Reader::new(bytes);
    let id = ListId(reader.int_as()?);
    let Some(names) = lists.names(id) else { return Ok(item) };
    let mut room = Room::of_item();
    for name in names.iter() {
        room.take(name.len())?;
        let value = read_value(&mut reader, &mut room)?;
        // The key beside the values is the item's; a list that names it again says nothing about it.
        item.0.entry(name.clone()).or_insert(value);
    }
    reader.end()?;
    Ok(item)
}

/// Appends the content of a part of an item: the id of a list of just its names, and every value by its place. The map is of
/// the indefinite form: the Java client takes no other here, all others take both.
pub fn write_part(out: &mut Vec<u8>, item: &Item, lists: &mut ListIds<'_>) {
    let names: Vec<&str> = item.0.keys().map(String::as_str).collect();
    write::unsigned(out, lists.id(&names).0);
    write::open_map(out);
    for (place, value) in item.0.values().enumerate() {
        write::unsigned(out, place as u64);
        write_value(out, value);
    }
    write::close(out);
}

/// Reads the content of a part of an item.
pub fn read_part(bytes: &[u8], lists: &mut ListNames<'_>) -> Result<Item, Error> {
    let mut reader = Reader::new(bytes);
    let id = ListId(reader.int_as()?);
    let mut item = Item::new();
    let Some(names) = lists.names(id) else { return Ok(item) };
    let mut room = Room::of_item();
    let mut entries = reader.map()?;
    while entries.more(&mut reader)? {
        let place: usize = reader.int_as()?;
        let name = names.get(place).ok_or_else(|| malformed("a place past the end of an attribute list"))?;
        room.take(name.len())?;
        item.0.insert(name.clone(), read_value(&mut reader, &mut room)?);
    }
    reader.end()?;
    Ok(item)
}

/// What the front got of an item whose projection is to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// All of it.
    Whole,
    /// What the projection leaves of it: lists are closed up.
    Projected,
}

/// Whether the values at a projection's paths can be told from what the projection leaves of an item. They can't where it
/// takes several elements of one list: it closes lists up, and then nothing says which of them were there.
pub fn is_separable(projection: &Projection) -> bool {
    let mut taken: BTreeMap<(&str, &[Step]), u32> = BTreeMap::new();
    projection.paths.iter().all(|path| {
        path.steps.iter().enumerate().all(|(at, step)| match step {
            Step::Field(_) => true,
            Step::Index(index) => {
                *taken.entry((path.attribute.as_str(), &path.steps[..at])).or_insert(*index) == *index
            }
        })
    })
}

/// Appends a projected item: a map from the number of a path to the value there.
pub fn write_projected(out: &mut Vec<u8>, projection: &Projection, body: &ItemBody, given: Given) {
    let item = body.to_item();
    let found: Vec<(usize, &AttributeValue)> = projection
        .paths
        .iter()
        .enumerate()
        .filter_map(|(ordinal, path)| {
            let value = match given {
                Given::Whole => path.get(&item),
                Given::Projected => left_at(&item, path),
            };
            Some((ordinal, value?))
        })
        .collect();
    write::map(out, found.len());
    for (ordinal, value) in found {
        write::unsigned(out, ordinal as u64);
        write_value(out, value);
    }
}

/// What stands at a path in what a separable projection left: of each list, one element at most.
fn left_at<'i>(item: &'i Item, path: &Path) -> Option<&'i AttributeValue> {
    path.steps.iter().try_fold(item.get(&path.attribute)?, |value, step| match (value, step) {
        (AttributeValue::M(map), Step::Field(name)) => map.get(name),
        (AttributeValue::L(list), Step::Index(_)) => list.first(),
        _ => None,
    })
}

/// Reads a projected item and puts each value where its path says, lists closed up.
pub fn read_projected(reader: &mut Reader<'_>, projection: &Projection) -> Result<Item, Error> {
    let mut entries = reader.map()?;
    let mut room = Room::of_item();
    let mut tree = Node::default();
    while entries.more(reader)? {
        let ordinal: usize = reader.int_as()?;
        let path =
            projection.paths.get(ordinal).ok_or_else(|| malformed("a path that the projection lacks"))?;
        let value = read_value(reader, &mut room)?;
        let mut node = tree.fields.entry(path.attribute.clone()).or_default();
        for step in &path.steps {
            node = match step {
                Step::Field(name) => node.fields.entry(name.clone()).or_default(),
                Step::Index(index) => node.elements.entry(*index).or_default(),
            };
        }
        node.value = Some(value);
    }
    Ok(Item(tree.fields.into_iter().map(|(name, node)| (name, node.into_value())).collect()))
}

/// A document put together from the values at some of its paths.
#[derive(Debug, Default)]
struct Node {
    value: Option<AttributeValue>,
    fields: BTreeMap<String, Node>,
    elements: BTreeMap<u32, Node>,
}

impl Node {
    /// As deep as the deepest path, and those are bounded where the projection was made.
    fn into_value(self) -> AttributeValue {
        if let Some(value) = self.value {
            return value;
        }
        if self.elements.is_empty() {
            let fields = self.fields.into_iter().map(|(name, node)| (name, node.into_value()));
            return AttributeValue::M(fields.collect());
        }
        AttributeValue::L(self.elements.into_values().map(Node::into_value).collect())
    }
}

#[cfg(test)]
mod tests;
