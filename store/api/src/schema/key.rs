//! Takes keys out of items, and refuses what cannot be one, in the service's words and order.
//!
//! Not done here: whether the item is too large (see [`Item::check_size`]), which the service judges before it looks at
//! the table.

use super::{Index, KeyAttribute, KeySchema, Table};
use crate::error::Error;
use crate::expr::Path;
use crate::item::{Item, KeyBytes};
use crate::limits::{PARTITION_KEY_BYTES, SORT_KEY_BYTES};
use crate::value::{AttributeValue, ValueType, order};

/// Which part of a key an attribute is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRole {
    /// The partition key.
    Partition,
    /// The sort key.
    Sort,
}

impl KeyRole {
    /// Longest value, bytes of a string or binary. Numbers always fit.
    pub const fn limit_bytes(self) -> usize {
        match self {
            KeyRole::Partition => PARTITION_KEY_BYTES,
            KeyRole::Sort => SORT_KEY_BYTES,
        }
    }

    /// What a value is told that is longer than [`KeyRole::limit_bytes`].
    pub fn too_long(self) -> Error {
        // The missing blank is the service's own.
        Error::validation(match self {
            KeyRole::Partition => {
                "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes"
            }
            KeyRole::Sort => {
                "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes"
            }
        })
    }
}

/// Bytes of a string or binary; `None` for values of other types.
fn text_bytes(value: &AttributeValue) -> Option<usize> {
    match value {
        AttributeValue::S(text) => Some(text.len()),
        AttributeValue::B(bytes) => Some(bytes.len()),
        _ => None,
    }
}

/// How the service names an empty value of that type; it has none for the others.
fn empty_name(value: &AttributeValue) -> Option<&'static str> {
    match value {
        AttributeValue::S(text) if text.is_empty() => Some("string"),
        AttributeValue::B(bytes) if bytes.is_empty() => Some("binary"),
        _ => None,
    }
}

impl KeyAttribute {
    /// Refuses a value that is empty or too long to be a key. The type was judged before.
    pub fn check_value(&self, role: KeyRole, value: &AttributeValue) -> Result<(), Error> {
        if let Some(empty) = empty_name(value) {
            return Err(Error::validation(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an \
                 empty {empty} value. Key: {}",
                self.name
            )));
        }
        match text_bytes(value) {
            Some(bytes) if bytes > role.limit_bytes() => Err(role.too_long()),
            _ => Ok(()),
        }
    }
}

impl KeySchema {
    /// The key attributes and what each is, partition first.
    pub fn parts(&self) -> impl Iterator<Item = (KeyRole, &KeyAttribute)> {
        std::iter::once((KeyRole::Partition, &self.partition))
            .chain(self.sort.iter().map(|sort| (KeyRole::Sort, sort)))
    }

    /// The part of the key that an attribute is, if it is one.
    pub fn role(&self, attribute: &str) -> Option<KeyRole> {
        self.parts().find(|(_, part)| part.name == attribute).map(|(role, _)| role)
    }

    /// The canonical key of an item that has all key attributes, each of its type, not empty and not too long.
    /// `None` for any other item.
    pub fn key_of(&self, item: &Item) -> Option<KeyBytes> {
        let form = |(role, part): (KeyRole, &KeyAttribute)| {
            let value = item.get(&part.name).filter(|value| value.value_type() == part.value_type)?;
            part.check_value(role, value).ok()?;
            order::encode(value)
        };
        let partition = form((KeyRole::Partition, &self.partition))?;
        let sort = match &self.sort {
            Some(sort) => Some(form((KeyRole::Sort, sort))?),
            None => None,
        };
        Some(KeyBytes::new(&partition, sort.as_deref()))
    }

    /// The canonical key of an item whose key attributes were all judged.
    fn judged_key(&self, item: &Item) -> Option<KeyBytes> {
        let form = |part: &KeyAttribute| order::encode(item.get(&part.name)?);
        let partition = form(&self.partition)?;
        let sort = match &self.sort {
            Some(sort) => Some(form(sort)?),
            None => None,
        };
        Some(KeyBytes::new(&partition, sort.as_deref()))
    }

    /// The attributes of a canonical key. `None` where the bytes are not a key of this schema.
    pub fn key_item(&self, key: &KeyBytes) -> Option<Item> {
        let whole = |part: &KeyAttribute, form: &[u8]| {
            let (value, rest) = order::decode(part.value_type, form)?;
            rest.is_empty().then_some(value)
        };
        let mut item = Item::new();
        item.0.insert(self.partition.name.clone(), whole(&self.partition, &key.partition())?);
        match &self.sort {
            Some(sort) => {
                item.0.insert(sort.name.clone(), whole(sort, &key.sort())?);
            }
            None if !key.sort().is_empty() => return None,
            None => {}
        }
        Some(item)
    }

    /// Reads a canonical key at the start of `bytes`, and the bytes behind it. `None` where there is none.
    pub fn split_key<'a>(&self, bytes: &'a [u8]) -> Option<(KeyBytes, &'a [u8])> {
        let (partition, rest) = bytes.split_at_checked(order::form_len(self.partition.value_type, bytes)?)?;
        match &self.sort {
            None => Some((KeyBytes::new(partition, None), rest)),
            Some(sort) => {
                let (sort, rest) = rest.split_at_checked(order::form_len(sort.value_type, rest)?)?;
                Some((KeyBytes::new(partition, Some(sort)), rest))
            }
        }
    }
}

fn mismatch() -> Error {
    Error::validation("The provided key element does not match the schema")
}

impl Table {
    /// The key of an item to be put.
    ///
    /// Errors: a missing key attribute, one of the wrong type, empty, or too long, judged one attribute after the other,
    /// partition key first.
    pub fn key_of_item(&self, item: &Item) -> Result<KeyBytes, Error> {
        for (role, part) in self.key.parts() {
            let value = item.get(&part.name).ok_or_else(|| {
                Error::validation(format!(
                    "One or more parameter values were invalid: Missing the key {} in the item",
                    part.name
                ))
            })?;
            if value.value_type() != part.value_type {
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Type mismatch for key {} expected: {} actual: {}",
                    part.name,
                    part.value_type.name(),
                    value.value_type().name()
                )));
            }
            part.check_value(role, value)?;
        }
        self.key.judged_key(item).ok_or_else(mismatch)
    }

    /// The key given as the `Key` of a request: the key attributes and nothing else.
    ///
    /// Errors: other attributes, or a wrong type; then an empty or too long value.
    pub fn key_of_key(&self, key: &Item) -> Result<KeyBytes, Error> {
        if key.0.len() != self.key.attributes().count() {
            return Err(mismatch());
        }
        for (role, part) in self.key.parts() {
            match key.get(&part.name) {
                Some(value) if value.value_type() == part.value_type => part.check_value(role, value)?,
                _ => return Err(mismatch()),
            }
        }
        self.key.judged_key(key).ok_or_else(mismatch)
    }

    /// The key attributes of a canonical key. `None` where the bytes are not a key of this table.
    pub fn key_item(&self, key: &KeyBytes) -> Option<Item> {
        self.key.key_item(key)
    }

    /// The key attributes alone of an item.
    pub fn key_attributes(&self, item: &Item) -> Item {
        let part = |part: &KeyAttribute| Some((part.name.clone(), item.get(&part.name)?.clone()));
        Item(self.key.attributes().filter_map(part).collect())
    }

    /// Refuses paths that lead into a key attribute, of the table or of an index: keys are scalars.
    pub fn check_scalar_keys<'a>(&self, paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Error> {
        let into: Vec<&str> = paths
            .into_iter()
            .filter(|path| !path.steps.is_empty())
            .map(|path| path.attribute.as_str())
            .collect();
        if into.is_empty() {
            return Ok(());
        }
        let refuse = |kind: &str, name: &str| {
            Err(Error::validation(format!(
                "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed: {kind}: {name}"
            )))
        };
        if let Some(part) = self.key.attributes().find(|part| into.contains(&part.name.as_str())) {
            return refuse("Key", &part.name);
        }
        let indexes = self.global_indexes().chain(self.local_indexes());
        match indexes.flat_map(|index| index.key.attributes()).find(|part| into.contains(&part.name.as_str()))
        {
            Some(part) => refuse("IndexKey", &part.name),
            None => Ok(()),
        }
    }

    /// The indexes in the order in which the service names them in messages: by name.
    fn indexes_by_name(&self) -> Vec<&Index> {
        let mut indexes: Vec<_> = self.indexes.iter().collect();
        indexes.sort_by_key(|index| index.name.as_str());
        indexes
    }

    /// Judges those attributes of an item to be put that are index keys. A missing one is fine: the item is then not in
    /// that index.
    ///
    /// Errors: a wrong type in any index, then an empty value, then one too long.
    pub fn check_index_keys(&self, item: &Item) -> Result<(), Error> {
        if self.indexes.is_empty() {
            return Ok(());
        }
        self.check_index_key_types(item)?;
        self.check_index_key_values(item, |index, part, empty| {
            format!(
                "One or more parameter values are not valid. A value specified for a secondary index key is not \
                 supported. The AttributeValue for a key attribute cannot contain an empty {empty} value. IndexName: \
                 {}, IndexKey: {}",
                index.name, part.name
            )
        })?;
        for index in &self.indexes {
            for (role, part) in index.key.parts() {
                if item.get(&part.name).and_then(text_bytes).is_some_and(|bytes| bytes > role.limit_bytes()) {
                    return Err(role.too_long());
                }
            }
        }
        Ok(())
    }

    /// Judges the types of those attributes that are index keys, as of values written out in the request.
    pub fn check_index_key_types(&self, item: &Item) -> Result<(), Error> {
        for index in self.indexes_by_name() {
            for part in index.key.attributes() {
                let Some(value) = item.get(&part.name).filter(|value| value.value_type() != part.value_type)
                else {
                    continue;
                };
                return Err(Error::validation(format!(
                    "One or more parameter values were invalid: Type mismatch for Index Key {} Expected: {} Actual: {} \
                     IndexName: {}",
                    part.name,
                    part.value_type.name(),
                    value.value_type().name(),
                    index.name
                )));
            }
        }
        Ok(())
    }

    /// Judges the index keys of an item that an update made of `old`. Only attributes that the update altered are judged,
    /// so that an item from before the index stays writable.
    ///
    /// Errors: an unsupported type, an empty value, or one too long, in the words for update expressions.
    pub fn check_updated_index_keys(&self, old: Option<&Item>, new: &Item) -> Result<(), Error> {
        if self.indexes.is_empty() {
            return Ok(());
        }
        let altered = |part: &KeyAttribute| {
            let value = new.get(&part.name)?;
            (old.and_then(|old| old.get(&part.name)) != Some(value)).then_some(value)
        };
        let parts = || self.indexes.iter().flat_map(|index| index.key.parts());
        for (_, part) in parts() {
            if altered(part).is_some_and(|value| value.value_type() != part.value_type) {
                return Err(Error::validation(
                    "The update expression attempted to update the secondary index key to unsupported type",
                ));
            }
        }
        for (_, part) in parts() {
            if let Some(empty) = altered(part).and_then(empty_name) {
                return Err(Error::validation(format!(
                    "One or more parameter values are not valid. The update expression attempted to update a secondary \
                     index key to a value that is not supported. The AttributeValue for a key attribute cannot contain \
                     an empty {empty} value."
                )));
            }
        }
        for (role, part) in parts() {
            if altered(part).and_then(text_bytes).is_some_and(|bytes| bytes > role.limit_bytes()) {
                return Err(Error::validation(
                    "The update expression attempted to update the secondary index key beyond allowed size limits",
                ));
            }
        }
        Ok(())
    }

    fn check_index_key_values(
        &self,
        item: &Item,
        message: impl Fn(&Index, &KeyAttribute, &'static str) -> String,
    ) -> Result<(), Error> {
        for index in self.indexes_by_name() {
            for part in index.key.attributes() {
                if let Some(empty) = item.get(&part.name).and_then(empty_name) {
                    return Err(Error::validation(message(index, part, empty)));
                }
            }
        }
        Ok(())
    }
}

impl Index {
    /// The index key of an item; `None` where the item lacks one of its attributes, or it cannot be a key: then the item
    /// is not in the index.
    pub fn key_of(&self, item: &Item) -> Option<KeyBytes> {
        self.key.key_of(item)
    }

    /// Whether the index has every attribute of the table's items.
    pub fn projects_all(&self) -> bool {
        self.projection == super::IndexProjection::All
    }

    /// Whether the index has a copy of that attribute of an item.
    pub fn projects(&self, table: &Table, attribute: &str) -> bool {
        match &self.projection {
            super::IndexProjection::All => true,
            super::IndexProjection::KeysOnly => self.has_key(table, attribute),
            super::IndexProjection::Include(names) => {
                self.has_key(table, attribute) || names.iter().any(|name| name == attribute)
            }
        }
    }

    fn has_key(&self, table: &Table, attribute: &str) -> bool {
        self.key.role(attribute).is_some() || table.key.role(attribute).is_some()
    }

    /// What the index keeps of an item.
    pub fn project(&self, table: &Table, item: &Item) -> Item {
        let kept = item.0.iter().filter(|(name, _)| self.projects(table, name));
        Item(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The attributes of a page's last key: the index's and the table's, without repeats, the index's first.
    pub fn start_attributes<'a>(&'a self, table: &'a Table) -> impl Iterator<Item = &'a KeyAttribute> {
        let others = table.key.attributes().filter(|part| self.key.role(&part.name).is_none());
        self.key.attributes().chain(others)
    }
}

/// Whether keys may be of that type.
pub const fn is_key_type(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::S | ValueType::N | ValueType::B)
}

#[cfg(test)]
mod tests;
