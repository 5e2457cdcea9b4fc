//! Outputs to messages.

use std::collections::BTreeMap;

use api::op::{Capacity, ConsumedCapacity, ItemCollectionMetrics, Page};
use api::{Error, ErrorKind, Item, ItemBody, Response, TableName};

use super::ask::{put, table_keys, table_writes};
use super::table;
use super::value::WireItem;
use crate::proto::dynamodb as pb;

/// Appends the message of an answer. Errors: `InternalServerError` for an answer that is ready in another wire form, which no
/// layer makes unless it was asked to.
pub fn encode_response(response: &Response, out: &mut Vec<u8>) -> Result<(), Error> {
    match response {
        Response::GetItem(output) => {
            let (item, consumed_capacity) = (body(output.item.as_ref()), consumed(output.capacity.as_ref()));
            put(out, pb::GetItemOutput { item, consumed_capacity });
        }
        Response::PutItem(output) => put(
            out,
            pb::PutItemOutput {
                attributes: item(output.attributes.as_ref()),
                consumed_capacity: consumed(output.capacity.as_ref()),
                item_collection_metrics: output.collection.as_ref().map(metrics),
            },
        ),
        Response::DeleteItem(output) => put(
            out,
            pb::DeleteItemOutput {
                attributes: item(output.attributes.as_ref()),
                consumed_capacity: consumed(output.capacity.as_ref()),
                item_collection_metrics: output.collection.as_ref().map(metrics),
            },
        ),
        Response::UpdateItem(output) => put(
            out,
            pb::UpdateItemOutput {
                attributes: item(output.attributes.as_ref()),
                consumed_capacity: consumed(output.capacity.as_ref()),
                item_collection_metrics: output.collection.as_ref().map(metrics),
            },
        ),
        Response::Query(page) => put(out, query(page)),
        // The two are the same message under two names.
        Response::Scan(page) => put(out, query(page)),
        Response::BatchGetItem(output) => put(
            out,
            pb::BatchGetItemOutput {
                responses: output
                    .responses
                    .iter()
                    .map(|(table, items)| pb::TableItems {
                        table_name: table.to_string(),
                        items: items.iter().map(WireItem::from).collect(),
                    })
                    .collect(),
                unprocessed_keys: output.unprocessed.iter().map(table_keys).collect(),
                consumed_capacity: output.capacity.iter().map(capacity).collect(),
            },
        ),
        Response::BatchWriteItem(output) => put(
            out,
            pb::BatchWriteItemOutput {
                unprocessed_items: output.unprocessed.iter().map(table_writes).collect(),
                item_collection_metrics: output.collections.iter().map(metrics_of_table).collect(),
                consumed_capacity: output.capacity.iter().map(capacity).collect(),
            },
        ),
        Response::TransactGetItems(output) => put(
            out,
            pb::TransactGetItemsOutput {
                responses: output
                    .items
                    .iter()
                    .map(|item| pb::ItemResponse { item: body(item.as_ref()) })
                    .collect(),
                consumed_capacity: output.capacity.iter().map(capacity).collect(),
            },
        ),
        Response::TransactWriteItems(output) => put(
            out,
            pb::TransactWriteItemsOutput {
                item_collection_metrics: output.collections.iter().map(metrics_of_table).collect(),
                consumed_capacity: output.capacity.iter().map(capacity).collect(),
            },
        ),
        Response::CreateTable(output) => {
            let table_description = Some(table::write_description(&output.description));
            put(out, pb::CreateTableOutput { table_description });
        }
        Response::UpdateTable(output) => {
            let table_description = Some(table::write_description(&output.description));
            put(out, pb::UpdateTableOutput { table_description });
        }
        Response::DeleteTable(output) => {
            let table_description = Some(table::write_description(&output.description));
            put(out, pb::DeleteTableOutput { table_description });
        }
        Response::DescribeTable(output) => {
            put(out, pb::DescribeTableOutput { table: Some(table::write_description(&output.description)) });
        }
        Response::ListTables(output) => put(
            out,
            pb::ListTablesOutput {
                table_names: output.names.clone(),
                last_evaluated_table_name: output.last.clone(),
            },
        ),
        Response::DescribeLimits(output) => put(
            out,
            pb::DescribeLimitsOutput {
                account_max_read_capacity_units: output.account_read_units,
                account_max_write_capacity_units: output.account_write_units,
                table_max_read_capacity_units: output.table_read_units,
                table_max_write_capacity_units: output.table_write_units,
            },
        ),
        Response::DescribeEndpoints(output) => {
            let endpoint = |endpoint: &api::op::Endpoint| pb::Endpoint {
                address: endpoint.address.clone(),
                cache_period_in_minutes: endpoint.cache_period_minutes,
            };
            let endpoints = output.endpoints.iter().map(endpoint).collect();
            put(out, pb::DescribeEndpointsOutput { endpoints });
        }
        Response::TagResource(_) => put(out, pb::TagResourceOutput {}),
        Response::UntagResource(_) => put(out, pb::UntagResourceOutput {}),
        Response::ListTagsOfResource(output) => put(
            out,
            pb::ListTagsOfResourceOutput {
                tags: table::write_tags(&output.tags),
                next_token: output.next_token.clone(),
            },
        ),
        Response::Ready(ready) => {
            tracing::error!(wire = ?ready.wire, "an answer came in a form that was not asked for");
            return Err(Error::new(ErrorKind::InternalServerError, "Internal server error"));
        }
    }
    Ok(())
}

fn item(item: Option<&Item>) -> Option<WireItem> {
    item.map(WireItem::from)
}

fn body(item: Option<&ItemBody>) -> Option<WireItem> {
    item.map(WireItem::from)
}

fn query(page: &Page) -> pb::QueryOutput {
    pb::QueryOutput {
        items: page.items.iter().flatten().map(WireItem::from).collect(),
        count: page.count,
        scanned_count: page.scanned_count,
        last_evaluated_key: item(page.last_key.as_ref()),
        consumed_capacity: consumed(page.capacity.as_ref()),
    }
}

fn consumed(consumed: Option<&ConsumedCapacity>) -> Option<pb::ConsumedCapacity> {
    consumed.map(capacity)
}

fn capacity(consumed: &ConsumedCapacity) -> pb::ConsumedCapacity {
    let indexes = |all: &BTreeMap<String, Capacity>| {
        all.iter().map(|(name, capacity)| (name.clone(), units(capacity))).collect()
    };
    pb::ConsumedCapacity {
        table_name: consumed.table.clone(),
        capacity_units: consumed.total.units,
        read_capacity_units: consumed.total.read_units,
        write_capacity_units: consumed.total.write_units,
        table: consumed.own.as_ref().map(units),
        local_secondary_indexes: indexes(&consumed.local),
        global_secondary_indexes: indexes(&consumed.global),
    }
}

fn units(capacity: &Capacity) -> pb::Capacity {
    pb::Capacity {
        capacity_units: capacity.units,
        read_capacity_units: capacity.read_units,
        write_capacity_units: capacity.write_units,
    }
}

fn metrics(metrics: &ItemCollectionMetrics) -> pb::ItemCollectionMetrics {
    pb::ItemCollectionMetrics {
        item_collection_key: Some(WireItem::from(&metrics.key)),
        size_estimate_lower_gb: metrics.size_range_gb.0,
        size_estimate_upper_gb: metrics.size_range_gb.1,
    }
}

fn metrics_of_table(
    (table, all): &(TableName, Vec<ItemCollectionMetrics>),
) -> pb::TableItemCollectionMetrics {
    pb::TableItemCollectionMetrics {
        table_name: table.to_string(),
        metrics: all.iter().map(metrics).collect(),
    }
}
