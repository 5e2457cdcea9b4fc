//! The properties that must hold whatever happens, a file each.
//!
//! That acknowledged writes survive and transactions are whole is [`crate::ledger`]'s; [`index`]: every index entry matches
//! its item; [`feed`]: changes are told in order, each on top of the one before, with a time that never runs back; [`cache`]:
//! reads through the caches never go back in time and are what the store held.

pub mod cache;
pub mod feed;
pub mod index;
