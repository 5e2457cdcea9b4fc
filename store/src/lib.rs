//! The durable store with DynamoDB semantics, as a library.

pub mod db;
