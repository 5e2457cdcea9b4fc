//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use ::dax::client::Credentials;
use clap::{Args, Parser, Subcommand};

use crate::scenario::{Load, Scenario};
use crate::target::Target;

/// Measures Forebay beside its peers.
#[derive(Parser)]
#[command(name = "forebay-bench", version, about, args_override_self = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run one scenario against every target in turn, several rounds.
    #[command(args_override_self = true)]
    Run {
        /// What each request does.
        scenario: Scenario,
        /// `name=http://HOST:PORT`, or with `dax://`, `redis://`, `echo://` (as many bytes as over HTTP) or `echo-dax://` (as
        /// many as over DAX). The first is the one others are compared to. With `#PID` behind it, the CPU time of that process
        /// is reported.
        #[arg(long = "target", required = true)]
        targets: Vec<Target>,
        #[command(flatten)]
        load: LoadArguments,
        /// Requests sent together on a connection; the next ones follow when all are answered.
        #[arg(long, default_value_t = 1)]
        pipeline: usize,
        /// Rounds; the table shows medians over them.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Leave out the load phase: the items are there.
        #[arg(long)]
        loaded: bool,
        /// Also write every round as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
    },
    /// Make the tables of a scenario and write its items, over HTTP or into Redis.
    Fill {
        /// Whose tables.
        scenario: Scenario,
        /// As of `run`.
        #[arg(long = "target", required = true)]
        targets: Vec<Target>,
        #[command(flatten)]
        items: LoadArguments,
    },
    /// Read at a set rate with durable writes among the reads, and count latency from when a request was planned. The items
    /// are there.
    #[command(args_override_self = true)]
    Paced {
        /// As of `run`.
        #[arg(long = "target", required = true)]
        targets: Vec<Target>,
        #[command(flatten)]
        load: LoadArguments,
        /// Requests a second. Left out: what a closed loop of reads comes to is measured first, in each round.
        #[arg(long)]
        rate: Option<f64>,
        /// How much of the top rate.
        #[arg(long, default_value_t = 0.5)]
        share: f64,
        /// Writes among a hundred requests.
        #[arg(long, default_value_t = 5)]
        writes_percent: u64,
        /// Rounds; the table shows medians over them.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
    /// Write to one node of a cluster under a load of durable writes, and time when other nodes answer with what was written. The
    /// items are there.
    Lag {
        /// The node that is written to, as of `run`, over HTTP.
        #[arg(long)]
        writer: Target,
        /// The nodes that are read.
        #[arg(long = "reader", required = true)]
        readers: Vec<Target>,
        #[command(flatten)]
        load: LoadArguments,
    },
    /// Open many connections, ask once on each, and read the server's memory before and after. The items are there.
    Idle {
        /// As of `run`, with its process.
        #[arg(long)]
        target: Target,
        #[command(flatten)]
        load: LoadArguments,
    },
    /// Open new connections at a set rate, ask once on each, and close it. The items are there.
    Connect {
        /// As of `run`.
        #[arg(long)]
        target: Target,
        #[command(flatten)]
        load: LoadArguments,
        /// Connections a second.
        #[arg(long, default_value_t = 1000.0)]
        rate: f64,
    },
    /// Serve as the raw TCP server that others are compared to: so many bytes in, so many bytes out.
    Echo {
        /// Port on 127.0.0.1.
        #[arg(long)]
        port: u16,
    },
    /// Time a synced append of 512 bytes to a file, the floor under every durable write.
    Fsync {
        /// The file; made new, removed after.
        #[arg(long)]
        file: PathBuf,
        /// How many appends.
        #[arg(long, default_value_t = 2000)]
        appends: usize,
        /// Files that are appended to and synced one after another for each, as nodes on one disk do.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
        files: u8,
    },
}

/// What all loads have in common.
#[derive(Args)]
pub(crate) struct LoadArguments {
    /// Connections.
    #[arg(long, default_value_t = 1)]
    connections: usize,
    /// Seconds each target is driven in each round.
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Items, drawn at random.
    #[arg(long, default_value_t = 100_000)]
    keys: u64,
    /// Bytes of an item's payload attribute.
    #[arg(long, default_value_t = 470)]
    value_bytes: usize,
    /// Seed of the draw.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Access key that a connection over DAX is authorised with.
    #[arg(long, requires = "secret_key")]
    access_key: Option<String>,
    /// Its secret.
    #[arg(long, requires = "access_key")]
    secret_key: Option<String>,
}

impl LoadArguments {
    /// The load, of one request at a time on each connection.
    pub(crate) fn load(self, scenario: Scenario) -> Load {
        let credentials = self.access_key.zip(self.secret_key);
        Load {
            scenario,
            connections: self.connections.max(1),
            pipeline: 1,
            keys: self.keys.max(1),
            value_bytes: self.value_bytes,
            seed: self.seed,
            time: Duration::from_secs_f64(self.seconds),
            credentials: credentials.map(|(access_key, secret_key)| Credentials {
                access_key,
                secret_key,
                session_token: None,
            }),
        }
    }
}
