//! Counting tests from what test programs print.

use std::io::{BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, Stdio};

use crate::Failure;
use crate::build::shown;

/// How many passed and how many failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Passed.
    pub passed: u64,
    /// Failed; a test that was ignored is one of these, because nothing is to skip itself.
    pub failed: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Which lines of a program's output count.
#[derive(Debug, Clone, Copy)]
pub enum Counting {
    /// Every `test result: …` line of cargo's test programs.
    CargoTests,
    /// The last line of the form `N passed, N failed`.
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
                Counting::CargoTests => tally += cargo_line(&line).unwrap_or_default(),
                Counting::LastLine => tally = suite_line(&line).unwrap_or(tally),
            }
        }
    }
    let status = child.wait().map_err(|error| format!("cannot wait for {shown}: {error}"))?;
    if !status.success() && tally.failed == 0 {
        eprintln!("{shown}: {status}");
        tally.failed = 1;
    }
    if tally == Tally::default() {
        eprintln!("{shown}: no test was counted");
        tally.failed = 1;
    }
    Ok(tally)
}

/// `test result: ok. 5 passed; 0 failed; 1 ignored; …`
fn cargo_line(line: &str) -> Option<Tally> {
    let counts = line.trim().strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |what: &str| -> Option<u64> {
        counts.split(';').find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
    };
    Some(Tally { passed: count("passed")?, failed: count("failed")? + count("ignored")? })
}

/// `5 passed, 0 failed`
fn suite_line(line: &str) -> Option<Tally> {
    let (passed, failed) = line.trim().split_once(", ")?;
    Some(Tally {
        passed: passed.strip_suffix(" passed")?.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
    })
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

    #[test]
    fn cargo_lines_add_up_and_ignored_tests_are_failures() {
        let script = "echo 'test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.1s'; \
                      echo 'test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0s'";
        assert_eq!(quietly(&mut sh(script), Counting::CargoTests), Ok(Tally { passed: 6, failed: 3 }));
    }

    #[test]
    fn the_last_line_of_a_suite_counts() {
        let script = "echo '1 passed, 1 failed'; echo noise; echo '7 passed, 0 failed'; echo done";
        assert_eq!(quietly(&mut sh(script), Counting::LastLine), Ok(Tally { passed: 7, failed: 0 }));
    }

    #[test]
    fn a_bad_end_and_an_empty_run_are_failures() {
        let one = Ok(Tally { passed: 0, failed: 1 });
        assert_eq!(quietly(&mut sh("exit 3"), Counting::LastLine), one);
        assert_eq!(quietly(&mut sh("echo nothing here"), Counting::CargoTests), one);
        let late = quietly(&mut sh("echo '4 passed, 0 failed'; exit 1"), Counting::LastLine);
        assert_eq!(late, Ok(Tally { passed: 4, failed: 1 }));
    }
}
