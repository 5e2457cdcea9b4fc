//! Reads of what this node has acknowledged and not applied yet, and of what it may have fallen behind on.
//!
//! Neither is answered from memory, and neither joins a flight: it is passed on with the version that it must be of, or, where
//! that is not known, as a read of what is committed by now.

use std::time::Duration;

use api::{Context, DynamoDb, Request, Version};

use super::pages::PageRequest;
use super::{Cached, key};
use crate::cache::Owed;

impl<D: DynamoDb> Cached<D> {
    /// Whether a request has to be looked at more closely before it may be answered from memory. For a node that stands
    /// alone, or is not behind, one load.
    #[inline]
    pub(super) fn is_in_doubt(&self, cx: &Context) -> bool {
        self.cache.is_behind()
            || cx.max_staleness.is_some_and(|most| self.cache.age().is_none_or(|age| age > most))
    }

    /// What becomes of a request that is in doubt: `true` where it has to be passed on. Then it asks for the version that
    /// was acknowledged, or for what nothing is newer than.
    pub(super) fn is_passed_on(&self, cx: &mut Context, request: &Request) -> bool {
        match self.owed(cx, request) {
            Some(Owed::Version(owed)) => cx.min_version = Some(later(cx.min_version, owed)),
            Some(Owed::Newest) => cx.max_staleness = Some(Duration::ZERO),
            None => {
                return cx.max_staleness.is_some_and(|most| self.cache.age().is_none_or(|age| age > most));
            }
        }
        true
    }

    fn owed(&self, cx: &Context, request: &Request) -> Option<Owed> {
        match request {
            Request::GetItem(input) => {
                let table = cx.tables.named(&input.table)?;
                key::with_scratch(|scratch| {
                    key::write_given(table, &input.key, scratch)?;
                    self.cache.owed_item(&self.cache.item_key(table, scratch)?)
                })
            }
            Request::BatchGetItem(input) => {
                let mut most: Option<Owed> = None;
                for keys in &input.tables {
                    let table = cx.tables.named(&keys.table)?;
                    for given in &keys.keys {
                        let owed = key::with_scratch(|scratch| {
                            key::write_given(table, given, scratch)?;
                            self.cache.owed_item(&self.cache.item_key(table, scratch)?)
                        });
                        most = match (most, owed) {
                            (Some(Owed::Newest), _) | (_, Some(Owed::Newest)) => Some(Owed::Newest),
                            (Some(Owed::Version(most)), Some(Owed::Version(owed))) => {
                                Some(Owed::Version(later(Some(most), owed)))
                            }
                            (most, owed) => owed.or(most),
                        };
                    }
                }
                most
            }
            Request::Query(_) | Request::Scan(_) => {
                let page = PageRequest::of(request)?;
                let table = cx.tables.named(page.table())?;
                let mut buffer = Vec::new();
                match self.page_key(table, page, &mut buffer) {
                    Some(page_key) => self.cache.owed_page(&page_key),
                    // What is not cached has no stamps to look at: pages of tables without a cache, keys too long.
                    None => self.cache.owed_most(),
                }
            }
            // The others are not answered from here, and go to the primary or ask for nothing that was written.
            _ => None,
        }
    }
}

/// The later of two versions; where they can't be compared, the one that the caller asked for, which only a strong read is
/// certain to satisfy.
fn later(asked: Option<Version>, owed: Version) -> Version {
    match asked {
        Some(asked) if asked.at_least(&owed) != Some(false) => asked,
        Some(_) | None => owed,
    }
}
