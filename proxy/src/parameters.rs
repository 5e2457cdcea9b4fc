//! What the parameters of the cluster come to on a node: they take the place of what its own config says for all tables; what the
//! config says of single tables stands above both.
//!
//! Deliberately keeps nothing: the values stand in the replicated state ([`store::parameters`]), the settings in the config.

use std::collections::BTreeMap;
use std::sync::Arc;

use host::metrics::{Gauge, Registry, names};
use serde::{Deserialize, Serialize};
use store::parameters::{Parameter, Parameters};
use tokio::sync::watch;

use crate::cache::{Cache, CacheSettings};

/// A parameter, as one node knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterStatus {
    /// Its name.
    pub name: String,
    /// What it is on the node that answers.
    pub value: u64,
    /// Whether it was set for the cluster. If not, it is what the node's config says.
    pub set: bool,
    /// Tables for which the node's config says otherwise.
    #[serde(default)]
    pub tables: BTreeMap<String, u64>,
}

/// The settings of the caches, with what was set for the cluster in place of what they say for all tables.
pub fn in_effect(settings: &CacheSettings, parameters: &Parameters) -> CacheSettings {
    let of = |parameter, own| parameters.get(parameter).unwrap_or(own);
    CacheSettings {
        record_ttl_millis: of(Parameter::RecordTtlMillis, settings.record_ttl_millis),
        query_ttl_millis: of(Parameter::QueryTtlMillis, settings.query_ttl_millis),
        ..settings.clone()
    }
}

/// All parameters, as a node with these settings obeys them.
pub fn describe(settings: &CacheSettings, parameters: &Parameters) -> Vec<ParameterStatus> {
    let effective = in_effect(settings, parameters);
    let of = |parameter: Parameter| {
        let (value, own): (_, fn(&crate::cache::TableCacheSettings) -> Option<u64>) = match parameter {
            Parameter::RecordTtlMillis => (effective.record_ttl_millis, |table| table.record_ttl_millis),
            Parameter::QueryTtlMillis => (effective.query_ttl_millis, |table| table.query_ttl_millis),
        };
        let tables = settings.tables.iter().filter_map(|(name, table)| Some((name.clone(), own(table)?)));
        ParameterStatus {
            name: parameter.name().to_owned(),
            value,
            set: parameters.get(parameter).is_some(),
            tables: tables.collect(),
        }
    };
    Parameter::ALL.into_iter().map(of).collect()
}

/// A parameter and its value, as somebody has written them; `default` is the value of one that is not set. Errors: what there is.
pub fn read(name: &str, value: &str) -> Result<(Parameter, Option<u64>), String> {
    let parameter = named(name)?;
    let most = parameter.most();
    match value.parse() {
        _ if value == "default" => Ok((parameter, None)),
        Ok(value) if value <= most => Ok((parameter, Some(value))),
        Ok(_) | Err(_) => Err(format!(
            "{name} can't be {value:?}: it is a number of milliseconds, 0 to {most}, or \"default\" for what each node's config \
             says; 0 is {}",
            zero(parameter)
        )),
    }
}

/// The parameter of a name. Errors: which there are.
pub fn named(name: &str) -> Result<Parameter, String> {
    Parameter::named(name).ok_or_else(|| {
        let there_are =
            Parameter::ALL.map(|known| format!("{known} (0 to {}; 0 is {})", known.most(), zero(known)));
        format!("there is no parameter {name:?}; there are {}", there_are.join(" and "))
    })
}

fn zero(parameter: Parameter) -> &'static str {
    match parameter {
        Parameter::RecordTtlMillis => "never by time",
        Parameter::QueryTtlMillis => "no pages are cached",
    }
}

/// Obeys the parameters of the group from now on.
pub struct Follower {
    // One receiver from the first look to the last: one that is made later takes what was set in between for seen.
    parameters: watch::Receiver<Parameters>,
    cache: Arc<Cache>,
    gauges: [(Parameter, Gauge); 2],
}

impl Follower {
    /// Obeys what is set now. Before the caches answer anything, so that nothing is kept longer than it should be.
    pub fn begin(
        parameters: watch::Receiver<Parameters>,
        cache: Arc<Cache>,
        registry: &Registry,
    ) -> Follower {
        let gauges = [
            (Parameter::RecordTtlMillis, registry.gauge(names::RECORD_TTL_MILLIS, &[])),
            (Parameter::QueryTtlMillis, registry.gauge(names::QUERY_TTL_MILLIS, &[])),
        ];
        let mut follower = Follower { parameters, cache, gauges };
        follower.obey();
        follower
    }

    fn obey(&mut self) -> Parameters {
        let parameters = *self.parameters.borrow_and_update();
        self.cache.set_policies(&in_effect(self.cache.settings(), &parameters));
        for status in describe(self.cache.settings(), &parameters) {
            let gauge = self.gauges.iter().find(|(parameter, _)| parameter.name() == status.name);
            if let Some((_, gauge)) = gauge {
                gauge.set(i64::try_from(status.value).unwrap_or(i64::MAX));
            }
        }
        parameters
    }

    /// Obeys every change, until the store is gone.
    pub async fn follow(mut self) {
        while self.parameters.changed().await.is_ok() {
            let now = self.obey();
            tracing::info!(parameters = ?now, "the cluster's parameters have changed");
            self.cache.shorten().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::cache::TableCacheSettings;

    use super::*;

    #[test]
    fn what_was_set_stands_above_the_config_and_below_its_tables() {
        let mut settings = CacheSettings { query_ttl_millis: 7, ..CacheSettings::default() };
        let own = TableCacheSettings { query_ttl_millis: Some(9), ..TableCacheSettings::default() };
        settings.tables.insert("orders".into(), own);
        let unset = Parameters::default();
        assert_eq!(in_effect(&settings, &unset), settings);
        let [record, query] = &describe(&settings, &unset)[..] else { panic!("two of them") };
        assert_eq!((record.name.as_str(), record.value, record.set), ("record-ttl-millis", 300_000, false));
        assert!(record.tables.is_empty());
        assert_eq!((query.name.as_str(), query.value, query.set), ("query-ttl-millis", 7, false));
        assert_eq!(query.tables, BTreeMap::from([("orders".to_owned(), 9)]));
    }

    #[tokio::test]
    async fn what_is_set_between_the_first_look_and_following_is_obeyed() {
        let registry = Registry::new();
        let clock = Arc::new(host::clock::ManualClock::at(0));
        let cache = Cache::new(CacheSettings::default(), clock, 7, 1, &registry).unwrap();
        let mut now = Parameters::default();
        let (set, parameters) = watch::channel(now);
        let follower = Follower::begin(parameters, Arc::clone(&cache), &registry);
        now.set(Parameter::QueryTtlMillis, Some(0));
        set.send_replace(now);
        // Nothing follows that would wake it a second time.
        drop(set);
        follower.follow().await;
        assert_eq!(cache.policy(&crate::cache::tests::table(1)).query_ttl_nanos, 0);
    }

    #[test]
    fn a_name_or_a_value_that_is_none_is_refused_with_what_there_is() {
        assert_eq!(read("query-ttl-millis", "0"), Ok((Parameter::QueryTtlMillis, Some(0))));
        assert_eq!(read("record-ttl-millis", "default"), Ok((Parameter::RecordTtlMillis, None)));
        let refused = read("ttl", "0").unwrap_err();
        assert!(refused.contains("record-ttl-millis (0 to 31536000000; 0 is never by time)"), "{refused}");
        for value in ["", "-1", "5m", "31536000001", "99999999999999999999999"] {
            let refused = read("query-ttl-millis", value).unwrap_err();
            assert!(
                refused.contains(&format!("{value:?}")) && refused.contains("0 to 31536000000"),
                "{refused}"
            );
            assert!(refused.contains("no pages are cached"), "{refused}");
        }
    }
}
