//! Counting tests from what test programs print, and remembering which of them failed: whoever reads only the end of a long run is
//! told there what to look for.

use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::build::shown;

/// So many failures of a run are named; past that they are only counted.
const MAX_NAMES: usize = 100;
/// So much of a line that names a failure is kept: some give the reason behind the name. Unit: characters.
const MAX_NAME_CHARS: usize = 160;

/// How many passed and how many failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed; a test that was ignored is one of these, because nothing is to skip itself.
    pub failed: u64,
    /// What failed, as far as it was named; at most [`MAX_NAMES`].
    pub names: Vec<String>,
}

impl Tally {
    /// One failure that is no test's own.
    pub fn failure(what: impl Into<String>) -> Tally {
        Tally { passed: 0, failed: 1, names: vec![what.into()] }
    }

    fn name(&mut self, failed: &str) {
        if self.names.len() < MAX_NAMES {
            self.names.push(failed.chars().take(MAX_NAME_CHARS).collect());
        }
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        other.names.iter().for_each(|name| self.name(name));
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Which lines of a program's output count, and which name what failed.
#[derive(Debug, Clone, Copy)]
pub enum Counting {
    /// Every `test result: …` line of cargo's test programs; `test NAME ... FAILED`, and `ignored`.
    CargoTests,
    /// The last line of the form `N passed, N failed`; lines that begin with `FAILED`, or with pytest's `ERROR`.
    LastLine,
}

/// Runs a command, passes its output on, and counts. A program that ends badly without a failed test of its own counts as one failure,
/// and so does one that counted nothing.
pub fn counted(command: &mut Command, counting: Counting) -> Result<Tally, Failure> {
    counted_to(&mut std::io::stdout(), command, counting)
}

fn counted_to(out: &mut impl Write, command: &mut Command, counting: Counting) -> Result<Tally, Failure> {
    let shown = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("cannot run {shown}: {error}"))?;
    let mut tally = Tally::default();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.map_err(|error| format!("cannot read what {shown} prints: {error}"))?;
            let line = String::from_utf8_lossy(&line);
            // A terminal that is gone is no reason to stop counting.
            let _ = writeln!(out, "{line}");
            match counting {
                Counting::CargoTests => {
                    if let Some((passed, failed)) = cargo_line(&line) {
                        (tally.passed, tally.failed) = (tally.passed + passed, tally.failed + failed);
                    }
                    cargo_name(&line).into_iter().for_each(|name| tally.name(name));
                }
                Counting::LastLine => {
                    (tally.passed, tally.failed) = suite_line(&line).unwrap_or((tally.passed, tally.failed));
                    suite_name(&line).into_iter().for_each(|name| tally.name(name));
                }
            }
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for {shown}: {error}"))?;
    let what = if !status.success() && tally.failed == 0 {
        format!("{shown}: {status}")
    } else if tally.passed + tally.failed == 0 {
        format!("{shown}: no test was counted")
    } else {
        return Ok(tally);
    };
    eprintln!("{what}");
    tally += Tally::failure(what);
    Ok(tally)
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; …`
fn cargo_line(line: &str) -> Option<(u64, u64)> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |what: &str| -> Option<u64> {
        counts.split(';').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")? + count("ignored")?))
}

/// `test over_http::core ... FAILED`, `test slow ... ignored, takes an hour`
fn cargo_name(line: &str) -> Option<&str> {
    let (name, outcome) = line.trim().strip_prefix("test ")?.split_once(" ... ")?;
    (outcome.ends_with("FAILED") || outcome.starts_with("ignored")).then_some(name)
}

/// `5 passed, 0 failed`
fn suite_line(line: &str) -> Option<(u64, u64)> {
    let (passed, failed) = line.trim().split_once(", ")?;
    Some((passed.strip_suffix(" passed")?.parse().ok()?, failed.strip_suffix(" failed")?.parse().ok()?))
}

/// `FAILED test_flow.py::test_pages - assert 3 == 4`
fn suite_name(line: &str) -> Option<&str> {
    line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Counted without passing on: what these scripts print would itself be counted by whoever runs these tests.
    fn quietly(command: &mut Command, counting: Counting) -> Result<Tally, Failure> {
        counted_to(&mut std::io::sink(), command, counting)
    }

    fn tally(passed: u64, failed: u64, names: &[&str]) -> Result<Tally, Failure> {
        Ok(Tally { passed, failed, names: names.iter().map(ToString::to_string).collect() })
    }

    #[test]
    fn cargo_lines_add_up_and_ignored_tests_are_failures() {
        let script = "echo 'test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s'; \
                      echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s'";
        assert_eq!(quietly(&mut sh(script), Counting::CargoTests), tally(6, 3, &[]));
    }

    #[test]
    fn what_cargo_says_failed_or_was_ignored_is_named() {
        let script = "echo 'test a::good ... ok'; echo 'test a::bad ... FAILED'; echo 'test slow ... ignored, takes long'; \
                      echo 'test src/lib.rs - f (line 3) ... FAILED'; echo 'test interrupted ... noise FAILED'; \
                      echo 'test result: FAILED. 1 passed; 3 failed; 1 ignored; 0 measured; 0 filtered out'";
        let names = ["a::bad", "slow", "src/lib.rs - f (line 3)", "interrupted"];
        assert_eq!(quietly(&mut sh(script), Counting::CargoTests), tally(1, 4, &names));
    }

    #[test]
    fn the_last_line_of_a_suite_counts() {
        let script = "echo '1 passed, 1 failed'; echo noise; echo '7 passed, 0 failed'; echo done";
        assert_eq!(quietly(&mut sh(script), Counting::LastLine), tally(7, 0, &[]));
    }

    #[test]
    fn what_a_suite_says_failed_is_named_and_bounded() {
        let script = "echo 'FAILED test_a.py::test_b - assert 1'; echo 'ERROR test_c.py - no module'; echo 'it FAILED'; \
                      echo '7 passed, 2 failed'";
        let names = ["test_a.py::test_b - assert 1", "test_c.py - no module"];
        assert_eq!(quietly(&mut sh(script), Counting::LastLine), tally(7, 2, &names));

        let many = "for at in $(seq 200); do echo \"FAILED $at $(seq -s ' ' 200)\"; done; echo '0 passed, 200 failed'";
        let many = quietly(&mut sh(many), Counting::LastLine).expect("it runs");
        assert_eq!((many.failed, many.names.len()), (200, MAX_NAMES));
        assert!(many.names.iter().all(|name| name.len() == MAX_NAME_CHARS));
    }

    #[test]
    fn a_bad_end_and_an_empty_run_are_failures_with_a_name() {
        assert_eq!(
            quietly(&mut sh("exit 3"), Counting::LastLine),
            tally(0, 1, &["sh -c exit 3: exit status: 3"])
        );
        assert_eq!(
            quietly(&mut sh("echo nothing here"), Counting::CargoTests),
            tally(0, 1, &["sh -c echo nothing here: no test was counted"])
        );
        let late =
            quietly(&mut sh("echo '4 passed, 0 failed'; exit 1"), Counting::LastLine).expect("it runs");
        assert_eq!((late.passed, late.failed, late.names.len()), (4, 1, 1));
    }
}
