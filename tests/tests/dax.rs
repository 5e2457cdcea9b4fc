//! The DAX front of a real process: what must outlive it, who is let in, and over which ports.

use std::sync::Arc;

use api::{Context, DynamoDb, Error, ErrorKind, OpKind};
use dax::attribute_lists::{EMPTY, FIRST, PASSING};
use dax::client::Credentials;
use dax::{DaxDb, DaxDbSettings};
use forebay_tests::certificate::{certificate, trusting};
use forebay_tests::contract::tables::simple;
use forebay_tests::dax_wire::DaxWire;
use forebay_tests::directory::Directory;
use forebay_tests::node::Node;
use forebay_tests::wire::Wire;
use host::clock::SystemClock;
use proxy::surroundings::System;
use serde_json::json;

const TABLE: &str = "dax.test";

fn item(attributes: &[(&str, &str)]) -> serde_json::Value {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), json!({"S": value}))).collect()
}

/// A client of the wire remembers ids as long as it lives, and so outlives the node.
#[test]
fn ids_of_attribute_lists_outlive_a_kill() {
    let directory = Directory::new("lists");
    let mut node = Node::on(directory.path());
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let put = |node: &Node, item| node.ok("PutItem", &json!({"TableName": TABLE, "Item": item}));
    put(&node, item(&[("p", "read"), ("b", "1"), ("a", "2")]));
    let mut wire = DaxWire::connect(node.dax.expect("it listens")).expect("it listens");
    let written = wire.define(&["x", "y"]);
    wire.put(TABLE, "written", written, &["first", "second"]).expect("written");
    let (read, values) = wire.get(TABLE, "read");
    assert!(FIRST <= read && read < PASSING, "there is room, so it lasts: {read:?}");
    let names = wire.names(read).expect("it was just given");
    assert_eq!(
        (&names[..], &values[..]),
        (&["a".to_owned(), "b".into()][..], &["2".to_owned(), "1".into()][..])
    );

    for _ in 0..2 {
        node.kill();
        node = Node::on(directory.path());
        let mut wire = DaxWire::connect(node.dax.expect("it listens")).expect("it listens");
        // Another list comes first, and takes no id that was given.
        let new = wire.define(&[&format!("new{}", node.pid())]);
        assert!(new > read && new > written && new < PASSING, "{new:?} was given already");
        // What the client remembers is still so, for reads and for writes.
        assert_eq!(wire.get(TABLE, "read"), (read, values.clone()));
        assert_eq!(wire.get(TABLE, "written"), (written, vec!["first".to_owned(), "second".into()]));
        assert_eq!(wire.names(read).expect("it is remembered"), names);
        assert_eq!(wire.define(&["x", "y"]), written);
        wire.put(TABLE, "again", written, &["third", "fourth"]).expect("written");
        let got = node.ok("GetItem", &json!({"TableName": TABLE, "Key": item(&[("p", "again")])}));
        assert_eq!(got["Item"], item(&[("p", "again"), ("x", "third"), ("y", "fourth")]));
    }
    assert!(node.stop().success());
}

#[test]
fn an_id_that_nobody_was_given_is_refused_and_not_guessed() {
    let node = Node::dev(&["--in-memory"]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let mut wire = DaxWire::connect(node.dax.expect("it listens")).expect("it listens");
    let known = wire.define(&["x"]);
    for unknown in [0, known.0 + 1, PASSING.0, PASSING.0 + 5, u64::MAX >> 11] {
        let unknown = dax::attribute_lists::ListId(unknown);
        assert_eq!(wire.put(TABLE, "k", unknown, &["v"]), Err(vec![4, 37, 38, 39, 46]), "{unknown:?}");
        assert_eq!(wire.names(unknown), Err(vec![4, 37, 38, 39, 46]), "{unknown:?}");
    }
    // The connection goes on, and the empty list needs no asking.
    wire.put(TABLE, "k", EMPTY, &[]).expect("written");
    assert_eq!(wire.get(TABLE, "k"), (EMPTY, vec![]));
    assert!(node.stop().success());
}

/// Asks for an item through a client of its own.
fn get(seed: &str, credentials: Option<Credentials>, trusted: Option<&str>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("starts");
    let system = Arc::new(System::new(Arc::new(SystemClock::new())));
    runtime.block_on(async {
        let settings = DaxDbSettings { retries: 0, ..DaxDbSettings::new(seed) };
        let client = DaxDb::new(settings, credentials, trusted.map(trusting), system).expect("good settings");
        let body = json!({"TableName": TABLE, "Key": item(&[("p", "k")])}).to_string();
        let request = http_front::codec::decode_request(OpKind::GetItem, body.as_bytes()).expect("good");
        client.call(Context::default(), request).await.map(|_| ())
    })
}

fn config(directory: &Directory, text: &str) -> String {
    let path = directory.path().join("forebay.toml");
    let ports = "[listen]\nhttp_port = 0\ndax_port = 0\ndax_tls_port = 0\ngrpc_port = 0\nadmin_port = 0\n[store]\nin_memory = true\n";
    std::fs::write(&path, format!("{ports}{text}")).expect("a temporary file is written");
    path.to_str().expect("temporary paths are text").to_owned()
}

#[test]
fn the_same_keys_are_let_in_as_over_http() {
    let directory = Directory::new("dax-credentials");
    let file = directory.path().join("credentials");
    std::fs::write(&file, "[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = right\n")
        .expect("written");
    let node =
        Node::start(&["node", "--config", &config(&directory, &format!("[credentials]\nfile = {file:?}\n"))]);
    let seed = format!("dax://{}", node.dax.expect("it listens"));
    let credentials = |access_key: &str, secret_key: &str| {
        Some(Credentials {
            access_key: access_key.into(),
            secret_key: secret_key.into(),
            session_token: None,
        })
    };
    // Let in, and told that there is no such table.
    let told = get(&seed, credentials("AKIDTEST", "right"), None).expect_err("there is no table");
    assert_eq!(told.kind, ErrorKind::ResourceNotFoundException, "{told}");
    for (credentials, kind) in [
        (credentials("AKIDTEST", "wrong"), ErrorKind::InvalidSignatureException),
        (credentials("AKIDOTHER", "right"), ErrorKind::UnrecognizedClientException),
        (None, ErrorKind::MissingAuthenticationTokenException),
    ] {
        let refused = get(&seed, credentials, None).expect_err("nobody is let in so");
        assert_eq!(refused.kind, kind, "{refused}");
    }
    assert!(node.stop().success());
}

#[test]
fn with_a_certificate_the_protocol_is_encrypted_and_the_plain_port_shut() {
    let directory = Directory::new("dax-tls");
    let (certificate_file, key_file) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let (pem, key) = certificate();
    std::fs::write(&key_file, key).expect("written");
    std::fs::write(&certificate_file, &pem).expect("written");
    let text = format!("[tls]\ncertificate_file = {certificate_file:?}\nkey_file = {key_file:?}\n");
    let config = config(&directory, &text);
    for (arguments, plain) in [(&[][..], false), (&["--set", "listen.plain_dax_beside_tls=true"][..], true)] {
        let node = Node::start(&[&["node", "--config", &config], arguments].concat());
        assert_eq!(node.dax.is_some(), plain);
        let port = node.dax_tls.expect("it listens").port();
        let not_there = |seed: &str, trusted| {
            let told = get(seed, None, trusted).expect_err("there is no table");
            assert_eq!(told.kind, ErrorKind::ResourceNotFoundException, "{seed}: {told}");
        };
        // The roster names the port of the transport by which it was asked for, or the second connection fails.
        not_there(&format!("daxs://127.0.0.1:{port}"), Some(&pem));
        if let Some(dax) = node.dax {
            not_there(&format!("dax://{dax}"), None);
        }
        let other = certificate().0;
        let refused = get(&format!("daxs://127.0.0.1:{port}"), None, Some(&other)).expect_err("not trusted");
        assert_ne!(refused.kind, ErrorKind::ResourceNotFoundException, "{refused}");
        assert!(node.stop().success());
    }
}

#[test]
fn idle_connections_do_not_hold_up_a_stop_and_are_closed_by_it() {
    // A stop that waited for them would wait longer than a test does.
    let node = Node::dev(&["--in-memory", "--set", "node.drain=10m"]);
    let address = node.dax.expect("it listens");
    let mut used = DaxWire::connect(address).expect("it listens");
    used.define(&["x"]);
    let unused = DaxWire::connect(address).expect("it listens");
    assert!(node.stop().success());
    for mut idle in [used, unused] {
        assert!(idle.is_closed(), "the node let go of its clients");
    }
}

#[test]
fn what_is_no_dax_is_counted_and_cut_off_and_the_rest_is_served() {
    let node = Node::dev(&["--in-memory"]);
    let address = node.dax.expect("it listens");
    let mut good = DaxWire::connect(address).expect("it listens");
    let mut noise = Wire::connect(address).expect("it listens");
    noise.send(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    assert!(noise.reply().is_err(), "HTTP is not answered here");
    good.define(&["x"]);
    const DAX: &str = "protocol=\"dax\"";
    // A connection counts as open until it is closed, and what is written once it is written; the peer may see either before.
    node.wait_for_metric("forebay_client_connections", DAX, |open| open == 1.0);
    node.wait_for_metric("forebay_network_bytes_out_total", DAX, |bytes| bytes > 0.0);
    assert_eq!(node.metric_of("forebay_malformed_frames_total", DAX), Some(1.0));
    assert!(node.metric_of("forebay_network_bytes_in_total", DAX) > Some(16.0));
    assert!(node.stop().success());
}

#[test]
fn each_request_is_counted_once() {
    let node = Node::dev(&["--in-memory"]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let mut wire = DaxWire::connect(node.dax.expect("it listens")).expect("it listens");
    let list = wire.define(&["x"]);
    wire.put(TABLE, "k", list, &["v"]).expect("written");
    for _ in 0..5 {
        assert_eq!(wire.get(TABLE, "k"), (list, vec!["v".to_owned()]));
    }
    let count = |name: &str, op: &str| node.metric_of(name, &format!("operation=\"{op}\""));
    assert_eq!(count("forebay_total_request_count_total", "GetItem"), Some(5.0));
    assert_eq!(count("forebay_total_request_count_total", "PutItem"), Some(1.0));
    assert_eq!(count("forebay_item_cache_hits_total", "GetItem"), Some(5.0));
    assert!(node.stop().success());
}
