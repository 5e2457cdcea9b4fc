//! `cargo x test`: every test there is, as a list of named steps; at the end what failed, a line each, and one line of counts.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::build::{binary, cargo, root};
use crate::check::{OWN_WORKSPACES, own_settings};
use crate::suite::Against;
use crate::tally::{Counting, Tally, counted};
use crate::{Failure, prerequisite, say, suite};

/// One step: its name, and what it runs.
struct Step {
    name: String,
    what: What,
}

enum What {
    /// `cargo test` with these further arguments.
    Cargo(Vec<String>),
    /// A folder with a `run.sh`, what it is run against, and variables for it.
    Suite(PathBuf, Against, &'static [(&'static str, &'static str)]),
}

/// Three nodes are put through fewer sequences than one, and through others.
const DIFFERENTIAL_OF_THREE: &[(&str, &str)] = &[("FOREBAY_SEED", "100001"), ("FOREBAY_SEQUENCES", "30")];

/// All steps, in the order they run: the fast and exact first.
fn steps() -> Result<Vec<Step>, Failure> {
    let mut steps = vec![Step {
        name: "cargo".to_owned(),
        what: What::Cargo(["--workspace", "--no-fail-fast", "--locked"].map(str::to_owned).to_vec()),
    }];
    for (name, manifest) in OWN_WORKSPACES {
        let mut arguments =
            ["--manifest-path", manifest, "--no-fail-fast", "--locked"].map(str::to_owned).to_vec();
        arguments.extend(own_settings(manifest));
        let name = name.trim_start_matches("the ").replace(' ', "-");
        steps.push(Step { name, what: What::Cargo(arguments) });
    }
    for folder in suite::clients()? {
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        steps.push(Step { name: format!("client-{name}"), what: What::Suite(folder, Against::Three, &[]) });
    }
    for (name, folder, against, variables) in [
        ("deploy", "deploy", Against::One, &[][..]),
        ("differential", "differential", Against::One, &[]),
        ("differential-three", "differential", Against::Three, DIFFERENTIAL_OF_THREE),
    ] {
        let folder = root().join("tests").join(folder);
        steps.push(Step { name: name.to_owned(), what: What::Suite(folder, against, variables) });
    }
    Ok(steps)
}

/// The node as users get it, or the one that `FOREBAY_BIN` names. A copy, because cargo's tests build one in its place that has what
/// only tests switch on in the libraries.
fn as_shipped() -> Result<PathBuf, Failure> {
    if let Some(named) = std::env::var_os("FOREBAY_BIN").filter(|value| !value.is_empty()) {
        return std::path::absolute(&named).map_err(|error| format!("FOREBAY_BIN {named:?}: {error}"));
    }
    let built = binary("forebay-proxy", "forebay")?;
    let copy = built.with_file_name("forebay-as-shipped");
    std::fs::copy(&built, &copy).map_err(|error| format!("cannot copy {}: {error}", built.display()))?;
    Ok(copy)
}

/// Runs the steps whose name holds `filter`; where there is none, the tests of the workspace whose name does.
pub fn test(filter: Option<&String>) -> Result<(), Failure> {
    prerequisite::ensure(prerequisite::NATIVE)?;
    let mut chosen = steps()?;
    if let Some(filter) = filter {
        let all = chosen.len();
        chosen.retain(|step| step.name.contains(filter.as_str()));
        if chosen.is_empty() {
            say(&format!("none of the {all} steps is named so; running the tests named {filter}"));
            let args = ["--workspace", "--no-fail-fast", "--locked", filter].map(str::to_owned).to_vec();
            chosen = vec![Step { name: filter.clone(), what: What::Cargo(args) }];
        }
    }
    let is_workspace =
        |step: &Step| matches!(&step.what, What::Cargo(args) if args.iter().any(|arg| arg == "--workspace"));
    let needs_node = |step: &Step| matches!(step.what, What::Suite(..)) || is_workspace(step);
    if chosen.iter().any(is_workspace) {
        prerequisite::ensure(prerequisite::FAULTS)?;
    }
    // The workspace's tests of a cluster ask it through clients of other languages too.
    let path = if chosen.iter().any(needs_node) { prerequisite::ensure_clients()? } else { OsString::new() };
    let forebay = if chosen.iter().any(needs_node) { Some(as_shipped()?) } else { None };
    let mut total = Tally::default();
    let mut failed = Vec::new();
    let count = chosen.len();
    for (index, step) in chosen.into_iter().enumerate() {
        say(&format!("test {} of {count}: {}", index + 1, step.name));
        let tally = match (&step.what, &forebay) {
            (What::Suite(folder, against, variables), Some(forebay)) => {
                suite::run(folder, *against, variables, forebay, &path)
            }
            (What::Suite(..), None) => Err("a suite needs the node, which is built above for every suite")?,
            (What::Cargo(args), forebay) => {
                let mut command = cargo(&["test", "--release"])?;
                command.args(args);
                if let Some(forebay) = forebay {
                    command.env("FOREBAY_BIN", forebay).env("PATH", &path);
                }
                counted(&mut command, Counting::CargoTests)?
            }
        };
        say(&format!("{}: {tally}", step.name));
        if tally.failed > 0 {
            failed.push((step.name, tally.clone()));
        }
        total += tally;
    }
    for (step, tally) in &failed {
        tally.names.iter().for_each(|name| println!("FAILED {step}: {name}"));
        let unnamed = tally.failed.saturating_sub(tally.names.len() as u64);
        if unnamed > 0 {
            println!("FAILED {step}: {unnamed} more, see above");
        }
    }
    println!("{total}");
    let failed: Vec<_> = failed.into_iter().map(|(step, _)| step).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("tests of: {}", failed.join(", "))) }
}
