//! `cargo x soak NAME`: the long forms of tests that run briefly in `cargo x test`.

use crate::build::{binary, cargo, run};
use crate::{Failure, prerequisite, say};

/// One long form.
struct Soak {
    name: &'static str,
    about: &'static str,
    /// The variable that says how much is done, and how much that is where nobody set it; `None` where the test knows itself.
    amount: Option<(&'static str, &'static str)>,
    /// Which tests, as `cargo test` is told.
    tests: &'static [&'static str],
}

/// How many inputs a fuzz test makes.
const FUZZ_RUNS: &str = "FOREBAY_FUZZ_RUNS";

/// How many random tables the property test plays.
const CASES: &str = "FOREBAY_CASES";

/// A new long form is one row here.
const SOAKS: &[Soak] = &[
    Soak {
        name: "kill-cycles",
        about: "200 times kill -9 under concurrent writes: nothing acknowledged is lost",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_kill_cycles"],
    },
    Soak {
        name: "history",
        about: "60 rounds of concurrent clients over kills, every operation recorded and judged (FOREBAY_ROUNDS, FOREBAY_SECONDS)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_history"],
    },
    Soak {
        name: "faults",
        about: "50 rounds of three nodes under three faults each, every operation recorded and judged, those of the DAX clients for Python and Go too; as root (FOREBAY_ROUNDS, FOREBAY_SEED, FOREBAY_WRITE_VISIBILITY)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_faults"],
    },
    Soak {
        name: "failover",
        about: "50 times kill -9 of the primary under load: what is lost, and for how long writes stop (FOREBAY_ROUNDS)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_failover"],
    },
    Soak {
        name: "transfers",
        about: "leadership moved 50 times by command, and the primary stopped 10 times by SIGTERM, under load: no request fails, and for how long writes pause (FOREBAY_ROUNDS)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_transfers"],
    },
    Soak {
        name: "roster",
        about: "20 rounds of nodes that are lost, stop, start, hand over, join and go: all others tell DAX clients within a second (FOREBAY_ROUNDS)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_roster"],
    },
    Soak {
        name: "wake",
        about: "200 times a primary is stopped under writes, and goes on when another has taken its place: nothing old is answered; as root (FOREBAY_SLEEPS)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_wake"],
    },
    Soak {
        name: "start-times",
        about: "a gigabyte of items: ready in a second after a clean stop, in five after kill -9 (FOREBAY_GIGABYTES)",
        amount: None,
        tests: &["--package", "forebay-tests", "--test", "soak_start_times"],
    },
    Soak {
        name: "fuzz-json",
        about: "a million requests of broken JSON: no panic",
        amount: Some((FUZZ_RUNS, "1000000")),
        tests: &["--package", "forebay-store-http", "--lib", "fuzz_json_requests"],
    },
    Soak {
        name: "fuzz-expression",
        about: "a million texts of broken expressions: no panic, and what parses keeps its promises",
        amount: Some((FUZZ_RUNS, "1000000")),
        tests: &["--package", "forebay-store-api", "--lib", "expr::tests::fuzz"],
    },
    Soak {
        name: "fuzz-dax-codec",
        about: "ten million broken DAX frames, requests and answers: no panic, memory bounded, what is accepted means the same again",
        amount: Some((FUZZ_RUNS, "10000000")),
        tests: &["--package", "forebay-dax", "--lib", "fuzz_dax_codec"],
    },
    Soak {
        name: "fuzz-dax-stream",
        about: "ten million DAX connections of broken bytes: no panic, no hang, memory bounded, one answer for each request",
        amount: Some((FUZZ_RUNS, "10000000")),
        tests: &["--package", "forebay-dax", "--lib", "fuzz_dax_stream"],
    },
    Soak {
        name: "fuzz-grpc",
        about: "ten million broken gRPC messages, requests and answers: no panic, memory bounded, what is accepted means the same again",
        amount: Some((FUZZ_RUNS, "10000000")),
        tests: &["--package", "forebay-grpc", "--lib", "fuzz_grpc_codec"],
    },
    Soak {
        name: "simulation",
        about: "one node under crashes, torn writes and failed syncs, 100,000 seeds (FOREBAY_SEEDS)",
        amount: None,
        tests: &[
            "--manifest-path",
            "tests/sim/Cargo.toml",
            "--config",
            "tests/sim/.cargo/config.toml",
            "--locked",
            "--test",
            "soak_simulation",
        ],
    },
    Soak {
        name: "several-nodes",
        about: "three nodes under crashes, partitions, loss and slow disks, 100,000 seeds (FOREBAY_SEEDS, FOREBAY_FIRST_SEED)",
        amount: None,
        tests: &[
            "--manifest-path",
            "tests/sim/Cargo.toml",
            "--config",
            "tests/sim/.cargo/config.toml",
            "--locked",
            "--test",
            "soak_several_nodes",
        ],
    },
    Soak {
        name: "property",
        about: "a cached page always equals a fresh one, many random tables, writes and queries",
        amount: Some((CASES, "5000")),
        tests: &[
            "--package",
            "forebay-proxy",
            "--lib",
            "whatever_the_cache_answers_is_what_the_store_answers",
        ],
    },
];

/// Prints what there is.
pub fn list() {
    eprintln!("usage: cargo x soak NAME\n");
    for soak in SOAKS {
        eprintln!("  {:16} {}", soak.name, soak.about);
    }
}

/// Runs the long form called `name`.
pub fn soak(name: &str) -> Result<(), Failure> {
    let Some(soak) = SOAKS.iter().find(|soak| soak.name == name) else {
        list();
        return Err(format!("there is no long form called {name}"));
    };
    prerequisite::ensure(prerequisite::NATIVE)?;
    if ["faults", "wake"].contains(&soak.name) {
        prerequisite::ensure(prerequisite::FAULTS)?;
    }
    say(&format!("{}: {}", soak.name, soak.about));
    let mut command = cargo(&[&["test", "--release"], soak.tests, &["--", "--nocapture"]].concat())?;
    if let Some((variable, amount)) = soak.amount
        && std::env::var_os(variable).is_none()
    {
        command.env(variable, amount);
    }
    if soak.name == "faults" {
        // Clients of other languages ask, too.
        command.env("PATH", prerequisite::ensure_clients()?);
    }
    if soak.tests.contains(&"forebay-tests") {
        command.env("FOREBAY_BIN", binary("forebay-proxy", "forebay")?);
    }
    run(&mut command)
}
