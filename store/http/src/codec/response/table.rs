//! Table descriptions, with every field that clients and provisioning tools look at.

use api::op::{Size, TableDescription};
use api::schema::{
    BillingMode, Index, IndexKind, IndexProjection, KeyAttribute, KeySchema, Table, Throughput,
};

use crate::json::write::{self, Array, Object};

pub(in crate::codec) fn description(
    body: &mut Object<'_>,
    field: &'static str,
    description: &TableDescription,
) {
    let table = &*description.table;
    body.object(field, |object| {
        object.array("AttributeDefinitions", |array| attributes(array, &table.attributes));
        if table.billing == BillingMode::PayPerRequest {
            object.object("BillingModeSummary", |summary| {
                summary.text("BillingMode", table.billing.name());
                write::seconds(summary.field("LastUpdateToPayPerRequestDateTime"), table.created_millis);
            });
        }
        write::seconds(object.field("CreationDateTime"), table.created_millis);
        write::flag(object.field("DeletionProtectionEnabled"), table.deletion_protection);
        indexes(object, description, IndexKind::Global);
        write::integer(object.field("ItemCount"), description.size.items);
        object.array("KeySchema", |array| key(array, &table.key));
        indexes(object, description, IndexKind::Local);
        throughput(object, table.throughput);
        object.text("TableArn", &table.arn());
        if let Some(class) = &table.table_class {
            object.object("TableClassSummary", |summary| summary.text("TableClass", class));
        }
        object.text("TableId", &uuid(table.uuid));
        object.text("TableName", table.name.as_str());
        write::integer(object.field("TableSizeBytes"), description.size.bytes);
        object.text("TableStatus", table.status.name());
    });
}

/// Writes `AttributeDefinitions`.
pub(in crate::codec) fn attributes(array: &mut Array<'_>, attributes: &[KeyAttribute]) {
    for attribute in attributes {
        array.object(|object| {
            object.text("AttributeName", &attribute.name);
            object.text("AttributeType", attribute.value_type.name());
        });
    }
}

/// Writes a `KeySchema`.
pub(in crate::codec) fn key(array: &mut Array<'_>, key: &KeySchema) {
    for (attribute, kind) in key.attributes().zip(["HASH", "RANGE"]) {
        array.object(|object| {
            object.text("AttributeName", &attribute.name);
            object.text("KeyType", kind);
        });
    }
}

/// Writes a `Projection`.
pub(in crate::codec) fn projection(object: &mut Object<'_>, projection: &IndexProjection) {
    object.object("Projection", |object| match projection {
        IndexProjection::All => object.text("ProjectionType", "ALL"),
        IndexProjection::KeysOnly => object.text("ProjectionType", "KEYS_ONLY"),
        IndexProjection::Include(attributes) => {
            object.array("NonKeyAttributes", |array| {
                for attribute in attributes {
                    write::string(array.element(), attribute);
                }
            });
            object.text("ProjectionType", "INCLUDE");
        }
    });
}

fn throughput(object: &mut Object<'_>, throughput: Throughput) {
    object.object("ProvisionedThroughput", |object| {
        write::integer(object.field("NumberOfDecreasesToday"), 0);
        write::integer(object.field("ReadCapacityUnits"), throughput.read_units);
        write::integer(object.field("WriteCapacityUnits"), throughput.write_units);
    });
}

fn indexes(object: &mut Object<'_>, description: &TableDescription, kind: IndexKind) {
    let table = &*description.table;
    let all: Vec<(usize, &Index)> =
        table.indexes.iter().enumerate().filter(|(_, index)| index.kind == kind).collect();
    if all.is_empty() {
        return;
    }
    let field = match kind {
        IndexKind::Local => "LocalSecondaryIndexes",
        IndexKind::Global => "GlobalSecondaryIndexes",
    };
    object.array(field, |array| {
        for (at, index) in all {
            let size = description.index_sizes.get(at).copied().unwrap_or_default();
            array.object(|object| one_index(object, table, index, size));
        }
    });
}

fn one_index(object: &mut Object<'_>, table: &Table, index: &Index, size: Size) {
    let global = index.kind == IndexKind::Global;
    if index.backfilling {
        write::flag(object.field("Backfilling"), true);
    }
    object.text("IndexArn", &format!("{}/index/{}", table.arn(), index.name));
    object.text("IndexName", index.name.as_str());
    write::integer(object.field("IndexSizeBytes"), size.bytes);
    if global {
        object.text("IndexStatus", index.status.name());
    }
    write::integer(object.field("ItemCount"), size.items);
    object.array("KeySchema", |array| key(array, &index.key));
    projection(object, &index.projection);
    if global {
        throughput(object, index.throughput);
    }
}

/// A UUID in its usual spelling.
fn uuid(id: u128) -> String {
    let hex = format!("{id:032x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
