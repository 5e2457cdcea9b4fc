//! Input and output of each operation, and the checks of each in the service's own order.
//!
//! An input holds checked values only. What a text protocol carries before it was checked is the `…Unchecked` form in the
//! same file; its `check` makes the input or names the first thing wrong with it.

pub mod batch_get_item;
pub mod batch_write_item;
pub mod capacity;
pub mod condition_failure;
mod constraint;
pub mod create_table;
pub mod delete_item;
pub mod delete_table;
pub mod describe_endpoints;
pub mod describe_limits;
pub mod describe_table;
pub mod get_item;
pub mod index_definition;
pub mod legacy;
pub mod list_tables;
pub mod list_tags_of_resource;
mod parameters;
pub mod put_item;
pub mod query;
mod resource;
pub mod scan;
mod select;
pub mod table_description;
pub mod tag_resource;
pub mod transact_get_items;
pub mod transact_write_items;
pub mod unchecked;
pub mod untag_resource;
pub mod update_item;
pub mod update_table;

pub use batch_get_item::{BatchGetItemInput, BatchGetItemOutput, DistinctKeys, TableKeys};
pub use batch_write_item::{BatchWrite, BatchWriteItemInput, BatchWriteItemOutput};
pub use capacity::{
    Capacity, ConsumedCapacity, ItemCollectionMetrics, ReturnConsumedCapacity, ReturnItemCollectionMetrics,
};
pub use condition_failure::ReturnOnFailure;
pub use create_table::{CreateTableInput, CreateTableOutput, NewIndex};
pub use delete_item::{DeleteItemInput, DeleteItemOutput};
pub use delete_table::{DeleteTableInput, DeleteTableOutput};
pub use describe_endpoints::{DescribeEndpointsInput, DescribeEndpointsOutput, Endpoint};
pub use describe_limits::{DescribeLimitsInput, DescribeLimitsOutput};
pub use describe_table::{DescribeTableInput, DescribeTableOutput};
pub use get_item::{GetItemInput, GetItemOutput};
pub use list_tables::{ListTablesInput, ListTablesOutput};
pub use list_tags_of_resource::{ListTagsOfResourceInput, ListTagsOfResourceOutput};
pub use put_item::{PutItemInput, PutItemOutput, ReturnOld};
pub use query::{Page, QueryInput, QueryOutput, Select};
pub use scan::{ScanInput, ScanOutput, Segment};
pub use table_description::{Size, TableDescription};
pub use tag_resource::{TagResourceInput, TagResourceOutput};
pub use transact_get_items::{TransactGet, TransactGetItemsInput, TransactGetItemsOutput};
pub use transact_write_items::{
    TransactAction, TransactWrite, TransactWriteItemsInput, TransactWriteItemsOutput,
};
pub use untag_resource::{UntagResourceInput, UntagResourceOutput};
pub use update_item::{ReturnValues, UpdateItemInput, UpdateItemOutput};
pub use update_table::{IndexUpdate, UpdateTableInput, UpdateTableOutput};

#[cfg(test)]
mod tests;
