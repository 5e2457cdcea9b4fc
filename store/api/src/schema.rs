//! Tables and indexes as the service keeps them, and the keys they take out of an item.

pub mod key;

use std::sync::Arc;

use crate::value::ValueType;
pub use key::KeyRole;

/// A checked table name. Shape: 3 to 255 of `a-z A-Z 0-9 _ . -`. Source: Developer Guide, *Naming rules*.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TableName(Arc<str>);

/// A checked index name; the same shape as a table name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct IndexName(Arc<str>);

macro_rules! names {
    ($($name:ident),*) => { $(
        impl $name {
            /// Takes a name that follows the rules; `None` otherwise.
            pub fn new(text: &str) -> Option<$name> {
                let fits = (crate::limits::NAME_BYTES_MIN..=crate::limits::NAME_BYTES_MAX).contains(&text.len());
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
                (fits && text.bytes().all(plain)).then(|| $name(text.into()))
            }
            /// The name's text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}
names!(TableName, IndexName);

/// Equal names have equal texts and hash as these do, so that a table is found by a text that is borrowed.
impl std::borrow::Borrow<str> for TableName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Identifies a table for as long as it lives. A table dropped and created again gets a new one; ids never come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct TableId(pub u64);

/// Identifies an index for as long as it lives; drawn from the same sequence as table ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct IndexId(pub u64);

/// A key attribute and its type, which is `S`, `N` or `B`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeyAttribute {
    /// The attribute's name.
    pub name: String,
    /// `S`, `N` or `B`.
    pub value_type: ValueType,
}

/// The key of a table or index.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct KeySchema {
    /// The partition (`HASH`) key.
    pub partition: KeyAttribute,
    /// The sort (`RANGE`) key.
    pub sort: Option<KeyAttribute>,
}

impl KeySchema {
    /// The key attributes, partition first.
    pub fn attributes(&self) -> impl Iterator<Item = &KeyAttribute> {
        std::iter::once(&self.partition).chain(&self.sort)
    }
}

/// What an index copies from its table.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum IndexProjection {
    /// Every attribute.
    All,
    /// Table key and index key only.
    KeysOnly,
    /// The keys and these.
    Include(Vec<String>),
}

/// Local or global.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum IndexKind {
    /// Shares the table's partition key; strong reads allowed; made with the table only.
    Local,
    /// Any key; eventual reads only; added and removed at any time.
    Global,
}

/// State of a table or index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Status {
    /// Being made; not usable yet.
    Creating,
    /// Being altered; usable.
    Updating,
    /// Usable.
    Active,
    /// Going away; not usable.
    Deleting,
}

impl Status {
    /// The name as the service writes it.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Creating => "CREATING",
            Status::Updating => "UPDATING",
            Status::Active => "ACTIVE",
            Status::Deleting => "DELETING",
        }
    }
}

/// Provisioned throughput. Zero and zero for a table billed per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
pub struct Throughput {
    /// Read capacity units a second.
    pub read_units: u64,
    /// Write capacity units a second.
    pub write_units: u64,
}

/// An index of a table.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Index {
    /// Its id.
    pub id: IndexId,
    /// Its name, unique within the table.
    pub name: IndexName,
    /// Local or global.
    pub kind: IndexKind,
    /// Its key.
    pub key: KeySchema,
    /// What it copies.
    pub projection: IndexProjection,
    /// Its state. Readable when active; written from the moment it exists.
    pub status: Status,
    /// Whether it is being filled from the items that were there before it.
    pub backfilling: bool,
    /// Provisioned throughput; global indexes only.
    pub throughput: Throughput,
}

impl Index {
    /// Whether it may be read: it is there, and holds all that it is to hold.
    pub fn is_readable(&self) -> bool {
        !self.backfilling && matches!(self.status, Status::Active | Status::Updating)
    }
}

/// How a table is billed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum BillingMode {
    /// `PROVISIONED`.
    Provisioned,
    /// `PAY_PER_REQUEST`.
    PayPerRequest,
}

impl BillingMode {
    /// The name as the service writes it.
    pub const fn name(self) -> &'static str {
        match self {
            BillingMode::Provisioned => "PROVISIONED",
            BillingMode::PayPerRequest => "PAY_PER_REQUEST",
        }
    }
}

/// A table's schema and settings. Shared and never altered in place: an alteration makes a new one of the next generation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Table {
    /// Its id.
    pub id: TableId,
    /// Its name.
    pub name: TableName,
    /// Counts alterations; a command made against another generation is not applied.
    pub generation: u64,
    /// Its state.
    pub status: Status,
    /// Its key.
    pub key: KeySchema,
    /// Declared attributes, in the order of the request.
    pub attributes: Vec<KeyAttribute>,
    /// Local and global indexes, in the order they were made.
    pub indexes: Vec<Index>,
    /// How it is billed.
    pub billing: BillingMode,
    /// Provisioned throughput.
    pub throughput: Throughput,
    /// Whether DeleteTable is refused.
    pub deletion_protection: bool,
    /// Table class as given (`STANDARD`, `STANDARD_INFREQUENT_ACCESS`), if given. Kept and shown, without effect.
    pub table_class: Option<String>,
    /// Tags, sorted by key.
    pub tags: std::collections::BTreeMap<String, String>,
    /// When it was made: log time, milliseconds since the epoch.
    pub created_millis: u64,
    /// The id the service shows as `TableId`, a UUID.
    pub uuid: u128,
}

impl Table {
    /// The index of that name.
    pub fn index(&self, name: &IndexName) -> Option<&Index> {
        self.indexes.iter().find(|index| &index.name == name)
    }

    /// The local indexes.
    pub fn local_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.kind == IndexKind::Local)
    }

    /// The global indexes.
    pub fn global_indexes(&self) -> impl Iterator<Item = &Index> {
        self.indexes.iter().filter(|index| index.kind == IndexKind::Global)
    }

    /// The name by which other services know the table.
    pub fn arn(&self) -> String {
        format!("arn:aws:dynamodb:{}:{}:table/{}", crate::limits::REGION, crate::limits::ACCOUNT, self.name)
    }
}
