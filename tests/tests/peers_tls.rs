//! What nodes think of each other, over processes with certificates between them: a node that is not to be let in, or whose
//! certificate is wrong, is refused with what to do about it on both sides, and heals when that is done.

use std::time::Duration;

use forebay_tests::certificate::Authority;
use forebay_tests::cluster::Cluster;
use forebay_tests::node::Spawned;
use forebay_tests::numbers::{get, now, number, put, table};
use forebay_tests::wire::Wire;

/// A new certificate is taken within ten seconds; the rest is for a busy test machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn eventually(what: &str, mut is_so: impl FnMut() -> Result<(), String>) {
    let begun = now();
    while let Err(seen) = is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: {seen}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn contains(text: &str, wanted: &str) -> Result<(), String> {
    if text.contains(wanted) { Ok(()) } else { Err(text.to_owned()) }
}

/// What `/ready` of a node says that was only spawned.
fn ready(cluster: &Cluster, at: usize) -> Result<(u16, String), String> {
    let mut wire = Wire::connect(cluster.admin_address(at)).map_err(|error| error.to_string())?;
    let asked = wire.send(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    asked.map_err(|error| error.to_string())?;
    let reply = wire.reply().map_err(|error| error.to_string())?;
    Ok((reply.status, String::from_utf8_lossy(&reply.body).into_owned()))
}

fn is_ready(cluster: &Cluster, at: usize) -> Result<(), String> {
    match ready(cluster, at)? {
        (200, _) => Ok(()),
        (_, why) => Err(why),
    }
}

/// One that must be refused: what it says itself, and what the primary's `status` says of it.
struct Refused {
    own: &'static str,
    primarys: Option<&'static str>,
}

/// Starts a node that was stopped, and sees it refused as it should be.
fn is_refused(cluster: &Cluster, at: usize, what: &str, refused: &Refused) -> Spawned {
    let primary = cluster.primary();
    let mut process = cluster.spawn(at);
    eventually(&format!("{what}: its own log"), || {
        assert_eq!(process.ended(), None, "{what}: {}", process.said());
        contains(&process.said(), refused.own)
    });
    let (status, why) = ready(cluster, at).expect("its admin port is open");
    assert_eq!(status, 503, "{what}: {why}");
    if let Some(wanted) = refused.primarys {
        eventually(&format!("{what}: status"), || contains(&cluster.command(primary, &["status"]), wanted));
    }
    // The others go on without it.
    cluster.ok(primary, "PutItem", &put(what, 1));
    process
}

/// What was wrong is mended: it gets ready, and has what was written meanwhile.
fn heals(cluster: &Cluster, at: usize, what: &str) {
    eventually(&format!("{what}: it heals"), || is_ready(cluster, at));
    let answer = cluster.ask_spawned(at, "GetItem", &get(what, true));
    assert_eq!(number(&answer), Some(1), "{what}");
}

#[test]
fn certificates_secrets_and_names_that_do_not_fit_are_refused_with_what_to_do_and_heal() {
    let mut cluster = Cluster::start_with_certificates(3);
    cluster.node(0).create_table(&table());
    for at in 0..3 {
        cluster.ok(at, "PutItem", &put("all", at as u64));
        assert_eq!(number(&cluster.ok((at + 1) % 3, "GetItem", &get("all", true))), Some(at as u64));
    }
    let bad = cluster.replica();
    let host = cluster.address(bad).to_string();
    let stranger = Authority::new("another authority");
    cluster.kill(bad);

    // These are mended by new files, without a restart.
    let certified = |cluster: &Cluster, what: &str, refused: Refused| {
        let process = is_refused(cluster, bad, what, &refused);
        cluster.certify(bad);
        heals(cluster, bad, what);
        let said = process.said();
        drop(process);
        said
    };
    cluster.certify_by(bad, cluster.authority(), &host, 2020);
    let said = certified(
        &cluster,
        "expired",
        Refused {
            own: "this node's certificate has run out, or is not valid yet; it is good until 2020-01-01 00:00 UTC",
            primarys: Some("the peer's certificate has run out on 2020-01-01 00:00 UTC: put a new one"),
        },
    );
    let warning = "the certificate of [cluster.tls] has run out on 2020-01-01 00:00 UTC: put a new one";
    assert_eq!(said.matches(warning).count(), 1, "{said}");
    let gauge = "forebay_certificate_expiry_timestamp_seconds";
    let ends = cluster.node(cluster.primary()).metric_of(gauge, "section=\"cluster.tls\"");
    assert_eq!(ends, Some(64_060_588_800.0), "the beginning of the year 4000");
    cluster.certify_by(bad, &stranger, &host, 4000);
    certified(
        &cluster,
        "another authority",
        Refused {
            own: "does not know the authority of this node's certificate",
            primarys: Some("of an authority that [cluster.tls] authority does not have here"),
        },
    );

    // Another host's certificate is good enough to dial with, so that the node itself learns of it only as the others do: it is
    // never dialled.
    cluster.certify_by(bad, cluster.authority(), "127.0.0.99", 4000);
    let primary = cluster.primary();
    let mut process = cluster.spawn(bad);
    eventually("another host: status", || {
        assert_eq!(process.ended(), None, "{}", process.said());
        contains(&cluster.command(primary, &["status"]), "does not name the host by which it is reached")
    });
    assert_eq!(ready(&cluster, bad).expect("its admin port is open").0, 503);
    cluster.ok(primary, "PutItem", &put("another host", 1));
    cluster.certify(bad);
    heals(&cluster, bad, "another host");
    drop(process);

    // These are mended in its config.
    let secret = cluster.data(bad).with_file_name("another-secret");
    std::fs::write(&secret, "another secret that nobody knows\n").expect("a file in our directory");
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("it is ours");
    let secret_line = format!("secret_file = \"{}\"", cluster.data(bad).with_file_name("secret").display());
    let another_line = format!("secret_file = \"{}\"", secret.display());
    cluster.amend(bad, &secret_line, &another_line);
    let process = is_refused(
        &cluster,
        bad,
        "another secret",
        &Refused {
            own: "the peer has another cluster secret; give every node the same",
            primarys: Some("the peer has another cluster secret; give every node the same"),
        },
    );
    // Nor may it ask anything, however often.
    let at = cluster.peer_address(primary);
    for _ in 0..2 {
        let asked = cluster.try_command(bad, &["status", "--node", &at]);
        assert_eq!(asked.code, Some(64), "{}", asked.said);
        contains(&asked.said, "the peer has another cluster secret").expect("it says why");
    }
    drop(process);
    let [certificate, key, authority] = cluster.certificate_files(bad);
    let tls =
        format!("[cluster.tls]\ncertificate = {certificate:?}\nkey = {key:?}\nauthority = {authority:?}\n");
    cluster.amend(bad, &tls, "");
    let process = is_refused(
        &cluster,
        bad,
        "TLS on one side",
        &Refused {
            own: "either it has [cluster.tls] and this node has not",
            primarys: Some("[cluster.tls]"),
        },
    );
    drop(process);
    cluster.amend_nothing(bad);
    let process = cluster.spawn(bad);
    heals(&cluster, bad, "TLS on one side");
    drop(process);

    // A node of another cluster, which knows the secret, does not even open the data of this one; an empty one is told why nobody
    // lets it in.
    cluster.amend(bad, &secret_line, &format!("{secret_line}\nname = \"another\""));
    let mut process = cluster.spawn(bad);
    eventually("another cluster", || process.ended().map_or(Err(process.said()), |_| Ok(())));
    eventually("another cluster", || {
        contains(&process.said(), "the data belongs to the cluster \"forebay\"")
    });
    std::fs::remove_dir_all(cluster.data(bad)).expect("it is ours");
    let process = is_refused(
        &cluster,
        bad,
        "another cluster",
        &Refused {
            own: "the peer belongs to another cluster; check [cluster] name and nodes",
            primarys: None,
        },
    );
    drop(process);
    cluster.amend_nothing(bad);
    let process = cluster.spawn(bad);
    heals(&cluster, bad, "another cluster");
    drop(process);
    cluster.start_all();
    cluster.wait_until_whole();
}

#[test]
fn a_new_node_with_another_hosts_certificate_leaves_no_member_behind() {
    let mut cluster = Cluster::start_with_certificates(3);
    let (joins, primary) = (cluster.place_for_another(), cluster.primary());
    cluster.certify_by(joins, cluster.authority(), "127.0.0.99", 4000);
    let [_, _, authority] = cluster.certificate_files(joins);
    std::fs::write(authority, cluster.authority().pem()).expect("a file in our directory");
    let process = cluster.spawn(joins);
    eventually("it is told why", || {
        contains(&ready(&cluster, joins)?.1, "does not name the host by which it is reached")
    });
    let members = cluster.status(primary)["members"].as_array().map_or(0, Vec::len);
    assert_eq!(members, 3, "{}", cluster.command(primary, &["status"]));
    cluster.certify(joins);
    eventually("it joins", || is_ready(&cluster, joins));
    cluster.wait_for(primary, "four members", |status| {
        status["members"].as_array().is_some_and(|members| members.len() == 4)
    });
    // One that is taken out again while it runs is told so, and says it.
    let status = cluster.status(primary);
    let address = cluster.peer_address(joins);
    let members = status["members"].as_array().expect("a list");
    let own = members.iter().find(|member| member["address"] == address.as_str()).expect("it is a member");
    cluster.command(primary, &["member", "remove", &own["node"].to_string()]);
    eventually("it says that it was removed", || {
        contains(
            &ready(&cluster, joins)?.1,
            "this node was removed from the cluster: stop it and delete its data",
        )
    });
    drop(process);
    // Of a node that is not there, its address is told.
    let refused = cluster.try_command(joins, &["status"]);
    assert_eq!(refused.code, Some(75), "{}", refused.said);
    assert!(refused.said.contains(&address), "{}", refused.said);
}
