//! Inputs to request bodies, for a client.
//!
//! Expressions are rendered with fresh placeholders, so what decodes the body finds an equal input. Two trees that only
//! legacy parameters can make are written as expressions of the same effect: a list added to an attribute becomes
//! `list_append`, and conditions joined within conditions of the same kind lie flat.

use std::collections::BTreeMap;

use api::expr::{Projection, Renderer};
use api::op::query::Select;
use api::op::transact_write_items::{TransactAction, TransactWrite};
use api::op::update_item::ReturnValues;
use api::op::{
    CreateTableInput, DeleteItemInput, IndexUpdate, NewIndex, PutItemInput, QueryInput,
    ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure, ScanInput,
    UpdateItemInput, UpdateTableInput,
};
use api::schema::{BillingMode, IndexKind, KeyAttribute, TableName, Throughput};
use api::{AttributeValue, Item, Request, limits};

use super::response::{table, table_keys, table_writes};
use super::value::{write_item, write_value};
use crate::json::write::{self, Object};

/// The body of a request.
pub fn encode_request(request: &Request) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    let mut body = Object::new(&mut out);
    fields(&mut body, request);
    body.close();
    out
}

fn fields(body: &mut Object<'_>, request: &Request) {
    match request {
        Request::GetItem(input) => {
            if input.consistent {
                write::flag(body.field("ConsistentRead"), true);
            }
            write_item(body.field("Key"), &input.key);
            projection(body, input.projection.as_ref());
            return_capacity(body, input.return_capacity);
            table_name(body, &input.table);
        }
        Request::PutItem(input) => put_item(body, input),
        Request::DeleteItem(input) => delete_item(body, input),
        Request::UpdateItem(input) => update_item(body, input),
        Request::Query(input) => query(body, input),
        Request::Scan(input) => scan(body, input),
        Request::BatchGetItem(input) => {
            body.object("RequestItems", |tables| table_keys(tables, &input.tables));
            return_capacity(body, input.return_capacity);
        }
        Request::BatchWriteItem(input) => {
            body.object("RequestItems", |tables| table_writes(tables, &input.tables));
            return_capacity(body, input.return_capacity);
            return_collection(body, input.return_collection);
        }
        Request::TransactGetItems(input) => {
            return_capacity(body, input.return_capacity);
            body.array("TransactItems", |array| {
                for get in &input.gets {
                    array.object(|object| {
                        object.object("Get", |object| {
                            write_item(object.field("Key"), &get.key);
                            projection(object, get.projection.as_ref());
                            table_name(object, &get.table);
                        });
                    });
                }
            });
        }
        Request::TransactWriteItems(input) => {
            if let Some(token) = &input.token {
                body.text("ClientRequestToken", token);
            }
            return_capacity(body, input.return_capacity);
            return_collection(body, input.return_collection);
            body.array("TransactItems", |array| {
                for action in &input.actions {
                    array.object(|object| transact_write(object, action));
                }
            });
        }
        Request::CreateTable(input) => create_table(body, input),
        Request::UpdateTable(input) => update_table(body, input),
        Request::DeleteTable(input) => table_name(body, &input.table),
        Request::DescribeTable(input) => table_name(body, &input.table),
        Request::ListTables(input) => {
            if let Some(start) = &input.start {
                body.text("ExclusiveStartTableName", start);
            }
            limit(body, input.limit);
        }
        Request::DescribeLimits(_) | Request::DescribeEndpoints(_) => {}
        Request::TagResource(input) => {
            resource(body, &input.table);
            tags(body, &input.tags);
        }
        Request::UntagResource(input) => {
            resource(body, &input.table);
            body.array("TagKeys", |array| {
                for key in &input.keys {
                    write::string(array.element(), key);
                }
            });
        }
        Request::ListTagsOfResource(input) => {
            if let Some(token) = &input.next_token {
                body.text("NextToken", token);
            }
            resource(body, &input.table);
        }
    }
}

fn table_name(body: &mut Object<'_>, table: &TableName) {
    body.text("TableName", table.as_str());
}

fn resource(body: &mut Object<'_>, table: &TableName) {
    let arn = format!("arn:aws:dynamodb:{}:{}:table/{table}", limits::REGION, limits::ACCOUNT);
    body.text("ResourceArn", &arn);
}

fn tags(body: &mut Object<'_>, tags: &[(String, String)]) {
    body.array("Tags", |array| {
        for (key, value) in tags {
            array.object(|tag| {
                tag.text("Key", key);
                tag.text("Value", value);
            });
        }
    });
}

fn limit(body: &mut Object<'_>, limit: Option<u32>) {
    if let Some(limit) = limit {
        write::integer(body.field("Limit"), u64::from(limit));
    }
}

fn return_capacity(body: &mut Object<'_>, what: ReturnConsumedCapacity) {
    match what {
        ReturnConsumedCapacity::None => {}
        ReturnConsumedCapacity::Total => body.text("ReturnConsumedCapacity", "TOTAL"),
        ReturnConsumedCapacity::Indexes => body.text("ReturnConsumedCapacity", "INDEXES"),
    }
}

fn return_collection(body: &mut Object<'_>, what: ReturnItemCollectionMetrics) {
    match what {
        ReturnItemCollectionMetrics::None => {}
        ReturnItemCollectionMetrics::Size => body.text("ReturnItemCollectionMetrics", "SIZE"),
    }
}

fn return_on_failure(body: &mut Object<'_>, what: ReturnOnFailure) {
    match what {
        ReturnOnFailure::None => {}
        ReturnOnFailure::AllOld => body.text("ReturnValuesOnConditionCheckFailure", "ALL_OLD"),
    }
}

fn return_old(body: &mut Object<'_>, what: ReturnOld) {
    match what {
        ReturnOld::None => {}
        ReturnOld::AllOld => body.text("ReturnValues", "ALL_OLD"),
    }
}

/// Writes a projection by itself, with the names it needs.
pub(super) fn projection(body: &mut Object<'_>, projection: Option<&Projection>) {
    if let Some(projection) = projection {
        let mut renderer = Renderer::new();
        let text = renderer.projection(projection);
        placeholders(body, renderer);
        body.text("ProjectionExpression", &text);
    }
}

fn placeholders(body: &mut Object<'_>, renderer: Renderer) {
    let (names, values) = renderer.finish();
    if let Some(names) = names {
        body.object("ExpressionAttributeNames", |object| {
            for (key, name) in &names {
                write::string(object.member(key), name);
            }
        });
    }
    if let Some(values) = values {
        body.object("ExpressionAttributeValues", |object| expression_values(object, &values));
    }
}

fn expression_values(object: &mut Object<'_>, values: &BTreeMap<String, AttributeValue>) {
    for (key, value) in values {
        write_value(object.member(key), value);
    }
}

fn put_item(body: &mut Object<'_>, input: &PutItemInput) {
    let mut renderer = Renderer::new();
    if let Some(condition) = &input.condition {
        body.text("ConditionExpression", &renderer.condition(condition));
    }
    placeholders(body, renderer);
    write_item(body.field("Item"), &input.item);
    return_capacity(body, input.return_capacity);
    return_collection(body, input.return_collection);
    return_old(body, input.return_values);
    return_on_failure(body, input.return_on_failure);
    table_name(body, &input.table);
}

fn delete_item(body: &mut Object<'_>, input: &DeleteItemInput) {
    let mut renderer = Renderer::new();
    if let Some(condition) = &input.condition {
        body.text("ConditionExpression", &renderer.condition(condition));
    }
    placeholders(body, renderer);
    write_item(body.field("Key"), &input.key);
    return_capacity(body, input.return_capacity);
    return_collection(body, input.return_collection);
    return_old(body, input.return_values);
    return_on_failure(body, input.return_on_failure);
    table_name(body, &input.table);
}

fn update_item(body: &mut Object<'_>, input: &UpdateItemInput) {
    let mut renderer = Renderer::new();
    if let Some(condition) = &input.condition {
        body.text("ConditionExpression", &renderer.condition(condition));
    }
    let update = renderer.update(&input.update);
    placeholders(body, renderer);
    write_item(body.field("Key"), &input.key);
    return_capacity(body, input.return_capacity);
    return_collection(body, input.return_collection);
    match input.return_values {
        ReturnValues::None => {}
        ReturnValues::AllOld => body.text("ReturnValues", "ALL_OLD"),
        ReturnValues::UpdatedOld => body.text("ReturnValues", "UPDATED_OLD"),
        ReturnValues::AllNew => body.text("ReturnValues", "ALL_NEW"),
        ReturnValues::UpdatedNew => body.text("ReturnValues", "UPDATED_NEW"),
    }
    return_on_failure(body, input.return_on_failure);
    table_name(body, &input.table);
    if let Some(update) = update {
        body.text("UpdateExpression", &update);
    }
}

/// Writes what is selected, if it is not what the other side takes for granted.
fn select(body: &mut Object<'_>, renderer: &mut Renderer, select: &Select, index: bool) {
    match select {
        Select::Specific(projection) => {
            body.text("ProjectionExpression", &renderer.projection(projection));
        }
        Select::Count => body.text("Select", "COUNT"),
        Select::AllAttributes if index => body.text("Select", "ALL_ATTRIBUTES"),
        Select::AllAttributes | Select::AllProjected => {}
    }
}

fn start(body: &mut Object<'_>, start: Option<&Item>) {
    if let Some(start) = start {
        write_item(body.field("ExclusiveStartKey"), start);
    }
}

fn query(body: &mut Object<'_>, input: &QueryInput) {
    let mut renderer = Renderer::new();
    if input.consistent {
        write::flag(body.field("ConsistentRead"), true);
    }
    start(body, input.start.as_ref());
    body.text("KeyConditionExpression", &renderer.key_condition(&input.key_condition));
    if let Some(filter) = &input.filter {
        body.text("FilterExpression", &renderer.condition(filter));
    }
    if let Some(index) = &input.index {
        body.text("IndexName", index.as_str());
    }
    select(body, &mut renderer, &input.select, input.index.is_some());
    placeholders(body, renderer);
    limit(body, input.limit);
    return_capacity(body, input.return_capacity);
    if !input.forward {
        write::flag(body.field("ScanIndexForward"), false);
    }
    table_name(body, &input.table);
}

fn scan(body: &mut Object<'_>, input: &ScanInput) {
    let mut renderer = Renderer::new();
    if input.consistent {
        write::flag(body.field("ConsistentRead"), true);
    }
    start(body, input.start.as_ref());
    if let Some(filter) = &input.filter {
        body.text("FilterExpression", &renderer.condition(filter));
    }
    if let Some(index) = &input.index {
        body.text("IndexName", index.as_str());
    }
    select(body, &mut renderer, &input.select, input.index.is_some());
    placeholders(body, renderer);
    limit(body, input.limit);
    return_capacity(body, input.return_capacity);
    if let Some(segment) = input.segment {
        write::integer(body.field("Segment"), u64::from(segment.number));
        write::integer(body.field("TotalSegments"), u64::from(segment.total));
    }
    table_name(body, &input.table);
}

fn transact_write(object: &mut Object<'_>, write: &TransactWrite) {
    let mut renderer = Renderer::new();
    let condition = write.condition.as_ref().map(|condition| renderer.condition(condition));
    let update = match &write.action {
        TransactAction::Update(_, update) => renderer.update(update),
        TransactAction::ConditionCheck(_) | TransactAction::Put(_) | TransactAction::Delete(_) => None,
    };
    let (kind, field, item) = match &write.action {
        TransactAction::ConditionCheck(key) => ("ConditionCheck", "Key", key),
        TransactAction::Put(item) => ("Put", "Item", item),
        TransactAction::Delete(key) => ("Delete", "Key", key),
        TransactAction::Update(key, _) => ("Update", "Key", key),
    };
    object.object(kind, |object| {
        if let Some(condition) = condition {
            object.text("ConditionExpression", &condition);
        }
        placeholders(object, renderer);
        write_item(object.field(field), item);
        return_on_failure(object, write.return_on_failure);
        table_name(object, &write.table);
        if let Some(update) = update {
            object.text("UpdateExpression", &update);
        }
    });
}

fn definitions(body: &mut Object<'_>, attributes: &[KeyAttribute]) {
    body.array("AttributeDefinitions", |array| table::attributes(array, attributes));
}

fn throughput(body: &mut Object<'_>, throughput: Throughput) {
    body.object("ProvisionedThroughput", |object| {
        write::integer(object.field("ReadCapacityUnits"), throughput.read_units);
        write::integer(object.field("WriteCapacityUnits"), throughput.write_units);
    });
}

fn new_index(object: &mut Object<'_>, index: &NewIndex) {
    object.text("IndexName", index.name.as_str());
    object.array("KeySchema", |array| table::key(array, &index.key));
    table::projection(object, &index.projection);
    // No units are given where the table is billed per request; the service refuses zeros.
    if index.kind == IndexKind::Global && index.throughput != Throughput::default() {
        throughput(object, index.throughput);
    }
}

fn create_table(body: &mut Object<'_>, input: &CreateTableInput) {
    definitions(body, &input.attributes);
    body.text("BillingMode", input.billing.name());
    if input.deletion_protection {
        write::flag(body.field("DeletionProtectionEnabled"), true);
    }
    let lists = [("GlobalSecondaryIndexes", IndexKind::Global), ("LocalSecondaryIndexes", IndexKind::Local)];
    for (field, kind) in lists {
        if input.indexes.iter().any(|index| index.kind == kind) {
            body.array(field, |array| {
                for index in input.indexes.iter().filter(|index| index.kind == kind) {
                    array.object(|object| new_index(object, index));
                }
            });
        }
    }
    body.array("KeySchema", |array| table::key(array, &input.key));
    if input.billing == BillingMode::Provisioned {
        throughput(body, input.throughput);
    }
    if let Some(class) = &input.table_class {
        body.text("TableClass", class);
    }
    table_name(body, &input.table);
    if !input.tags.is_empty() {
        tags(body, &input.tags);
    }
}

fn update_table(body: &mut Object<'_>, input: &UpdateTableInput) {
    if !input.attributes.is_empty() {
        definitions(body, &input.attributes);
    }
    if let Some(billing) = input.billing {
        body.text("BillingMode", billing.name());
    }
    if let Some(protect) = input.deletion_protection {
        write::flag(body.field("DeletionProtectionEnabled"), protect);
    }
    if !input.index_updates.is_empty() {
        body.array("GlobalSecondaryIndexUpdates", |array| {
            for update in &input.index_updates {
                array.object(|object| match update {
                    IndexUpdate::Create(index) => object.object("Create", |object| new_index(object, index)),
                    IndexUpdate::Update(name, units) => object.object("Update", |object| {
                        object.text("IndexName", name.as_str());
                        throughput(object, *units);
                    }),
                    IndexUpdate::Delete(name) => {
                        object.object("Delete", |object| object.text("IndexName", name.as_str()));
                    }
                });
            }
        });
    }
    if let Some(units) = input.throughput {
        throughput(body, units);
    }
    if let Some(class) = &input.table_class {
        body.text("TableClass", class);
    }
    table_name(body, &input.table);
}
