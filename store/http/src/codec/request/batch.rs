//! Bodies of BatchGetItem and BatchWriteItem.

use api::op::batch_get_item::{BatchGetItemUnchecked, TableKeysUnchecked};
use api::op::batch_write_item::{BatchWriteItemUnchecked, BatchWriteUnchecked};
use api::op::unchecked::Unchecked;
use api::{Error, ErrorKind, Item};

use super::{end, list, members, names, ordered, strings};
use crate::codec::value;
use crate::json::read::Place;
use crate::json::{Kind, Reader};

/// What the service answers to a scalar in the place of an element that is itself a list or a map.
const CAST: &str = "class sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl cannot be cast to class \
                    java.lang.Class (sun.reflect.generics.reflectiveObjects.ParameterizedTypeImpl and java.lang.Class \
                    are in module java.base of loader 'bootstrap')";

fn no_scalar(reader: &mut Reader<'_>) -> Result<(), Error> {
    match reader.peek()? {
        Kind::Object | Kind::Array | Kind::Null => Ok(()),
        Kind::String | Kind::Number | Kind::True | Kind::False => {
            Err(Error::new(ErrorKind::SerializationException, CAST))
        }
    }
}

/// The `RequestItems` of a BatchGetItem; also its `UnprocessedKeys`.
pub(in crate::codec) fn table_keys(
    reader: &mut Reader<'_>,
) -> Result<Option<Vec<(String, TableKeysUnchecked)>>, Error> {
    ordered(reader, "KeysAndAttributes", |reader| {
        let mut keys = TableKeysUnchecked::default();
        members!(reader, "KeysAndAttributes", Place::Value, |reader| {
            "Keys" => keys.keys, list(reader, |reader| {
                no_scalar(reader)?;
                Ok(value::item(reader)?.unwrap_or_default())
            });
            "AttributesToGet" => keys.attributes_to_get, strings(reader);
            "ConsistentRead" => keys.consistent, reader.flag();
            "ProjectionExpression" => keys.projection, reader.string();
            "ExpressionAttributeNames" => keys.names, names(reader);
        })?;
        Ok(keys)
    })
}

pub(super) fn batch_get_item(reader: &mut Reader<'_>) -> Result<BatchGetItemUnchecked, Error> {
    let mut input = BatchGetItemUnchecked::default();
    let there = members!(reader, "BatchGetItemInput", Place::Value, |reader| {
        "RequestItems" => input.tables, table_keys(reader);
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}

/// Writes by table, in the order of the request.
type TableWrites = Vec<(String, Vec<BatchWriteUnchecked>)>;

/// The `RequestItems` of a BatchWriteItem; also its `UnprocessedItems`.
pub(in crate::codec) fn table_writes(reader: &mut Reader<'_>) -> Result<Option<TableWrites>, Error> {
    ordered(reader, "java.util.List<com.amazonaws.dynamodb.v20120810.WriteRequest>", |reader| {
        no_scalar(reader)?;
        Ok(list(reader, write)?.unwrap_or_default())
    })
}

fn write(reader: &mut Reader<'_>) -> Result<BatchWriteUnchecked, Error> {
    let mut write = BatchWriteUnchecked::default();
    members!(reader, "WriteRequest", Place::Value, |reader| {
        "PutRequest" => write.put, put_request(reader);
        "DeleteRequest" => write.delete, delete_request(reader);
    })?;
    Ok(write)
}

type Half = Option<Option<Unchecked<Item>>>;

fn put_request(reader: &mut Reader<'_>) -> Result<Half, Error> {
    let mut item = None;
    let there = members!(reader, "PutRequest", Place::Field, |reader| {
        "Item" => item, value::item(reader);
    })?;
    Ok(there.then_some(item))
}

fn delete_request(reader: &mut Reader<'_>) -> Result<Half, Error> {
    let mut key = None;
    let there = members!(reader, "DeleteRequest", Place::Field, |reader| {
        "Key" => key, value::item(reader);
    })?;
    Ok(there.then_some(key))
}

pub(super) fn batch_write_item(reader: &mut Reader<'_>) -> Result<BatchWriteItemUnchecked, Error> {
    let mut input = BatchWriteItemUnchecked::default();
    let there = members!(reader, "BatchWriteItemInput", Place::Value, |reader| {
        "RequestItems" => input.tables, table_writes(reader);
        "ReturnConsumedCapacity" => input.return_capacity, reader.string();
        "ReturnItemCollectionMetrics" => input.return_collection, reader.string();
    })?;
    end(reader, there)?;
    Ok(input)
}
