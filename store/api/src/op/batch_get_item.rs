//! `BatchGetItem`.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::capacity::{ConsumedCapacity, ReturnConsumedCapacity};
use super::constraint::{self, Constraints};
use super::parameters;
use super::unchecked::{Names, Unchecked};
use crate::error::Error;
use crate::expr::{Author, Projection};
use crate::item::{Item, ItemBody};
use crate::limits;
use crate::schema::TableName;

/// Keys of one table.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct TableKeys {
    /// The table.
    pub table: TableName,
    /// The keys; no two equal.
    pub keys: Vec<Item>,
    /// Which paths to return; `None` for all.
    pub projection: Option<Projection>,
    /// Whether the reads must be strongly consistent.
    pub consistent: bool,
}

/// Input of `BatchGetItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BatchGetItemInput {
    /// Tables and keys, 1 to 100 keys in all.
    pub tables: Vec<TableKeys>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
}

/// Output of `BatchGetItem`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchGetItemOutput {
    /// The items found, by table in the order of the request.
    pub responses: Vec<(TableName, Vec<ItemBody>)>,
    /// What did not fit into the answer, in the form of a further request.
    pub unprocessed: Vec<TableKeys>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
}

/// Keys of one table while they are read: each is told from all before it as it comes, without looking at every one of them.
#[derive(Debug, Default)]
pub struct DistinctKeys {
    keys: Vec<Item>,
    hashes: Vec<u64>,
}

impl DistinctKeys {
    /// Adds a key. Errors: it was there already.
    pub fn add(&mut self, key: Item) -> Result<(), Error> {
        let hash = hash_of(&key);
        // Different hashes are different keys; the same one need not be the same key.
        if self.hashes.contains(&hash) && self.keys.contains(&key) {
            return Err(Error::validation("Provided list of item keys contains duplicates"));
        }
        self.hashes.push(hash);
        self.keys.push(key);
        Ok(())
    }

    /// The keys, in the order in which they came.
    pub fn into_keys(self) -> Vec<Item> {
        self.keys
    }
}

/// Not secret: whoever makes keys of one hash makes us compare a hundred keys with each other, at most.
fn hash_of(key: &Item) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

/// Keys of one table as a text protocol carries them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TableKeysUnchecked {
    /// `Keys`.
    pub keys: Option<Vec<Unchecked<Item>>>,
    /// `AttributesToGet`.
    pub attributes_to_get: Option<Vec<String>>,
    /// `ConsistentRead`.
    pub consistent: Option<bool>,
    /// `ProjectionExpression`.
    pub projection: Option<String>,
    /// `ExpressionAttributeNames`.
    pub names: Option<Names>,
}

/// Input of `BatchGetItem` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchGetItemUnchecked {
    /// `RequestItems`, in the order of the request; no table twice.
    pub tables: Option<Vec<(String, TableKeysUnchecked)>>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
}

impl BatchGetItemUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<BatchGetItemInput, Error> {
        self.check_by(Author::Client)
    }

    /// The same with expressions by `author`.
    pub fn check_by(self, author: Author) -> Result<BatchGetItemInput, Error> {
        if self.tables.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::validation("The requestItems parameter is required for BatchGetItem"));
        }
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.present(&self.tables, "requestItems");
        let tables = self.tables.unwrap_or_default();
        for (name, keys) in &tables {
            found.map(
                constraint::table_of(name).is_some(),
                "requestItems",
                format_args!("{{{name}=KeysAndAttributes}}"),
                format_args!("{}", constraint::TABLE_KEYS_RULE),
            );
            let at = format_args!("requestItems.{name}.member.keys");
            found.present(&keys.keys, at);
            found.length_at_least(keys.keys.as_ref().map(Vec::len), at, 1, "[]");
            found.attributes_to_get(
                keys.attributes_to_get.as_deref(),
                format_args!("requestItems.{name}.member.attributesToGet"),
            );
        }
        found.finish()?;
        for (name, keys) in &tables {
            if keys.keys.as_ref().is_some_and(|keys| keys.len() > limits::BATCH_GET_KEYS) {
                return Err(Error::validation(format!(
                    "1 validation error detected: Value at 'RequestItems.{name}.member.Keys' failed to satisfy \
                     constraint: Member must have length less than or equal to {}",
                    limits::BATCH_GET_KEYS
                )));
            }
        }
        // Expressions on one table and legacy parameters on another do not go together either.
        let any = |given: fn(&TableKeysUnchecked) -> bool| tables.iter().any(|(_, keys)| given(keys));
        parameters::not_mixed(
            &[("ProjectionExpression", any(|keys| keys.projection.is_some()))],
            &[("AttributesToGet", any(|keys| keys.attributes_to_get.is_some()))],
            false,
            None,
        )?;
        let mut count = 0;
        let mut checked = Vec::with_capacity(tables.len());
        for (name, table) in tables {
            parameters::not_mixed(
                &[("ProjectionExpression", table.projection.is_some())],
                &[],
                table.names.is_some(),
                None,
            )?;
            let projection =
                parameters::projection(author, table.projection, table.attributes_to_get, table.names)?;
            let mut keys = DistinctKeys::default();
            for key in table.keys.unwrap_or_default() {
                keys.add(key.check()?)?;
                count += 1;
                if count > limits::BATCH_GET_KEYS {
                    return Err(Error::validation("Too many items requested for the BatchGetItem call"));
                }
            }
            let table_name = constraint::checked_table(Some(name))?;
            if checked.iter().any(|known: &TableKeys| known.table == table_name) {
                return Err(constraint::table_twice(&table_name));
            }
            checked.push(TableKeys {
                table: table_name,
                keys: keys.into_keys(),
                projection,
                consistent: table.consistent.unwrap_or_default(),
            });
        }
        Ok(BatchGetItemInput {
            tables: checked,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{AttributeValue, Number};

    fn key(text: &str) -> Item {
        Item::new().with("n", AttributeValue::N(text.parse::<Number>().unwrap()))
    }

    #[test]
    fn a_key_that_was_there_is_refused_however_it_was_written() {
        let mut keys = DistinctKeys::default();
        for n in 0..100 {
            assert_eq!(keys.add(key(&n.to_string())), Ok(()));
        }
        let duplicate = "Provided list of item keys contains duplicates";
        assert_eq!(keys.add(key("99.0")).unwrap_err().message, duplicate);
        assert_eq!(keys.add(key("1e1")).unwrap_err().message, duplicate);
        // A hash that is already there is no proof.
        let other = key("-1");
        keys.hashes[0] = hash_of(&other);
        assert_eq!(keys.add(other), Ok(()));
        assert_eq!(keys.into_keys().len(), 101);
    }
}
