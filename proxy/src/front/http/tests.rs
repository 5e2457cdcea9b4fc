//! The front over the cache: a hit gives the bytes that a miss gives (P12).

use std::sync::Arc;

use api::service::Catalog;
use api::{ChangeSink, Shared};
use bytes::Bytes;
use host::clock::{Clock, SystemClock};
use host::metrics::Registry;
use http_body_util::BodyExt;
use http_front::server::{ConnectionState, HttpSettings};
use http_front::sigv4::Auth;
use store::{Embedded, EmbeddedSettings};

use super::*;
use crate::cache::{Cache, CacheSettings};
use crate::layer::{Cached, Encoders, Resolved};
use crate::surroundings::System;

struct Peer {
    server: HttpServer<Shared>,
    connection: ConnectionState,
}

impl Peer {
    fn of(db: Shared, system: &Arc<System>) -> Peer {
        let server = HttpServer::new(db, Auth::Any, HttpSettings::default(), Arc::clone(system) as _);
        Peer { connection: server.connection(), server }
    }

    /// Status, sum and body of an answer.
    async fn ask(&self, operation: &str, body: &str) -> (u16, String, Bytes) {
        let request = http::Request::post("/")
            .header("content-type", "application/x-amz-json-1.0")
            .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap();
        let (head, body) = self.server.handle(request, &self.connection).await.into_parts();
        let sum = head.headers["x-amz-crc32"].to_str().unwrap().to_owned();
        (head.status.as_u16(), sum, body.collect().await.unwrap().to_bytes())
    }
}

const TABLE: &str = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
    "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
    "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#;

#[tokio::test]
async fn a_hit_gives_the_bytes_of_a_miss_for_an_item_and_for_a_batch() {
    let clock = Arc::new(SystemClock::new());
    let system = Arc::new(System::new(Arc::clone(&clock)));
    let registry = Registry::new();
    let cache =
        Cache::new(CacheSettings::default(), Arc::clone(&clock) as Arc<dyn Clock>, 7, 1, &registry).unwrap();
    let sink = Arc::clone(&cache) as Arc<dyn ChangeSink>;
    let store = Arc::new(
        Embedded::in_memory(EmbeddedSettings::default(), store::Surroundings::system(), sink).unwrap(),
    );
    let catalog: Arc<dyn Catalog> = store.catalog();
    let encoders = Encoders { json: Some(Arc::new(Encoder)), dax: None };
    let cached = Cached::new(Arc::clone(&store), Arc::clone(&cache), encoders);
    let cached = Peer::of(Shared::new(Resolved::new(cached, Arc::clone(&catalog))), &system);
    let plain = Peer::of(Shared::new(Resolved::new(store, catalog)), &system);
    cached.ask("CreateTable", TABLE).await;
    for item in [
        r#"{"pk":{"S":"a"}}"#,
        r#"{"pk":{"S":"b"},"v":{"L":[{"N":"1.50"},{"BOOL":true}]},"t":{"S":"é\"\n"}}"#,
        r#"{"pk":{"S":"c"},"v":{"B":"AQI="}}"#,
    ] {
        let put = format!(r#"{{"TableName":"things","Item":{item}}}"#);
        // The table may not be active yet.
        while cached.ask("PutItem", &put).await.0 != 200 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    let key = |name: &str| format!(r#"{{"pk":{{"S":"{name}"}}}}"#);
    let keys = ["c", "nobody", "a", "b"].map(key).join(",");
    let batch = |keys: &str, more: &str| format!(r#"{{"RequestItems":{{"things":{{"Keys":[{keys}]{more}}}"#);
    let mut reads = vec![
        batch(&keys, "}}"),
        batch(&keys, r#"}},"ReturnConsumedCapacity":"TOTAL""#),
        batch(&keys, r#"}},"ReturnConsumedCapacity":"INDEXES""#),
        batch(&keys, r#","ProjectionExpression":"v[0], pk"}}"#),
        batch(&key("nobody"), "}}"),
        batch(&format!("{},{}", key("a"), key("a")), "}}"),
    ]
    .into_iter()
    .map(|body| ("BatchGetItem", body))
    .collect::<Vec<_>>();
    reads.push(("GetItem", format!(r#"{{"TableName":"things","Key":{}}}"#, key("b"))));
    let hits_before = cache.statistics().batch_hits.value();
    for (operation, body) in reads {
        let of_store = plain.ask(operation, &body).await;
        let duplicates = body.matches(r#""S":"a""#).count() == 2;
        assert_eq!(of_store.0, if duplicates { 400 } else { 200 }, "{body}");
        for time in ["first", "second", "third"] {
            assert_eq!(cached.ask(operation, &body).await, of_store, "{body}: the {time} time");
        }
    }
    assert_eq!(cache.statistics().batch_hits.value() - hits_before, 4 * 3 * 4 + 2, "absence is filled once");
}
