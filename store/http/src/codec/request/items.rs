//! Bodies of the operations on single items, Query and Scan.

use api::Error;
use api::op::delete_item::DeleteItemUnchecked;
use api::op::get_item::GetItemUnchecked;
use api::op::put_item::PutItemUnchecked;
use api::op::query::QueryUnchecked;
use api::op::scan::ScanUnchecked;
use api::op::update_item::UpdateItemUnchecked;

use super::{attribute_updates, conditions, end, expression_values, members, names, strings};
use crate::codec::value;
use crate::json::Reader;
use crate::json::read::Place;

pub(super) fn get_item(reader: &mut Reader<'_>) -> Result<GetItemUnchecked, Error> {
    let mut input = GetItemUnchecked::default();
    let there = members!(reader, "GetItemInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "Key" => input.key, value::item(reader);
        "AttributesToGet" => input.attributes_to_get, strings(reader);
        "ProjectionExpression" => input.projection, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ConsistentRead" => input.consistent, reader.flag();
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn put_item(reader: &mut Reader<'_>) -> Result<PutItemUnchecked, Error> {
    let mut input = PutItemUnchecked::default();
    let there = members!(reader, "PutItemInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "Item" => input.item, value::item(reader);
        "Expected" => input.expected, conditions(reader, "ExpectedAttributeValue");
        "ConditionalOperator" => input.conditional_operator, reader.string();
        "ConditionExpression" => input.condition, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ExpressionAttributeValues" => input.values, expression_values(reader);
        "ReturnValues" => input.return_values, reader.string();
        "ReturnValuesOnConditionCheckFailure" => input.return_on_failure, reader.string();
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
        "ReturnItemCollectionMetrics" => input.return_collection, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn delete_item(reader: &mut Reader<'_>) -> Result<DeleteItemUnchecked, Error> {
    let mut input = DeleteItemUnchecked::default();
    let there = members!(reader, "DeleteItemInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "Key" => input.key, value::item(reader);
        "Expected" => input.expected, conditions(reader, "ExpectedAttributeValue");
        "ConditionalOperator" => input.conditional_operator, reader.string();
        "ConditionExpression" => input.condition, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ExpressionAttributeValues" => input.values, expression_values(reader);
        "ReturnValues" => input.return_values, reader.string();
        "ReturnValuesOnConditionCheckFailure" => input.return_on_failure, reader.string();
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
        "ReturnItemCollectionMetrics" => input.return_collection, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn update_item(reader: &mut Reader<'_>) -> Result<UpdateItemUnchecked, Error> {
    let mut input = UpdateItemUnchecked::default();
    let there = members!(reader, "UpdateItemInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "Key" => input.key, value::item(reader);
        "AttributeUpdates" => input.attribute_updates, attribute_updates(reader);
        "Expected" => input.expected, conditions(reader, "ExpectedAttributeValue");
        "ConditionalOperator" => input.conditional_operator, reader.string();
        "UpdateExpression" => input.update, reader.string();
        "ConditionExpression" => input.condition, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ExpressionAttributeValues" => input.values, expression_values(reader);
        "ReturnValues" => input.return_values, reader.string();
        "ReturnValuesOnConditionCheckFailure" => input.return_on_failure, reader.string();
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
        "ReturnItemCollectionMetrics" => input.return_collection, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn query(reader: &mut Reader<'_>) -> Result<QueryUnchecked, Error> {
    let mut input = QueryUnchecked::default();
    let there = members!(reader, "QueryInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "IndexName" => input.index, reader.string();
        "Select" => input.select, reader.string();
        "AttributesToGet" => input.attributes_to_get, strings(reader);
        "ConditionalOperator" => input.conditional_operator, reader.string();
        "KeyConditions" => input.key_conditions, conditions(reader, "Condition");
        "QueryFilter" => input.query_filter, conditions(reader, "Condition");
        "KeyConditionExpression" => input.key_condition, reader.string();
        "ProjectionExpression" => input.projection, reader.string();
        "FilterExpression" => input.filter, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ExpressionAttributeValues" => input.values, expression_values(reader);
        "Limit" => input.limit, reader.integer();
        "ConsistentRead" => input.consistent, reader.flag();
        "ScanIndexForward" => input.forward, reader.flag();
        "ExclusiveStartKey" => input.start, value::item(reader);
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

pub(super) fn scan(reader: &mut Reader<'_>) -> Result<ScanUnchecked, Error> {
    let mut input = ScanUnchecked::default();
    let there = members!(reader, "ScanInput", Place::Value, |reader| {
        "TableName" => input.table, reader.string();
        "IndexName" => input.index, reader.string();
        "Select" => input.select, reader.string();
        "AttributesToGet" => input.attributes_to_get, strings(reader);
        "ConditionalOperator" => input.conditional_operator, reader.string();
        "ScanFilter" => input.scan_filter, conditions(reader, "Condition");
        "ProjectionExpression" => input.projection, reader.string();
        "FilterExpression" => input.filter, reader.string();
        "ExpressionAttributeNames" => input.names, names(reader);
        "ExpressionAttributeValues" => input.values, expression_values(reader);
        "Limit" => input.limit, reader.integer();
        "Segment" => input.segment, reader.integer();
        "TotalSegments" => input.total_segments, reader.integer();
        "ConsistentRead" => input.consistent, reader.flag();
        "ExclusiveStartKey" => input.start, value::item(reader);
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}
