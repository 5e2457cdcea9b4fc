//! The cache as a data structure: against a plain map of versions, and under threads.

mod fixture;
mod history;
mod limits;
mod threads;

pub(crate) use fixture::{string, table};
