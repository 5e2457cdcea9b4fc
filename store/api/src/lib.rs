//! The DynamoDB contract: every type that crosses the one trait, and the rules that need nothing but those types.
//!
//! Pure: no I/O, no clock, no randomness, no async runtime. A protocol turns bytes into a [`Request`], a client turns a
//! [`Request`] into bytes, and whatever stands between implements [`DynamoDb`] over another [`DynamoDb`].
//!
//! The map: [`operation`] is the one table of operations; [`service`] the trait, what travels with a request and what a
//! committed write announces; [`token`] versions as clients carry them; [`floor`] what reads on a connection may not fall behind; [`op`] the input and output of each operation with
//! its checks in the service's order; [`value`], [`item`], [`schema`] the data; [`expr`] the expression language; [`limits`]
//! every published limit; [`error`] every error the service names.

pub mod error;
pub mod expr;
pub mod floor;
pub mod item;
pub mod limits;
pub mod op;
pub mod operation;
pub mod schema;
pub mod service;
pub mod token;
pub mod value;

pub use error::{Detail, Error, ErrorKind};
pub use floor::Floor;
pub use item::{EncodedItem, Item, ItemBody, KeyBytes};
pub use operation::{OpClass, OpKind, Request, Response};
pub use schema::{IndexId, Table, TableId, TableName};
pub use service::{Answer, Change, ChangeSink, Context, DynamoDb, Image, Shared, Source, Version, Wire};
pub use value::{AttributeValue, Number};
