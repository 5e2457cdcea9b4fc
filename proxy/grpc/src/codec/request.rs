//! Messages to the `…Unchecked` form of each operation, which its `check` turns into the input.

use api::expr::Author;
use api::op::batch_get_item::{BatchGetItemUnchecked, TableKeysUnchecked};
use api::op::batch_write_item::{BatchWriteItemUnchecked, BatchWriteUnchecked};
use api::op::delete_item::DeleteItemUnchecked;
use api::op::delete_table::DeleteTableUnchecked;
use api::op::describe_endpoints::DescribeEndpointsInput;
use api::op::describe_limits::DescribeLimitsInput;
use api::op::describe_table::DescribeTableUnchecked;
use api::op::get_item::GetItemUnchecked;
use api::op::list_tables::ListTablesUnchecked;
use api::op::list_tags_of_resource::ListTagsOfResourceUnchecked;
use api::op::put_item::PutItemUnchecked;
use api::op::query::QueryUnchecked;
use api::op::scan::ScanUnchecked;
use api::op::tag_resource::TagResourceUnchecked;
use api::op::transact_get_items::{TransactGetItemsUnchecked, TransactGetUnchecked};
use api::op::transact_write_items::{
    TransactActionUnchecked, TransactWriteItemsUnchecked, TransactWriteUnchecked,
};
use api::op::unchecked::{Names, Unchecked, Values};
use api::op::untag_resource::UntagResourceUnchecked;
use api::op::update_item::UpdateItemUnchecked;
use api::{Error, Item, OpKind, Request};
use bytes::Bytes;
use prost::Message;

use super::value::{WireItem, WireValue};
use super::{malformed, table};
use crate::proto::dynamodb as pb;

/// Decodes and checks a request whose expressions are by `author`. Errors: `SerializationException` for bytes that are not the operation's message; whatever the
/// operation's checks find.
pub fn decode_request(op: OpKind, message: Bytes, author: Author) -> Result<Request, Error> {
    Ok(match op {
        OpKind::GetItem => get_item(read(message)?).check_by(author)?.into(),
        OpKind::PutItem => put_item(read(message)?).check_by(author)?.into(),
        OpKind::DeleteItem => delete_item(read(message)?).check_by(author)?.into(),
        OpKind::UpdateItem => update_item(read(message)?).check_by(author)?.into(),
        OpKind::Query => query(read(message)?).check_by(author)?.into(),
        OpKind::Scan => scan(read(message)?).check_by(author)?.into(),
        OpKind::BatchGetItem => batch_get_item(read(message)?).check_by(author)?.into(),
        OpKind::BatchWriteItem => batch_write_item(read(message)?).check()?.into(),
        OpKind::TransactGetItems => transact_get_items(read(message)?).check_by(author)?.into(),
        OpKind::TransactWriteItems => transact_write_items(read(message)?).check_by(author)?.into(),
        OpKind::CreateTable => table::create_table(read(message)?).check()?.into(),
        OpKind::UpdateTable => table::update_table(read(message)?).check()?.into(),
        OpKind::DeleteTable => {
            let pb::DeleteTableInput { table_name: table } = read(message)?;
            DeleteTableUnchecked { table }.check()?.into()
        }
        OpKind::DescribeTable => {
            let pb::DescribeTableInput { table_name: table } = read(message)?;
            DescribeTableUnchecked { table }.check()?.into()
        }
        OpKind::ListTables => {
            let pb::ListTablesInput { exclusive_start_table_name: start, limit } = read(message)?;
            ListTablesUnchecked { start, limit: limit.map(i64::from) }.check()?.into()
        }
        OpKind::DescribeLimits => {
            let pb::DescribeLimitsInput {} = read(message)?;
            DescribeLimitsInput.into()
        }
        OpKind::DescribeEndpoints => {
            let pb::DescribeEndpointsInput {} = read(message)?;
            DescribeEndpointsInput.into()
        }
        OpKind::TagResource => {
            let pb::TagResourceInput { resource_arn: resource, tags } = read(message)?;
            let tags = tags.into_iter().map(table::tag).collect();
            TagResourceUnchecked { resource, tags: Some(tags) }.check()?.into()
        }
        OpKind::UntagResource => {
            let pb::UntagResourceInput { resource_arn: resource, tag_keys } = read(message)?;
            UntagResourceUnchecked { resource, keys: Some(tag_keys) }.check()?.into()
        }
        OpKind::ListTagsOfResource => {
            let pb::ListTagsOfResourceInput { resource_arn: resource, next_token } = read(message)?;
            ListTagsOfResourceUnchecked { resource, next_token }.check()?.into()
        }
    })
}

/// Decodes a message. Errors: `SerializationException`.
pub(super) fn read<M: Message + Default>(message: Bytes) -> Result<M, Error> {
    M::decode(message).map_err(|_| malformed())
}

/// A list as the contract has it: one without elements can't be told from one that was left out, and counts as such.
pub(super) fn list<T>(elements: Vec<T>) -> Option<Vec<T>> {
    (!elements.is_empty()).then_some(elements)
}

fn item(item: Option<WireItem>) -> Option<Unchecked<Item>> {
    item.map(WireItem::into_unchecked)
}

fn names(names: Names) -> Option<Names> {
    (!names.is_empty()).then_some(names)
}

fn values(values: std::collections::BTreeMap<String, WireValue>) -> Option<Values> {
    if values.is_empty() {
        return None;
    }
    Some(values.into_iter().map(|(key, value)| (key, value.into_unchecked())).collect())
}

/// The name of a choice as the contract's checks know it, after the enum's own prefix. A number that stands for none is written
/// out, for the checks to refuse.
fn choice(number: i32, name: Option<&'static str>, prefix: &str) -> Option<String> {
    if number == 0 {
        return None;
    }
    Some(match name {
        Some(name) => name.strip_prefix(prefix).unwrap_or(name).to_owned(),
        None => number.to_string(),
    })
}

macro_rules! choices {
    ($($function:ident: $name:ident, $prefix:literal;)*) => { $(
        fn $function(number: i32) -> Option<String> {
            choice(number, pb::$name::try_from(number).ok().map(|choice| choice.as_str_name()), $prefix)
        }
    )* };
}

choices! {
    return_capacity: ReturnConsumedCapacity, "RETURN_CONSUMED_CAPACITY_";
    return_collection: ReturnItemCollectionMetrics, "RETURN_ITEM_COLLECTION_METRICS_";
    return_values: ReturnValue, "RETURN_VALUE_";
    return_on_failure: ReturnValuesOnConditionCheckFailure, "RETURN_VALUES_ON_CONDITION_CHECK_FAILURE_";
    select: Select, "SELECT_";
}

fn get_item(input: pb::GetItemInput) -> GetItemUnchecked {
    GetItemUnchecked {
        table: input.table_name,
        key: item(input.key),
        projection: input.projection_expression,
        names: names(input.expression_attribute_names),
        consistent: Some(input.consistent_read),
        return_capacity: return_capacity(input.return_consumed_capacity),
        ..GetItemUnchecked::default()
    }
}

fn put_item(input: pb::PutItemInput) -> PutItemUnchecked {
    PutItemUnchecked {
        table: input.table_name,
        item: item(input.item),
        condition: input.condition_expression,
        names: names(input.expression_attribute_names),
        values: values(input.expression_attribute_values),
        return_values: return_values(input.return_values),
        return_on_failure: return_on_failure(input.return_values_on_condition_check_failure),
        return_capacity: return_capacity(input.return_consumed_capacity),
        return_collection: return_collection(input.return_item_collection_metrics),
        ..PutItemUnchecked::default()
    }
}

fn delete_item(input: pb::DeleteItemInput) -> DeleteItemUnchecked {
    DeleteItemUnchecked {
        table: input.table_name,
        key: item(input.key),
        condition: input.condition_expression,
        names: names(input.expression_attribute_names),
        values: values(input.expression_attribute_values),
        return_values: return_values(input.return_values),
        return_on_failure: return_on_failure(input.return_values_on_condition_check_failure),
        return_capacity: return_capacity(input.return_consumed_capacity),
        return_collection: return_collection(input.return_item_collection_metrics),
        ..DeleteItemUnchecked::default()
    }
}

fn update_item(input: pb::UpdateItemInput) -> UpdateItemUnchecked {
    UpdateItemUnchecked {
        table: input.table_name,
        key: item(input.key),
        update: input.update_expression,
        condition: input.condition_expression,
        names: names(input.expression_attribute_names),
        values: values(input.expression_attribute_values),
        return_values: return_values(input.return_values),
        return_on_failure: return_on_failure(input.return_values_on_condition_check_failure),
        return_capacity: return_capacity(input.return_consumed_capacity),
        return_collection: return_collection(input.return_item_collection_metrics),
        ..UpdateItemUnchecked::default()
    }
}

fn query(input: pb::QueryInput) -> QueryUnchecked {
    QueryUnchecked {
        table: input.table_name,
        index: input.index_name,
        select: select(input.select),
        projection: input.projection_expression,
        filter: input.filter_expression,
        names: names(input.expression_attribute_names),
        values: values(input.expression_attribute_values),
        limit: input.limit.map(i64::from),
        consistent: Some(input.consistent_read),
        start: item(input.exclusive_start_key),
        return_capacity: return_capacity(input.return_consumed_capacity),
        forward: input.scan_index_forward,
        key_condition: input.key_condition_expression,
        ..QueryUnchecked::default()
    }
}

fn scan(input: pb::ScanInput) -> ScanUnchecked {
    ScanUnchecked {
        table: input.table_name,
        index: input.index_name,
        select: select(input.select),
        projection: input.projection_expression,
        filter: input.filter_expression,
        names: names(input.expression_attribute_names),
        values: values(input.expression_attribute_values),
        limit: input.limit.map(i64::from),
        consistent: Some(input.consistent_read),
        start: item(input.exclusive_start_key),
        return_capacity: return_capacity(input.return_consumed_capacity),
        segment: input.segment.map(i64::from),
        total_segments: input.total_segments.map(i64::from),
        ..ScanUnchecked::default()
    }
}

fn items(items: Vec<WireItem>) -> Vec<Unchecked<Item>> {
    items.into_iter().map(WireItem::into_unchecked).collect()
}

/// The keys of one table; also those of an answer's `unprocessed_keys`.
pub(super) fn table_keys(keys: pb::TableKeys) -> (String, TableKeysUnchecked) {
    let unchecked = TableKeysUnchecked {
        keys: Some(items(keys.keys)),
        projection: keys.projection_expression,
        names: names(keys.expression_attribute_names),
        consistent: Some(keys.consistent_read),
        attributes_to_get: None,
    };
    (keys.table_name, unchecked)
}

fn batch_get_item(input: pb::BatchGetItemInput) -> BatchGetItemUnchecked {
    BatchGetItemUnchecked {
        tables: Some(input.request_items.into_iter().map(table_keys).collect()),
        return_capacity: return_capacity(input.return_consumed_capacity),
    }
}

/// The writes to one table; also those of an answer's `unprocessed_items`.
pub(super) fn table_writes(writes: pb::TableWrites) -> (String, Vec<BatchWriteUnchecked>) {
    use pb::write_request::Write;
    let unchecked = writes.writes.into_iter().map(|request| match request.write {
        Some(Write::PutRequest(put)) => BatchWriteUnchecked { put: Some(item(put.item)), delete: None },
        Some(Write::DeleteRequest(delete)) => {
            BatchWriteUnchecked { put: None, delete: Some(item(delete.key)) }
        }
        None => BatchWriteUnchecked::default(),
    });
    (writes.table_name, unchecked.collect())
}

fn batch_write_item(input: pb::BatchWriteItemInput) -> BatchWriteItemUnchecked {
    BatchWriteItemUnchecked {
        tables: Some(input.request_items.into_iter().map(table_writes).collect()),
        return_capacity: return_capacity(input.return_consumed_capacity),
        return_collection: return_collection(input.return_item_collection_metrics),
    }
}

fn transact_get_items(input: pb::TransactGetItemsInput) -> TransactGetItemsUnchecked {
    let get = |get: pb::TransactGet| TransactGetUnchecked {
        table: get.table_name,
        key: item(get.key),
        projection: get.projection_expression,
        names: names(get.expression_attribute_names),
    };
    TransactGetItemsUnchecked {
        gets: Some(input.transact_items.into_iter().map(|each| each.get.map(get)).collect()),
        return_capacity: return_capacity(input.return_consumed_capacity),
    }
}

fn transact_write_items(input: pb::TransactWriteItemsInput) -> TransactWriteItemsUnchecked {
    TransactWriteItemsUnchecked {
        actions: Some(input.transact_items.into_iter().map(transact_write).collect()),
        token: input.client_request_token,
        return_capacity: return_capacity(input.return_consumed_capacity),
        return_collection: return_collection(input.return_item_collection_metrics),
    }
}

fn transact_write(write: pb::TransactWriteItem) -> TransactWriteUnchecked {
    use pb::transact_write_item::Action;
    let part = |action: pb::TransactAction| {
        Some(TransactActionUnchecked {
            table: action.table_name,
            item: item(action.item),
            update: action.update_expression,
            condition: action.condition_expression,
            names: names(action.expression_attribute_names),
            values: values(action.expression_attribute_values),
            return_on_failure: return_on_failure(action.return_values_on_condition_check_failure),
        })
    };
    let mut unchecked = TransactWriteUnchecked::default();
    match write.action {
        Some(Action::ConditionCheck(action)) => unchecked.condition_check = part(action),
        Some(Action::Put(action)) => unchecked.put = part(action),
        Some(Action::Delete(action)) => unchecked.delete = part(action),
        Some(Action::Update(action)) => unchecked.update = part(action),
        None => {}
    }
    // An expression that its action does not take is passed over, as a member of JSON that the service does not know is.
    for part in
        [&mut unchecked.condition_check, &mut unchecked.put, &mut unchecked.delete].into_iter().flatten()
    {
        part.update = None;
    }
    unchecked
}
