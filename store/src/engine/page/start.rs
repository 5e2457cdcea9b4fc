//! `ExclusiveStartKey`: where a page goes on behind the one before.

use api::schema::{KeyAttribute, KeyRole};
use api::{Error, Item, KeyBytes};

use super::Source;
use super::bounds::nothing;
use crate::db::{KeyRange, ScanOrder};

/// A start key that has the attributes it must have, each of its type.
#[derive(Debug, Clone)]
pub struct StartKey {
    /// The key in the source: the index's, or the table's.
    own: KeyBytes,
    /// The key in the table.
    table: KeyBytes,
}

impl StartKey {
    /// Takes the start key of a Query. Errors: other attributes than the keys of index and table, a wrong type.
    pub fn of_query(source: &Source<'_>, start: &Item) -> Result<StartKey, Error> {
        if start.0.len() != source.start_attributes().len() {
            return Err(invalid());
        }
        StartKey::of(source, start)
    }

    /// Takes the start key of a Scan. Errors: as of a Query; a Scan of the table says more of what is wrong.
    pub fn of_scan(source: &Source<'_>, start: &Item) -> Result<StartKey, Error> {
        if start.0.len() != source.start_attributes().len() {
            return Err(match source.index {
                Some(_) => invalid(),
                None => because(&mismatch()),
            });
        }
        StartKey::of(source, start)
    }

    fn of(source: &Source<'_>, start: &Item) -> Result<StartKey, Error> {
        if source.index.is_some() {
            for (role, part) in source.key().parts() {
                check_part(role, part, start)?;
            }
        }
        let table = &source.table;
        let table_key = table.key_of_key(&table.key_attributes(start)).map_err(|error| because(&error))?;
        let own = match source.index {
            None => table_key.clone(),
            Some(index) => index.key_of(start).ok_or_else(mismatch)?,
        };
        Ok(StartKey { own, table: table_key })
    }

    /// The partition value in the source.
    pub fn partition(&self) -> bytes::Bytes {
        self.own.partition()
    }

    /// The key of the last record of the page before.
    pub fn record_key(&self, source: &Source<'_>) -> Vec<u8> {
        source.record_key(&self.own, &self.table)
    }

    /// What is left of a range behind the start key. The record itself need not be there any more.
    pub fn behind(&self, source: &Source<'_>, range: KeyRange, order: ScanOrder) -> KeyRange {
        let record = self.record_key(source);
        let left = match order {
            ScanOrder::Ascending => {
                KeyRange { start: range.start.max(KeyRange::just_past(&record)), end: range.end }
            }
            ScanOrder::Descending => KeyRange {
                end: Some(match range.end {
                    Some(end) => end.min(record),
                    None => record,
                }),
                start: range.start,
            },
        };
        if left.is_empty() { nothing() } else { left }
    }
}

/// Judges one attribute of an index's key, in the service's words.
fn check_part(role: KeyRole, part: &KeyAttribute, start: &Item) -> Result<(), Error> {
    match start.get(&part.name) {
        None => Err(invalid()),
        Some(value) if value.value_type() != part.value_type => Err(mismatch()),
        Some(value) => part.check_value(role, value),
    }
}

fn invalid() -> Error {
    Error::validation("The provided starting key is invalid")
}

fn mismatch() -> Error {
    Error::validation("The provided key element does not match the schema")
}

fn because(error: &Error) -> Error {
    Error::validation(format!("The provided starting key is invalid: {}", error.message))
}
