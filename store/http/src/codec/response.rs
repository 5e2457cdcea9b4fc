//! Outputs to answer bodies.

pub(super) mod table;

use api::item::encoded::{Attributes, ValueRef};
use api::op::{
    BatchGetItemOutput, BatchWrite, BatchWriteItemOutput, Capacity, ConsumedCapacity, ItemCollectionMetrics,
    Page, TableKeys, TransactGetItemsOutput, TransactWriteItemsOutput,
};
use api::operation::Ready;
use api::{EncodedItem, Error, ErrorKind, Item, ItemBody, Response, TableName, Wire};
use bytes::Bytes;

use super::ask;
use super::value::{write_item, write_number};
use crate::json::write::{self, Array, Object};

/// Room made for an answer before it is written. Most answers of one item fit.
const BODY_BYTES: usize = 512;

/// The body of an answer. Errors: `InternalServerError` for an answer that is ready in another wire form, which no layer
/// makes unless it was asked to.
pub fn encode_response(response: &Response) -> Result<Bytes, Error> {
    let mut out = Vec::new();
    if let Response::Ready(ready) = response {
        return ready_body(ready);
    }
    out.reserve(BODY_BYTES);
    let mut body = Object::new(&mut out);
    fields(&mut body, response);
    body.close();
    Ok(out.into())
}

fn ready_body(ready: &Ready) -> Result<Bytes, Error> {
    match ready.wire {
        Wire::Json => Ok(ready.bytes.clone()),
        Wire::None | Wire::Dax => Err(Error::new(ErrorKind::InternalServerError, "Internal server error")),
    }
}

fn fields(body: &mut Object<'_>, response: &Response) {
    match response {
        Response::GetItem(output) => {
            consumed(body, output.capacity.as_ref());
            if let Some(item) = &output.item {
                encode_item_json(item, body.field("Item"));
            }
        }
        Response::PutItem(output) => {
            written(body, &output.attributes, &output.capacity, &output.collection);
        }
        Response::DeleteItem(output) => {
            written(body, &output.attributes, &output.capacity, &output.collection);
        }
        Response::UpdateItem(output) => {
            written(body, &output.attributes, &output.capacity, &output.collection);
        }
        Response::Query(output) | Response::Scan(output) => page(body, output),
        Response::BatchGetItem(output) => batch_get_item(body, output),
        Response::BatchWriteItem(output) => batch_write_item(body, output),
        Response::TransactGetItems(output) => transact_get_items(body, output),
        Response::TransactWriteItems(output) => transact_write_items(body, output),
        Response::CreateTable(output) => table::description(body, "TableDescription", &output.description),
        Response::DeleteTable(output) => table::description(body, "TableDescription", &output.description),
        Response::UpdateTable(output) => table::description(body, "TableDescription", &output.description),
        Response::DescribeTable(output) => table::description(body, "Table", &output.description),
        Response::ListTables(output) => {
            if let Some(last) = &output.last {
                body.text("LastEvaluatedTableName", last);
            }
            body.array("TableNames", |names| {
                for name in &output.names {
                    write::string(names.element(), name);
                }
            });
        }
        Response::DescribeLimits(output) => {
            write::integer(body.field("AccountMaxReadCapacityUnits"), output.account_read_units);
            write::integer(body.field("AccountMaxWriteCapacityUnits"), output.account_write_units);
            write::integer(body.field("TableMaxReadCapacityUnits"), output.table_read_units);
            write::integer(body.field("TableMaxWriteCapacityUnits"), output.table_write_units);
        }
        Response::DescribeEndpoints(output) => body.array("Endpoints", |endpoints| {
            for endpoint in &output.endpoints {
                endpoints.object(|object| {
                    object.text("Address", &endpoint.address);
                    write::integer(object.field("CachePeriodInMinutes"), endpoint.cache_period_minutes);
                });
            }
        }),
        Response::ListTagsOfResource(output) => {
            if let Some(token) = &output.next_token {
                body.text("NextToken", token);
            }
            body.array("Tags", |tags| {
                for (key, value) in &output.tags {
                    tags.object(|tag| {
                        tag.text("Key", key);
                        tag.text("Value", value);
                    });
                }
            });
        }
        // The service answers these with an empty body; an empty object is what every client reads the same way.
        Response::TagResource(_) | Response::UntagResource(_) => {}
        // Its bytes went out before any field was asked for.
        Response::Ready(_) => {}
    }
}

fn written(
    body: &mut Object<'_>,
    attributes: &Option<Item>,
    capacity: &Option<ConsumedCapacity>,
    collection: &Option<ItemCollectionMetrics>,
) {
    if let Some(attributes) = attributes {
        write_item(body.field("Attributes"), attributes);
    }
    consumed(body, capacity.as_ref());
    if let Some(collection) = collection {
        body.object("ItemCollectionMetrics", |object| metrics(object, collection));
    }
}

fn page(body: &mut Object<'_>, page: &Page) {
    consumed(body, page.capacity.as_ref());
    write::integer(body.field("Count"), u64::from(page.count));
    if let Some(items) = &page.items {
        body.array("Items", |array| {
            for item in items {
                encode_item_json(item, array.element());
            }
        });
    }
    if let Some(key) = &page.last_key {
        write_item(body.field("LastEvaluatedKey"), key);
    }
    write::integer(body.field("ScannedCount"), u64::from(page.scanned_count));
}

fn batch_get_item(body: &mut Object<'_>, output: &BatchGetItemOutput) {
    consumed_of_tables(body, &output.capacity);
    body.object("Responses", |tables| {
        for (table, items) in &output.responses {
            let mut array = Array::new(tables.member(table.as_str()));
            for item in items {
                encode_item_json(item, array.element());
            }
            array.close();
        }
    });
    body.object("UnprocessedKeys", |tables| table_keys(tables, &output.unprocessed));
}

/// Writes keys by table, as requests and unprocessed keys have them.
pub(super) fn table_keys(tables: &mut Object<'_>, all: &[TableKeys]) {
    for keys in all {
        let mut object = Object::new(tables.member(keys.table.as_str()));
        if keys.consistent {
            write::flag(object.field("ConsistentRead"), true);
        }
        object.array("Keys", |array| {
            for key in &keys.keys {
                write_item(array.element(), key);
            }
        });
        ask::projection(&mut object, keys.projection.as_ref());
        object.close();
    }
}

fn batch_write_item(body: &mut Object<'_>, output: &BatchWriteItemOutput) {
    consumed_of_tables(body, &output.capacity);
    collections(body, &output.collections);
    body.object("UnprocessedItems", |tables| table_writes(tables, &output.unprocessed));
}

/// Writes writes by table, as requests and unprocessed items have them.
pub(super) fn table_writes(tables: &mut Object<'_>, all: &[(TableName, Vec<BatchWrite>)]) {
    for (table, writes) in all {
        let mut array = Array::new(tables.member(table.as_str()));
        for write in writes {
            array.object(|object| match write {
                BatchWrite::Put(item) => {
                    object.object("PutRequest", |put| write_item(put.field("Item"), item))
                }
                BatchWrite::Delete(key) => {
                    object.object("DeleteRequest", |delete| write_item(delete.field("Key"), key));
                }
            });
        }
        array.close();
    }
}

fn transact_get_items(body: &mut Object<'_>, output: &TransactGetItemsOutput) {
    consumed_of_tables(body, &output.capacity);
    body.array("Responses", |array| {
        for item in &output.items {
            array.object(|object| {
                if let Some(item) = item {
                    encode_item_json(item, object.field("Item"));
                }
            });
        }
    });
}

fn transact_write_items(body: &mut Object<'_>, output: &TransactWriteItemsOutput) {
    consumed_of_tables(body, &output.capacity);
    collections(body, &output.collections);
}

fn consumed(body: &mut Object<'_>, consumed: Option<&ConsumedCapacity>) {
    if let Some(consumed) = consumed {
        body.object("ConsumedCapacity", |object| capacity_of_table(object, consumed));
    }
}

fn consumed_of_tables(body: &mut Object<'_>, consumed: &[ConsumedCapacity]) {
    if !consumed.is_empty() {
        body.array("ConsumedCapacity", |array| {
            for consumed in consumed {
                array.object(|object| capacity_of_table(object, consumed));
            }
        });
    }
}

fn capacity_of_table(object: &mut Object<'_>, consumed: &ConsumedCapacity) {
    units(object, &consumed.total);
    let lists = [("GlobalSecondaryIndexes", &consumed.global), ("LocalSecondaryIndexes", &consumed.local)];
    for (field, indexes) in lists {
        if !indexes.is_empty() {
            object.object(field, |object| {
                for (name, capacity) in indexes {
                    let mut index = Object::new(object.member(name));
                    units(&mut index, capacity);
                    index.close();
                }
            });
        }
    }
    if let Some(own) = &consumed.own {
        object.object("Table", |object| units(object, own));
    }
    object.text("TableName", &consumed.table);
}

fn units(object: &mut Object<'_>, capacity: &Capacity) {
    write::double(object.field("CapacityUnits"), capacity.units);
    if let Some(units) = capacity.read_units {
        write::double(object.field("ReadCapacityUnits"), units);
    }
    if let Some(units) = capacity.write_units {
        write::double(object.field("WriteCapacityUnits"), units);
    }
}

fn collections(body: &mut Object<'_>, collections: &[(TableName, Vec<ItemCollectionMetrics>)]) {
    if !collections.is_empty() {
        body.object("ItemCollectionMetrics", |tables| {
            for (table, all) in collections {
                let mut array = Array::new(tables.member(table.as_str()));
                for collection in all {
                    array.object(|object| metrics(object, collection));
                }
                array.close();
            }
        });
    }
}

fn metrics(object: &mut Object<'_>, collection: &ItemCollectionMetrics) {
    write_item(object.field("ItemCollectionKey"), &collection.key);
    object.array("SizeEstimateRangeGB", |range| {
        write::double(range.element(), collection.size_range_gb.0);
        write::double(range.element(), collection.size_range_gb.1);
    });
}

/// Appends an item in whichever form it was found. An encoded one is transcribed without decoding it to a tree.
pub fn encode_item_json(item: &ItemBody, out: &mut Vec<u8>) {
    match item {
        ItemBody::Tree(item) => write_item(out, item),
        ItemBody::Encoded(item) => encoded_item(item, out),
        ItemBody::Ready(kept) => match item_of_ready(&kept.answer) {
            Some(ready) => out.extend_from_slice(ready),
            None => encoded_item(&kept.item, out),
        },
    }
}

/// The item within an answer that has it and nothing else, as [`fields`] writes one. `None` for one of another wire.
fn item_of_ready(answer: &Ready) -> Option<&[u8]> {
    let bytes = answer.bytes.strip_prefix(b"{\"Item\":")?;
    bytes.strip_suffix(b"}").filter(|_| answer.wire == Wire::Json)
}

fn encoded_item(item: &EncodedItem, out: &mut Vec<u8>) {
    // Type letters and quotes come to a fraction of most items.
    out.reserve(item.as_bytes().len() * 3 / 2);
    encoded_map(item.attributes(), out);
}

fn encoded_map(attributes: Attributes<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    for (name, value) in attributes {
        encoded_value(value, object.member(name));
    }
    object.close();
}

fn encoded_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    let mut object = Object::new(out);
    match value {
        ValueRef::S(text) => object.text("S", text),
        ValueRef::N(number) => write_number(object.field("N"), &number),
        ValueRef::B(bytes) => write::blob(object.field("B"), bytes),
        ValueRef::Bool(value) => write::flag(object.field("BOOL"), value),
        ValueRef::Null => write::flag(object.field("NULL"), true),
        ValueRef::M(map) => encoded_map(map, object.field("M")),
        ValueRef::L(elements) => object.array("L", |array| {
            for element in elements {
                encoded_value(element, array.element());
            }
        }),
        ValueRef::Ss(set) => object.array("SS", |array| {
            for text in set {
                write::string(array.element(), text);
            }
        }),
        ValueRef::Ns(set) => object.array("NS", |array| {
            for number in set {
                write_number(array.element(), &number);
            }
        }),
        ValueRef::Bs(set) => object.array("BS", |array| {
            for bytes in set {
                write::blob(array.element(), bytes);
            }
        }),
    }
    object.close();
}
