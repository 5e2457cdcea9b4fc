//! A process whose monotonic clocks say something else than the machine's.
//!
//! They differ from the start of the process and stay so: as after a machine was up for long, or for a moment. The wall clock
//! is the machine's; nothing but the simulation makes it jump.

use std::process::Command;
use std::time::Duration;

/// A command that runs a program with its monotonic clock and its uptime this much ahead. The process that is spawned is the
/// program's parent; where that is killed the program ends with it.
pub fn ahead(by: Duration, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let seconds = by.as_secs().to_string();
    let mut command = Command::new("unshare");
    command
        .args(["--time", "--monotonic", &seconds, "--boottime", &seconds, "--fork", "--kill-child"])
        .arg(program);
    command
}
