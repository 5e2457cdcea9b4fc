//! Suites outside cargo: a folder with a `run.sh HTTP_ENDPOINT ADMIN_URL DAX_ENDPOINT GRPC_ENDPOINT` that prints
//! `FAILED NAME` for each test that fails, and ends on a line `N passed, N failed`.
//! In `FOREBAY_BIN` it finds the node's binary, for nodes of its own.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::build::root;
use crate::node::Node;
use crate::tally::{Counting, Tally, counted};

/// The folders of `tests/clients` that hold a suite, in name order. A folder without a `run.sh` is a failure, so that a suite cannot
/// drop out unseen.
pub fn clients() -> Result<Vec<PathBuf>, Failure> {
    let parent = root().join("tests/clients");
    let unreadable = |error| format!("cannot read {}: {error}", parent.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&parent).map_err(unreadable)? {
        let folder = entry.map_err(unreadable)?.path();
        let hidden = folder.file_name().is_some_and(|name| name.to_string_lossy().starts_with(['.', '_']));
        if folder.is_dir() && !hidden {
            found.push(folder);
        }
    }
    found.sort();
    match found.iter().find(|folder| !folder.join("run.sh").exists()) {
        Some(folder) => Err(format!("{} has no run.sh", folder.display())),
        None if found.is_empty() => Err(format!("{} holds no suite", parent.display())),
        None => Ok(found),
    }
}

/// Runs the suite in `folder` against a fresh node, with programs searched in `path`. A node that does not start, or does not stop well, is a failure of the suite.
pub fn run(folder: &Path, forebay: &Path, path: &OsStr) -> Tally {
    let failed = |what: Failure| {
        eprintln!("{}: {what}", folder.display());
        Tally::failure(what)
    };
    let node = match Node::start(forebay) {
        Ok(node) => node,
        Err(failure) => return failed(failure),
    };
    let mut command = Command::new(folder.join("run.sh"));
    command.args([&node.http, &node.admin, &node.dax, &node.grpc]).current_dir(root());
    command.env("PATH", path).env("FOREBAY_BIN", forebay);
    let mut tally = counted(&mut command, Counting::LastLine).unwrap_or_else(failed);
    if let Err(failure) = node.stop() {
        tally += failed(failure);
    }
    tally
}
