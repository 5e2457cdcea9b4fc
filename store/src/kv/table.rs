//! A table's schema and settings.
//!
//! Key: `0x10`, table id (u64). Value: format (u8, now 1), then [`api::Table`] in postcard's form. Written by apply
//! whenever a table is made or altered, removed when it is gone; correctness depends on it. All of them are read at open
//! and kept in memory.

use api::{Table, TableId};
use bytes::Bytes;

use super::reader::Reader;
use super::{Kind, Malformed};

const FORMAT: u8 = 1;

/// Where all of them begin.
pub const PREFIX: [u8; 1] = [Kind::Table as u8];

/// The record's key.
pub fn key(table: TableId) -> [u8; 9] {
    super::id_key(Kind::Table, table.0)
}

/// The record's value.
pub fn encode(table: &Table) -> Bytes {
    postcard::to_extend(table, vec![FORMAT]).expect("a schema has no part that postcard refuses").into()
}

/// The schema of a value.
pub fn decode(value: &[u8]) -> Result<Table, Malformed> {
    let mut reader = Reader::new(Kind::Table, value);
    reader.format(FORMAT)?;
    postcard::from_bytes(reader.rest()).map_err(|_| reader.malformed("the schema can't be read"))
}

#[cfg(test)]
mod tests {
    use api::schema::{
        BillingMode, Index, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status, Table,
        TableId, TableName, Throughput,
    };
    use api::value::ValueType;

    #[test]
    fn a_schema_round_trips() {
        let attribute = |name: &str, value_type| KeyAttribute { name: name.into(), value_type };
        let key =
            KeySchema { partition: attribute("pk", ValueType::S), sort: Some(attribute("sk", ValueType::N)) };
        let table = Table {
            id: TableId(16),
            name: TableName::new("things").unwrap(),
            generation: 3,
            status: Status::Updating,
            key: key.clone(),
            attributes: vec![attribute("pk", ValueType::S), attribute("sk", ValueType::N)],
            indexes: vec![Index {
                id: api::IndexId(17),
                name: IndexName::new("by-other").unwrap(),
                kind: IndexKind::Global,
                key,
                projection: IndexProjection::Include(vec!["a".into()]),
                status: Status::Creating,
                backfilling: true,
                throughput: Throughput { read_units: 1, write_units: 2 },
            }],
            billing: BillingMode::PayPerRequest,
            throughput: Throughput::default(),
            deletion_protection: true,
            table_class: Some("STANDARD".into()),
            tags: [("k".to_owned(), "v".to_owned())].into(),
            created_millis: 5,
            uuid: 9,
        };
        let value = super::encode(&table);
        assert_eq!(super::decode(&value), Ok(table));
        assert!(super::decode(&value[..value.len() / 2]).is_err());
        assert!(super::decode(b"").is_err());
    }
}
