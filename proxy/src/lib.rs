//! The cache in front of a DynamoDB-API store, and the server binary.

pub mod cache;
pub mod layer;
