//! What the codec has to know of a table: its key, and on the server's side its indexes too.

use std::sync::Arc;

use api::schema::KeySchema;
use api::{Table, TableName};

/// A table's schema, as much of it as whoever encodes or decodes has.
#[derive(Debug, Clone)]
pub enum Schema {
    /// All of it, as a server has it.
    Table(Arc<Table>),
    /// Its key, as a client learned it from a server.
    Key(Arc<NamedKey>),
}

/// A table's name and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedKey {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub key: KeySchema,
}

impl Schema {
    /// The table's name.
    pub fn name(&self) -> &TableName {
        match self {
            Schema::Table(table) => &table.name,
            Schema::Key(named) => &named.table,
        }
    }

    /// The table's key.
    pub fn key(&self) -> &KeySchema {
        match self {
            Schema::Table(table) => &table.key,
            Schema::Key(named) => &named.key,
        }
    }
}

/// Finds schemas by table name. Errors: what is said of a request that names a table which is not there.
pub type FindSchema<'a> = &'a dyn Fn(&str) -> Result<Schema, api::Error>;
