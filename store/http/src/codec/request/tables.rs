//! Bodies of the operations on tables, tags and the endpoint itself.

use api::Error;
use api::op::create_table::{CreateTableUnchecked, StreamUnchecked};
use api::op::delete_table::DeleteTableUnchecked;
use api::op::describe_endpoints::DescribeEndpointsInput;
use api::op::describe_limits::DescribeLimitsInput;
use api::op::describe_table::DescribeTableUnchecked;
use api::op::index_definition::{
    AttributeDefinitionUnchecked, IndexUnchecked, KeyElementUnchecked, ProjectionUnchecked, TagUnchecked,
    ThroughputUnchecked,
};
use api::op::list_tables::ListTablesUnchecked;
use api::op::list_tags_of_resource::ListTagsOfResourceUnchecked;
use api::op::tag_resource::TagResourceUnchecked;
use api::op::untag_resource::UntagResourceUnchecked;
use api::op::update_table::{IndexThroughputUnchecked, IndexUpdateUnchecked, UpdateTableUnchecked};

use super::{end, list, members, present, strings};
use crate::json::Reader;
use crate::json::read::Place;

pub(super) fn create_table(reader: &mut Reader<'_>) -> Result<CreateTableUnchecked, Error> {
    let mut input = CreateTableUnchecked::default();
    let there = members!(reader, "CreateTableInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "AttributeDefinitions" => input.attributes, list(reader, attribute_definition);
        "KeySchema" => input.key, list(reader, key_element);
        "LocalSecondaryIndexes" => input.local_indexes, list(reader, |reader| {
            index(reader, "LocalSecondaryIndex", Place::Value).map(Option::unwrap_or_default)
        });
        "GlobalSecondaryIndexes" => input.global_indexes, list(reader, |reader| {
            index(reader, "GlobalSecondaryIndex", Place::Value).map(Option::unwrap_or_default)
        });
        "BillingMode" => input.billing, reader.string();
        "ProvisionedThroughput" => input.throughput, throughput(reader);
        "StreamSpecification" => input.stream, stream(reader);
        "DeletionProtectionEnabled" => input.deletion_protection, reader.flag();
        "TableClass" => input.table_class, reader.string();
        "Tags" => input.tags, list(reader, tag);
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn update_table(reader: &mut Reader<'_>) -> Result<UpdateTableUnchecked, Error> {
    let mut input = UpdateTableUnchecked::default();
    let there = reader.structure("UpdateTableInput", Place::Value, |reader, name| {
        match &*name {
            "TableName" => input.table = reader.string()?,
            "AttributeDefinitions" => input.attributes = list(reader, attribute_definition)?,
            "BillingMode" => input.billing = reader.string()?,
            "ProvisionedThroughput" => input.throughput = throughput(reader)?,
            "GlobalSecondaryIndexUpdates" => input.index_updates = list(reader, index_update)?,
            "StreamSpecification" => input.stream = stream(reader)?,
            "DeletionProtectionEnabled" => input.deletion_protection = reader.flag()?,
            "TableClass" => input.table_class = reader.string()?,
            "SSESpecification" | "OnDemandThroughput" | "WarmThroughput" => {
                input.without_effect |= present(reader)?;
            }
            "ReplicaUpdates" => input.replicas = present(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    end(reader, there)?;
    Ok(input)
}

fn attribute_definition(reader: &mut Reader<'_>) -> Result<AttributeDefinitionUnchecked, Error> {
    let mut definition = AttributeDefinitionUnchecked::default();
    members!(reader, "AttributeDefinition", Place::Value, |reader| {
        "AttributeName" => definition.name, reader.string();
        "AttributeType" => definition.value_type, reader.string();
    })?;
    Ok(definition)
}

fn key_element(reader: &mut Reader<'_>) -> Result<KeyElementUnchecked, Error> {
    let mut element = KeyElementUnchecked::default();
    members!(reader, "KeySchemaElement", Place::Value, |reader| {
        "AttributeName" => element.name, reader.string();
        "KeyType" => element.key_type, reader.string();
    })?;
    Ok(element)
}

fn index(reader: &mut Reader<'_>, class: &str, place: Place) -> Result<Option<IndexUnchecked>, Error> {
    let mut index = IndexUnchecked::default();
    // Local indexes have no throughput of their own; the service's model does not know the member there.
    let local = class == "LocalSecondaryIndex";
    let there = reader.structure(class, place, |reader, name| {
        match &*name {
            "IndexName" => index.name = reader.string()?,
            "KeySchema" => index.key = list(reader, key_element)?,
            "Projection" => index.projection = projection(reader)?,
            "ProvisionedThroughput" if !local => index.throughput = throughput(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(there.then_some(index))
}

fn projection(reader: &mut Reader<'_>) -> Result<Option<ProjectionUnchecked>, Error> {
    let mut projection = ProjectionUnchecked::default();
    let there = members!(reader, "Projection", Place::Field, |reader| {
        "ProjectionType" => projection.kind, reader.string();
        "NonKeyAttributes" => projection.attributes, strings(reader);
    })?;
    Ok(there.then_some(projection))
}

fn throughput(reader: &mut Reader<'_>) -> Result<Option<ThroughputUnchecked>, Error> {
    let mut throughput = ThroughputUnchecked::default();
    let there = members!(reader, "ProvisionedThroughput", Place::Field, |reader| {
        "ReadCapacityUnits" => throughput.read_units, reader.long();
        "WriteCapacityUnits" => throughput.write_units, reader.long();
    })?;
    Ok(there.then_some(throughput))
}

fn stream(reader: &mut Reader<'_>) -> Result<Option<StreamUnchecked>, Error> {
    let mut stream = StreamUnchecked::default();
    let there = members!(reader, "StreamSpecification", Place::Field, |reader| {
        "StreamEnabled" => stream.enabled, reader.flag();
        "StreamViewType" => stream.view_type, reader.string();
    })?;
    Ok(there.then_some(stream))
}

fn tag(reader: &mut Reader<'_>) -> Result<TagUnchecked, Error> {
    let mut tag = TagUnchecked::default();
    members!(reader, "Tag", Place::Value, |reader| {
        "Key" => tag.key, reader.string();
        "Value" => tag.value, reader.string();
    })?;
    Ok(tag)
}

fn index_update(reader: &mut Reader<'_>) -> Result<IndexUpdateUnchecked, Error> {
    let mut update = IndexUpdateUnchecked::default();
    members!(reader, "GlobalSecondaryIndexUpdate", Place::Value, |reader| {
        "Create" => update.create, index(reader, "CreateGlobalSecondaryIndexAction", Place::Field);
        "Update" => update.update, index_throughput(reader);
        "Delete" => update.delete, index_delete(reader);
    })?;
    Ok(update)
}

fn index_throughput(reader: &mut Reader<'_>) -> Result<Option<IndexThroughputUnchecked>, Error> {
    let mut update = IndexThroughputUnchecked::default();
    let there = members!(reader, "UpdateGlobalSecondaryIndexAction", Place::Field, |reader| {
        "IndexName" => update.name, reader.string();
        "ProvisionedThroughput" => update.throughput, throughput(reader);
    })?;
    Ok(there.then_some(update))
}

fn index_delete(reader: &mut Reader<'_>) -> Result<Option<Option<String>>, Error> {
    let mut name = None;
    let there = members!(reader, "DeleteGlobalSecondaryIndexAction", Place::Field, |reader| {
        "IndexName" => name, reader.string();
    })?;
    Ok(there.then_some(name))
}

pub(super) fn delete_table(reader: &mut Reader<'_>) -> Result<DeleteTableUnchecked, Error> {
    let mut input = DeleteTableUnchecked::default();
    let there = members!(reader, "DeleteTableInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn describe_table(reader: &mut Reader<'_>) -> Result<DescribeTableUnchecked, Error> {
    let mut input = DescribeTableUnchecked::default();
    let there = members!(reader, "DescribeTableInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn list_tables(reader: &mut Reader<'_>) -> Result<ListTablesUnchecked, Error> {
    let mut input = ListTablesUnchecked::default();
    let there = members!(reader, "ListTablesInput", Place::Value, |reader| {
        "ExclusiveStartTableName" => input.start, reader.string();
        "Limit" => input.limit, reader.integer();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn describe_limits(reader: &mut Reader<'_>) -> Result<DescribeLimitsInput, Error> {
    let there = reader.structure("DescribeLimitsInput", Place::Value, |reader, _| reader.skip())?;
    end(reader, there)?;
    Ok(DescribeLimitsInput)
}

pub(super) fn describe_endpoints(reader: &mut Reader<'_>) -> Result<DescribeEndpointsInput, Error> {
    let there = reader.structure("DescribeEndpointsRequest", Place::Value, |reader, _| reader.skip())?;
    end(reader, there)?;
    Ok(DescribeEndpointsInput)
}

pub(super) fn tag_resource(reader: &mut Reader<'_>) -> Result<TagResourceUnchecked, Error> {
    let mut input = TagResourceUnchecked::default();
    let there = members!(reader, "TagResourceInput", Place::Value, |reader| {
        "ResourceArn" => input.resource, reader.string();
        "Tags" => input.tags, list(reader, tag);
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn untag_resource(reader: &mut Reader<'_>) -> Result<UntagResourceUnchecked, Error> {
    let mut input = UntagResourceUnchecked::default();
    let there = members!(reader, "UntagResourceInput", Place::Value, |reader| {
        "ResourceArn" => input.resource, reader.string();
        "TagKeys" => input.keys, strings(reader);
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn list_tags_of_resource(reader: &mut Reader<'_>) -> Result<ListTagsOfResourceUnchecked, Error> {
    let mut input = ListTagsOfResourceUnchecked::default();
    let there = members!(reader, "ListTagsOfResourceInput", Place::Value, |reader| {
        "ResourceArn" => input.resource, reader.string();
        "NextToken" => input.next_token, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}
