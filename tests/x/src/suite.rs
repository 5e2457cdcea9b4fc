//! Suites outside cargo: a folder with a `run.sh HTTP_ENDPOINT ADMIN_URL DAX_ENDPOINT GRPC_ENDPOINT` that prints
//! `FAILED NAME` for each test that fails, and ends on a line `N passed, N failed`.
//! In `FOREBAY_NODES` it finds how many nodes stand behind those endpoints, in `FOREBAY_BIN` the node's binary, for nodes of its own.
//!
//! Of three nodes, HTTP_ENDPOINT sends each request to the next in turn, ADMIN_URL has the sum of their metrics, DAX_ENDPOINT is a
//! replica's, and GRPC_ENDPOINT names all, parted by commas.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::root;
use crate::cluster::{self, Cluster};
use crate::node::Node;
use crate::tally::{Counting, Tally, counted};
use crate::{Failure, say};

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

/// What a suite is run against.
#[derive(Debug, Clone, Copy)]
pub enum Against {
    /// One node.
    One,
    /// Its requests spread over the nodes of a [`Cluster`].
    Three,
}

/// What serves a suite.
enum Served {
    One(Node),
    Three(Cluster),
}

impl Served {
    fn start(against: Against, forebay: &Path) -> Result<Served, Failure> {
        match against {
            Against::One => Node::dev(forebay).map(Served::One),
            Against::Three => Cluster::start(forebay).map(Served::Three),
        }
    }

    /// What `run.sh` is given: the endpoints, and how many nodes they are of.
    fn endpoints(&self) -> Result<([String; 4], usize), Failure> {
        Ok(match self {
            Served::One(node) => ([&node.http, &node.admin, &node.dax, &node.grpc].map(Clone::clone), 1),
            Served::Three(nodes) => {
                ([nodes.http(), nodes.admin(), nodes.dax()?, nodes.grpc()], cluster::NODES)
            }
        })
    }

    fn stop(self) -> Result<(), Failure> {
        match self {
            Served::One(node) => node.terminate().and_then(|()| node.wait()),
            Served::Three(nodes) => {
                let shares = nodes.shares().map(|shares| say(&format!("requests of each node: {shares:?}")));
                nodes.stop().and(shares)
            }
        }
    }
}

/// Runs the suite in `folder` against fresh nodes, with these variables and programs searched in `path`. A node that does not start,
/// or does not stop well, is a failure of the suite; so is one of three that the suite did not ask.
pub fn run(
    folder: &Path,
    against: Against,
    variables: &[(&str, &str)],
    forebay: &Path,
    path: &OsStr,
) -> Tally {
    let failed = |what: Failure| {
        eprintln!("{}: {what}", folder.display());
        Tally::failure(what)
    };
    let served = match Served::start(against, forebay) {
        Ok(served) => served,
        Err(failure) => return failed(failure),
    };
    let mut tally = match served.endpoints() {
        Ok((endpoints, nodes)) => {
            let mut command = Command::new(folder.join("run.sh"));
            command.args(endpoints).current_dir(root()).envs(variables.iter().copied());
            command.env("PATH", path).env("FOREBAY_BIN", forebay).env("FOREBAY_NODES", nodes.to_string());
            counted(&mut command, Counting::LastLine).unwrap_or_else(failed)
        }
        Err(failure) => failed(failure),
    };
    if let (Served::Three(nodes), 1..) = (&served, tally.failed) {
        eprint!("{}", nodes.logs());
    }
    if let Err(failure) = served.stop() {
        tally += failed(failure);
    }
    tally
}
