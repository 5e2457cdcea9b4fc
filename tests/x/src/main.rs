//! The project's chores, run as `cargo x CHORE`.
//!
//! No dependencies, so that the first thing a newcomer runs compiles in a second. A chore says what it is about to do before it takes
//! long, stops at the first thing that is wrong with the machine, and names the command that would put it right. Nothing skips
//! itself: what cannot run is a failure.

mod build;
mod check;
mod cluster;
mod message;
mod node;
mod prerequisite;
mod soak;
mod spread;
mod suite;
mod tally;
mod test;
mod toolchain;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo x CHORE

  dev [ARGS]       build the node and run `forebay dev ARGS` (also: cargo dev)
  check            formatting, lints, licences; changes nothing
  fix              format, and apply what the lints suggest
  proto            make the checked-in code of the gRPC definitions anew
  test [FILTER]    every test there is, or the steps whose name holds FILTER, or else the tests named so
  soak NAME        the long form of a test; without NAME, the list
  bench            measure beside the peers; with ARGS, run `forebay-bench ARGS`
";

/// Why a chore ended badly: a sentence for the person at the terminal.
type Failure = String;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (chore, rest) = args.split_first().map_or(("", &[][..]), |(chore, rest)| (chore.as_str(), rest));
    let outcome = match (chore, rest) {
        ("dev", rest) => build::dev(rest),
        ("bench", rest) => build::bench(rest),
        ("check", []) => check::check(),
        ("fix", []) => check::fix(),
        ("proto", []) => check::proto(),
        ("test", []) => test::test(None),
        ("test", [filter]) => test::test(Some(filter)),
        ("soak", []) => {
            soak::list();
            return ExitCode::from(64);
        }
        ("soak", [name]) => soak::soak(name),
        ("help" | "--help" | "-h", []) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => {
            eprint!("{USAGE}");
            return ExitCode::from(64);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nfailed: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Says what comes next, before it takes long.
fn say(what: &str) {
    eprintln!("==> {what}");
}
