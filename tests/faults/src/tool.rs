//! Running the system's programs, and names that say who made a thing.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Why a fault could not be made.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// A program is not there, or may not be run.
    #[error("{program} cannot be run ({why}); it comes with {package}")]
    Missing {
        /// Which.
        program: String,
        /// Debian's package of it.
        package: &'static str,
        /// What the system says.
        why: std::io::Error,
    },
    /// A program refused.
    #[error("{command}: {said}; this needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN")]
    Refused {
        /// What was run.
        command: String,
        /// What it said.
        said: String,
    },
    /// The system refused.
    #[error("{what}: {why}")]
    System {
        /// What was tried.
        what: String,
        /// What the system says.
        why: std::io::Error,
    },
}

impl FaultError {
    pub(crate) fn system(what: impl Into<String>, why: impl Into<std::io::Error>) -> FaultError {
        FaultError::System { what: what.into(), why: why.into() }
    }
}

/// Runs a program to its end, with this on its standard input, and answers what it said.
pub(crate) fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, FaultError> {
    let package = match program {
        "ip" | "tc" => "iproute2",
        "nft" => "nftables",
        "mount" | "umount" => "mount",
        "env" | "date" => "coreutils",
        _ => "util-linux",
    };
    let missing = |why| FaultError::Missing { program: program.to_owned(), package, why };
    let mut process = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(missing)?;
    if let Some(mut stdin) = process.stdin.take() {
        // A program that has ended already says why below.
        let _ = stdin.write_all(input.as_bytes());
    }
    let output = process.wait_with_output().map_err(missing)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let command = format!("{program} {}", arguments.join(" "));
    Err(FaultError::Refused { command, said: String::from_utf8_lossy(&output.stderr).trim().to_owned() })
}

/// What every name begins with: of this project's tests, and of nobody else.
const PREFIX: &str = "fbfault";

/// A name that nothing else has, and that says which process made it.
pub(crate) fn name() -> String {
    static MADE: AtomicU32 = AtomicU32::new(0);
    format!("{PREFIX}-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed))
}

/// Whether a name was made here by a process that is gone.
pub(crate) fn is_left_over(name: &str) -> bool {
    let maker = name
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.split('-').next());
    let maker = maker.and_then(|maker| maker.parse::<u32>().ok());
    maker.is_some_and(|maker| !Path::new("/proc").join(maker.to_string()).exists())
}
