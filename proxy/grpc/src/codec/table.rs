//! Tables, indexes and tags: definitions both ways, and descriptions.
//!
//! A description carries neither our ids nor generations nor tags: they are zero and empty where one is read. Whoever caches
//! under a foreign upstream makes ids of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::Error;
use api::op::create_table::{CreateTableUnchecked, StreamUnchecked};
use api::op::index_definition::{
    AttributeDefinitionUnchecked, IndexUnchecked, KeyElementUnchecked, ProjectionUnchecked, TagUnchecked,
    ThroughputUnchecked,
};
use api::op::update_table::{IndexThroughputUnchecked, IndexUpdateUnchecked, UpdateTableUnchecked};
use api::op::{CreateTableInput, IndexUpdate, NewIndex, Size, TableDescription, UpdateTableInput};
use api::schema::{
    BillingMode, Index, IndexId, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status,
    Table, TableId, TableName, Throughput,
};
use api::value::ValueType;

use super::malformed;
use super::request::list;
use crate::proto::dynamodb as pb;

pub(super) fn create_table(input: pb::CreateTableInput) -> CreateTableUnchecked {
    CreateTableUnchecked {
        table: input.table_name,
        attributes: Some(definitions(input.attribute_definitions)),
        key: Some(key(input.key_schema)),
        local_indexes: list(input.local_secondary_indexes).map(|all| {
            // Local indexes have no throughput of their own.
            all.into_iter().map(|each| IndexUnchecked { throughput: None, ..index(each) }).collect()
        }),
        global_indexes: list(input.global_secondary_indexes).map(|all| all.into_iter().map(index).collect()),
        billing: input.billing_mode,
        throughput: input.provisioned_throughput.map(throughput),
        stream: input.stream_specification.map(stream),
        deletion_protection: input.deletion_protection_enabled,
        table_class: input.table_class,
        tags: list(input.tags).map(|all| all.into_iter().map(tag).collect()),
    }
}

pub(super) fn update_table(input: pb::UpdateTableInput) -> UpdateTableUnchecked {
    UpdateTableUnchecked {
        table: input.table_name,
        attributes: list(input.attribute_definitions).map(definitions),
        billing: input.billing_mode,
        throughput: input.provisioned_throughput.map(throughput),
        index_updates: list(input.global_secondary_index_updates)
            .map(|all| all.into_iter().map(index_update).collect()),
        stream: input.stream_specification.map(stream),
        deletion_protection: input.deletion_protection_enabled,
        table_class: input.table_class,
        without_effect: false,
        replicas: false,
    }
}

fn index_update(update: pb::GlobalSecondaryIndexUpdate) -> IndexUpdateUnchecked {
    use pb::global_secondary_index_update::Action;
    let mut unchecked = IndexUpdateUnchecked::default();
    match update.action {
        Some(Action::Create(create)) => unchecked.create = Some(index(create)),
        Some(Action::Update(update)) => {
            unchecked.update = Some(IndexThroughputUnchecked {
                name: update.index_name,
                throughput: update.provisioned_throughput.map(throughput),
            });
        }
        Some(Action::Delete(delete)) => unchecked.delete = Some(delete.index_name),
        None => {}
    }
    unchecked
}

fn definitions(definitions: Vec<pb::AttributeDefinition>) -> Vec<AttributeDefinitionUnchecked> {
    let unchecked = definitions.into_iter().map(|definition| AttributeDefinitionUnchecked {
        name: definition.attribute_name,
        value_type: definition.attribute_type,
    });
    unchecked.collect()
}

fn key(elements: Vec<pb::KeySchemaElement>) -> Vec<KeyElementUnchecked> {
    let unchecked = elements
        .into_iter()
        .map(|element| KeyElementUnchecked { name: element.attribute_name, key_type: element.key_type });
    unchecked.collect()
}

fn index(index: pb::SecondaryIndex) -> IndexUnchecked {
    IndexUnchecked {
        name: index.index_name,
        key: Some(key(index.key_schema)),
        projection: index.projection.map(|projection| ProjectionUnchecked {
            kind: projection.projection_type,
            attributes: list(projection.non_key_attributes),
        }),
        throughput: index.provisioned_throughput.map(throughput),
    }
}

fn throughput(given: pb::ProvisionedThroughput) -> ThroughputUnchecked {
    ThroughputUnchecked { read_units: given.read_capacity_units, write_units: given.write_capacity_units }
}

fn stream(stream: pb::StreamSpecification) -> StreamUnchecked {
    StreamUnchecked { enabled: stream.stream_enabled, view_type: stream.stream_view_type }
}

pub(super) fn tag(tag: pb::Tag) -> TagUnchecked {
    TagUnchecked { key: tag.key, value: tag.value }
}

pub(super) fn write_tags(tags: &[(String, String)]) -> Vec<pb::Tag> {
    tags.iter().map(|(key, value)| pb::Tag { key: Some(key.clone()), value: Some(value.clone()) }).collect()
}

pub(super) fn write_create_table(input: &CreateTableInput) -> pb::CreateTableInput {
    let indexes =
        |kind| input.indexes.iter().filter(|index| index.kind == kind).map(write_new_index).collect();
    pb::CreateTableInput {
        table_name: Some(input.table.to_string()),
        attribute_definitions: write_definitions(&input.attributes),
        key_schema: write_key(&input.key),
        local_secondary_indexes: indexes(IndexKind::Local),
        global_secondary_indexes: indexes(IndexKind::Global),
        billing_mode: Some(input.billing.name().to_owned()),
        provisioned_throughput: (input.billing == BillingMode::Provisioned)
            .then(|| write_throughput(input.throughput)),
        stream_specification: None,
        deletion_protection_enabled: Some(input.deletion_protection),
        table_class: input.table_class.clone(),
        tags: write_tags(&input.tags),
    }
}

pub(super) fn write_update_table(input: &UpdateTableInput) -> pb::UpdateTableInput {
    use pb::global_secondary_index_update::Action;
    let update = |update: &IndexUpdate| pb::GlobalSecondaryIndexUpdate {
        action: Some(match update {
            IndexUpdate::Create(index) => Action::Create(write_new_index(index)),
            IndexUpdate::Update(name, units) => Action::Update(pb::UpdateIndexThroughput {
                index_name: Some(name.to_string()),
                provisioned_throughput: Some(write_throughput(*units)),
            }),
            IndexUpdate::Delete(name) => {
                Action::Delete(pb::DeleteIndex { index_name: Some(name.to_string()) })
            }
        }),
    };
    pb::UpdateTableInput {
        table_name: Some(input.table.to_string()),
        attribute_definitions: write_definitions(&input.attributes),
        billing_mode: input.billing.map(|billing| billing.name().to_owned()),
        provisioned_throughput: input.throughput.map(write_throughput),
        global_secondary_index_updates: input.index_updates.iter().map(update).collect(),
        stream_specification: None,
        deletion_protection_enabled: input.deletion_protection,
        table_class: input.table_class.clone(),
    }
}

fn write_new_index(index: &NewIndex) -> pb::SecondaryIndex {
    // No units are given where the table is billed per request; the service refuses zeros.
    let units = index.kind == IndexKind::Global && index.throughput != Throughput::default();
    pb::SecondaryIndex {
        index_name: Some(index.name.to_string()),
        key_schema: write_key(&index.key),
        projection: Some(write_projection(&index.projection)),
        provisioned_throughput: units.then(|| write_throughput(index.throughput)),
    }
}

fn write_definitions(attributes: &[KeyAttribute]) -> Vec<pb::AttributeDefinition> {
    let written = attributes.iter().map(|attribute| pb::AttributeDefinition {
        attribute_name: Some(attribute.name.clone()),
        attribute_type: Some(attribute.value_type.name().to_owned()),
    });
    written.collect()
}

fn write_key(key: &KeySchema) -> Vec<pb::KeySchemaElement> {
    let written = key.attributes().zip(["HASH", "RANGE"]).map(|(attribute, kind)| pb::KeySchemaElement {
        attribute_name: Some(attribute.name.clone()),
        key_type: Some(kind.to_owned()),
    });
    written.collect()
}

fn write_projection(projection: &IndexProjection) -> pb::Projection {
    let (kind, attributes) = match projection {
        IndexProjection::All => ("ALL", Vec::new()),
        IndexProjection::KeysOnly => ("KEYS_ONLY", Vec::new()),
        IndexProjection::Include(attributes) => ("INCLUDE", attributes.clone()),
    };
    pb::Projection { projection_type: Some(kind.to_owned()), non_key_attributes: attributes }
}

fn write_throughput(units: Throughput) -> pb::ProvisionedThroughput {
    let count = |units: u64| Some(i64::try_from(units).unwrap_or(i64::MAX));
    pb::ProvisionedThroughput {
        read_capacity_units: count(units.read_units),
        write_capacity_units: count(units.write_units),
    }
}

/// A description as answers carry it.
pub(super) fn write_description(description: &TableDescription) -> pb::TableDescription {
    let table = &*description.table;
    let indexes = |kind| {
        let of_kind = table.indexes.iter().enumerate().filter(|(_, index)| index.kind == kind);
        let written = of_kind.map(|(at, index)| {
            let size = description.index_sizes.get(at).copied().unwrap_or_default();
            write_index(table, index, size)
        });
        written.collect()
    };
    pb::TableDescription {
        table_name: table.name.to_string(),
        table_arn: table.arn(),
        table_id: uuid(table.uuid),
        table_status: table.status.name().to_owned(),
        attribute_definitions: write_definitions(&table.attributes),
        key_schema: write_key(&table.key),
        local_secondary_indexes: indexes(IndexKind::Local),
        global_secondary_indexes: indexes(IndexKind::Global),
        billing_mode: table.billing.name().to_owned(),
        provisioned_throughput: Some(write_throughput(table.throughput)),
        deletion_protection_enabled: table.deletion_protection,
        table_class: table.table_class.clone(),
        creation_millis: table.created_millis,
        item_count: description.size.items,
        table_size_bytes: description.size.bytes,
    }
}

fn write_index(table: &Table, index: &Index, size: Size) -> pb::SecondaryIndexDescription {
    pb::SecondaryIndexDescription {
        index_name: index.name.to_string(),
        index_arn: format!("{}/index/{}", table.arn(), index.name),
        key_schema: write_key(&index.key),
        projection: Some(write_projection(&index.projection)),
        index_status: index.status.name().to_owned(),
        backfilling: index.backfilling,
        provisioned_throughput: (index.kind == IndexKind::Global).then(|| write_throughput(index.throughput)),
        index_size_bytes: size.bytes,
        item_count: size.items,
    }
}

/// A UUID in its usual spelling.
fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// Reads a description. Errors: `SerializationException` for one that can't be.
pub(super) fn read_description(found: Option<pb::TableDescription>) -> Result<TableDescription, Error> {
    let found = found.ok_or_else(malformed)?;
    let attributes = found
        .attribute_definitions
        .into_iter()
        .map(|definition| {
            let value_type = definition.attribute_type.as_deref().and_then(ValueType::from_name);
            Ok(KeyAttribute {
                name: definition.attribute_name.unwrap_or_default(),
                value_type: value_type.ok_or_else(malformed)?,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    let mut indexes = Vec::new();
    let mut index_sizes = Vec::new();
    let kinds = [
        (found.local_secondary_indexes, IndexKind::Local),
        (found.global_secondary_indexes, IndexKind::Global),
    ];
    for (given, kind) in kinds {
        for index in given {
            index_sizes.push(Size { items: index.item_count, bytes: index.index_size_bytes });
            indexes.push(read_index(index, kind, &attributes)?);
        }
    }
    let table = Table {
        id: TableId(0),
        name: TableName::new(&found.table_name).ok_or_else(malformed)?,
        generation: 0,
        status: status(&found.table_status)?,
        key: read_key(&found.key_schema, &attributes)?,
        attributes,
        indexes,
        billing: match found.billing_mode.as_str() {
            "PAY_PER_REQUEST" => BillingMode::PayPerRequest,
            _ => BillingMode::Provisioned,
        },
        throughput: read_throughput(found.provisioned_throughput)?,
        deletion_protection: found.deletion_protection_enabled,
        table_class: found.table_class,
        tags: BTreeMap::new(),
        created_millis: found.creation_millis,
        uuid: u128::from_str_radix(&found.table_id.replace('-', ""), 16).map_err(|_| malformed())?,
    };
    let size = Size { items: found.item_count, bytes: found.table_size_bytes };
    Ok(TableDescription { table: Arc::new(table), size, index_sizes })
}

fn read_index(
    index: pb::SecondaryIndexDescription,
    kind: IndexKind,
    attributes: &[KeyAttribute],
) -> Result<Index, Error> {
    let projection = index.projection.ok_or_else(malformed)?;
    Ok(Index {
        id: IndexId(0),
        name: IndexName::new(&index.index_name).ok_or_else(malformed)?,
        kind,
        key: read_key(&index.key_schema, attributes)?,
        projection: match projection.projection_type.as_deref() {
            Some("ALL") => IndexProjection::All,
            Some("KEYS_ONLY") => IndexProjection::KeysOnly,
            Some("INCLUDE") => IndexProjection::Include(projection.non_key_attributes),
            _ => return Err(malformed()),
        },
        status: status(&index.index_status)?,
        backfilling: index.backfilling,
        throughput: read_throughput(index.provisioned_throughput)?,
    })
}

fn status(name: &str) -> Result<Status, Error> {
    const ALL: [Status; 4] = [Status::Creating, Status::Updating, Status::Active, Status::Deleting];
    ALL.into_iter().find(|status| status.name() == name).ok_or_else(malformed)
}

fn read_key(elements: &[pb::KeySchemaElement], attributes: &[KeyAttribute]) -> Result<KeySchema, Error> {
    let of = |kind: &str| {
        let element = elements.iter().find(|element| element.key_type.as_deref() == Some(kind))?;
        attributes
            .iter()
            .find(|attribute| Some(attribute.name.as_str()) == element.attribute_name.as_deref())
            .cloned()
    };
    Ok(KeySchema { partition: of("HASH").ok_or_else(malformed)?, sort: of("RANGE") })
}

fn read_throughput(given: Option<pb::ProvisionedThroughput>) -> Result<Throughput, Error> {
    let Some(given) = given else { return Ok(Throughput::default()) };
    let units = |units: Option<i64>| u64::try_from(units.unwrap_or_default()).map_err(|_| malformed());
    Ok(Throughput {
        read_units: units(given.read_capacity_units)?,
        write_units: units(given.write_capacity_units)?,
    })
}
