//! Answer bodies to outputs, for a client.
//!
//! Items come as decoded trees, checked like those of a request: an upstream is outside, too.

mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use api::op::batch_get_item::BatchGetItemUnchecked;
use api::op::batch_write_item::BatchWriteItemUnchecked;
use api::op::{
    BatchGetItemOutput, BatchWriteItemOutput, Capacity, ConsumedCapacity, CreateTableOutput,
    DeleteItemOutput, DeleteTableOutput, DescribeEndpointsOutput, DescribeLimitsOutput, DescribeTableOutput,
    Endpoint, GetItemOutput, ItemCollectionMetrics, ListTablesOutput, ListTagsOfResourceOutput, Page,
    PutItemOutput, TableDescription, TagResourceOutput, TransactGetItemsOutput, TransactWriteItemsOutput,
    UntagResourceOutput, UpdateItemOutput, UpdateTableOutput,
};
use api::{Error, Item, ItemBody, OpKind, Response, TableName};

use super::request::{batch, list, members};
use super::value;
use crate::json::Reader;
use crate::json::read::{Place, malformed};

/// Decodes the body of an answer. Errors: `SerializationException` for a body that is no answer to the operation.
pub fn decode_response(op: OpKind, body: &[u8]) -> Result<Response, Error> {
    // The tag operations are answered with an empty body.
    let body = if body.is_empty() { b"{}" } else { body };
    let mut reader = Reader::new(body)?;
    let response = whole(op, &mut reader)?;
    reader.end()?;
    Ok(response)
}

fn whole(op: OpKind, reader: &mut Reader<'_>) -> Result<Response, Error> {
    Ok(match op {
        OpKind::GetItem => {
            let mut output = GetItemOutput::default();
            members!(reader, "GetItemOutput", Place::Value, |reader| {
                "Item" => output.item, item_body(reader);
                "ConsumedCapacity" => output.capacity, consumed(reader);
            })?;
            Response::GetItem(output)
        }
        OpKind::PutItem => {
            let (attributes, capacity, collection) = written(reader)?;
            Response::PutItem(PutItemOutput { attributes, capacity, collection })
        }
        OpKind::DeleteItem => {
            let (attributes, capacity, collection) = written(reader)?;
            Response::DeleteItem(DeleteItemOutput { attributes, capacity, collection })
        }
        OpKind::UpdateItem => {
            let (attributes, capacity, collection) = written(reader)?;
            Response::UpdateItem(UpdateItemOutput { attributes, capacity, collection })
        }
        OpKind::Query => Response::Query(page(reader)?),
        OpKind::Scan => Response::Scan(page(reader)?),
        OpKind::BatchGetItem => Response::BatchGetItem(batch_get_item(reader)?),
        OpKind::BatchWriteItem => Response::BatchWriteItem(batch_write_item(reader)?),
        OpKind::TransactGetItems => Response::TransactGetItems(transact_get_items(reader)?),
        OpKind::TransactWriteItems => Response::TransactWriteItems(transact_write_items(reader)?),
        OpKind::CreateTable => {
            Response::CreateTable(CreateTableOutput { description: described(reader, "TableDescription")? })
        }
        OpKind::DeleteTable => {
            Response::DeleteTable(DeleteTableOutput { description: described(reader, "TableDescription")? })
        }
        OpKind::UpdateTable => {
            Response::UpdateTable(UpdateTableOutput { description: described(reader, "TableDescription")? })
        }
        OpKind::DescribeTable => {
            Response::DescribeTable(DescribeTableOutput { description: described(reader, "Table")? })
        }
        OpKind::ListTables => {
            let mut output = ListTablesOutput::default();
            members!(reader, "ListTablesOutput", Place::Value, |reader| {
                "TableNames" => output.names, strings(reader);
                "LastEvaluatedTableName" => output.last, reader.string();
            })?;
            Response::ListTables(output)
        }
        OpKind::DescribeLimits => {
            let mut output = DescribeLimitsOutput {
                account_read_units: 0,
                account_write_units: 0,
                table_read_units: 0,
                table_write_units: 0,
            };
            members!(reader, "DescribeLimitsOutput", Place::Value, |reader| {
                "AccountMaxReadCapacityUnits" => output.account_read_units, count(reader);
                "AccountMaxWriteCapacityUnits" => output.account_write_units, count(reader);
                "TableMaxReadCapacityUnits" => output.table_read_units, count(reader);
                "TableMaxWriteCapacityUnits" => output.table_write_units, count(reader);
            })?;
            Response::DescribeLimits(output)
        }
        OpKind::DescribeEndpoints => {
            let mut endpoints = Vec::new();
            members!(reader, "DescribeEndpointsResponse", Place::Value, |reader| {
                "Endpoints" => endpoints, many(reader, endpoint);
            })?;
            Response::DescribeEndpoints(DescribeEndpointsOutput { endpoints })
        }
        OpKind::TagResource => {
            ignored(reader)?;
            Response::TagResource(TagResourceOutput)
        }
        OpKind::UntagResource => {
            ignored(reader)?;
            Response::UntagResource(UntagResourceOutput)
        }
        OpKind::ListTagsOfResource => {
            let mut output = ListTagsOfResourceOutput::default();
            members!(reader, "ListTagsOfResourceOutput", Place::Value, |reader| {
                "Tags" => output.tags, many(reader, tag);
                "NextToken" => output.next_token, reader.string();
            })?;
            Response::ListTagsOfResource(output)
        }
    })
}

fn ignored(reader: &mut Reader<'_>) -> Result<(), Error> {
    reader.structure("Output", Place::Value, |reader, _| reader.skip()).map(|_| ())
}

/// A whole number that can't be negative; 0 for `null`.
fn count(reader: &mut Reader<'_>) -> Result<u64, Error> {
    u64::try_from(reader.long()?.unwrap_or_default()).map_err(|_| malformed())
}

fn count_of_items(reader: &mut Reader<'_>) -> Result<u32, Error> {
    u32::try_from(count(reader)?).map_err(|_| malformed())
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>, Error> {
    many(reader, |reader| reader.string()?.ok_or_else(malformed))
}

fn many<T>(
    reader: &mut Reader<'_>,
    element: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    Ok(list(reader, element)?.unwrap_or_default())
}

/// Reads an item, as answers and errors carry it; `null` is one without attributes.
pub fn read_item(reader: &mut Reader<'_>) -> Result<Item, Error> {
    Ok(item(reader)?.unwrap_or_default())
}

fn item(reader: &mut Reader<'_>) -> Result<Option<Item>, Error> {
    value::item(reader)?.map(api::op::unchecked::Unchecked::check).transpose()
}

fn item_body(reader: &mut Reader<'_>) -> Result<Option<ItemBody>, Error> {
    Ok(item(reader)?.map(|item| ItemBody::Tree(Arc::new(item))))
}

fn items(reader: &mut Reader<'_>) -> Result<Vec<ItemBody>, Error> {
    many(reader, |reader| item_body(reader)?.ok_or_else(malformed))
}

fn table_name(text: &str) -> Result<TableName, Error> {
    TableName::new(text).ok_or_else(malformed)
}

fn endpoint(reader: &mut Reader<'_>) -> Result<Endpoint, Error> {
    let mut address = None;
    let mut cache_period_minutes = 0;
    members!(reader, "Endpoint", Place::Value, |reader| {
        "Address" => address, reader.string();
        "CachePeriodInMinutes" => cache_period_minutes, count(reader);
    })?;
    Ok(Endpoint { address: address.unwrap_or_default(), cache_period_minutes })
}

fn tag(reader: &mut Reader<'_>) -> Result<(String, String), Error> {
    let mut key = None;
    let mut value = None;
    members!(reader, "Tag", Place::Value, |reader| {
        "Key" => key, reader.string();
        "Value" => value, reader.string();
    })?;
    Ok((key.unwrap_or_default(), value.unwrap_or_default()))
}

type Written = (Option<Item>, Option<ConsumedCapacity>, Option<ItemCollectionMetrics>);

fn written(reader: &mut Reader<'_>) -> Result<Written, Error> {
    let mut written: Written = (None, None, None);
    members!(reader, "Output", Place::Value, |reader| {
        "Attributes" => written.0, item(reader);
        "ConsumedCapacity" => written.1, consumed(reader);
        "ItemCollectionMetrics" => written.2, collection(reader);
    })?;
    Ok(written)
}

fn page(reader: &mut Reader<'_>) -> Result<Page, Error> {
    let mut page = Page::default();
    members!(reader, "Output", Place::Value, |reader| {
        "Items" => page.items, items(reader).map(Some);
        "Count" => page.count, count_of_items(reader);
        "ScannedCount" => page.scanned_count, count_of_items(reader);
        "LastEvaluatedKey" => page.last_key, item(reader);
        "ConsumedCapacity" => page.capacity, consumed(reader);
    })?;
    Ok(page)
}

fn batch_get_item(reader: &mut Reader<'_>) -> Result<BatchGetItemOutput, Error> {
    let mut output = BatchGetItemOutput::default();
    members!(reader, "BatchGetItemOutput", Place::Value, |reader| {
        "Responses" => output.responses, by_table(reader, items);
        "UnprocessedKeys" => output.unprocessed, unprocessed_keys(reader);
        "ConsumedCapacity" => output.capacity, many(reader, table_consumed);
    })?;
    Ok(output)
}

fn by_table<T>(
    reader: &mut Reader<'_>,
    mut element: impl FnMut(&mut Reader<'_>) -> Result<T, Error>,
) -> Result<Vec<(TableName, T)>, Error> {
    let mut tables = Vec::new();
    reader.map("java.util.List", |reader, name| {
        tables.push((table_name(&name)?, element(reader)?));
        Ok(())
    })?;
    Ok(tables)
}

fn unprocessed_keys(reader: &mut Reader<'_>) -> Result<Vec<api::op::TableKeys>, Error> {
    match batch::table_keys(reader)? {
        None => Ok(Vec::new()),
        Some(tables) if tables.is_empty() => Ok(Vec::new()),
        tables => Ok(BatchGetItemUnchecked { tables, return_capacity: None }.check()?.tables),
    }
}

fn batch_write_item(reader: &mut Reader<'_>) -> Result<BatchWriteItemOutput, Error> {
    let mut output = BatchWriteItemOutput::default();
    members!(reader, "BatchWriteItemOutput", Place::Value, |reader| {
        "UnprocessedItems" => output.unprocessed, unprocessed_items(reader);
        "ItemCollectionMetrics" => output.collections, by_table(reader, |reader| many(reader, one_collection));
        "ConsumedCapacity" => output.capacity, many(reader, table_consumed);
    })?;
    Ok(output)
}

fn unprocessed_items(reader: &mut Reader<'_>) -> Result<Vec<(TableName, Vec<api::op::BatchWrite>)>, Error> {
    match batch::table_writes(reader)? {
        None => Ok(Vec::new()),
        Some(tables) if tables.is_empty() => Ok(Vec::new()),
        tables => {
            let unchecked =
                BatchWriteItemUnchecked { tables, return_capacity: None, return_collection: None };
            Ok(unchecked.check()?.tables)
        }
    }
}

fn transact_get_items(reader: &mut Reader<'_>) -> Result<TransactGetItemsOutput, Error> {
    let mut output = TransactGetItemsOutput::default();
    members!(reader, "TransactGetItemsOutput", Place::Value, |reader| {
        "Responses" => output.items, many(reader, |reader| {
            let mut found = None;
            members!(reader, "ItemResponse", Place::Value, |reader| {
                "Item" => found, item_body(reader);
            })?;
            Ok(found)
        });
        "ConsumedCapacity" => output.capacity, many(reader, table_consumed);
    })?;
    Ok(output)
}

fn transact_write_items(reader: &mut Reader<'_>) -> Result<TransactWriteItemsOutput, Error> {
    let mut output = TransactWriteItemsOutput::default();
    members!(reader, "TransactWriteItemsOutput", Place::Value, |reader| {
        "ItemCollectionMetrics" => output.collections, by_table(reader, |reader| many(reader, one_collection));
        "ConsumedCapacity" => output.capacity, many(reader, table_consumed);
    })?;
    Ok(output)
}

fn described(reader: &mut Reader<'_>, field: &str) -> Result<TableDescription, Error> {
    let mut description = None;
    reader.structure("Output", Place::Value, |reader, name| {
        if name == field {
            description = table::description(reader)?;
            return Ok(());
        }
        reader.skip()
    })?;
    description.ok_or_else(malformed)
}

fn consumed(reader: &mut Reader<'_>) -> Result<Option<ConsumedCapacity>, Error> {
    if reader.null()? { Ok(None) } else { table_consumed(reader).map(Some) }
}

fn table_consumed(reader: &mut Reader<'_>) -> Result<ConsumedCapacity, Error> {
    let mut consumed = ConsumedCapacity::default();
    reader.structure("ConsumedCapacity", Place::Field, |reader, name| {
        match &*name {
            "TableName" => consumed.table = reader.string()?.unwrap_or_default(),
            "Table" => {
                let mut own = Capacity::default();
                let there = reader
                    .structure("Capacity", Place::Field, |reader, name| units(reader, &name, &mut own))?;
                consumed.own = there.then_some(own);
            }
            "LocalSecondaryIndexes" => consumed.local = capacities(reader)?,
            "GlobalSecondaryIndexes" => consumed.global = capacities(reader)?,
            other => units(reader, other, &mut consumed.total)?,
        }
        Ok(())
    })?;
    Ok(consumed)
}

fn capacities(reader: &mut Reader<'_>) -> Result<BTreeMap<String, Capacity>, Error> {
    let mut all = BTreeMap::new();
    reader.map("Capacity", |reader, index| {
        let mut capacity = Capacity::default();
        reader.structure("Capacity", Place::Value, |reader, name| units(reader, &name, &mut capacity))?;
        all.insert(index.into_owned(), capacity);
        Ok(())
    })?;
    Ok(all)
}

fn units(reader: &mut Reader<'_>, name: &str, capacity: &mut Capacity) -> Result<(), Error> {
    match name {
        "CapacityUnits" => capacity.units = reader.double()?.unwrap_or_default(),
        "ReadCapacityUnits" => capacity.read_units = reader.double()?,
        "WriteCapacityUnits" => capacity.write_units = reader.double()?,
        _ => reader.skip()?,
    }
    Ok(())
}

fn collection(reader: &mut Reader<'_>) -> Result<Option<ItemCollectionMetrics>, Error> {
    if reader.null()? { Ok(None) } else { one_collection(reader).map(Some) }
}

fn one_collection(reader: &mut Reader<'_>) -> Result<ItemCollectionMetrics, Error> {
    let mut key = None;
    let mut range = Vec::new();
    members!(reader, "ItemCollectionMetrics", Place::Field, |reader| {
        "ItemCollectionKey" => key, item(reader);
        "SizeEstimateRangeGB" => range, many(reader, |reader| reader.double()?.ok_or_else(malformed));
    })?;
    let bound = |at: usize| range.get(at).copied().unwrap_or_default();
    Ok(ItemCollectionMetrics { key: key.unwrap_or_default(), size_range_gb: (bound(0), bound(1)) })
}
