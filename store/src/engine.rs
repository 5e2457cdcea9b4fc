//! Request to handler: the only such matches in the tree.
//!
//! Two rooms with one rule each. A **write** handler gets the [`State`] while an entry is applied: it is a pure function of
//! state and request, refuses whatever it refuses before it writes anything, and has the signature
//! `fn put_item(state: &mut State, input: PutItemInput) -> Result<PutItemOutput, EngineError>`. A **read** handler gets a
//! [`View`], which is one moment: `fn get_item(view: &View<'_>, input: &GetItemInput) -> Result<GetItemOutput,
//! EngineError>`; it may be called twice for one request, first on a view that stays in memory.
//!
//! What it deliberately does not do: no handler knows the log, the cache, the clock or the network.

pub mod batch_write_item;
pub mod create_table;
pub mod delete_item;
pub mod delete_table;
pub mod describe_table;
pub mod list_tables;
pub mod list_tags_of_resource;
pub mod maintain;
pub mod put_item;
pub mod tag_resource;
pub mod token;
pub mod transact_write_items;
pub mod untag_resource;
pub mod update_item;
pub mod update_table;
pub mod view;
pub mod write;
pub mod write_capacity;

pub mod batch_get_item;
pub mod capacity;
pub mod get_item;
pub mod page;
pub mod query;
pub mod scan;
pub mod transact_get_items;

use api::op::{DescribeEndpointsOutput, DescribeLimitsOutput, Endpoint};
use api::{Error, OpClass, Request, Response};

use crate::command::Basis;
use crate::error::{EngineError, internal};
use crate::state::State;
use view::{TableMap, View};

/// Capacity units an account may have, as the service starts one with. Source: Developer Guide, *Quotas*.
const ACCOUNT_UNITS: u64 = 80_000;
/// Capacity units a table may have, likewise.
const TABLE_UNITS: u64 = 40_000;
/// How long a client may remember an endpoint. Unit: minutes.
const ENDPOINT_MINUTES: u64 = 1440;

/// Judges a write before it is proposed, by what the primary knows: what is certain to be refused needs no place in the
/// log. Answers the schemas it rests on.
pub fn admit(tables: &TableMap, request: &Request) -> Result<Vec<Basis>, EngineError> {
    match request {
        Request::BatchWriteItem(input) => batch_write_item::admit(tables, input),
        Request::DeleteItem(input) => delete_item::admit(tables, input),
        Request::PutItem(input) => put_item::admit(tables, input),
        Request::TransactWriteItems(input) => transact_write_items::admit(tables, input),
        Request::UpdateItem(input) => update_item::admit(tables, input),
        other => Err(not_a(OpClass::Write, other).into()),
    }
}

/// Applies a write or a change to a table.
pub fn apply(state: &mut State, request: Request, entropy: u128) -> Result<Response, EngineError> {
    Ok(match request {
        Request::BatchWriteItem(input) => {
            Response::BatchWriteItem(batch_write_item::batch_write_item(state, input)?)
        }
        Request::CreateTable(input) => {
            Response::CreateTable(create_table::create_table(state, input, entropy)?)
        }
        Request::DeleteItem(input) => Response::DeleteItem(delete_item::delete_item(state, input)?),
        Request::DeleteTable(input) => Response::DeleteTable(delete_table::delete_table(state, input)?),
        Request::PutItem(input) => Response::PutItem(put_item::put_item(state, input)?),
        Request::TagResource(input) => Response::TagResource(tag_resource::tag_resource(state, input)?),
        Request::TransactWriteItems(input) => {
            Response::TransactWriteItems(transact_write_items::transact_write_items(state, input)?)
        }
        Request::UntagResource(input) => {
            Response::UntagResource(untag_resource::untag_resource(state, input)?)
        }
        Request::UpdateItem(input) => Response::UpdateItem(update_item::update_item(state, input)?),
        Request::UpdateTable(input) => Response::UpdateTable(update_table::update_table(state, input)?),
        other => return Err(not_a(OpClass::Write, &other).into()),
    })
}

/// Answers a read from a view.
pub fn read(view: &View<'_>, request: &Request) -> Result<Response, EngineError> {
    Ok(match request {
        Request::BatchGetItem(input) => Response::BatchGetItem(batch_get_item::batch_get_item(view, input)?),
        Request::DescribeEndpoints(_) => Response::DescribeEndpoints(DescribeEndpointsOutput {
            endpoints: vec![Endpoint { address: String::new(), cache_period_minutes: ENDPOINT_MINUTES }],
        }),
        Request::DescribeLimits(_) => Response::DescribeLimits(DescribeLimitsOutput {
            account_read_units: ACCOUNT_UNITS,
            account_write_units: ACCOUNT_UNITS,
            table_read_units: TABLE_UNITS,
            table_write_units: TABLE_UNITS,
        }),
        Request::DescribeTable(input) => {
            Response::DescribeTable(describe_table::describe_table(view, input)?)
        }
        Request::GetItem(input) => Response::GetItem(get_item::get_item(view, input)?),
        Request::ListTables(input) => Response::ListTables(list_tables::list_tables(view, input)),
        Request::ListTagsOfResource(input) => {
            Response::ListTagsOfResource(list_tags_of_resource::list_tags_of_resource(view, input)?)
        }
        Request::Query(input) => Response::Query(query::query(view, input)?),
        Request::Scan(input) => Response::Scan(scan::scan(view, input)?),
        Request::TransactGetItems(input) => {
            Response::TransactGetItems(transact_get_items::transact_get_items(view, input)?)
        }
        other => return Err(not_a(OpClass::Read, other).into()),
    })
}

/// Whether a read must be answered from a state that is certain to hold every acknowledged write.
pub fn is_strong(request: &Request) -> bool {
    match request {
        Request::GetItem(input) => input.consistent,
        Request::Query(input) => input.consistent,
        Request::Scan(input) => input.consistent,
        Request::BatchGetItem(input) => input.tables.iter().any(|keys| keys.consistent),
        Request::TransactGetItems(_) => true,
        Request::DescribeTable(_) | Request::ListTables(_) | Request::ListTagsOfResource(_) => true,
        _ => false,
    }
}

/// A request came where those of its class do not go: a defect of ours.
fn not_a(class: OpClass, request: &Request) -> Error {
    tracing::error!(
        operation = request.kind().name(),
        ?class,
        "a request went to the wrong half of the engine"
    );
    internal()
}
