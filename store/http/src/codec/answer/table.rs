//! Table descriptions as an upstream gives them.
//!
//! The wire carries neither our ids nor generations nor tags: they are zero and empty here. Whoever caches under a
//! foreign upstream makes ids of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Error;
use api::op::{Size, TableDescription};
use api::schema::{
    BillingMode, Index, IndexId, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status,
    Table, TableId, TableName, Throughput,
};
use api::value::ValueType;

use super::{count, many, strings};
use crate::codec::request::members;
use crate::json::Reader;
use crate::json::read::{Place, malformed};

#[derive(Default)]
struct Described {
    name: Option<String>,
    status: Option<String>,
    attributes: Vec<KeyAttribute>,
    key: Vec<(String, String)>,
    local: Vec<DescribedIndex>,
    global: Vec<DescribedIndex>,
    billing: Option<String>,
    throughput: Throughput,
    deletion_protection: Option<bool>,
    table_class: Option<String>,
    created_seconds: Option<f64>,
    id: Option<String>,
    size: Size,
}

#[derive(Default)]
struct DescribedIndex {
    name: Option<String>,
    status: Option<String>,
    backfilling: Option<bool>,
    key: Vec<(String, String)>,
    projection: Option<IndexProjection>,
    throughput: Throughput,
    size: Size,
}

/// A description; `None` for `null`.
pub(super) fn description(reader: &mut Reader<'_>) -> Result<Option<TableDescription>, Error> {
    let mut found = Described::default();
    let there = members!(reader, "TableDescription", Place::Field, |reader| {
        "TableName" => found.name, reader.string();
        "TableStatus" => found.status, reader.string();
        "AttributeDefinitions" => found.attributes, many(reader, attribute);
        "KeySchema" => found.key, many(reader, key_element);
        "LocalSecondaryIndexes" => found.local, many(reader, index);
        "GlobalSecondaryIndexes" => found.global, many(reader, index);
        "BillingModeSummary" => found.billing, member_text(reader, "BillingMode");
        "ProvisionedThroughput" => found.throughput, throughput(reader);
        "DeletionProtectionEnabled" => found.deletion_protection, reader.flag();
        "TableClassSummary" => found.table_class, member_text(reader, "TableClass");
        "CreationDateTime" => found.created_seconds, reader.double();
        "TableId" => found.id, reader.string();
        "ItemCount" => found.size.items, count(reader);
        "TableSizeBytes" => found.size.bytes, count(reader);
    })?;
    if there { table(found).map(Some) } else { Ok(None) }
}

fn table(found: Described) -> Result<TableDescription, Error> {
    let mut indexes = Vec::with_capacity(found.local.len() + found.global.len());
    let mut index_sizes = Vec::with_capacity(indexes.capacity());
    let kinds = [(found.local, IndexKind::Local), (found.global, IndexKind::Global)];
    for (given, kind) in kinds {
        for index in given {
            index_sizes.push(index.size);
            indexes.push(Index {
                id: IndexId(0),
                name: index.name.as_deref().and_then(IndexName::new).ok_or_else(malformed)?,
                kind,
                key: key_schema(&index.key, &found.attributes)?,
                projection: index.projection.ok_or_else(malformed)?,
                // Local indexes are there with their table and say nothing of it.
                status: index.status.as_deref().map_or(Ok(Status::Active), status)?,
                backfilling: index.backfilling.unwrap_or_default(),
                throughput: index.throughput,
            });
        }
    }
    let table = Table {
        id: TableId(0),
        name: found.name.as_deref().and_then(TableName::new).ok_or_else(malformed)?,
        generation: 0,
        status: found.status.as_deref().map_or(Err(malformed()), status)?,
        key: key_schema(&found.key, &found.attributes)?,
        attributes: found.attributes,
        indexes,
        billing: match found.billing.as_deref() {
            Some("PAY_PER_REQUEST") => BillingMode::PayPerRequest,
            _ => BillingMode::Provisioned,
        },
        throughput: found.throughput,
        deletion_protection: found.deletion_protection.unwrap_or_default(),
        table_class: found.table_class,
        tags: BTreeMap::new(),
        created_millis: found.created_seconds.map_or(0, millis),
        uuid: found.id.as_deref().map_or(Ok(0), uuid)?,
    };
    Ok(TableDescription { table: Arc::new(table), size: found.size, index_sizes })
}

/// Milliseconds of a date in seconds. A date before 1970 counts as 1970.
fn millis(seconds: f64) -> u64 {
    (seconds * 1000.0).round().max(0.0) as u64
}

fn uuid(text: &str) -> Result<u128, Error> {
    u128::from_str_radix(&text.replace('-', ""), 16).map_err(|_| malformed())
}

fn status(text: &str) -> Result<Status, Error> {
    match text {
        "CREATING" => Ok(Status::Creating),
        "UPDATING" => Ok(Status::Updating),
        "DELETING" => Ok(Status::Deleting),
        // ARCHIVED and its like are not usable either, but say so when they are used.
        _ => Ok(Status::Active),
    }
}

fn key_schema(elements: &[(String, String)], attributes: &[KeyAttribute]) -> Result<KeySchema, Error> {
    let of = |kind: &str| {
        let element = elements.iter().find(|(_, found)| found == kind)?;
        attributes.iter().find(|attribute| attribute.name == element.0).cloned()
    };
    Ok(KeySchema { partition: of("HASH").ok_or_else(malformed)?, sort: of("RANGE") })
}

fn attribute(reader: &mut Reader<'_>) -> Result<KeyAttribute, Error> {
    let mut name = None;
    let mut value_type = None;
    members!(reader, "AttributeDefinition", Place::Value, |reader| {
        "AttributeName" => name, reader.string();
        "AttributeType" => value_type, reader.string();
    })?;
    let value_type = value_type.as_deref().and_then(ValueType::from_name).ok_or_else(malformed)?;
    Ok(KeyAttribute { name: name.unwrap_or_default(), value_type })
}

fn key_element(reader: &mut Reader<'_>) -> Result<(String, String), Error> {
    let mut name = None;
    let mut kind = None;
    members!(reader, "KeySchemaElement", Place::Value, |reader| {
        "AttributeName" => name, reader.string();
        "KeyType" => kind, reader.string();
    })?;
    Ok((name.unwrap_or_default(), kind.unwrap_or_default()))
}

fn index(reader: &mut Reader<'_>) -> Result<DescribedIndex, Error> {
    let mut index = DescribedIndex::default();
    members!(reader, "SecondaryIndexDescription", Place::Value, |reader| {
        "IndexName" => index.name, reader.string();
        "IndexStatus" => index.status, reader.string();
        "Backfilling" => index.backfilling, reader.flag();
        "KeySchema" => index.key, many(reader, key_element);
        "Projection" => index.projection, projection(reader);
        "ProvisionedThroughput" => index.throughput, throughput(reader);
        "IndexSizeBytes" => index.size.bytes, count(reader);
        "ItemCount" => index.size.items, count(reader);
    })?;
    Ok(index)
}

fn projection(reader: &mut Reader<'_>) -> Result<Option<IndexProjection>, Error> {
    let mut kind = None;
    let mut attributes = Vec::new();
    members!(reader, "Projection", Place::Field, |reader| {
        "ProjectionType" => kind, reader.string();
        "NonKeyAttributes" => attributes, strings(reader);
    })?;
    Ok(match kind.as_deref() {
        Some("ALL") => Some(IndexProjection::All),
        Some("KEYS_ONLY") => Some(IndexProjection::KeysOnly),
        Some("INCLUDE") => Some(IndexProjection::Include(attributes)),
        _ => None,
    })
}

fn throughput(reader: &mut Reader<'_>) -> Result<Throughput, Error> {
    let mut throughput = Throughput::default();
    members!(reader, "ProvisionedThroughputDescription", Place::Field, |reader| {
        "ReadCapacityUnits" => throughput.read_units, count(reader);
        "WriteCapacityUnits" => throughput.write_units, count(reader);
    })?;
    Ok(throughput)
}

fn member_text(reader: &mut Reader<'_>, member: &str) -> Result<Option<String>, Error> {
    let mut text = None;
    reader.structure("Summary", Place::Field, |reader, name| {
        if name == member {
            text = reader.string()?;
            return Ok(());
        }
        reader.skip()
    })?;
    Ok(text)
}
