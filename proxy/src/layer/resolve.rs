//! Looks up the schemas a request needs, once, and puts them beside it.
//!
//! | operation | what becomes of it |
//! |---|---|
//! | reads and writes of items | their tables' schemas are put into the context; a table that is not there, or not usable, is refused |
//! | everything else | passed on: table operations know best what they need, and have messages of their own |
//!
//! Failures leave nothing behind. The catalog is one pointer load, so that a schema may be older than the next moment's;
//! whoever acts on it checks its id or generation again where that matters (the log at apply, the cache by table ids).

use std::sync::Arc;

use api::schema::Status;
use api::service::{Catalog, Tables};
use api::{Answer, Context, DynamoDb, Error, ErrorKind, Request, TableName};
use tracing::Instrument;

/// The layer.
#[derive(Debug)]
pub struct Resolved<D, C: ?Sized> {
    inner: D,
    catalog: Arc<C>,
}

impl<D: DynamoDb, C: Catalog + ?Sized> Resolved<D, C> {
    /// Resolves against `catalog` what `inner` is asked.
    pub fn new(inner: D, catalog: Arc<C>) -> Resolved<D, C> {
        Resolved { inner, catalog }
    }

    fn add(&self, tables: &mut Tables, name: &TableName) -> Result<(), Error> {
        if tables.named(name).is_some() {
            return Ok(());
        }
        match self
            .catalog
            .table(name)
            .filter(|table| matches!(table.status, Status::Active | Status::Updating))
        {
            Some(table) => {
                tables.add(table);
                Ok(())
            }
            None => Err(Error::new(ErrorKind::ResourceNotFoundException, NOT_FOUND)),
        }
    }

    fn tables(&self, request: &Request) -> Result<Tables, Error> {
        let mut tables = Tables::default();
        match request {
            Request::GetItem(input) => self.add(&mut tables, &input.table)?,
            Request::Query(input) => self.add(&mut tables, &input.table)?,
            Request::Scan(input) => self.add(&mut tables, &input.table)?,
            Request::PutItem(input) => self.add(&mut tables, &input.table)?,
            Request::UpdateItem(input) => self.add(&mut tables, &input.table)?,
            Request::DeleteItem(input) => self.add(&mut tables, &input.table)?,
            Request::BatchGetItem(input) => {
                input.tables.iter().try_for_each(|keys| self.add(&mut tables, &keys.table))?;
            }
            Request::BatchWriteItem(input) => {
                input.tables.iter().try_for_each(|(name, _)| self.add(&mut tables, name))?;
            }
            Request::TransactGetItems(input) => {
                input.gets.iter().try_for_each(|get| self.add(&mut tables, &get.table))?;
            }
            Request::TransactWriteItems(input) => {
                input.actions.iter().try_for_each(|write| self.add(&mut tables, &write.table))?;
            }
            Request::CreateTable(_)
            | Request::DeleteTable(_)
            | Request::DescribeEndpoints(_)
            | Request::DescribeLimits(_)
            | Request::DescribeTable(_)
            | Request::ListTables(_)
            | Request::ListTagsOfResource(_)
            | Request::TagResource(_)
            | Request::UntagResource(_)
            | Request::UpdateTable(_) => {}
        }
        Ok(tables)
    }
}

/// What the service says of a table that can't be read or written. Source: DynamoDB's answers to item operations.
const NOT_FOUND: &str = "Requested resource not found";

impl<D: DynamoDb, C: Catalog + ?Sized> DynamoDb for Resolved<D, C> {
    async fn call(&self, mut cx: Context, request: Request) -> Result<Answer, Error> {
        cx.tables = self.tables(&request)?;
        match host::telemetry::enabled() {
            false => self.inner.call(cx, request).await,
            true => self.inner.call(cx, request).instrument(tracing::debug_span!("resolved")).await,
        }
    }
}
