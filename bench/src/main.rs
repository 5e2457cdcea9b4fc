//! `forebay-bench`: the same load against several servers, interleaved round by round, as one table and one JSON file.
//!
//! One thread drives all connections, so that it can be pinned to a core of its own; what is compared is a ratio between
//! targets of one run. Deliberately not a test: nothing here passes or fails on a time.

#![allow(clippy::disallowed_methods, reason = "a load generator measures the machine's own time")]

mod drive;
mod echo;
mod fill;
mod keys;
mod process;
mod report;
mod scenario;
mod target;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};

use scenario::Scenario;
use target::Target;

/// Measures Forebay beside its peers.
#[derive(Parser)]
#[command(name = "forebay-bench", version, about, args_override_self = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run one scenario against every target in turn, several rounds.
    #[command(args_override_self = true)]
    Run {
        /// What each request does.
        scenario: Scenario,
        /// `name=http://HOST:PORT`, `name=redis://HOST:PORT` or `name=echo://HOST:PORT`. The first is the one others are compared
        /// to. With `#PID` behind it, the CPU time of that process is reported.
        #[arg(long = "target", required = true)]
        targets: Vec<Target>,
        /// Connections, each with one request under way.
        #[arg(long, default_value_t = 1)]
        connections: usize,
        /// Seconds each target is driven in each round.
        #[arg(long, default_value_t = 3.0)]
        seconds: f64,
        /// Rounds; the table shows medians over them.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Items, drawn at random.
        #[arg(long, default_value_t = 100_000)]
        keys: u64,
        /// Bytes of an item's payload attribute.
        #[arg(long, default_value_t = 470)]
        value_bytes: usize,
        /// Seed of the draw.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Leave out the load phase: the items are there.
        #[arg(long)]
        loaded: bool,
        /// Also write every round as JSON.
        #[arg(long)]
        json: Option<PathBuf>,
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
    },
}

/// What can go wrong while measuring.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// A socket or file said no.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: String,
        /// What was said.
        source: std::io::Error,
    },
    /// A server answered something else than the load expects.
    #[error("{target} answered {answer:?} to {doing}")]
    Answer {
        /// Which target.
        target: String,
        /// To what.
        doing: String,
        /// The beginning of the answer.
        answer: String,
    },
}

impl BenchError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> BenchError {
        let doing = doing.into();
        move |source| BenchError::Io { doing, source }
    }

    pub(crate) fn answer(target: &Target, doing: &str, answer: &[u8]) -> BenchError {
        let answer = String::from_utf8_lossy(&answer[..answer.len().min(400)]).into_owned();
        BenchError::Answer { target: target.name.clone(), doing: doing.into(), answer }
    }
}

fn main() -> ExitCode {
    match start(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("forebay-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: Arguments) -> Result<(), BenchError> {
    match arguments.command {
        Command::Echo { port } => echo::serve(port),
        Command::Fsync { file, appends } => report::fsync_floor(&file, appends),
        Command::Run {
            scenario,
            targets,
            connections,
            seconds,
            rounds,
            keys,
            value_bytes,
            seed,
            loaded,
            json,
        } => {
            let load = scenario::Load {
                scenario,
                connections,
                keys,
                value_bytes,
                seed,
                time: Duration::from_secs_f64(seconds),
            };
            let mut report = report::Report::new(&load, &targets);
            if !loaded {
                for target in &targets {
                    eprintln!("loading {} items into {target}", load.keys);
                    fill::fill(target, &load)?;
                }
            }
            for round in 0..rounds {
                for (place, target) in targets.iter().enumerate() {
                    report.add(place, drive::run(target, &load, round as u64)?);
                }
                eprintln!("round {} of {rounds} done", round + 1);
            }
            report.print();
            match json {
                Some(file) => std::fs::write(&file, report.json())
                    .map_err(BenchError::io(format!("writing {}", file.display()))),
                None => Ok(()),
            }
        }
    }
}
