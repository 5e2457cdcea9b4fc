//! Bodies of TransactGetItems and TransactWriteItems.

use api::Error;
use api::op::transact_get_items::{TransactGetItemsUnchecked, TransactGetUnchecked};
use api::op::transact_write_items::{
    TransactActionUnchecked, TransactWriteItemsUnchecked, TransactWriteUnchecked,
};

use super::{end, expression_values, list, members, names};
use crate::codec::value;
use crate::json::Reader;
use crate::json::read::Place;

pub(super) fn transact_get_items(reader: &mut Reader<'_>) -> Result<TransactGetItemsUnchecked, Error> {
    let mut input = TransactGetItemsUnchecked::default();
    let there = members!(reader, "TransactGetItemsInput", Place::Value, |reader| {
        "TransactItems" => input.gets, list(reader, |reader| {
            let mut item = None;
            members!(reader, "TransactGetItem", Place::Value, |reader| {
                "Get" => item, get(reader);
            })?;
            Ok(item)
        });
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

fn get(reader: &mut Reader<'_>) -> Result<Option<TransactGetUnchecked>, Error> {
    let mut get = TransactGetUnchecked::default();
    let there = members!(reader, "Get", Place::Field, |reader| {
        "TableName" => get.table, reader.string();
        "Key" => get.key, value::item(reader);
        "ProjectionExpression" => get.projection, reader.string();
        "ExpressionAttributeNames" => get.names, names(reader);
    })?;
    Ok(there.then_some(get))
}

pub(super) fn transact_write_items(reader: &mut Reader<'_>) -> Result<TransactWriteItemsUnchecked, Error> {
    let mut input = TransactWriteItemsUnchecked::default();
    let there = members!(reader, "TransactWriteItemsInput", Place::Value, |reader| {
        "TransactItems" => input.actions, list(reader, |reader| {
            let mut action = TransactWriteUnchecked::default();
            members!(reader, "TransactWriteItem", Place::Value, |reader| {
                "ConditionCheck" => action.condition_check, part(reader, Kind::ConditionCheck);
                "Put" => action.put, part(reader, Kind::Put);
                "Delete" => action.delete, part(reader, Kind::Delete);
                "Update" => action.update, part(reader, Kind::Update);
            })?;
            Ok(action)
        });
        "ClientRequestToken" => input.token, reader.string();
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
        "ReturnItemCollectionMetrics" => input.return_collection, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    ConditionCheck,
    Put,
    Delete,
    Update,
}

impl Kind {
    const fn class(self) -> &'static str {
        match self {
            Kind::ConditionCheck => "ConditionCheck",
            Kind::Put => "Put",
            Kind::Delete => "Delete",
            Kind::Update => "Update",
        }
    }
}

fn part(reader: &mut Reader<'_>, kind: Kind) -> Result<Option<TransactActionUnchecked>, Error> {
    let mut part = TransactActionUnchecked::default();
    let there = reader.structure(kind.class(), Place::Field, |reader, name| {
        match &*name {
            "TableName" => part.table = reader.string()?,
            "Item" if kind == Kind::Put => part.item = value::item(reader)?,
            "Key" if kind != Kind::Put => part.item = value::item(reader)?,
            "UpdateExpression" if kind == Kind::Update => part.update = reader.string()?,
            "ConditionExpression" => part.condition = reader.string()?,
            "ExpressionAttributeNames" => part.names = names(reader)?,
            "ExpressionAttributeValues" => part.values = expression_values(reader)?,
            "ReturnValuesOnConditionCheckFailure" => part.return_on_failure = reader.string()?,
            _ => reader.skip()?,
        }
        Ok(())
    })?;
    Ok(there.then_some(part))
}
