//! `BatchWriteItem`.

use super::capacity::{
    ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
use super::constraint::{self, Constraints};
use super::parameters;
use super::unchecked::Unchecked;
use crate::error::Error;
use crate::item::Item;
use crate::limits;
use crate::schema::TableName;

/// One write of a batch.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub enum BatchWrite {
    /// Put this item.
    Put(Item),
    /// Delete the item of this key.
    Delete(Item),
}

/// Input of `BatchWriteItem`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct BatchWriteItemInput {
    /// Tables and writes, 1 to 25 in all; no key twice.
    pub tables: Vec<(TableName, Vec<BatchWrite>)>,
    /// What to report of capacity.
    pub return_capacity: ReturnConsumedCapacity,
    /// What to report of item collections.
    pub return_collection: ReturnItemCollectionMetrics,
}

/// Output of `BatchWriteItem`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct BatchWriteItemOutput {
    /// Writes that were not done.
    pub unprocessed: Vec<(TableName, Vec<BatchWrite>)>,
    /// What was consumed, a table each, if asked.
    pub capacity: Vec<ConsumedCapacity>,
    /// Item collections by table, if asked.
    pub collections: Vec<(TableName, Vec<ItemCollectionMetrics>)>,
}

/// One write of a batch as a text protocol carries it. Exactly one of the two is to be given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchWriteUnchecked {
    /// `PutRequest`, with its `Item`.
    pub put: Option<Option<Unchecked<Item>>>,
    /// `DeleteRequest`, with its `Key`.
    pub delete: Option<Option<Unchecked<Item>>>,
}

/// Input of `BatchWriteItem` as a text protocol carries it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BatchWriteItemUnchecked {
    /// `RequestItems`, in the order of the request; no table twice.
    pub tables: Option<Vec<(String, Vec<BatchWriteUnchecked>)>>,
    /// `ReturnConsumedCapacity`.
    pub return_capacity: Option<String>,
    /// `ReturnItemCollectionMetrics`.
    pub return_collection: Option<String>,
}

impl BatchWriteItemUnchecked {
    /// The input, or the first thing wrong with it in the service's order.
    pub fn check(self) -> Result<BatchWriteItemInput, Error> {
        if self.tables.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::validation("The requestItems parameter is required for BatchWriteItem"));
        }
        let mut found = Constraints::new();
        found.one_of(self.return_capacity.as_deref(), "returnConsumedCapacity", constraint::CAPACITY);
        found.one_of(
            self.return_collection.as_deref(),
            "returnItemCollectionMetrics",
            constraint::COLLECTION,
        );
        found.present(&self.tables, "requestItems");
        let tables = self.tables.unwrap_or_default();
        for (name, writes) in &tables {
            let shown = format_args!("{{{name}=[{} WriteRequest]}}", writes.len());
            found.map(
                constraint::table_of(name).is_some(),
                "requestItems",
                shown,
                format_args!("{}", constraint::TABLE_KEYS_RULE),
            );
            found.map(
                (1..=limits::BATCH_WRITE_ITEMS).contains(&writes.len()),
                "requestItems",
                shown,
                format_args!(
                    "Map value must satisfy constraint: [Member must have length less than or equal to {}, Member \
                     must have length greater than or equal to 1]",
                    limits::BATCH_WRITE_ITEMS
                ),
            );
            for (at, write) in writes.iter().enumerate() {
                let at = at + 1;
                if let Some(key) = &write.delete {
                    found.present(
                        key,
                        format_args!("requestItems.{name}.member.{at}.member.deleteRequest.key"),
                    );
                }
                if let Some(item) = &write.put {
                    found.present(
                        item,
                        format_args!("requestItems.{name}.member.{at}.member.putRequest.item"),
                    );
                }
            }
        }
        found.finish()?;
        if tables.iter().map(|(_, writes)| writes.len()).sum::<usize>() > limits::BATCH_WRITE_ITEMS {
            return Err(Error::validation("Too many items requested for the BatchWriteItem call"));
        }
        let mut checked: Vec<(TableName, Vec<BatchWrite>)> = Vec::with_capacity(tables.len());
        for (name, writes) in tables {
            if writes.iter().any(|write| write.put.is_some() == write.delete.is_some()) {
                return Err(Error::validation(
                    "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the \
                     supported datatypes",
                ));
            }
            let mut of_table = Vec::with_capacity(writes.len());
            for write in writes {
                if let Some(item) = write.put.flatten() {
                    let item = item.check()?;
                    parameters::item_fits(&item)?;
                    of_table.push(BatchWrite::Put(item));
                } else if let Some(key) = write.delete.flatten() {
                    of_table.push(BatchWrite::Delete(key.check()?));
                }
            }
            let table = constraint::checked_table(Some(name))?;
            if checked.iter().any(|(known, _)| *known == table) {
                return Err(constraint::table_twice(&table));
            }
            checked.push((table, of_table));
        }
        Ok(BatchWriteItemInput {
            tables: checked,
            return_capacity: parameters::return_capacity(self.return_capacity.as_deref()),
            return_collection: parameters::return_collection(self.return_collection.as_deref()),
        })
    }
}
