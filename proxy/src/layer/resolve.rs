//! Looks up the schemas a request needs, once, and puts them beside it.
//!
//! | operation | what becomes of it |
//! |---|---|
//! | reads and writes of items | their tables' schemas are put into the context; a table that is not there, or not usable, is refused; on a node of a cluster it is passed on without any schema, since another node may know it |
//! | everything else | passed on: table operations know best what they need, and have messages of their own |
//!
//! Failures leave nothing behind. The catalog is one pointer load, so that a schema may be older than the next moment's;
//! whoever acts on it checks its id or generation again where that matters (the log at apply, the cache by table ids).

use std::sync::Arc;

use api::schema::Status;
use api::service::{Catalog, Peek, Tables};
use api::{Answer, Context, DynamoDb, Error, ErrorKind, Request, Table, TableName, Version};
use tracing::Instrument;

/// What becomes of a request for a table that this node does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// There is nobody who would know it.
    Refused,
    /// The layers below find somebody.
    PassedOn,
}

/// The layer.
#[derive(Debug)]
pub struct Resolved<D, C: ?Sized> {
    inner: D,
    catalog: Arc<C>,
    unknown: Unknown,
}

impl<D: DynamoDb, C: Catalog + ?Sized> Resolved<D, C> {
    /// Resolves against `catalog` what `inner` is asked.
    pub fn new(inner: D, catalog: Arc<C>) -> Resolved<D, C> {
        Resolved { inner, catalog, unknown: Unknown::Refused }
    }

    /// The same, where others may know tables that `catalog` does not.
    pub fn among_others(inner: D, catalog: Arc<C>) -> Resolved<D, C> {
        Resolved { inner, catalog, unknown: Unknown::PassedOn }
    }

    fn add(&self, tables: &mut Tables, name: &TableName) -> Result<(), Error> {
        if tables.named(name).is_some() {
            return Ok(());
        }
        match self.catalog.table(name).filter(|table| is_usable(table)) {
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

/// Whether the service reads and writes a table.
const fn is_usable(table: &Table) -> bool {
    matches!(table.status, Status::Active | Status::Updating)
}

/// What the service says of a table that can't be read or written. Source: DynamoDB's answers to item operations.
const NOT_FOUND: &str = "Requested resource not found";

impl<D: DynamoDb, C: Catalog + ?Sized> DynamoDb for Resolved<D, C> {
    async fn call(&self, mut cx: Context, request: Request) -> Result<Answer, Error> {
        cx.tables = match (self.tables(&request), self.unknown) {
            (Err(_), Unknown::PassedOn) => Tables::default(),
            (tables, _) => tables?,
        };
        match host::telemetry::enabled() {
            false => self.inner.call(cx, request).await,
            true => self.inner.call(cx, request).instrument(tracing::debug_span!("resolved")).await,
        }
    }

    /// A table that is not there is refused by the call that follows.
    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        if host::telemetry::enabled() {
            return None;
        }
        cx.tables = self.tables(request).ok()?;
        self.inner.call_now(cx, request)
    }

    /// The front has looked the table up.
    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        if !is_usable(read.table) || host::telemetry::enabled() {
            return None;
        }
        self.inner.peek(read, out)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use api::op::{
        BatchGetItemInput, GetItemInput, ListTablesInput, ListTablesOutput, ReturnConsumedCapacity, TableKeys,
    };
    use api::{Item, Response, Table};

    use super::*;

    /// Tables 1 and 2 are there; 3 is being made, 4 taken apart, 5 altered.
    struct Known;

    impl Catalog for Known {
        fn table(&self, name: &TableName) -> Option<Arc<Table>> {
            let number = name.as_str().strip_prefix("table-")?.parse().ok()?;
            let status = match number {
                1 | 2 => Status::Active,
                3 => Status::Creating,
                4 => Status::Deleting,
                5 => Status::Updating,
                _ => return None,
            };
            Some(Arc::new(Table { status, ..Table::clone(&crate::cache::tests::table(number)) }))
        }
    }

    /// Notes the ids of the tables it is given.
    #[derive(Default)]
    struct Notes(Mutex<Vec<Vec<u64>>>);

    impl DynamoDb for Notes {
        async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
            self.0.lock().unwrap().push(cx.tables.iter().map(|table| table.id.0).collect());
            Ok(Answer::from_store(Response::ListTables(ListTablesOutput { names: vec![], last: None }), None))
        }

        fn peek(&self, read: &Peek<'_>, _: &mut Vec<u8>) -> Option<Version> {
            self.0.lock().unwrap().push(vec![read.table.id.0]);
            Some(Version::default())
        }
    }

    fn name(number: u64) -> TableName {
        TableName::new(&format!("table-{number}")).unwrap()
    }

    fn get(number: u64) -> Request {
        GetItemInput {
            table: name(number),
            key: Item::new(),
            projection: None,
            consistent: false,
            return_capacity: ReturnConsumedCapacity::None,
        }
        .into()
    }

    fn batch(numbers: &[u64]) -> Request {
        let keys = |number: &u64| TableKeys {
            table: name(*number),
            keys: vec![Item::new()],
            projection: None,
            consistent: false,
        };
        let tables = numbers.iter().map(keys).collect();
        BatchGetItemInput { tables, return_capacity: ReturnConsumedCapacity::None }.into()
    }

    async fn given(request: Request) -> Result<Vec<u64>, Error> {
        let resolved = Resolved::new(Arc::new(Notes::default()), Arc::new(Known));
        resolved.call(Context::default(), request).await?;
        Ok(resolved.inner.0.lock().unwrap().concat())
    }

    #[tokio::test]
    async fn a_request_gets_the_schema_of_every_table_it_names_once_and_in_its_order() {
        assert_eq!(given(get(1)).await.unwrap(), [1]);
        assert_eq!(given(batch(&[2, 5, 1])).await.unwrap(), [2, 5, 1]);
        assert_eq!(given(batch(&[2, 2])).await.unwrap(), [2]);
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_used_is_refused_before_anything_below_is_asked() {
        let resolved = Resolved::new(Arc::new(Notes::default()), Arc::new(Known));
        for request in [get(3), get(4), get(6), batch(&[1, 6])] {
            let error = resolved.call(Context::default(), request).await.unwrap_err();
            assert_eq!(
                error,
                Error::new(ErrorKind::ResourceNotFoundException, "Requested resource not found")
            );
        }
        assert!(resolved.inner.0.lock().unwrap().is_empty());
    }

    #[test]
    fn a_front_that_looked_a_table_up_itself_finds_nothing_in_one_that_cannot_be_used() {
        let resolved = Resolved::new(Arc::new(Notes::default()), Arc::new(Known));
        let caller = Arc::default();
        for number in 1..=6 {
            Known.lend(name(number).as_str(), &mut |table| {
                let read = Peek { caller: &caller, table, key: b"", min_version: None, wire: api::Wire::Dax };
                resolved.peek(&read, &mut Vec::new());
            });
        }
        assert_eq!(resolved.inner.0.lock().unwrap().concat(), [1, 2, 5]);
    }

    #[tokio::test]
    async fn among_other_nodes_a_request_for_an_unknown_table_goes_by_without_any_schema() {
        let resolved = Resolved::among_others(Arc::new(Notes::default()), Arc::new(Known));
        for request in [get(3), get(6), batch(&[1, 6]), get(1)] {
            resolved.call(Context::default(), request).await.unwrap();
        }
        assert_eq!(*resolved.inner.0.lock().unwrap(), [vec![], vec![], vec![], vec![1]]);
    }

    #[tokio::test]
    async fn what_came_with_the_context_does_not_stand() {
        let resolved = Resolved::new(Arc::new(Notes::default()), Arc::new(Known));
        let mut cx = Context::default();
        cx.tables.add(crate::cache::tests::table(2));
        resolved.call(cx, get(1)).await.unwrap();
        assert_eq!(*resolved.inner.0.lock().unwrap(), [[1]]);
    }

    #[tokio::test]
    async fn operations_on_tables_go_by_unresolved() {
        assert_eq!(given(ListTablesInput { start: None, limit: None }.into()).await.unwrap(), [0; 0]);
    }
}
