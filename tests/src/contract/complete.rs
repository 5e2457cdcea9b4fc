//! Complete behaviour: every operation with every option, on tables and on indexes.

pub mod batches;
pub mod capacity;
pub mod conditions;
pub mod indexes;
pub mod legacy;
pub mod lifecycle;
pub mod pages;
pub mod projections;
pub mod transactions;
pub mod updates;
