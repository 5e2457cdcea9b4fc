//! Messages to outputs, for a client.
//!
//! Items come as decoded trees, checked like those of a request: a server is outside, too.

use std::collections::BTreeMap;

use api::expr::Author;
use api::op::batch_get_item::BatchGetItemUnchecked;
use api::op::batch_write_item::BatchWriteItemUnchecked;
use api::op::query::Select;
use api::op::{
    BatchGetItemOutput, BatchWriteItemOutput, Capacity, ConsumedCapacity, CreateTableOutput,
    DeleteItemOutput, DeleteTableOutput, DescribeEndpointsOutput, DescribeLimitsOutput, DescribeTableOutput,
    Endpoint, GetItemOutput, ItemCollectionMetrics, ListTablesOutput, ListTagsOfResourceOutput, Page,
    PutItemOutput, TagResourceOutput, TransactGetItemsOutput, TransactWriteItemsOutput, UntagResourceOutput,
    UpdateItemOutput, UpdateTableOutput,
};
use api::{Error, Item, ItemBody, OpKind, Request, Response, TableName};
use bytes::Bytes;

use super::request::{read, table_keys, table_writes};
use super::value::WireItem;
use super::{malformed, table};
use crate::proto::dynamodb as pb;

/// What an answer needs of its question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// The operation.
    pub op: OpKind,
    /// Whether only a count was asked for: a page of no items and a page without any look the same on the wire.
    pub counts: bool,
}

impl Question {
    /// Of a request.
    pub fn of(request: &Request) -> Question {
        let select = match request {
            Request::Query(input) => Some(&input.select),
            Request::Scan(input) => Some(&input.select),
            _ => None,
        };
        Question { op: request.kind(), counts: select == Some(&Select::Count) }
    }
}

/// Decodes an answer. Errors: `SerializationException` for bytes that are no answer to the question.
pub fn decode_response(question: Question, message: Bytes) -> Result<Response, Error> {
    Ok(match question.op {
        OpKind::GetItem => {
            let output: pb::GetItemOutput = read(message)?;
            let item = output.item.map(WireItem::into_body).transpose()?;
            Response::GetItem(GetItemOutput { item, capacity: output.consumed_capacity.map(consumed) })
        }
        OpKind::PutItem => {
            let output: pb::PutItemOutput = read(message)?;
            Response::PutItem(PutItemOutput {
                attributes: item(output.attributes)?,
                capacity: output.consumed_capacity.map(consumed),
                collection: output.item_collection_metrics.map(metrics).transpose()?,
            })
        }
        OpKind::DeleteItem => {
            let output: pb::DeleteItemOutput = read(message)?;
            Response::DeleteItem(DeleteItemOutput {
                attributes: item(output.attributes)?,
                capacity: output.consumed_capacity.map(consumed),
                collection: output.item_collection_metrics.map(metrics).transpose()?,
            })
        }
        OpKind::UpdateItem => {
            let output: pb::UpdateItemOutput = read(message)?;
            Response::UpdateItem(UpdateItemOutput {
                attributes: item(output.attributes)?,
                capacity: output.consumed_capacity.map(consumed),
                collection: output.item_collection_metrics.map(metrics).transpose()?,
            })
        }
        OpKind::Query => Response::Query(page(question, message)?),
        OpKind::Scan => Response::Scan(page(question, message)?),
        OpKind::BatchGetItem => Response::BatchGetItem(batch_get_item(read(message)?)?),
        OpKind::BatchWriteItem => Response::BatchWriteItem(batch_write_item(read(message)?)?),
        OpKind::TransactGetItems => {
            let output: pb::TransactGetItemsOutput = read(message)?;
            let found = |found: pb::ItemResponse| found.item.map(WireItem::into_body).transpose();
            Response::TransactGetItems(TransactGetItemsOutput {
                items: output.responses.into_iter().map(found).collect::<Result<_, _>>()?,
                capacity: output.consumed_capacity.into_iter().map(consumed).collect(),
            })
        }
        OpKind::TransactWriteItems => {
            let output: pb::TransactWriteItemsOutput = read(message)?;
            Response::TransactWriteItems(TransactWriteItemsOutput {
                capacity: output.consumed_capacity.into_iter().map(consumed).collect(),
                collections: collections(output.item_collection_metrics)?,
            })
        }
        OpKind::CreateTable => {
            let output: pb::CreateTableOutput = read(message)?;
            let description = table::read_description(output.table_description)?;
            Response::CreateTable(CreateTableOutput { description })
        }
        OpKind::UpdateTable => {
            let output: pb::UpdateTableOutput = read(message)?;
            let description = table::read_description(output.table_description)?;
            Response::UpdateTable(UpdateTableOutput { description })
        }
        OpKind::DeleteTable => {
            let output: pb::DeleteTableOutput = read(message)?;
            let description = table::read_description(output.table_description)?;
            Response::DeleteTable(DeleteTableOutput { description })
        }
        OpKind::DescribeTable => {
            let output: pb::DescribeTableOutput = read(message)?;
            let description = table::read_description(output.table)?;
            Response::DescribeTable(DescribeTableOutput { description })
        }
        OpKind::ListTables => {
            let output: pb::ListTablesOutput = read(message)?;
            let (names, last) = (output.table_names, output.last_evaluated_table_name);
            Response::ListTables(ListTablesOutput { names, last })
        }
        OpKind::DescribeLimits => {
            let output: pb::DescribeLimitsOutput = read(message)?;
            Response::DescribeLimits(DescribeLimitsOutput {
                account_read_units: output.account_max_read_capacity_units,
                account_write_units: output.account_max_write_capacity_units,
                table_read_units: output.table_max_read_capacity_units,
                table_write_units: output.table_max_write_capacity_units,
            })
        }
        OpKind::DescribeEndpoints => {
            let output: pb::DescribeEndpointsOutput = read(message)?;
            let endpoint = |endpoint: pb::Endpoint| Endpoint {
                address: endpoint.address,
                cache_period_minutes: endpoint.cache_period_in_minutes,
            };
            let endpoints = output.endpoints.into_iter().map(endpoint).collect();
            Response::DescribeEndpoints(DescribeEndpointsOutput { endpoints })
        }
        OpKind::TagResource => {
            let pb::TagResourceOutput {} = read(message)?;
            Response::TagResource(TagResourceOutput)
        }
        OpKind::UntagResource => {
            let pb::UntagResourceOutput {} = read(message)?;
            Response::UntagResource(UntagResourceOutput)
        }
        OpKind::ListTagsOfResource => {
            let output: pb::ListTagsOfResourceOutput = read(message)?;
            let tag = |tag: pb::Tag| (tag.key.unwrap_or_default(), tag.value.unwrap_or_default());
            let tags = output.tags.into_iter().map(tag).collect();
            Response::ListTagsOfResource(ListTagsOfResourceOutput { tags, next_token: output.next_token })
        }
    })
}

fn item(item: Option<WireItem>) -> Result<Option<Item>, Error> {
    item.map(WireItem::into_item).transpose()
}

fn bodies(items: Vec<WireItem>) -> Result<Vec<ItemBody>, Error> {
    items.into_iter().map(WireItem::into_body).collect()
}

fn table_name(name: &str) -> Result<TableName, Error> {
    TableName::new(name).ok_or_else(malformed)
}

fn page(question: Question, message: Bytes) -> Result<Page, Error> {
    // Of a Scan it is the same message under another name.
    let output: pb::QueryOutput = read(message)?;
    let items = bodies(output.items)?;
    Ok(Page {
        items: (!question.counts).then_some(items),
        count: output.count,
        scanned_count: output.scanned_count,
        last_key: item(output.last_evaluated_key)?,
        capacity: output.consumed_capacity.map(consumed),
    })
}

fn batch_get_item(output: pb::BatchGetItemOutput) -> Result<BatchGetItemOutput, Error> {
    let tables = output.unprocessed_keys.into_iter().map(table_keys).collect::<Vec<_>>();
    let unprocessed = match tables.is_empty() {
        true => Vec::new(),
        false => {
            let unchecked = BatchGetItemUnchecked { tables: Some(tables), return_capacity: None };
            unchecked.check_by(Author::Node)?.tables
        }
    };
    let of_table = |table: pb::TableItems| Ok((table_name(&table.table_name)?, bodies(table.items)?));
    Ok(BatchGetItemOutput {
        responses: output.responses.into_iter().map(of_table).collect::<Result<_, Error>>()?,
        unprocessed,
        capacity: output.consumed_capacity.into_iter().map(consumed).collect(),
    })
}

fn batch_write_item(output: pb::BatchWriteItemOutput) -> Result<BatchWriteItemOutput, Error> {
    let tables = output.unprocessed_items.into_iter().map(table_writes).collect::<Vec<_>>();
    let unprocessed = match tables.is_empty() {
        true => Vec::new(),
        false => {
            let unchecked = BatchWriteItemUnchecked {
                tables: Some(tables),
                return_capacity: None,
                return_collection: None,
            };
            unchecked.check()?.tables
        }
    };
    Ok(BatchWriteItemOutput {
        unprocessed,
        capacity: output.consumed_capacity.into_iter().map(consumed).collect(),
        collections: collections(output.item_collection_metrics)?,
    })
}

fn consumed(consumed: pb::ConsumedCapacity) -> ConsumedCapacity {
    let indexes = |all: BTreeMap<String, pb::Capacity>| {
        all.into_iter().map(|(name, capacity)| (name, units(capacity))).collect()
    };
    ConsumedCapacity {
        table: consumed.table_name,
        total: Capacity {
            units: consumed.capacity_units,
            read_units: consumed.read_capacity_units,
            write_units: consumed.write_capacity_units,
        },
        own: consumed.table.map(units),
        local: indexes(consumed.local_secondary_indexes),
        global: indexes(consumed.global_secondary_indexes),
    }
}

fn units(capacity: pb::Capacity) -> Capacity {
    Capacity {
        units: capacity.capacity_units,
        read_units: capacity.read_capacity_units,
        write_units: capacity.write_capacity_units,
    }
}

fn metrics(metrics: pb::ItemCollectionMetrics) -> Result<ItemCollectionMetrics, Error> {
    Ok(ItemCollectionMetrics {
        key: item(metrics.item_collection_key)?.unwrap_or_default(),
        size_range_gb: (metrics.size_estimate_lower_gb, metrics.size_estimate_upper_gb),
    })
}

fn collections(
    all: Vec<pb::TableItemCollectionMetrics>,
) -> Result<Vec<(TableName, Vec<ItemCollectionMetrics>)>, Error> {
    let of_table = |table: pb::TableItemCollectionMetrics| {
        let all = table.metrics.into_iter().map(metrics).collect::<Result<_, _>>()?;
        Ok((table_name(&table.table_name)?, all))
    };
    all.into_iter().map(of_table).collect()
}
