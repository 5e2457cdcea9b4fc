//! What an operator may set of the caches, and what it comes to for one table.
//!
//! Plain values: nothing here is read from disk or environment, and nothing is checked after [`CacheSettings::check`].

use std::collections::{BTreeMap, HashMap};

use api::TableName;
use host::settings::ByteSize;
use serde::{Deserialize, Serialize};

/// How long an entry lives when nothing else is said. Unit: milliseconds. Source: DAX, the default of both TTL parameters.
pub const DEFAULT_TTL_MILLIS: u64 = 5 * 60 * 1000;
/// The least memory the caches work with: one shard of items and one of pages, each with room for the largest entry.
pub const CACHE_BYTES_MIN: ByteSize = ByteSize::mib(16);

/// When a cached page may be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Until a write could have changed it.
    #[default]
    Coherent,
    /// Until its time to live has passed, whatever is written meanwhile, as DAX does it.
    Ttl,
}

/// What `ReturnConsumedCapacity` says of a hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HitCapacity {
    /// What the store would have charged.
    #[default]
    AsStore,
    /// Nothing, as it truly was.
    Zero,
}

/// Settings of both caches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSettings {
    /// Memory of both caches together, stamps included; the process's memory stays within 1.25 times of it.
    pub cache_bytes: ByteSize,
    /// The part of `cache_bytes` that pages of Query and Scan may take; the rest is for items. 0 to 90. Below what one
    /// page of full size needs, pages are not cached.
    pub query_share_percent: u8,
    /// Time to live of an item; 0 is for ever. A write renews it, a read does not.
    pub record_ttl_millis: u64,
    /// Time to live of a page; 0 caches no pages.
    pub query_ttl_millis: u64,
    /// When a cached page may be served.
    pub mode: Mode,
    /// What `ReturnConsumedCapacity` says of a hit.
    pub hit_capacity: HitCapacity,
    /// What is different for single tables, by name.
    pub tables: BTreeMap<String, TableCacheSettings>,
}

/// What is different for one table; what is left out is as for all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableCacheSettings {
    /// Time to live of an item of the table; 0 is for ever.
    pub record_ttl_millis: Option<u64>,
    /// Time to live of a page of the table or its indexes; 0 caches none.
    pub query_ttl_millis: Option<u64>,
    /// When a cached page of the table may be served.
    pub mode: Option<Mode>,
}

impl Default for CacheSettings {
    fn default() -> Self {
        CacheSettings {
            cache_bytes: ByteSize::mib(512),
            query_share_percent: 25,
            record_ttl_millis: DEFAULT_TTL_MILLIS,
            query_ttl_millis: DEFAULT_TTL_MILLIS,
            mode: Mode::default(),
            hit_capacity: HitCapacity::default(),
            tables: BTreeMap::new(),
        }
    }
}

/// Settings the caches can't work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCacheSettings {
    /// Too little memory.
    #[error("cache_bytes is {given}; the least is {CACHE_BYTES_MIN}")]
    TooSmall {
        /// What was set.
        given: ByteSize,
    },
    /// Nothing would be left for items.
    #[error("query_share_percent is {given}; the most is 90")]
    ShareTooLarge {
        /// What was set.
        given: u8,
    },
    /// No table can have that name.
    #[error("{name:?} under cache tables can't be the name of a table")]
    BadTableName {
        /// What was set.
        name: String,
    },
}

impl CacheSettings {
    /// Names the first thing wrong with the settings.
    pub fn check(&self) -> Result<(), BadCacheSettings> {
        if self.cache_bytes < CACHE_BYTES_MIN {
            return Err(BadCacheSettings::TooSmall { given: self.cache_bytes });
        }
        if self.query_share_percent > 90 {
            return Err(BadCacheSettings::ShareTooLarge { given: self.query_share_percent });
        }
        match self.tables.keys().find(|name| TableName::new(name).is_none()) {
            Some(name) => Err(BadCacheSettings::BadTableName { name: name.clone() }),
            None => Ok(()),
        }
    }
}

/// What the settings come to for one table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Nanoseconds an item lives; `u64::MAX` is for ever.
    pub record_ttl_nanos: u64,
    /// Nanoseconds a page lives; 0 caches none.
    pub query_ttl_nanos: u64,
    /// When a page may be served.
    pub mode: Mode,
}

/// The policies of all tables, swapped whole when a parameter changes.
#[derive(Debug)]
pub(crate) struct Policies {
    all: Policy,
    own: HashMap<String, Policy>,
}

const NANOS_PER_MILLI: u64 = 1_000_000;

impl Policies {
    pub(crate) fn of(settings: &CacheSettings) -> Policies {
        let record = |millis: u64| match millis {
            0 => u64::MAX,
            _ => millis.saturating_mul(NANOS_PER_MILLI),
        };
        let query = |millis: u64| millis.saturating_mul(NANOS_PER_MILLI);
        let all = Policy {
            record_ttl_nanos: record(settings.record_ttl_millis),
            query_ttl_nanos: query(settings.query_ttl_millis),
            mode: settings.mode,
        };
        let own = settings.tables.iter().map(|(name, table)| {
            let policy = Policy {
                record_ttl_nanos: table.record_ttl_millis.map_or(all.record_ttl_nanos, record),
                query_ttl_nanos: table.query_ttl_millis.map_or(all.query_ttl_nanos, query),
                mode: table.mode.unwrap_or(all.mode),
            };
            (name.clone(), policy)
        });
        Policies { all, own: own.collect() }
    }

    /// For tables of which nothing else is said.
    pub(crate) fn all(&self) -> Policy {
        self.all
    }

    pub(crate) fn of_table(&self, name: &TableName) -> Policy {
        if self.own.is_empty() {
            return self.all;
        }
        self.own.get(name.as_str()).copied().unwrap_or(self.all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_overrides_only_what_it_names() {
        let mut settings = CacheSettings { query_ttl_millis: 7, ..CacheSettings::default() };
        let own =
            TableCacheSettings { record_ttl_millis: Some(0), mode: Some(Mode::Ttl), ..Default::default() };
        settings.tables.insert("orders".into(), own);
        let policies = Policies::of(&settings);
        let orders = policies.of_table(&TableName::new("orders").unwrap());
        let others = policies.of_table(&TableName::new("others").unwrap());
        assert_eq!(
            (orders.record_ttl_nanos, orders.query_ttl_nanos, orders.mode),
            (u64::MAX, 7_000_000, Mode::Ttl)
        );
        assert_eq!(
            (others.record_ttl_nanos, others.query_ttl_nanos, others.mode),
            (300_000_000_000, 7_000_000, Mode::Coherent)
        );
    }

    #[test]
    fn settings_the_caches_cannot_work_with_are_refused() {
        assert_eq!(CacheSettings::default().check(), Ok(()));
        let small = CacheSettings { cache_bytes: ByteSize::mib(1), ..CacheSettings::default() };
        assert!(small.check().unwrap_err().to_string().contains("the least is 16MiB"));
        let share = CacheSettings { query_share_percent: 91, ..CacheSettings::default() };
        assert_eq!(share.check(), Err(BadCacheSettings::ShareTooLarge { given: 91 }));
        let mut named = CacheSettings::default();
        named.tables.insert("a b".into(), TableCacheSettings::default());
        assert!(matches!(named.check(), Err(BadCacheSettings::BadTableName { .. })));
    }
}
