//! The node as an operator meets it: exit codes, signals, restarts, credentials, certificates, telemetry.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{Context, DynamoDb, ErrorKind, OpKind};
use forebay_tests::certificate::{certificate, trusting};
use forebay_tests::contract::tables::simple;
use forebay_tests::directory::Directory;
use forebay_tests::node::{Node, run};
use forebay_tests::numbers::now;
use forebay_tests::wire::{Wire, request};
use host::clock::SystemClock;
use http_front::client::{HttpDb, HttpDbSettings};
use http_front::sigv4::Credentials;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use prost::Message;
use proxy::surroundings::System;
use serde_json::json;

const TABLE: &str = "node.test";

fn config(directory: &Directory, text: &str) -> String {
    let path = directory.path().join("forebay.toml");
    std::fs::write(&path, text).expect("a temporary file is written");
    path.to_str().expect("temporary paths are text").to_owned()
}

#[test]
fn a_bad_config_exits_with_64_before_a_port_opens() {
    let directory = Directory::new("config");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port();
    // The admin port is taken, so a node that got as far as opening it would end with 75.
    for bad in [
        "nonsense = 1",
        "[listen]\nhttp_prot = 1",
        "[listen]\nhttp_port = \"many\"",
        "[cache]\ncache_bytes = \"-1\"",
        "not toml at all [",
        "[node]\nmax_connections = 0",
        "[credentials]\nfile = \"/nowhere/at/all\"",
    ] {
        let config = config(&directory, &format!("{bad}\n"));
        let admin = format!("listen.admin_port={port}");
        let ended =
            run(&["node", "--config", &config, "--set", &admin, "--set", "store.in_memory=true"], &[]);
        // A credentials file is read after the admin port is bound; everything else is known before.
        let expected = if bad.contains("credentials") { vec![Some(64), Some(75)] } else { vec![Some(64)] };
        assert!(expected.contains(&ended.code), "{bad}: {ended:?}");
        assert!(!ended.said.is_empty(), "{bad}: it does not say what is wrong");
    }
    assert_eq!(run(&["node", "--config", "/nowhere/forebay.toml"], &[]).code, Some(64));
    assert_eq!(run(&["no-such-command"], &[]).code, Some(64));
    assert_eq!(run(&["dev", "--no-such-option"], &[]).code, Some(64));
    assert_eq!(run(&["--version"], &[]).code, Some(0));
}

#[test]
fn beyond_loopback_needs_credentials_or_plain_words() {
    let directory = Directory::new("open");
    let config = config(
        &directory,
        "[listen]\naddress = \"0.0.0.0\"\nhttp_port = 0\ndax_port = 0\ndax_tls_port = 0\ngrpc_port = 0\nadmin_port = 0\n[store]\nin_memory = true\n",
    );
    let ended = run(&["node", "--config", &config], &[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.said.contains("credentials"), "{}", ended.said);
    let allowed = "listen.anyone_may_read_and_write_everything=true";
    let node = Node::start(&["node", "--config", &config, "--set", allowed]);
    assert!(node.stop().success());
}

#[test]
fn a_port_in_use_exits_with_75() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let doors = ["--http-port", "--dax-port", "--grpc-port", "--admin-port"];
    for door in doors {
        let ports = doors.iter().flat_map(|each| [*each, if *each == door { port.as_str() } else { "0" }]);
        let arguments: Vec<&str> = ["dev", "--in-memory"].into_iter().chain(ports).collect();
        let ended = run(&arguments, &[]);
        assert_eq!(ended.code, Some(75), "{ended:?}");
        assert!(ended.said.contains(&port), "it names the port: {}", ended.said);
    }
}

/// What the store has in its journals and has not flushed. Closed in order it leaves nothing there. Unit: bytes.
fn unflushed(data: &Path) -> u64 {
    let files =
        |directory: &Path| std::fs::read_dir(directory).expect("it can be read").map_while(Result::ok);
    let instances = files(data).filter(|each| each.path().is_dir());
    let journals = instances
        .flat_map(|each| files(&each.path()))
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    journals.map(|file| file.metadata().expect("it is there").len()).sum()
}

#[test]
fn a_node_that_can_not_open_a_door_closes_its_store() {
    let directory = Directory::new("doors");
    let node = Node::on(directory.path());
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let item = json!({"p": {"S": "kept"}});
    node.ok("PutItem", &json!({"TableName": TABLE, "Item": item}));
    assert!(unflushed(directory.path()) > 0, "what was written stands in a journal");
    assert!(node.stop().success());
    assert_eq!(unflushed(directory.path()), 0);
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("bound").port().to_string();
    let data = directory.path().to_str().expect("text");
    let doors = ["--http-port", "--dax-port", "--grpc-port"];
    // Whether the end of a process with an open store shows depends on which of its threads is where.
    for round in 0..6 {
        let door = doors[round % doors.len()];
        let ports = doors.iter().flat_map(|each| [*each, if *each == door { port.as_str() } else { "0" }]);
        let arguments: Vec<&str> =
            ["dev", "--data", data, "--admin-port", "0"].into_iter().chain(ports).collect();
        let ended = run(&arguments, &[]);
        assert_eq!(ended.code, Some(75), "{door}: {ended:?}");
        let setting = format!("[listen] {}", door.trim_start_matches("--").replace('-', "_"));
        let (said, others): (Vec<&str>, Vec<&str>) =
            ended.said.lines().partition(|line| line.starts_with("forebay: "));
        assert!(said.len() == 1 && said[0].contains(&port) && said[0].contains(&setting), "{ended:?}");
        // Nothing but the log besides.
        let is_logged = |line: &&str| ["INFO", "WARN"].iter().any(|level| line.contains(level));
        assert!(others.iter().all(is_logged), "{ended:?}");
        assert_eq!(unflushed(directory.path()), 0, "{door}: it was not closed");
    }
    drop(taken);
    let node = Node::on(directory.path());
    assert_eq!(node.ok("GetItem", &json!({"TableName": TABLE, "Key": item}))["Item"], item);
    assert!(node.stop().success());
}

#[test]
fn nodes_of_one_process_end_together_where_one_can_not_open_a_door() {
    let directory = Directory::new("doors-of-several");
    let taken = TcpListener::bind("127.0.0.2:0").expect("a free port");
    let http = taken.local_addr().expect("bound").port().to_string();
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let peer = format!("listen.peer_port={}", free.local_addr().expect("bound").port());
    drop(free);
    let data = directory.path().to_str().expect("text");
    let arguments = ["dev", "--nodes", "3", "--data", data, "--http-port", &http, "--set", &peer];
    let picked = ["--dax-port", "0", "--grpc-port", "0", "--admin-port", "0"];
    for _ in 0..3 {
        let ended = run(&[&arguments[..], &picked].concat(), &[]);
        assert_eq!(ended.code, Some(75), "{ended:?}");
        assert!(ended.said.contains(&format!("127.0.0.2:{http}")), "{ended:?}");
        // Of the others it depends on how far they came.
        let begun = |node: &&str| *node == "node-2" || directory.path().join(node).is_dir();
        for node in ["node-1", "node-2", "node-3"].iter().filter(|node| begun(node)) {
            assert_eq!(unflushed(&directory.path().join(node)), 0, "{node} was not closed: {ended:?}");
        }
    }
}

#[test]
fn a_node_opens_as_many_files_as_the_system_lets_it() {
    let limits = |node: &Node| {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).expect("it runs");
        let line =
            limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("Linux says it");
        let mut fields = line.split_whitespace().map(str::to_owned);
        (fields.next().expect("the soft one"), fields.next().expect("the hard one"))
    };
    let node = Node::under(
        "-Sn 100",
        &[
            "dev",
            "--in-memory",
            "--http-port",
            "0",
            "--dax-port",
            "0",
            "--grpc-port",
            "0",
            "--admin-port",
            "0",
        ],
    );
    let (soft, hard) = limits(&node);
    assert_eq!(soft, hard);
    assert_ne!(soft, "100");
}

#[test]
fn a_directory_in_use_exits_with_75() {
    let directory = Directory::new("locked");
    let node = Node::on(directory.path());
    let data = directory.path().to_str().expect("text");
    let ended = run(
        &[
            "dev",
            "--data",
            data,
            "--http-port",
            "0",
            "--dax-port",
            "0",
            "--grpc-port",
            "0",
            "--admin-port",
            "0",
        ],
        &[],
    );
    assert_eq!(ended.code, Some(75), "{ended:?}");
    assert!(node.stop().success());
}

#[test]
fn the_effective_config_is_printed_and_read_back_the_same() {
    let directory = Directory::new("print");
    let first = config(&directory, "[node]\nname = \"printed\"\n");
    let printed = run(&["node", "--config", &first, "--print-config", "--set", "listen.http_port=1234"], &[]);
    assert_eq!(printed.code, Some(0), "{printed:?}");
    assert!(printed.said.contains("\"printed\"") && printed.said.contains("1234"), "{}", printed.said);
    let again = run(&["node", "--config", &config(&directory, &printed.said), "--print-config"], &[]);
    assert_eq!(again.said, printed.said);
}

#[test]
fn settings_are_printed_and_refused_where_a_start_would_refuse_the_files_they_name() {
    let directory = Directory::new("preflight");
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "short\n").expect("a temporary file is written");
    std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
    let cluster = |file: &str| format!("[cluster]\nnodes = [\"127.0.0.1:8501\"]\nsecret_file = {file:?}\n");
    for (text, said) in [
        (cluster("/nowhere/secret"), "copy it from another node"),
        (cluster(secret.to_str().expect("text")), "has 5 bytes"),
        ("[credentials]\nfile = \"/nowhere/keys\"\n".to_owned(), "aws_access_key_id"),
        ("[tls]\ncertificate_file = \"/nowhere/c\"\nkey_file = \"/nowhere/k\"\n".to_owned(), "[tls]"),
    ] {
        let ended = run(&["node", "--config", &config(&directory, &text), "--print-config"], &[]);
        assert_eq!(ended.code, Some(64), "{text}: {ended:?}");
        assert!(ended.said.contains(said) && ended.said.contains("[listen]"), "{text}: {ended:?}");
    }
    // Without a file: the defaults.
    let ended = run(&["node", "--print-config"], &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.said.contains("cache_bytes"), "{ended:?}");
    assert_eq!(run(&["node"], &[]).code, Some(64));
}

#[test]
fn a_signal_drains_what_is_under_way_and_ends_well() {
    let mut node = Node::dev(&["--in-memory"]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    // A request that is half there when the signal comes is still answered.
    let mut slow = node.connect();
    let body = json!({"TableName": TABLE, "Item": {"p": {"S": "drained"}}}).to_string();
    let whole = request("PutItem", body.as_bytes(), &[]);
    let (half, rest) = whole.split_at(whole.len() - 10);
    const READ: (&str, &str) = ("forebay_network_bytes_in_total", "protocol=\"http\"");
    let before = node.metric_of(READ.0, READ.1).expect("the metric is there");
    slow.send(half).expect("the node reads");
    node.wait_for_metric(READ.0, READ.1, |read| read == before + half.len() as f64);
    // Another has been answered and lies idle: it is closed, not waited for.
    let mut idle = node.connect();
    assert_eq!(idle.ask("ListTables", &json!({})).expect("an answer").status, 200);
    node.terminate();
    idle.closed().expect("an idle connection is closed");
    slow.send(rest).expect("the node reads on");
    assert_eq!(slow.reply().expect("a request under way is answered").status, 200);
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_node_that_is_told_to_stop_serves_as_long_as_it_gives_notice() {
    let started = |notice: &str| Node::dev(&["--in-memory", "--set", &format!("node.notice={notice}")]);
    let mut node = started("3s");
    let told = now();
    node.terminate();
    while node.get("/ready").map(|reply| reply.status) == Some(200) {
        assert!(told.elapsed() < Duration::from_secs(2), "it says nothing");
    }
    let mut served = 0;
    while told.elapsed() < Duration::from_millis(2_500) {
        let listed = node.connect().ask("ListTables", &json!({}));
        assert_eq!(listed.expect("a new connection is served").status, 200);
        served += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(served > 0);
    assert_eq!(node.wait().code(), Some(0));
    assert!(told.elapsed() >= Duration::from_secs(3), "{:?}", told.elapsed());
    // Whoever can't wait says so.
    let mut node = started("10m");
    node.terminate();
    while node.get("/ready").map(|reply| reply.status) == Some(200) {}
    node.terminate();
    assert_eq!(node.wait().code(), Some(0));
}

#[test]
fn a_restart_keeps_everything_and_is_ready_within_a_second() {
    let directory = Directory::new("restart");
    let node = Node::on(directory.path());
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let mut wire = node.connect();
    for number in 0..500 {
        let item = json!({"p": {"S": format!("key-{number}")}, "v": {"S": "x".repeat(1000)}});
        assert_eq!(
            wire.ask("PutItem", &json!({"TableName": TABLE, "Item": item})).expect("an answer").status,
            200
        );
    }
    let described = node.ok("DescribeTable", &json!({"TableName": TABLE}));
    assert_eq!(node.stop().code(), Some(0));
    let node = Node::on(directory.path());
    println!("ready {:?} after a clean stop", node.ready_after);
    assert!(node.ready_after < Duration::from_secs(1), "{:?}", node.ready_after);
    assert_eq!(
        node.ok("DescribeTable", &json!({"TableName": TABLE}))["Table"]["TableId"],
        described["Table"]["TableId"]
    );
    let count = node.ok("Scan", &json!({"TableName": TABLE, "Select": "COUNT"}));
    assert_eq!((count["Count"].clone(), count.get("LastEvaluatedKey")), (json!(500), None));
    assert!(node.stop().success());
}

#[test]
fn a_hit_is_counted_on_the_admin_port() {
    let node = Node::dev(&["--in-memory"]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    let item = json!({"p": {"S": "hot"}});
    node.ok("PutItem", &json!({"TableName": TABLE, "Item": item}));
    let hits = || node.metric("forebay_item_cache_hits_total").expect("the metric is there");
    let before = hits();
    for _ in 0..10 {
        assert_eq!(node.ok("GetItem", &json!({"TableName": TABLE, "Key": item}))["Item"], item);
    }
    assert!(hits() >= before + 9.0, "{before} then {}", hits());
    let query = json!({"TableName": TABLE, "KeyConditionExpression": "p = :p", "ExpressionAttributeValues": {":p": {"S": "hot"}}});
    let before = node.metric("forebay_query_cache_hits_total").expect("the metric is there");
    for _ in 0..5 {
        node.ok("Query", &query);
    }
    assert!(node.metric("forebay_query_cache_hits_total").expect("still there") >= before + 4.0);
    for page in ["/health", "/ready", "/metrics", "/settings"] {
        assert_eq!(node.get(page).map(|reply| reply.status), Some(200), "{page}");
    }
    assert!(node.stop().success());
}

fn credentials(secret: &str) -> Credentials {
    Credentials { access_key: "AKIDTEST".to_owned(), secret_key: secret.to_owned(), session_token: None }
}

/// Asks once as our own client of HTTP does, signed or not.
fn ask(
    endpoint: String,
    credentials: Option<Credentials>,
    tls: Option<Arc<rustls::ClientConfig>>,
) -> Result<(), api::Error> {
    let system = Arc::new(System::new(Arc::new(SystemClock::new())));
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let client =
            HttpDb::new(HttpDbSettings::new(endpoint), credentials, tls, system).expect("good settings");
        let request = http_front::codec::decode_request(OpKind::ListTables, b"{}").expect("a good request");
        client.call(Context::default(), request).await.map(|_| ())
    })
}

#[test]
fn a_signature_is_checked_where_credentials_are_configured() {
    let directory = Directory::new("credentials");
    let file = directory.path().join("credentials");
    std::fs::write(&file, "[default]\naws_access_key_id = AKIDTEST\naws_secret_access_key = right\n")
        .expect("written");
    let config = config(
        &directory,
        &format!(
            "[listen]\nhttp_port = 0\ndax_port = 0\ndax_tls_port = 0\ngrpc_port = 0\nadmin_port = 0\n[store]\nin_memory = true\n[credentials]\nfile = {file:?}\n"
        ),
    );
    let node = Node::start(&["node", "--config", &config]);
    let endpoint = || format!("http://{}", node.http);
    ask(endpoint(), Some(credentials("right")), None).expect("the right secret is let in");
    let refused = ask(endpoint(), Some(credentials("wrong")), None).expect_err("a wrong secret is not");
    assert_eq!(refused.kind, ErrorKind::InvalidSignatureException, "{refused}");
    let unknown = Credentials { access_key: "AKIDOTHER".to_owned(), ..credentials("right") };
    let refused = ask(endpoint(), Some(unknown), None).expect_err("an unknown key is not");
    assert_eq!(refused.kind, ErrorKind::UnrecognizedClientException, "{refused}");
    let refused = ask(endpoint(), None, None).expect_err("nor is anyone without a signature");
    assert_eq!(refused.kind, ErrorKind::MissingAuthenticationTokenException, "{refused}");
    assert!(node.stop().success());
}

#[test]
fn https_with_a_certificate_that_is_replaced_while_it_runs() {
    let directory = Directory::new("tls");
    let (certificate_file, key_file) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    let write = |(certificate, key): &(String, String)| {
        std::fs::write(&key_file, key).expect("written");
        std::fs::write(&certificate_file, certificate).expect("written");
    };
    let (first, second) = (certificate(), certificate());
    write(&first);
    let config = config(
        &directory,
        &format!(
            "[listen]\nhttp_port = 0\ndax_port = 0\ndax_tls_port = 0\ngrpc_port = 0\nadmin_port = 0\n[store]\nin_memory = true\n[tls]\ncertificate_file = {certificate_file:?}\nkey_file = {key_file:?}\n"
        ),
    );
    let node = Node::start(&["node", "--config", &config]);
    let endpoint = || format!("https://{}", node.http);
    ask(endpoint(), None, Some(trusting(&first.0))).expect("the certificate serves");
    ask(endpoint(), None, Some(trusting(&second.0))).expect_err("another is not trusted");
    write(&second);
    // The files are looked at every ten seconds.
    let mut taken = false;
    for _ in 0..100 {
        if ask(endpoint(), None, Some(trusting(&second.0))).is_ok() {
            taken = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert!(taken, "the new certificate is not taken over");
    ask(endpoint(), None, Some(trusting(&first.0))).expect_err("the old one is gone");
    let mut plain = Wire::connect(node.http).expect("the port is open");
    let _ = plain.ask("ListTables", &json!({})).expect_err("plain text is not answered on a TLS port");
    assert!(node.stop().success());
}

/// What was posted: path and body, in order.
type Received = Mutex<Vec<(String, Vec<u8>)>>;

/// Receives what is posted to it, on a thread of its own, and answers all with 200.
fn receiver() -> (String, Arc<Received>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let received = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&received);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let keep = Arc::clone(&keep);
            std::thread::spawn(move || receive(stream, &keep));
        }
    });
    (url, received)
}

fn receive(mut stream: std::net::TcpStream, keep: &Received) {
    let mut read = Vec::new();
    let mut part = [0; 16 * 1024];
    loop {
        let head_end = read.windows(4).position(|window| window == b"\r\n\r\n");
        let whole = head_end.and_then(|end| {
            let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
            let length = head.split("\r\n").find_map(|line| line.strip_prefix("content-length:"))?;
            let until = end + 4 + length.trim().parse::<usize>().ok()?;
            let path = head.split(' ').nth(1)?.to_owned();
            (read.len() >= until).then_some((path, end + 4, until))
        });
        if let Some((path, from, until)) = whole {
            keep.lock().expect("nobody panics here").push((path, read[from..until].to_vec()));
            read.drain(..until);
            if stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
                return;
            }
            continue;
        }
        match stream.read(&mut part) {
            Ok(0) | Err(_) => return,
            Ok(count) => read.extend_from_slice(&part[..count]),
        }
    }
}

#[test]
fn the_spans_of_one_request_go_through_every_layer() {
    let (url, received) = receiver();
    let directory = Directory::new("otlp");
    let config = config(
        &directory,
        &format!(
            "[listen]\nhttp_port = 0\ndax_port = 0\ndax_tls_port = 0\ngrpc_port = 0\nadmin_port = 0\n[store]\nin_memory = true\n[telemetry.otlp]\nendpoint = \"{url}\"\ninterval = \"200ms\"\n"
        ),
    );
    let node = Node::start(&["node", "--config", &config]);
    node.create_table(&simple(TABLE, &[("p", "S")]));
    node.ok("PutItem", &json!({"TableName": TABLE, "Item": {"p": {"S": "traced"}}}));
    node.ok("GetItem", &json!({"TableName": TABLE, "Key": {"p": {"S": "never read before"}}}));
    assert!(node.stop().success());
    let received = received.lock().expect("nobody panics there");
    let spans: Vec<_> = received
        .iter()
        .filter(|(path, _)| path == "/v1/traces")
        .flat_map(|(_, body)| ExportTraceServiceRequest::decode(&body[..]).expect("protobuf").resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect();
    assert!(received.iter().any(|(path, _)| path == "/v1/metrics"), "no metrics came");
    // A trace with spans of one request, each but the first inside another of the same trace.
    let mut traces: std::collections::BTreeMap<Vec<u8>, Vec<_>> = std::collections::BTreeMap::new();
    for span in &spans {
        traces.entry(span.trace_id.clone()).or_default().push(span);
    }
    let depth = |trace: &Vec<&opentelemetry_proto::tonic::trace::v1::Span>| {
        trace
            .iter()
            .map(|span| {
                let mut parent = span.parent_span_id.clone();
                let mut deep = 1;
                while let Some(outer) = trace.iter().find(|outer| outer.span_id == parent && deep < 32) {
                    parent = outer.parent_span_id.clone();
                    deep += 1;
                }
                deep
            })
            .max()
            .unwrap_or(0)
    };
    let deepest = traces.values().max_by_key(|trace| depth(trace)).expect("spans came");
    let names: Vec<_> = deepest.iter().map(|span| span.name.clone()).collect();
    println!("the deepest trace: {names:?}");
    for layer in ["request", "limited", "resolved", "cached", "store"] {
        assert!(names.iter().any(|name| name == layer), "no span of {layer}: {names:?}");
    }
    assert_eq!(depth(deepest), deepest.len(), "each stands within the one above it: {names:?}");
}
