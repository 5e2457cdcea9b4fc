//! Over a real socket, with a client of a few lines.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::metrics::names;

async fn exchange(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("connects");
    stream.write_all(request.as_bytes()).await.expect("writes");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("reads");
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status line");
    (status, answer)
}

async fn get(address: SocketAddr, path: &str) -> (u16, String) {
    exchange(address, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await
}

async fn served(readiness: Readiness) -> (SocketAddr, Shutdown, tokio::task::JoinHandle<()>) {
    let registry = Registry::new();
    registry.counter(names::ITEM_CACHE_HITS, &[("operation", "GetItem")]).add(12);
    let mut admin = Admin::new(registry, readiness, "[cache]\nitem_bytes = \"1GiB\"\n".to_owned());
    admin.route("/echo", "what was sent", |request| async move {
        let query = request.query.unwrap_or_default();
        let text = format!("{} {query} {}", request.method, String::from_utf8_lossy(&request.body));
        AdminAnswer::text(StatusCode::OK, text)
    });
    let bound = admin.bind("127.0.0.1:0".parse().expect("an address")).await.expect("binds");
    let address = bound.address();
    assert_ne!(address.port(), 0);
    let shutdown = Shutdown::new(Duration::from_secs(60));
    let task = tokio::spawn(bound.serve(shutdown.clone()));
    (address, shutdown, task)
}

#[tokio::test]
async fn the_process_is_ready_once_all_it_waits_for_is_met() {
    let readiness = Readiness::new();
    let store = readiness.require("store", "replaying the \"log\"");
    let front = readiness.require("http", "not bound");
    let (address, _shutdown, _task) = served(readiness).await;

    let (status, answer) = get(address, "/ready").await;
    assert_eq!(status, 503);
    assert!(answer.contains(r#"{"what":"store","why":"replaying the \"log\""},{"what":"http""#), "{answer}");
    store.met();
    front.met();
    assert_eq!(get(address, "/ready").await.0, 200);
    store.unmet("the disk is full");
    assert_eq!(get(address, "/ready").await.0, 503);
    assert_eq!(get(address, "/health").await.0, 200, "health does not depend on readiness");
    store.lost("the disk failed");
    let (status, answer) = get(address, "/health").await;
    assert_eq!(status, 503, "only a restart helps");
    assert!(answer.contains(r#"{"what":"store","why":"the disk failed"}"#), "{answer}");
    assert_eq!(get(address, "/ready").await.0, 503);
}

#[tokio::test]
async fn metrics_settings_and_the_index_are_served() {
    let (address, _shutdown, _task) = served(Readiness::new()).await;
    let (status, metrics) = get(address, "/metrics").await;
    assert_eq!(status, 200);
    assert!(metrics.contains("version=0.0.4"));
    assert!(metrics.contains("forebay_item_cache_hits_total{operation=\"GetItem\"} 12\n"), "{metrics}");
    assert!(metrics.contains("# HELP forebay_item_cache_hits_total DAX ItemCacheHits:"), "{metrics}");
    assert!(get(address, "/settings").await.1.contains("item_bytes = \"1GiB\""));
    let (status, index) = get(address, "/").await;
    assert_eq!(status, 200);
    for path in ["/health", "/ready", "/metrics", "/settings", "/echo"] {
        assert!(index.contains(path), "{index}");
    }
    assert_eq!(get(address, "/nothing").await.0, 404);
}

#[tokio::test]
async fn an_added_route_gets_method_query_and_body() {
    let (address, _shutdown, _task) = served(Readiness::new()).await;
    let request = "POST /echo?a=1&b HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 2\r\n\r\nhi";
    assert!(exchange(address, request).await.1.ends_with("POST a=1&b hi"));
    let request = "HEAD /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let (status, answer) = exchange(address, request).await;
    assert!(status == 200 && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_body_over_the_bound_is_refused() {
    let (address, _shutdown, _task) = served(Readiness::new()).await;
    let request = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        MAX_ADMIN_BODY_BYTES + 1
    );
    assert_eq!(exchange(address, &request).await.0, 413, "announced");
    // The same without announcing it; all of it, and nothing after it, so that the refusal is not lost to a reset.
    let request = format!(
        "POST /echo HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n{}\r\n0\r\n\r\n",
        MAX_ADMIN_BODY_BYTES + 1,
        "x".repeat(MAX_ADMIN_BODY_BYTES + 1)
    );
    assert_eq!(exchange(address, &request).await.0, 413, "unannounced");
}

#[tokio::test]
async fn the_port_is_served_through_the_drain_and_closed_after_it() {
    let (address, shutdown, task) = served(Readiness::new()).await;
    shutdown.trigger();
    assert_eq!(get(address, "/health").await.0, 200);
    shutdown.trigger_immediate();
    task.await.expect("no panic");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
