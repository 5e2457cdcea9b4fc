//! Inputs to messages, for a client.
//!
//! Expressions are rendered with fresh placeholders, so what decodes the message finds an equal input. Two trees that only
//! legacy parameters can make are written as expressions of the same effect: a list added to an attribute becomes
//! `list_append`, and conditions joined within conditions of the same kind lie flat. The text may be longer, and have more
//! operators, than a client's may: a server takes such from a node of its group only.

use std::collections::BTreeMap;

use api::expr::{Condition, Projection, Renderer};
use api::op::query::Select;
use api::op::transact_write_items::{TransactAction, TransactWrite};
use api::op::update_item::ReturnValues;
use api::op::{
    BatchWrite, QueryInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld, ReturnOnFailure,
    ScanInput, TableKeys,
};
use api::schema::TableName;
use api::{Item, Request, limits};
use prost::Message;

use super::table;
use super::value::{WireItem, WireValue};
use crate::proto::dynamodb as pb;

type Names = BTreeMap<String, String>;
type Values = BTreeMap<String, WireValue>;

/// Appends the message of a request.
pub fn encode_request(request: &Request, out: &mut Vec<u8>) {
    match request {
        Request::GetItem(input) => {
            let (projection_expression, expression_attribute_names) = projection(input.projection.as_ref());
            put(
                out,
                pb::GetItemInput {
                    table_name: name(&input.table),
                    key: item(&input.key),
                    projection_expression,
                    expression_attribute_names,
                    consistent_read: input.consistent,
                    return_consumed_capacity: capacity(input.return_capacity),
                },
            );
        }
        Request::PutItem(input) => {
            let mut renderer = Renderer::new();
            let condition_expression = condition(&mut renderer, input.condition.as_ref());
            let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
            put(
                out,
                pb::PutItemInput {
                    table_name: name(&input.table),
                    item: item(&input.item),
                    condition_expression,
                    expression_attribute_names,
                    expression_attribute_values,
                    return_values: return_old(input.return_values),
                    return_values_on_condition_check_failure: on_failure(input.return_on_failure),
                    return_consumed_capacity: capacity(input.return_capacity),
                    return_item_collection_metrics: collection(input.return_collection),
                },
            );
        }
        Request::DeleteItem(input) => {
            let mut renderer = Renderer::new();
            let condition_expression = condition(&mut renderer, input.condition.as_ref());
            let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
            put(
                out,
                pb::DeleteItemInput {
                    table_name: name(&input.table),
                    key: item(&input.key),
                    condition_expression,
                    expression_attribute_names,
                    expression_attribute_values,
                    return_values: return_old(input.return_values),
                    return_values_on_condition_check_failure: on_failure(input.return_on_failure),
                    return_consumed_capacity: capacity(input.return_capacity),
                    return_item_collection_metrics: collection(input.return_collection),
                },
            );
        }
        Request::UpdateItem(input) => {
            let mut renderer = Renderer::new();
            let condition_expression = condition(&mut renderer, input.condition.as_ref());
            let update_expression = renderer.update(&input.update);
            let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
            put(
                out,
                pb::UpdateItemInput {
                    table_name: name(&input.table),
                    key: item(&input.key),
                    update_expression,
                    condition_expression,
                    expression_attribute_names,
                    expression_attribute_values,
                    return_values: return_values(input.return_values),
                    return_values_on_condition_check_failure: on_failure(input.return_on_failure),
                    return_consumed_capacity: capacity(input.return_capacity),
                    return_item_collection_metrics: collection(input.return_collection),
                },
            );
        }
        Request::Query(input) => put(out, query(input)),
        Request::Scan(input) => put(out, scan(input)),
        Request::BatchGetItem(input) => put(
            out,
            pb::BatchGetItemInput {
                request_items: input.tables.iter().map(table_keys).collect(),
                return_consumed_capacity: capacity(input.return_capacity),
            },
        ),
        Request::BatchWriteItem(input) => put(
            out,
            pb::BatchWriteItemInput {
                request_items: input.tables.iter().map(table_writes).collect(),
                return_consumed_capacity: capacity(input.return_capacity),
                return_item_collection_metrics: collection(input.return_collection),
            },
        ),
        Request::TransactGetItems(input) => {
            let get = |get: &api::op::TransactGet| {
                let (projection_expression, expression_attribute_names) = projection(get.projection.as_ref());
                pb::TransactGetItem {
                    get: Some(pb::TransactGet {
                        table_name: name(&get.table),
                        key: item(&get.key),
                        projection_expression,
                        expression_attribute_names,
                    }),
                }
            };
            put(
                out,
                pb::TransactGetItemsInput {
                    transact_items: input.gets.iter().map(get).collect(),
                    return_consumed_capacity: capacity(input.return_capacity),
                },
            );
        }
        Request::TransactWriteItems(input) => put(
            out,
            pb::TransactWriteItemsInput {
                transact_items: input.actions.iter().map(transact_write).collect(),
                client_request_token: input.token.clone(),
                return_consumed_capacity: capacity(input.return_capacity),
                return_item_collection_metrics: collection(input.return_collection),
            },
        ),
        Request::CreateTable(input) => put(out, table::write_create_table(input)),
        Request::UpdateTable(input) => put(out, table::write_update_table(input)),
        Request::DeleteTable(input) => put(out, pb::DeleteTableInput { table_name: name(&input.table) }),
        Request::DescribeTable(input) => put(out, pb::DescribeTableInput { table_name: name(&input.table) }),
        Request::ListTables(input) => put(
            out,
            pb::ListTablesInput {
                exclusive_start_table_name: input.start.clone(),
                limit: input.limit.map(number),
            },
        ),
        Request::DescribeLimits(_) => put(out, pb::DescribeLimitsInput {}),
        Request::DescribeEndpoints(_) => put(out, pb::DescribeEndpointsInput {}),
        Request::TagResource(input) => put(
            out,
            pb::TagResourceInput {
                resource_arn: resource(&input.table),
                tags: table::write_tags(&input.tags),
            },
        ),
        Request::UntagResource(input) => put(
            out,
            pb::UntagResourceInput { resource_arn: resource(&input.table), tag_keys: input.keys.clone() },
        ),
        Request::ListTagsOfResource(input) => put(
            out,
            pb::ListTagsOfResourceInput {
                resource_arn: resource(&input.table),
                next_token: input.next_token.clone(),
            },
        ),
    }
}

/// Appends a message.
pub(super) fn put(out: &mut Vec<u8>, message: impl Message) {
    message.encode(out).expect("memory grows as needed");
}

fn name(table: &TableName) -> Option<String> {
    Some(table.to_string())
}

fn resource(table: &TableName) -> Option<String> {
    Some(format!("arn:aws:dynamodb:{}:{}:table/{table}", limits::REGION, limits::ACCOUNT))
}

fn item(item: &Item) -> Option<WireItem> {
    Some(item.into())
}

/// A limit or segment as the wire has it. A limit beyond its range asks for no less than everything.
fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn placeholders(renderer: Renderer) -> (Names, Values) {
    let (names, values) = renderer.finish();
    let values = values.unwrap_or_default().iter().map(|(key, value)| (key.clone(), value.into())).collect();
    (names.unwrap_or_default(), values)
}

fn condition(renderer: &mut Renderer, condition: Option<&Condition>) -> Option<String> {
    condition.map(|condition| renderer.condition(condition))
}

/// A projection by itself, with the names it needs.
fn projection(projection: Option<&Projection>) -> (Option<String>, Names) {
    let mut renderer = Renderer::new();
    let text = projection.map(|projection| renderer.projection(projection));
    (text, placeholders(renderer).0)
}

fn capacity(what: ReturnConsumedCapacity) -> i32 {
    let what = match what {
        ReturnConsumedCapacity::None => pb::ReturnConsumedCapacity::None,
        ReturnConsumedCapacity::Total => pb::ReturnConsumedCapacity::Total,
        ReturnConsumedCapacity::Indexes => pb::ReturnConsumedCapacity::Indexes,
    };
    what.into()
}

fn collection(what: ReturnItemCollectionMetrics) -> i32 {
    let what = match what {
        ReturnItemCollectionMetrics::None => pb::ReturnItemCollectionMetrics::None,
        ReturnItemCollectionMetrics::Size => pb::ReturnItemCollectionMetrics::Size,
    };
    what.into()
}

fn on_failure(what: ReturnOnFailure) -> i32 {
    let what = match what {
        ReturnOnFailure::None => pb::ReturnValuesOnConditionCheckFailure::None,
        ReturnOnFailure::AllOld => pb::ReturnValuesOnConditionCheckFailure::AllOld,
    };
    what.into()
}

fn return_old(what: ReturnOld) -> i32 {
    return_values(match what {
        ReturnOld::None => ReturnValues::None,
        ReturnOld::AllOld => ReturnValues::AllOld,
    })
}

fn return_values(what: ReturnValues) -> i32 {
    let what = match what {
        ReturnValues::None => pb::ReturnValue::None,
        ReturnValues::AllOld => pb::ReturnValue::AllOld,
        ReturnValues::UpdatedOld => pb::ReturnValue::UpdatedOld,
        ReturnValues::AllNew => pb::ReturnValue::AllNew,
        ReturnValues::UpdatedNew => pb::ReturnValue::UpdatedNew,
    };
    what.into()
}

/// What is selected, if it is not what the other side takes for granted.
fn select(renderer: &mut Renderer, select: &Select, index: bool) -> (i32, Option<String>) {
    let (select, projection) = match select {
        Select::Specific(projection) => (pb::Select::Unspecified, Some(renderer.projection(projection))),
        Select::Count => (pb::Select::Count, None),
        Select::AllAttributes if index => (pb::Select::AllAttributes, None),
        Select::AllAttributes | Select::AllProjected => (pb::Select::Unspecified, None),
    };
    (select.into(), projection)
}

fn query(input: &QueryInput) -> pb::QueryInput {
    let mut renderer = Renderer::new();
    let key_condition = renderer.key_condition(&input.key_condition);
    let filter_expression = condition(&mut renderer, input.filter.as_ref());
    let (select, projection_expression) = select(&mut renderer, &input.select, input.index.is_some());
    let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
    pb::QueryInput {
        table_name: name(&input.table),
        index_name: input.index.as_ref().map(ToString::to_string),
        key_condition_expression: Some(key_condition),
        filter_expression,
        projection_expression,
        expression_attribute_names,
        expression_attribute_values,
        select,
        limit: input.limit.map(number),
        consistent_read: input.consistent,
        scan_index_forward: Some(input.forward),
        exclusive_start_key: input.start.as_ref().and_then(item),
        return_consumed_capacity: capacity(input.return_capacity),
    }
}

fn scan(input: &ScanInput) -> pb::ScanInput {
    let mut renderer = Renderer::new();
    let filter_expression = condition(&mut renderer, input.filter.as_ref());
    let (select, projection_expression) = select(&mut renderer, &input.select, input.index.is_some());
    let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
    pb::ScanInput {
        table_name: name(&input.table),
        index_name: input.index.as_ref().map(ToString::to_string),
        filter_expression,
        projection_expression,
        expression_attribute_names,
        expression_attribute_values,
        select,
        limit: input.limit.map(number),
        consistent_read: input.consistent,
        segment: input.segment.map(|segment| number(segment.number)),
        total_segments: input.segment.map(|segment| number(segment.total)),
        exclusive_start_key: input.start.as_ref().and_then(item),
        return_consumed_capacity: capacity(input.return_capacity),
    }
}

/// The keys of one table, as requests and unprocessed keys have them.
pub(super) fn table_keys(keys: &TableKeys) -> pb::TableKeys {
    let (projection_expression, expression_attribute_names) = projection(keys.projection.as_ref());
    pb::TableKeys {
        table_name: keys.table.to_string(),
        keys: keys.keys.iter().map(WireItem::from).collect(),
        projection_expression,
        expression_attribute_names,
        consistent_read: keys.consistent,
    }
}

/// The writes to one table, as requests and unprocessed items have them.
pub(super) fn table_writes((table, writes): &(TableName, Vec<BatchWrite>)) -> pb::TableWrites {
    use pb::write_request::Write;
    let write = |write: &BatchWrite| pb::WriteRequest {
        write: Some(match write {
            BatchWrite::Put(put) => Write::PutRequest(pb::PutRequest { item: item(put) }),
            BatchWrite::Delete(key) => Write::DeleteRequest(pb::DeleteRequest { key: item(key) }),
        }),
    };
    pb::TableWrites { table_name: table.to_string(), writes: writes.iter().map(write).collect() }
}

fn transact_write(write: &TransactWrite) -> pb::TransactWriteItem {
    use pb::transact_write_item::Action;
    let mut renderer = Renderer::new();
    let condition_expression = condition(&mut renderer, write.condition.as_ref());
    let (of, update_expression, wrap): (_, _, fn(pb::TransactAction) -> Action) = match &write.action {
        TransactAction::ConditionCheck(key) => (key, None, Action::ConditionCheck),
        TransactAction::Put(item) => (item, None, Action::Put),
        TransactAction::Delete(key) => (key, None, Action::Delete),
        TransactAction::Update(key, update) => (key, renderer.update(update), Action::Update),
    };
    let (expression_attribute_names, expression_attribute_values) = placeholders(renderer);
    let action = pb::TransactAction {
        table_name: name(&write.table),
        item: item(of),
        update_expression,
        condition_expression,
        expression_attribute_names,
        expression_attribute_values,
        return_values_on_condition_check_failure: on_failure(write.return_on_failure),
    };
    pb::TransactWriteItem { action: Some(wrap(action)) }
}
